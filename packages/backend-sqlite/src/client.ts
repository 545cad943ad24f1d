/** This side of a worker: calls out, answers back, and coded errors when it dies. */
import { Worker } from "node:worker_threads";
import { DataknobsError } from "@dataknobs/core/backend";
import { fromWire } from "./errors.js";
import type { Layout } from "./layout.js";
import type { Argument, Opened, OperationName, Request, Response, Result, WorkerData } from "./protocol.js";

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Client {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #opening: Promise<Layout | undefined>;
  readonly #exited: Promise<void>;
  #last = 0;
  #dead: Error | undefined;

  constructor(data: WorkerData) {
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: data });
    let opened: Waiting | undefined;
    this.#opening = new Promise((resolve, reject) => {
      opened = { resolve: resolve as Waiting["resolve"], reject };
    });
    this.#opening.catch((error: Error) => {
      this.#dead ??= error;
    });
    this.#worker.on("message", (message: Opened | Response) => {
      if ("id" in message) this.#answer(message);
      else if ("error" in message) opened?.reject(fromWire(message.error));
      else opened?.resolve(message.layout);
      this.#rest();
    });
    this.#worker.on("error", (cause: Error) => this.#die(ended(cause)));
    this.#exited = new Promise((resolve) => {
      this.#worker.on("exit", () => {
        const error = ended();
        opened?.reject(error);
        this.#die(error);
        resolve();
      });
    });
  }

  /** Calls without an answer: readers are chosen by it. */
  get load(): number {
    return this.#waiting.size;
  }

  opened(): Promise<Layout | undefined> {
    return this.#opening;
  }

  call<N extends OperationName>(name: N, argument: Argument<N>): Promise<Result<N>> {
    return new Promise((resolve, reject) => {
      if (this.#dead !== undefined) return reject(this.#dead);
      const id = ++this.#last;
      // an idle worker does not keep the process alive, one with work to do does
      if (this.#waiting.size === 0) this.#worker.ref();
      this.#waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
      this.#worker.postMessage({ id, name, argument } satisfies Request);
    });
  }

  async close(): Promise<void> {
    if (this.#dead === undefined) await this.call("close", null);
    this.#worker.ref();
    await this.#exited;
  }

  #answer(message: Response): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ("error" in message) waiting?.reject(fromWire(message.error));
    else waiting?.resolve(message.result);
  }

  #rest(): void {
    if (this.#waiting.size === 0) this.#worker.unref();
  }

  #die(error: Error): void {
    this.#dead ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#dead);
    this.#waiting.clear();
  }
}

function ended(cause?: Error): DataknobsError {
  return new DataknobsError(
    "UNAVAILABLE",
    "The thread that works on the SQLite file has ended. What it was doing may or may not be written; open the database again.",
    { backend: "sqlite" },
    cause === undefined ? undefined : { cause },
  );
}
