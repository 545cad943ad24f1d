/**
 * The backend over files.
 *
 * Guaranteed: a write that was acknowledged is in the file (and, with `fsync`, on the disk); every batch is there as a
 * whole or not at all, after a crash too; every call sees what this and other processes wrote before; writers wait for
 * each other; a damaged file is an error and stays as it is. A stream shows the store as it was when it began.
 *
 * Records are held in memory, about twice what their JSON takes; Parquet reads what a query or a write needs from the file
 * instead, unless there is a unique index.
 *
 * One implementation serves both kinds of database: operations are steps (`steps.ts`) that the synchronous twin runs at
 * once. The asynchronous one runs one at a time, and writes that wait for each other share one fsync.
 */
import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  type Backend,
  type Batches,
  type Call,
  type Capabilities,
  type Compiler,
  DataknobsError,
  freezeRecord,
  isThenable,
  type MaybePromise,
  type MergeOp,
  type OpenRequest,
  type ScanRequest,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
  type WriteRequest,
} from "@dataknobs/core/backend";
import { followLinks } from "./atomic.js";
import { classify, readOnlyError } from "./errors.js";
import { type Skip, skipKinds } from "./formats/parquet-skip.js";
import { type Change, Image, type Op } from "./image.js";
import { acquireLock } from "./lock.js";
import { batches } from "./memory-scan.js";
import { storageAt } from "./open-storage.js";
import type { Settings } from "./options.js";
import { ParquetScanner } from "./parquet-scan.js";
import { runLater, runNow, type Steps } from "./steps.js";
import type { Found, Storage, Table } from "./storage.js";

interface Pending {
  readonly ops: readonly Op[];
  readonly atomic: boolean;
  readonly signal: AbortSignal | undefined;
  settle(outcomes: readonly WriteOutcome[]): void;
  fail(error: unknown): void;
}

export class FileBackend implements Backend<Skip> {
  readonly name = "file";
  readonly ownership = "keep";
  readonly capabilities: Capabilities;
  readonly #settings: Settings;
  readonly #sync: boolean;
  #storage: Storage | undefined;
  /** Only for Parquet. */
  #scanner: ParquetScanner | undefined;
  #hasUniques = false;
  #fresh: () => Image = () => new Image([]);
  #image: Image | undefined;
  /** The asynchronous one's work in hand, and what comes after it. */
  #busy: Promise<unknown> | undefined;
  #queue: Pending[] = [];

  constructor(settings: Settings, { sync }: { readonly sync: boolean }) {
    this.#settings = settings;
    this.#sync = sync;
    if (settings.format === "parquet") this.#scanner = new ParquetScanner({ settings, declared: [] });
    this.capabilities = Object.freeze({
      ...capabilities,
      pushdown: settings.format === "parquet" ? skipKinds : capabilities.pushdown,
    });
  }

  get location(): string {
    return resolve(this.#settings.path);
  }

  toSync(): FileBackend {
    return this.#sync ? this : new FileBackend(this.#settings, { sync: true });
  }

  open({ indexes }: OpenRequest): MaybePromise<undefined> {
    return this.#exclusive(function* (this: FileBackend): Steps<undefined> {
      const settings = this.#settings;
      this.#storage?.close();
      this.#fresh = () => new Image(indexes);
      const path = followLinks(settings.path);
      if (!statSync(dirname(path)).isDirectory()) throw Object.assign(new Error("no folder"), { code: "ENOTDIR" });
      this.#image = undefined;
      this.#storage = storageAt(path, settings, indexes);
      if (this.#scanner !== undefined) this.#scanner = new ParquetScanner({ settings, declared: indexes });
      this.#hasUniques = indexes.some(({ unique }) => unique);
      if (this.#scanner !== undefined && !this.#hasUniques) {
        yield* this.#scanner.prepare(this.#storage);
        return undefined;
      }
      const image = yield* this.#refresh();
      yield* this.#settleTorn();
      image.checkUniques();
      return undefined;
    });
  }

