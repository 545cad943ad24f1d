/**
 * One writer and several readers, each a thread. Writes go to the writer in the order of the calls. While a
 * transaction is open the writer is its own: other writes wait behind it, and give up after the timeout.
 */
import { DataknobsError, type IndexSpec } from "@dataknobs/core/backend";
import { Client } from "./client.js";
import type { Layout } from "./layout.js";
import type { Settings } from "./options.js";
import type { Argument, OperationName, Result } from "./protocol.js";
import { recordWidth } from "./select.js";

interface PendingRead {
  readonly ids: readonly string[];
  resolve(columns: readonly (string | number | null)[]): void;
  reject(error: unknown): void;
}

type Turn = () => void;

export class Pool {
  readonly #settings: Settings;
  readonly #writer: Client;
  readonly #readers: Client[] = [];
  #reads: PendingRead[] = [];
  #held = false;
  readonly #turns: Turn[] = [];

  private constructor(settings: Settings, writer: Client) {
    this.#settings = settings;
    this.#writer = writer;
  }

  static async open(settings: Settings, indexes: readonly IndexSpec[]): Promise<{ pool: Pool; layout: Layout }> {
    const writer = new Client({ settings, indexes });
    const layout = (await writer.opened()) as Layout;
    return { pool: new Pool(settings, writer), layout };
  }

  /** An idle reader; else a new one, up to the pool's size; else the least busy. The writer where there is none. */
  reader(): Client {
    let best: Client | undefined;
    for (const reader of this.#readers) if (best === undefined || reader.load < best.load) best = reader;
    if ((best === undefined || best.load > 0) && this.#readers.length < this.#settings.poolSize) {
      best = new Client({ settings: { ...this.#settings, readOnly: true }, indexes: undefined });
      this.#readers.push(best);
    }
    return best ?? this.#writer;
  }

  get hasReaders(): boolean {
    return this.#settings.poolSize > 0;
  }

  get writer(): Client {
    return this.#writer;
  }

  /** Reads of one tick travel together. */
  read(ids: readonly string[]): Promise<readonly (string | number | null)[]> {
    return new Promise((resolve, reject) => {
      // after the microtasks, among which other reads are still being called
      if (this.#reads.length === 0) process.nextTick(() => this.#flushReads());
      this.#reads.push({ ids, resolve, reject });
    });
  }

  #flushReads(): void {
    const reads = this.#reads;
    this.#reads = [];
    const ids = reads.length === 1 ? (reads[0] as PendingRead).ids : reads.flatMap((read) => read.ids);
    this.query("read", ids).then(
      (columns) => {
        let at = 0;
        for (const { ids: own, resolve } of reads) {
          const end = at + own.length * recordWidth;
          resolve(reads.length === 1 ? columns : columns.slice(at, end));
          at = end;
        }
      },
      (error: unknown) => {
        for (const { reject } of reads) reject(error);
      },
    );
  }

  /** On a reader; without readers on the writer, and then not inside a transaction of another. */
  query<N extends OperationName>(name: N, argument: Argument<N>): Promise<Result<N>> {
    return this.hasReaders ? this.reader().call(name, argument) : this.write(name, argument);
  }

  write<N extends OperationName>(name: N, argument: Argument<N>): Promise<Result<N>> {
    return this.#inTurn(() => this.#writer.call(name, argument));
  }

  /** Takes the writer for a transaction. */
  begin(signal: AbortSignal | undefined): Promise<void> {
    return this.#inTurn(async () => {
      this.#held = true;
      try {
        await this.#writer.call("begin", null);
      } catch (error) {
        this.#release();
        throw error;
      }
    }, signal);
  }

  async end(how: "commit" | "rollback"): Promise<void> {
    try {
      await this.#writer.call(how, null);
    } catch (error) {
      // a commit that failed leaves the transaction open
      if (how === "commit") await this.#writer.call("rollback", null);
      throw error;
    } finally {
      this.#release();
    }
  }

  /** Runs at once, or when no transaction is open any more; in the same breath, so that no `begin` comes between. */
  #inTurn<T>(run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (!this.#held && this.#turns.length === 0) return run();
    return new Promise((resolve, reject) => {
      const giveUp = (error: Error): void => {
        this.#turns.splice(this.#turns.indexOf(turn), 1);
        end();
        reject(error);
      };
      const abort = (): void => giveUp(aborted(signal?.reason));
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
      };
      const timer = setTimeout(() => giveUp(behindTransaction(this.#settings.timeoutMs)), this.#settings.timeoutMs);
      const turn: Turn = () => {
        end();
        run().then(resolve, reject);
      };
      signal?.addEventListener("abort", abort);
      this.#turns.push(turn);
    });
  }

  /** Lets those who waited on, up to the next transaction. */
  #release(): void {
    this.#held = false;
    while (!this.#held) {
      const turn = this.#turns.shift();
      if (turn === undefined) return;
      turn();
    }
  }

  async close(): Promise<void> {
    // the writer last: the last connection to go folds the write-ahead log into the file
    await Promise.allSettled(this.#readers.map((reader) => reader.close()));
    await this.#writer.close();
  }
}

function aborted(cause: unknown): DataknobsError {
  return new DataknobsError(
    "ABORTED",
    "The call was aborted before its turn. Nothing was written.",
    { backend: "sqlite" },
    { cause },
  );
}

function behindTransaction(timeoutMs: number): DataknobsError {
  return new DataknobsError(
    "TIMEOUT",
    `A transaction of this same database was still open after ${timeoutMs / 1000} s, and the call had to wait for its end. ` +
      "Nothing was written. Inside a transaction's body, write through its argument.",
    { backend: "sqlite" },
  );
}
