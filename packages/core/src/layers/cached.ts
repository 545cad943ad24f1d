/**
 * Keeps records that were read by id, so that the next read needs no I/O.
 *
 * Guaranteed: what was written through this backend is seen at once; reads of one id under way are one. Given up: what
 * others write into the store is seen by `read` only after `ttl`. Queries always ask the store, and compare-and-set is
 * always decided by the store, so that a stale read costs a conflict, never an update.
 */
import type { Backend, Call, Transaction } from "../backend/spi.js";
import { isThenable } from "../database/steps.js";
import { freezeRecord } from "../record/freeze.js";
import type { WireRecord } from "../record/json.js";
import { forward, forwardTransaction } from "./forward.js";
import { checkKeys, milliseconds, refused, wholeNumber } from "./options.js";
import { shelved } from "./shelf.js";

export interface CacheOptions {
  /** Records kept; the one that was not read for longest goes first. Default 10,000. */
  readonly maxEntries?: number;
  /** Milliseconds after which a record is read again. Default: never, for a store that only this database writes. */
  readonly ttl?: number;
  /**
   * Another backend to keep the records in, in place of memory: one on disk, or one that processes share. It is used for
   * nothing else, opened and closed with this one, and has no `maxEntries`: `expiring` keeps it small.
   */
  readonly store?: Backend;
}

export interface CacheCounts {
  readonly hits: number;
  readonly misses: number;
  /** Of a cache in memory. */
  readonly entries?: number;
}

export interface CachedBackend extends Backend {
  /** How often a read was answered from the cache. */
  cacheCounts(): CacheCounts;
}

/**
 * A backend with a cache of records in memory before it.
 *
 * @example
 * const db = await openDatabase(cached(postgres({ host: "db" }), { maxEntries: 50_000, ttl: 60_000 }));
 */
export function cached(primary: Backend, options: CacheOptions = {}): CachedBackend {
  checkKeys("cached", options, ["maxEntries", "ttl", "store"]);
  const ttl = milliseconds("cached", "ttl", options.ttl ?? Number.POSITIVE_INFINITY);
  if (options.store !== undefined) {
    const { store } = options;
    if (typeof store.scan !== "function" || store === primary)
      throw refused("cached", "takes another backend as `store`");
    if (options.maxEntries !== undefined) throw refused("cached", "has no `maxEntries` with `store`");
    const { backend, counts } = shelved(primary, store, ttl);
    return Object.assign(backend, { cacheCounts: counts });
  }
  const maxEntries = wholeNumber("cached", "maxEntries", options.maxEntries ?? 10_000, 1);
  const cache = new Cache(maxEntries, ttl);
  const { merge, deleteWhere, clear, sql, begin, close } = primary;
  /** What was read before a change must not be kept after it. */
  const changing = <R>(ids: readonly string[] | undefined, work: () => R): R => {
    cache.forget(ids);
    const done = (): void => cache.forget(ids);
    let result: R;
    try {
      result = work();
    } catch (error) {
      done();
      throw error;
    }
    if (isThenable(result)) result.then(done, done);
    else done();
    return result;
  };
  return Object.assign(
    forward(primary, {
      peek: (id) => cache.hit(id),
      read: (ids, call) => readThrough(cache, primary, ids, call),
      write: (ops, request) =>
        changing(
          ops.map(({ id }) => id),
          () => primary.write(ops, request),
        ),
      merge: merge && ((op, call) => changing([op.id], () => merge.call(primary, op, call))),
      deleteWhere: deleteWhere && ((where, call) => changing(undefined, () => deleteWhere.call(primary, where, call))),
      clear: clear && ((call) => changing(undefined, () => clear.call(primary, call))),
      // a statement may change anything
      sql: sql && ((text, values, call) => changing(undefined, () => sql.call(primary, text, values, call))),
      begin:
        begin &&
        ((call) => {
          const inner = begin.call(primary, call);
          return isThenable(inner)
            ? inner.then((one) => inTransaction(one, cache))
            : inTransaction(inner as Transaction, cache);
        }),
      close() {
        cache.forget(undefined);
        return close?.call(primary);
      },
      ...(primary.toSync !== undefined && { toSync: () => cached((primary.toSync as () => Backend)(), options) }),
    }),
    { cacheCounts: () => cache.counts() },
  );
}

