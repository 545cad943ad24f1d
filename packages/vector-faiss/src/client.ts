/** This side of the engine: calls out, answers back, and coded errors when its thread dies. */
import { Worker } from "node:worker_threads";
import { DataknobsError } from "@dataknobs/core/backend";
import { Engine } from "./engine.js";
import { fromWire, name } from "./errors.js";
import type { Answer, Argument, Message, OperationName, Result } from "./protocol.js";

/** At once where the engine is on this thread. */
export type Now<T> = T | Promise<T>;

/** Calls are answered in the order in which they are made. */
export interface Client {
  call<N extends OperationName>(operation: N, argument: Argument<N>): Now<Result<N>>;
  close(): Now<void>;
}

/** Shared by all engines of this thread and of those that it starts; see driver.ts. */
const lock = new SharedArrayBuffer(4);

export class LocalClient implements Client {
  readonly #engine = new Engine(new Int32Array(lock));

  call<N extends OperationName>(operation: N, argument: Argument<N>): Result<N> {
    return this.#engine.call(operation, argument);
  }

  close(): void {
    // nothing is held but memory
  }
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class ThreadClient implements Client {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #last = 0;
  #dead: Error | undefined;

  constructor() {
    // what the process was started with may be of no use to a thread: `--input-type` ends it
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: lock, execArgv: [] });
    this.#worker.on("message", (answer: Answer) => this.#answer(answer));
    this.#worker.on("error", (cause: Error) => this.#die(ended(cause)));
    this.#exited = new Promise((resolve) => {
      this.#worker.on("exit", () => {
        this.#die(ended());
        resolve();
      });
    });
  }

  call<N extends OperationName>(operation: N, argument: Argument<N>): Promise<Result<N>> {
    return new Promise((resolve, reject) => {
      if (this.#dead !== undefined) return reject(this.#dead);
      const id = ++this.#last;
      // an idle thread does not keep the process alive, one with work to do does
      if (this.#waiting.size === 0) this.#worker.ref();
      this.#waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
      this.#worker.postMessage({ id, name: operation, argument } satisfies Message);
    });
  }

  async close(): Promise<void> {
    this.#worker.ref();
    this.#worker.postMessage(null);
    await this.#exited;
  }

  #answer(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ("error" in answer) waiting?.reject(fromWire(answer.error));
    else waiting?.resolve(answer.result);
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
    "The thread of the faiss store has ended. What was not saved is lost; open the store again.",
    { backend: name },
    cause === undefined ? undefined : { cause },
  );
}
