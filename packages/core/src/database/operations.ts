/** The asynchronous operations that a database and an open transaction have in common. */
import type { Aggregation } from "../aggregate/ast.js";
import type { ResultRow } from "../aggregate/finish.js";
import type { Call, NativeRow } from "../backend/spi.js";
import type { Condition } from "../query/ast.js";
import type { StoredRecord } from "../record/stored.js";
import type { Fields } from "../record/values.js";
import { internals } from "./internals.js";
import type { Page, PageOptions, QueryInput, ReadOptions } from "./reads.js";
import * as reads from "./reads.js";
import { BatchMachine } from "./scans.js";
import { asDataknobsError, type CallOptions, callOf, type Session } from "./session.js";
import { abortError, isThenable, runAsync, type Steps } from "./steps.js";
import { type BatchSource, RecordStream } from "./stream.js";
import type { CreateInput, CreateOptions, DeleteOptions, UpdateInput, UpdateOptions, UpsertInput } from "./writes.js";
import * as writes from "./writes.js";

/** Whether an operation only looks or also changes. */
export type Access = "read" | "write";

export interface Internals {
  /** Throws where the operation cannot be. */
  session(access: Access, operation: string): Session;
  /** `close` waits for it. */
  track<R>(work: Promise<R>): Promise<R>;
  /** Told of a stream that begins; what it gives is called when it ends. */
  opened(source: BatchSource): () => void;
}

/**
 * Reading and writing records. `I` is what writes take and `T` what reads give: with a schema its input and
 * output, else any fields. Every method rejects with a `DataknobsError`; every one takes `{ signal, timeout }`.
 */
export abstract class Operations<I = Fields, T = I> {
  /** The store and settings for an operation. Throws `NOT_OPEN`, or refuses. @internal */
  protected abstract session(access: Access, operation: string): Session;
  /** Called around whatever takes time, so that closing can wait for it. @internal */
  protected abstract track<R>(work: Promise<R>): Promise<R>;
  /** Called when a stream begins; the function it gives is called when it ends. @internal */
  protected abstract opened(source: BatchSource): () => void;

  /** Inserts a record. `ALREADY_EXISTS` where the id is taken. */
  create(data: I, options: CreateOptions & CallOptions = {}): Promise<StoredRecord<T>> {
    return this.#run("write", "create", options, (session, call) => writes.create(session, data, options, call));
  }

  /** The record, or `undefined`. */
  async read(id: string, options?: ReadOptions & CallOptions): Promise<StoredRecord<T> | undefined> {
    if (options !== undefined) return (await this.readMany([id], options))[0];
    const session = this.session("read", "read");
    try {
      const found = reads.readNow(session, id);
      return (isThenable(found) ? await this.track(Promise.resolve(found)) : found) as StoredRecord<T> | undefined;
    } catch (error) {
      throw asDataknobsError(error, session, "read");
    }
  }

  /** The records in the order of the ids, `undefined` for those that are not there. */
  readMany(ids: readonly string[], options: ReadOptions & CallOptions = {}): Promise<(StoredRecord<T> | undefined)[]> {
    return this.#run("read", "readMany", options, (session, call) => reads.readMany(session, ids, options, call));
  }

  /** Whether there is such a record. */
  async exists(id: string, options: CallOptions = {}): Promise<boolean> {
    return (await this.read(id, options)) !== undefined;
  }

  /** Replaces the data of a record, and its metadata where given; `undefined` where there is no such record. */
  update(id: string, data: I, options: UpdateOptions & CallOptions = {}): Promise<StoredRecord<T> | undefined> {
    return this.#run("write", "update", options, (session, call) => writes.update(session, id, data, options, call));
  }

  /** Merges top-level fields into a record, atomically; `undefined` where there is no such record. */
  patch(
    id: string,
    partial: Partial<I>,
    options: DeleteOptions & CallOptions = {},
  ): Promise<StoredRecord<T> | undefined> {
    return this.#run("write", "patch", options, (session, call) => writes.patch(session, id, partial, options, call));
  }

  /** Inserts, or replaces the whole record but `createdAt`. */
  upsert(id: string, data: I, options: UpdateOptions & CallOptions = {}): Promise<StoredRecord<T>> {
    return this.#run("write", "upsert", options, (session, call) => writes.upsert(session, id, data, options, call));
  }

  /** Whether the record was there. */
  delete(id: string, options: DeleteOptions & CallOptions = {}): Promise<boolean> {
    return this.#run("write", "delete", options, (session, call) => writes.remove(session, id, options, call));
  }

  /** Inserts any number; all or nothing where `capabilities.atomicBatch`, else outcomes in the error's details. */
  createMany(inputs: readonly CreateInput<I>[], options: CallOptions = {}): Promise<StoredRecord<T>[]> {
    return this.#run("write", "createMany", options, (session, call) => writes.createMany(session, inputs, call));
  }

  /** Inserts or replaces any number; the last of an id wins. */
  upsertMany(inputs: readonly UpsertInput<I>[], options: CallOptions = {}): Promise<StoredRecord<T>[]> {
    return this.#run("write", "upsertMany", options, (session, call) => writes.upsertMany(session, inputs, call));
  }