  close(): MaybePromise<void> {
    return this.#exclusive(function* (this: FileBackend): Steps<void> {
      this.#storage?.close();
      this.#image = undefined;
    });
  }

  get compiler(): Compiler<Skip> | undefined {
    return this.#scanner?.compiler;
  }

  read(ids: readonly string[]): MaybePromise<readonly (WireRecord | undefined)[]> {
    if (this.#scanner !== undefined && !this.#inMemory())
      return this.#exclusive(() => this.#readFrom((this.#storage as Storage).table as Table, ids));
    return then(this.#current(), (image) =>
      ids.map((id) => {
        const record = image.get(id);
        if (record !== undefined) freezeRecord(record);
        return record;
      }),
    );
  }

  write(ops: readonly WriteOp[], { atomic, signal }: WriteRequest): MaybePromise<readonly WriteOutcome[]> {
    return this.#write(ops, { atomic, signal });
  }

  merge(op: MergeOp, { signal }: Call): MaybePromise<WriteOutcome> {
    const outcomes = this.#write([{ kind: "merge", ...op }], { atomic: false, signal });
    return then(outcomes, ([outcome]) => outcome as WriteOutcome);
  }

  clear(): MaybePromise<number> {
    return this.#exclusive(() =>
      this.#locked(function* (this: FileBackend, storage, check): Steps<number> {
        const size = this.#table === undefined ? (yield* this.#refresh()).size : yield* this.#table.count();
        const image = this.#fresh();
        this.#image = undefined;
        yield* storage.commit({ image, batches: [], check, anew: true });
        if (this.#table === undefined) this.#image = image;
        return size;
      }),
    );
  }

  scan(request: ScanRequest<Skip>): Batches {
    const scanner = this.#scanner;
    if (scanner !== undefined && !this.#inMemory())
      return this.#sync ? this.#scanNow(scanner, request) : this.#scanLater(scanner, request);
    const current = (): MaybePromise<Image> => this.#current();
    if (this.#sync) {
      return (function* () {
        yield* batches((current() as Image).all(), request);
      })();
    }
    return (async function* () {
      yield* batches((await current()).all(), request);
    })();
  }

  native(request: ScanRequest<Skip>): unknown {
    const { path, format } = this.#settings;
    if (this.#scanner === undefined || this.#inMemory()) return { path, format, reads: "records in memory" };
    return { path, format, reads: "the file", ...this.#scanner.plan(request) };
  }

  // ---------- Parquet, from the file

  /** What writes are decided on, where that need not be all records: unique values are compared with all. */
  get #table(): Table | undefined {
    return this.#hasUniques ? undefined : this.#storage?.table;
  }

  /** Whether the records are in memory anyway, for a unique index. */
  #inMemory(): boolean {
    return this.#busy === undefined && this.#image !== undefined && this.#storage?.isCurrent() === true;
  }

  *#scanNow(scanner: ParquetScanner, request: ScanRequest<Skip>): Generator<readonly WireRecord[]> {
    const run = <R>(steps: () => Steps<R>): R => this.#exclusive(steps) as R;
    const cursor = run(() => scanner.start(this.#storage as Storage, request));
    try {
      for (;;) {
        const batch = run(() => cursor.next());
        if (batch === undefined) return;
        yield batch;
      }
    } finally {
      cursor.close();
    }
  }

  async *#scanLater(scanner: ParquetScanner, request: ScanRequest<Skip>): AsyncGenerator<readonly WireRecord[]> {
    const run = async <R>(steps: () => Steps<R>): Promise<R> => await this.#exclusive(steps);
    const cursor = await run(() => scanner.start(this.#storage as Storage, request));
    try {
      for (;;) {
        const batch = await run(() => cursor.next());
        if (batch === undefined) return;
        yield batch;
      }
    } finally {
      cursor.close();
    }
  }

  *#readFrom(table: Table, ids: readonly string[]): Steps<readonly (WireRecord | undefined)[]> {
    const found = yield* table.find(ids);
    return ids.map((id) => {
      const record = found.get(id)?.record;
      if (record !== undefined) freezeRecord(record);
      return record;
    });
  }

  // ---------- keeping up with the file

  #current(): MaybePromise<Image> {
    if (this.#busy === undefined && this.#image !== undefined && this.#storage?.isCurrent() === true)
      return this.#image;
    return this.#exclusive(() => this.#refresh());
  }

  *#refresh(): Steps<Image> {
    const storage = this.#storage as Storage;
    if (this.#image !== undefined && storage.isCurrent()) return this.#image;
    const before = this.#image;
    // where reading fails, what was there before is out of date
    this.#image = undefined;
    const image = yield* storage.refresh(before, this.#fresh);
    this.#image = image;
    return image;
  }

  /** A cut-off end found on opening: is somebody writing just now, or did somebody die? Who has the lock knows. */
  *#settleTorn(): Steps<void> {
    const storage = this.#storage as Storage;
    if (storage.torn === undefined) return;
    if (!this.#settings.readOnly) {
      try {
        yield* this.#locked(function* (this: FileBackend): Steps<void> {
          yield* this.#refresh();
        });
      } catch (error) {
        // a folder that may only be read has no lock, and nobody who writes
        if (!DataknobsError.is(classify(error, storage.path), "PERMISSION_DENIED")) throw error;
      }
    }
    if (storage.torn !== undefined) this.#settings.onRecover(storage.torn);
  }

  // ---------- writing

  #write(
    ops: readonly Op[],
    { atomic, signal }: { readonly atomic: boolean; readonly signal: AbortSignal | undefined },
  ): MaybePromise<readonly WriteOutcome[]> {
    if (this.#sync) {
      let result: readonly WriteOutcome[] = [];
      const settle = (outcomes: readonly WriteOutcome[]): void => {
        result = outcomes;
      };
      const fail = (error: unknown): never => {
        throw error;
      };
      this.#queue.push({ ops, atomic, signal, settle, fail });
      // synchronous: it is done when the call returns
      void this.#exclusive(() => this.#drain());
      return result;
    }
    return new Promise((settle, fail) => {
      this.#queue.push({ ops, atomic, signal, settle, fail });
      if (this.#queue.length > 1) return;
      const done = this.#exclusive(() => this.#drain()) as PromiseLike<void> | undefined;
      done?.then(undefined, fail);
    });
  }

  /** Every write that waits, as one piece of I/O. */
  *#drain(): Steps<void> {
    const all = this.#queue;
    this.#queue = [];
    const asked = all.filter(({ signal, fail }) => signal?.aborted !== true || fail(aborted()));
    try {
      const results = yield* this.#locked(function* (this: FileBackend, storage, check): Steps<Result[]> {
        return yield* this.#commitAll(asked, storage, check);
      });
      for (const [index, { settle }] of asked.entries()) settle(results[index]?.outcomes ?? []);
    } catch (error) {
      const classified = classify(error, this.#settings.path);
      for (const { fail } of asked) fail(classified);
    }
  }

  *#commitAll(asked: readonly Pending[], storage: Storage, check: () => void): Steps<Result[]> {
    const ids = asked.flatMap(({ ops }) => ops.map(({ id }) => id));
    const found = this.#table && (yield* this.#table.find(ids));
    const image = found === undefined ? yield* this.#refresh() : this.#imageOf(found);
    const results = asked.map(({ ops, atomic }) => image.apply(ops, { atomic }));
    const batches = results.map(({ changes }) => changes).filter((changes) => changes.length > 0);
    if (batches.length === 0) return results;
    // until the file has it, memory must not have it: where this fails, the file is read again
    this.#image = undefined;
    yield* storage.commit({ image, found, batches, check, anew: false });
    if (found === undefined) this.#image = image;
    return results;
  }

  #imageOf(found: Found): Image {
    const image = this.#fresh();
    for (const [id, { record }] of found) image.put(id, record);
    return image;
  }

  *#locked<R>(work: (this: FileBackend, storage: Storage, check: () => void) => Steps<R>): Steps<R> {
    const storage = this.#storage as Storage;
    if (this.#settings.readOnly) throw readOnlyError(storage.path);
    const lock = yield* acquireLock(storage.path, { timeout: this.#settings.lockTimeout });
    try {
      if (lock.inherited) storage.sweep();
      return yield* work.call(this, storage, lock.check);
    } finally {
      lock.release();
    }
  }

  // ---------- one at a time

  #exclusive<R>(make: (this: FileBackend) => Steps<R>): MaybePromise<R> {
    const path = this.#settings.path;
    if (this.#sync) {
      try {
        return runNow(make.call(this));
      } catch (error) {
        throw classify(error, path);
      }
    }
    const before = this.#busy ?? Promise.resolve();
    const work = before
      .then(() => runLater(make.call(this)))
      .catch((error: unknown) => {
        throw classify(error, path);
      });
    const settled: Promise<void> = work.then(
      () => this.#free(settled),
      () => this.#free(settled),
    );
    this.#busy = settled;
    return work;
  }

  #free(done: Promise<unknown>): void {
    if (this.#busy === done) this.#busy = undefined;
  }
}

interface Result {
  readonly outcomes: readonly WriteOutcome[];
  readonly changes: readonly Change[];
}

const capabilities: Capabilities = Object.freeze({
  durable: true,
  transactions: false,
  atomicBatch: true,
  unique: true,
  snapshotStreams: true,
  fullText: "emulated",
  analyzers: Object.freeze([]),
  aggregation: "emulated",
  percentile: "exact",
  cancel: false,
  synchronous: true,
  pushdown: Object.freeze([]),
  limits: Object.freeze({}),
});

function then<T, R>(value: MaybePromise<T>, next: (value: T) => R): MaybePromise<R> {
  return isThenable(value) ? value.then(next) : next(value);
}

function aborted(): DataknobsError {
  return new DataknobsError("ABORTED", "The call was aborted before it began. Nothing was written.", {
    backend: "file",
  });
}
