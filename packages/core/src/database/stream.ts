/** Streams: the rows of a search, batch by batch inside, one by one or in batches outside. */
import type { WireRecord } from "../record/json.js";
import { type StoredRecord, toStored } from "../record/stored.js";

/** How a stream gets its batches: driven with promises by a database. */
export interface BatchSource<R = WireRecord> {
  /** Looked at before every row: a backend may give all of its rows in one batch. */
  readonly signal?: AbortSignal | undefined;
  /** Closed from outside, as by the database's own close: rows at hand are not given any more. */
  readonly ended: boolean;
  next(): Promise<readonly R[] | undefined>;
  close(): Promise<void>;
}

/** Makes a source for each iteration. */
export type OpenSource<R = WireRecord> = () => BatchSource<R>;

/** The rows of a stream one by one, or in batches. Nothing happens before the first is asked for. */
export abstract class RowStream<R, T> implements AsyncIterable<T> {
  readonly #open: OpenSource<R>;
  readonly #give: (row: R) => T;

  constructor(open: OpenSource<R>, give: (row: R) => T) {
    this.#open = open;
    this.#give = give;
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return new RowIterator(this.#open(), this.#give);
  }

  /** The same rows in lists of `size`; the last may be shorter. */
  async *batches(size = 500): AsyncGenerator<T[], void> {
    if (!Number.isSafeInteger(size) || size < 1) throw new TypeError("A batch has 1 or more records.");
    let pending: T[] = [];
    for await (const row of this) {
      pending.push(row);
      if (pending.length === size) {
        yield pending;
        pending = [];
      }
    }
    if (pending.length > 0) yield pending;
  }
}

/**
 * The answer to `db.stream(query)`: just the rows and the order of `search`, in bounded memory. Nothing happens
 * before the first row is asked for; `break`, an error or an abort ends the engine's work.
 */
export class RecordStream<T> extends RowStream<WireRecord, StoredRecord<T>> {
  constructor(open: OpenSource) {
    super(open, toStored as (record: WireRecord) => StoredRecord<T>);
  }
}

// By hand: a nested async generator costs several promises per row, this one at most one.
class RowIterator<R, T> implements AsyncIterator<T, undefined> {
  readonly #source: BatchSource<R>;
  readonly #give: (row: R) => T;
  #batch: readonly R[] = [];
  #at = 0;
  #ended = false;
  #pulling: Promise<unknown> | undefined;

  constructor(source: BatchSource<R>, give: (row: R) => T) {
    this.#source = source;
    this.#give = give;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#at < this.#batch.length && this.#source.signal?.aborted !== true && !this.#source.ended) {
      return Promise.resolve({ done: false, value: this.#give(this.#batch[this.#at++] as R) });
    }
    // a second call before the first is answered waits its turn
    const pull =
      this.#pulling === undefined
        ? this.#pull()
        : this.#pulling.then(
            () => this.next(),
            () => this.next(),
          );
    this.#pulling = pull;
    const done = (): void => {
      if (this.#pulling === pull) this.#pulling = undefined;
    };
    pull.then(done, done);
    return pull;
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#batch = [];
    if (!this.#ended) {
      this.#ended = true;
      await this.#source.close();
    }
    return { done: true, value: undefined };
  }

  async #pull(): Promise<IteratorResult<T, undefined>> {
    if (this.#ended) return { done: true, value: undefined };
    try {
      const batch = await this.#source.next();
      if (batch === undefined) {
        this.#ended = true;
        await this.#source.close();
        return { done: true, value: undefined };
      }
      this.#batch = batch;
      this.#at = 1;
      return { done: false, value: this.#give(batch[0] as R) };
    } catch (error) {
      this.#ended = true;
      await this.#source.close();
      throw error;
    }
  }
}

/** A synchronous stream: the same rows, iterable at once. */
export class SyncRecordStream<T> implements Iterable<StoredRecord<T>> {
  readonly #open: () => Generator<readonly WireRecord[], void>;

  constructor(open: () => Generator<readonly WireRecord[], void>) {
    this.#open = open;
  }

  *[Symbol.iterator](): Generator<StoredRecord<T>, void> {
    for (const batch of this.#open()) for (const record of batch) yield toStored(record) as StoredRecord<T>;
  }

  /** The same rows in lists of `size` records; the last may be shorter. */
  *batches(size = 500): Generator<StoredRecord<T>[], void> {
    if (!Number.isSafeInteger(size) || size < 1) throw new TypeError("A batch has 1 or more records.");
    let pending: StoredRecord<T>[] = [];
    for (const record of this) {
      pending.push(record);
      if (pending.length === size) {
        yield pending;
        pending = [];
      }
    }
    if (pending.length > 0) yield pending;
  }
}