  /** Replaces any number; `undefined` for those that are not there. */
  updateMany(inputs: readonly UpdateInput<I>[], options: CallOptions = {}): Promise<(StoredRecord<T> | undefined)[]> {
    return this.#run("write", "updateMany", options, (session, call) => writes.updateMany(session, inputs, call));
  }

  /** Deletes any number; whether each was there. */
  deleteMany(ids: readonly string[], options: CallOptions = {}): Promise<boolean[]> {
    return this.#run("write", "deleteMany", options, (session, call) => writes.deleteMany(session, ids, call));
  }

  /** Patches every record that satisfies the condition; how many. */
  updateWhere(condition: Condition, partial: Partial<I>, options: CallOptions = {}): Promise<number> {
    return this.#run("write", "updateWhere", options, (session, call) =>
      writes.updateWhere(session, condition, partial, call),
    );
  }

  /** Deletes every record that satisfies the condition; how many. */
  deleteWhere(condition: Condition, options: CallOptions = {}): Promise<number> {
    return this.#run("write", "deleteWhere", options, (session, call) => writes.deleteWhere(session, condition, call));
  }

  /** Deletes every record; how many there were. */
  clear(options: CallOptions = {}): Promise<number> {
    return this.#run("write", "clear", options, (session, call) => writes.clear(session, call));
  }

  /** All records that answer the query. */
  search(query?: QueryInput, options: ReadOptions & CallOptions = {}): Promise<StoredRecord<T>[]> {
    return this.#run("read", "search", options, (session, call) => reads.search(session, query, options, call));
  }

  /** The first of them, or `undefined`. */
  first(query?: QueryInput, options: CallOptions = {}): Promise<StoredRecord<T> | undefined> {
    return this.#run("read", "first", options, (session, call) => reads.first(session, query, call));
  }

  /** How many answer the query; its sort, limit and offset do not matter. */
  count(query?: QueryInput, options: CallOptions = {}): Promise<number> {
    return this.#run("read", "count", options, (session, call) => reads.count(session, query, call));
  }

  /** One page of a sorted query and the cursor of the next. The page's size is the query's limit, or 100. */
  page(query: QueryInput, options: PageOptions & CallOptions = {}): Promise<Page<T>> {
    return this.#run("read", "page", options, (session, call) => reads.page(session, query, options, call));
  }

  /** Groups and functions over records; plain rows. */
  aggregate(aggregation: Aggregation, options: CallOptions = {}): Promise<ResultRow[]> {
    return this.#run("read", "aggregate", options, (session, call) => reads.aggregate(session, aggregation, call));
  }

  /**
   * The way down on SQL backends: a statement in the engine's own dialect, with its own placeholders, as a user of
   * the driver would run it. What it writes past this library is no record's version's business.
   */
  sql(
    statement: string,
    parameters: readonly unknown[] = [],
    options: CallOptions = {},
  ): Promise<readonly NativeRow[]> {
    return this.#run("write", "sql", options, (session, call) => reads.sql(session, statement, parameters, call));
  }

  /** The rows of `search` one by one, in bounded memory. */
  stream(query?: QueryInput, options: CallOptions = {}): RecordStream<T> {
    // checked now, so that a wrong query is refused here and not at the first row
    reads.planFor(this.session("read", "stream"), query);
    return new RecordStream<T>(() => {
      const session = this.session("read", "stream");
      const call = callOf(options);
      const machine = new BatchMachine(session, reads.planFor(session, query), call);
      let forget: (() => void) | undefined;
      let ended = false;
      const source: BatchSource = {
        signal: call.signal,
        get ended() {
          return ended;
        },
        next: async () => {
          this.session("read", "stream");
          forget ??= this.opened(source);
          if (call.signal?.aborted === true) throw abortError(call.signal);
          return await this.#drive(session, "stream", call, machine.next());
        },
        close: async () => {
          ended = true;
          forget?.();
          await this.#drive(session, "stream", {}, machine.close());
        },
      };
      return source;
    });
  }

  /** What operations that work on a database from outside need of it. @internal */
  get [internals](): Internals {
    return {
      session: (access, operation) => this.session(access, operation),
      track: (work) => this.track(work),
      opened: (source) => this.opened(source),
    };
  }

  #run(
    access: Access,
    operation: string,
    options: CallOptions,
    steps: (session: Session, call: Call) => Steps<unknown>,
  ): Promise<never> {
    return this.track(this.#begin(access, operation, options, steps)) as Promise<never>;
  }

  async #begin(
    access: Access,
    operation: string,
    options: CallOptions,
    steps: (session: Session, call: Call) => Steps<unknown>,
  ): Promise<unknown> {
    const session = this.session(access, operation);
    const call = callOf(options);
    if (call.signal?.aborted === true) throw abortError(call.signal);
    return await this.#drive(session, operation, call, steps(session, call));
  }

  async #drive<R>(session: Session, operation: string, call: Call, steps: Steps<R>): Promise<R> {
    try {
      return await runAsync(steps, call.signal);
    } catch (error) {
      throw asDataknobsError(error, session, operation);
    }
  }
}
