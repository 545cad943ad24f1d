/**
 * The cache of `cached(primary, { store })`: records read by id, kept in another backend. What `cached` says of its cache
 * in memory holds, and: processes that share the store share what is in it, so that what others write is seen after `ttl`
 * where they do not write through the same store. Errors of the store are errors of the call.
 */
import type { Backend, Call, Transaction, WriteOp } from "../backend/spi.js";
import { newVersion } from "../record/ids.js";
import type { WireRecord } from "../record/json.js";
import { parseJson } from "../record/parse-json.js";
import { forward, forwardTransaction } from "./forward.js";

export interface ShelfCounts {
  readonly hits: number;
  readonly misses: number;
}

/** A backend with its cache in another one, which it opens and closes too. */
export function shelved(
  primary: Backend,
  store: Backend,
  ttl: number,
): { readonly backend: Backend; counts(): ShelfCounts } {
  const shelf = new Shelf(store, ttl);
  const { merge, deleteWhere, clear, sql, begin, open, close } = primary;
  const all = undefined;
  const backend = forward(primary, {
    // promises from here on
    capabilities: Object.freeze({ ...primary.capabilities, synchronous: false }),
    peek: undefined,
    toSync: undefined,
    async open(request) {
      const found = await open?.call(primary, request);
      try {
        await store.open?.({ ...request, indexes: [] });
      } catch (error) {
        await close?.call(primary);
        throw error;
      }
      return { ...found, synchronous: false };
    },
    async close() {
      try {
        await close?.call(primary);
      } finally {
        await store.close?.();
      }
    },
    read: (ids, call) => shelf.through(primary, ids, call),
    write: (ops, request) => shelf.changing(idsOf(ops), async () => primary.write(ops, request)),
    merge: merge && ((op, call) => shelf.changing([op.id], async () => merge.call(primary, op, call))),
    deleteWhere:
      deleteWhere && ((where, call) => shelf.changing(all, async () => deleteWhere.call(primary, where, call))),
    clear: clear && ((call) => shelf.changing(all, async () => clear.call(primary, call))),
    // a statement may change anything
    sql: sql && ((text, values, call) => shelf.changing(all, async () => sql.call(primary, text, values, call))),
    begin: begin && (async (call) => inTransaction(await begin.call(primary, call), shelf)),
  });
  return { backend, counts: () => shelf.counts };
}

const idsOf = (ops: readonly WriteOp[]): string[] => [...new Set(ops.map(({ id }) => id))];

/** Reads within a transaction go to the store; what it changed is forgotten when it ends. */
function inTransaction(inner: Transaction, shelf: Shelf): Transaction {
  let ids: Set<string> | undefined = new Set();
  const note = (changed: readonly string[] | undefined): void => {
    if (changed === undefined) ids = undefined;
    else for (const id of changed) ids?.add(id);
  };
  const { merge, deleteWhere, sql } = inner;
  return forwardTransaction(inner, {
    write(ops, request) {
      note(idsOf(ops));
      return inner.write(ops, request);
    },
    merge:
      merge &&
      ((op, call) => {
        note([op.id]);
        return merge.call(inner, op, call);
      }),
    deleteWhere:
      deleteWhere &&
      ((where, call) => {
        note(undefined);
        return deleteWhere.call(inner, where, call);
      }),
    sql:
      sql &&
      ((text, values, call) => {
        note(undefined);
        return sql.call(inner, text, values, call);
      }),
    commit: () => shelf.changing(ids === undefined ? undefined : [...ids], async () => inner.commit()),
  });
}

class Shelf {
  readonly #store: Backend;
  readonly #ttl: number;
  readonly #reading = new Map<string, Promise<WireRecord | undefined>>();
  readonly #putting = new Set<Promise<unknown>>();
  /** Another after every change: what was read before it is not kept. */
  #state = {};
  #changing = 0;
  #hits = 0;
  #misses = 0;

  constructor(store: Backend, ttl: number) {
    this.#store = store;
    this.#ttl = ttl;
  }