/** Reads within a transaction go to the store; what it changed is forgotten when it ends. */
function inTransaction(inner: Transaction, cache: Cache): Transaction {
  let ids: Set<string> | undefined = new Set();
  const all = (): void => {
    ids = undefined;
  };
  const end = <R>(work: () => R): R => {
    const changed = ids === undefined ? undefined : [...ids];
    const result = work();
    const done = (): void => cache.forget(changed);
    if (isThenable(result)) result.then(done, done);
    done();
    return result;
  };
  const { merge, deleteWhere, sql } = inner;
  return forwardTransaction(inner, {
    write(ops, request) {
      for (const { id } of ops) ids?.add(id);
      return inner.write(ops, request);
    },
    ...(merge && {
      merge(op, call) {
        ids?.add(op.id);
        return merge.call(inner, op, call);
      },
    }),
    ...(deleteWhere && {
      deleteWhere(where, call) {
        all();
        return deleteWhere.call(inner, where, call);
      },
    }),
    ...(sql && {
      sql(text, values, call) {
        all();
        return sql.call(inner, text, values, call);
      },
    }),
    commit: () => end(() => inner.commit()),
    rollback: () => inner.rollback(),
  });
}

function readThrough(cache: Cache, primary: Backend, ids: readonly string[], call: Call): ReturnType<Backend["read"]> {
  const missing: string[] = [];
  const found = ids.map((id) => {
    const record = cache.hit(id);
    if (record === undefined) missing.push(id);
    return record;
  });
  cache.missed(missing.length);
  if (missing.length === 0) return found;
  const [only] = missing;
  if (missing.length === 1 && only !== undefined) {
    // no signal of one that asks: others may be waiting for the same answer
    const record = cache.underWay(only, () => primary.read([only], {}));
    const fill = (row: WireRecord | undefined): (WireRecord | undefined)[] => found.map((one) => one ?? row);
    return isThenable(record) ? record.then(fill) : fill(record as WireRecord | undefined);
  }
  const state = cache.state;
  const rows = primary.read(missing, call);
  const fill = (read: readonly (WireRecord | undefined)[]): (WireRecord | undefined)[] => {
    let next = 0;
    return found.map((one) => {
      if (one !== undefined) return one;
      const record = read[next++];
      if (record !== undefined && state === cache.state) cache.put(record);
      return record;
    });
  };
  return isThenable(rows) ? rows.then(fill) : fill(rows as readonly (WireRecord | undefined)[]);
}

interface Entry {
  readonly record: WireRecord;
  readonly until: number;
}

class Cache {
  readonly #max: number;
  readonly #ttl: number;
  readonly #entries = new Map<string, Entry>();
  readonly #reading = new Map<string, PromiseLike<WireRecord | undefined>>();
  #hits = 0;
  #misses = 0;
  /** Another after every change: what was read before it is not kept. */
  state = {};

  constructor(max: number, ttl: number) {
    this.#max = max;
    this.#ttl = ttl;
  }

  hit(id: string): WireRecord | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    if (entry.until !== Number.POSITIVE_INFINITY && entry.until <= Date.now()) {
      this.#entries.delete(id);
      return undefined;
    }
    this.#hits++;
    // the youngest is last
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    return entry.record;
  }

  missed(count: number): void {
    this.#misses += count;
  }

  put(record: WireRecord): void {
    freezeRecord(record);
    this.#entries.delete(record.id);
    this.#entries.set(record.id, { record, until: Date.now() + this.#ttl });
    if (this.#entries.size > this.#max) this.#entries.delete(this.#entries.keys().next().value as string);
  }

  /** One read for all who ask at the same time. */
  underWay(
    id: string,
    read: () => ReturnType<Backend["read"]>,
  ): WireRecord | undefined | PromiseLike<WireRecord | undefined> {
    const running = this.#reading.get(id);
    if (running !== undefined) return running;
    const { state } = this;
    const keep = ([record]: readonly (WireRecord | undefined)[]): WireRecord | undefined => {
      if (record !== undefined && state === this.state) this.put(record);
      return record;
    };
    const rows = read();
    if (!isThenable(rows)) return keep(rows as readonly (WireRecord | undefined)[]);
    const record = rows.then(keep);
    this.#reading.set(id, record);
    const done = (): void => {
      if (this.#reading.get(id) === record) this.#reading.delete(id);
    };
    record.then(done, done);
    return record;
  }

  /** `undefined`: all. */
  forget(ids: readonly string[] | undefined): void {
    this.state = {};
    // who asks from now on must not get an answer from before
    this.#reading.clear();
    if (ids === undefined) this.#entries.clear();
    else for (const id of ids) this.#entries.delete(id);
  }

  counts(): CacheCounts {
    return { hits: this.#hits, misses: this.#misses, entries: this.#entries.size };
  }
}