  get counts(): ShelfCounts {
    return { hits: this.#hits, misses: this.#misses };
  }

  async through(primary: Backend, ids: readonly string[], call: Call): Promise<(WireRecord | undefined)[]> {
    const [only] = ids;
    if (ids.length === 1 && only !== undefined) {
      // no signal of one that asks: others may be waiting for the same answer
      const running = this.#reading.get(only) ?? this.#one(primary, only);
      return [await running];
    }
    return this.#many(primary, ids, call);
  }

  #one(primary: Backend, id: string): Promise<WireRecord | undefined> {
    const reading = this.#many(primary, [id], {}).then(([record]) => record);
    this.#reading.set(id, reading);
    const done = (): void => {
      if (this.#reading.get(id) === reading) this.#reading.delete(id);
    };
    reading.then(done, done);
    return reading;
  }

  async #many(primary: Backend, ids: readonly string[], call: Call): Promise<(WireRecord | undefined)[]> {
    const state = this.#state;
    const rows = await this.#store.read(ids, call);
    const found = rows.map((row) => this.#recordOf(row));
    const missing = ids.flatMap((_, at) => (found[at] === undefined ? [at] : []));
    this.#hits += ids.length - missing.length;
    this.#misses += missing.length;
    // what was on the shelf before a change may be from before it
    if (state !== this.#state) return [...(await primary.read(ids, call))];
    if (missing.length === 0) return found;
    const read = await primary.read(
      missing.map((at) => ids[at] as string),
      call,
    );
    for (const [index, at] of missing.entries()) found[at] = read[index];
    await this.#put(read, state);
    return found;
  }

  #recordOf(row: WireRecord | undefined): WireRecord | undefined {
    const { record, at } = (row?.data ?? {}) as { record?: unknown; at?: unknown };
    if (typeof record !== "string" || typeof at !== "number" || at + this.#ttl <= Date.now()) return undefined;
    return parseJson(record) as unknown as WireRecord;
  }

  async #put(records: readonly (WireRecord | undefined)[], state: object): Promise<void> {
    if (state !== this.#state || this.#changing > 0) return;
    const at = Date.now();
    const ops = records.flatMap((record): WriteOp[] => {
      if (record === undefined) return [];
      // as text: what a record may hold, another may not hold one level deeper
      const data = Object.freeze({ record: JSON.stringify(record), at });
      const rest = { types: null, metadata: Object.freeze({}), metadataTypes: null };
      return [{ kind: "upsert", id: record.id, data, ...rest, version: newVersion(), at }];
    });
    if (ops.length === 0) return;
    const putting = Promise.resolve(this.#store.write(ops, { atomic: false }));
    this.#putting.add(putting);
    try {
      await putting;
    } finally {
      this.#putting.delete(putting);
    }
  }

  /** Forgets before and after; nothing is kept meanwhile. `undefined`: all. */
  async changing<R>(ids: readonly string[] | undefined, work: () => Promise<R>): Promise<R> {
    this.#changing++;
    try {
      await this.#forget(ids);
      return await work();
    } finally {
      try {
        await this.#forget(ids);
      } finally {
        this.#changing--;
      }
    }
  }

  async #forget(ids: readonly string[] | undefined): Promise<void> {
    this.#state = {};
    // who asks from now on must not get an answer from before
    this.#reading.clear();
    // what is on its way onto the shelf would come after
    await Promise.allSettled(this.#putting);
    const { clear, deleteWhere } = this.#store;
    if (ids !== undefined) {
      const ops = ids.map((id): WriteOp => ({ kind: "delete", id }));
      if (ops.length > 0) await this.#store.write(ops, { atomic: false });
    } else if (clear !== undefined) await clear.call(this.#store, {});
    else if (deleteWhere !== undefined) await deleteWhere.call(this.#store, undefined, {});
    else await this.#removeAll();
  }

  async #removeAll(): Promise<void> {
    const ids: string[] = [];
    const request = {
      where: undefined,
      match: undefined,
      order: [],
      limit: undefined,
      offset: 0,
      select: [],
      batchSize: 1000,
    };
    for await (const batch of this.#store.scan(request)) for (const { id } of batch) ids.push(id);
    if (ids.length > 0)
      await this.#store.write(
        ids.map((id): WriteOp => ({ kind: "delete", id })),
        { atomic: false },
      );
  }
}
