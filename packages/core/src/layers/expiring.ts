/**
 * Records that end by themselves.
 *
 * Guaranteed: from the moment on at which a record expires it is not read, found, counted or changed, and its id and the
 * unique values it held are free; `sweep` removes it from the store, now and then by itself. Given up: every write reads
 * first, to tell an id that is free from one that is taken; streams show what has not expired when they begin.
 */
import type {
  Backend,
  Call,
  MaybePromise,
  Store,
  Transaction,
  WriteOp,
  WriteOutcome,
  WriteRequest,
} from "../backend/spi.js";
import { matcherOf } from "../match/matcher.js";
import type { PathInput } from "../query/ast.js";
import type { Lowered, Operand, Path } from "../query/lowered.js";
import { resolvePath } from "../query/paths.js";
import { isoTime } from "../record/iso.js";
import type { WireRecord } from "../record/json.js";
import { then } from "./either.js";
import { forward, forwardTransaction } from "./forward.js";
import { checkKeys, milliseconds, refused } from "./options.js";
import { removeAll, shownOf } from "./shown.js";

export interface ExpiringOptions {
  /** Milliseconds after its last write at which a record expires. This or `field`. */
  readonly ttl?: number;
  /** Where a record has the time at which it expires, a Date; one that has none stays. This or `ttl`. */
  readonly field?: PathInput;
  /** Milliseconds between two sweeps; 0: only `sweep()` sweeps. Default 60,000. */
  readonly sweepEvery?: number;
  /** Told after every sweep of its own. An error is told too, and the next sweep tries again. */
  readonly onSweep?: (result: { readonly removed: number; readonly error?: unknown }) => void;
}

export interface ExpiringBackend extends Backend {
  /** Removes what has expired from the store; how many. */
  sweep(): MaybePromise<number>;
}

/** Attempts at a batch of which an expired record changed meanwhile. */
const maxAttempts = 100;

/**
 * A backend whose records expire.
 *
 * @example
 * const sessions = await openDatabase(expiring(sqlite({ path: "sessions.db" }), { ttl: 30 * 60_000 }));
 */
export function expiring(primary: Backend, options: ExpiringOptions): ExpiringBackend {
  checkKeys("expiring", options, ["ttl", "field", "sweepEvery", "onSweep"]);
  const expiry = new Expiry(options);
  const every = milliseconds("expiring", "sweepEvery", options.sweepEvery ?? 60_000);
  const compiler = (): Backend["compiler"] => primary.compiler;
  const { peek, begin, open, close, clear, toSync } = primary;
  let timer: ReturnType<typeof setInterval> | undefined;
  const sweep = (call: Call = {}): MaybePromise<number> => expiry.sweep(primary, compiler, call);
  const ticking = (): void => {
    const tell = (removed: number, error?: unknown): void =>
      options.onSweep?.(error === undefined ? { removed } : { removed, error });
    try {
      Promise.resolve(sweep()).then(tell, (error: unknown) => tell(0, error));
    } catch (error) {
      tell(0, error);
    }
  };
  const outer = forward(primary, {
    ...seenBy(primary, expiry, compiler),
    open: (request) =>
      then(open?.call(primary, request), (found) => {
        if (every > 0) {
          timer = setInterval(ticking, Math.min(every, 0x7fff_ffff));
          // a process is not kept alive for it
          (timer as { unref?: () => void }).unref?.();
        }
        return found;
      }),
    peek: peek && ((id) => expiry.alive(peek.call(primary, id))),
    clear:
      clear &&
      ((call) =>
        // what has expired is not there, so that it is not counted
        then(sweep(call), () => clear.call(primary, call))),
    begin:
      begin &&
      ((call) =>
        then(
          begin.call(primary, call),
          (inner): Transaction => forwardTransaction(inner, seenBy(inner, expiry, compiler)),
        )),
    close() {
      clearInterval(timer);
      return close?.call(primary);
    },
    ...(toSync !== undefined && { toSync: () => expiring(toSync.call(primary), options) }),
  });
  return Object.assign(outer, { sweep: () => sweep() });
}

function seenBy(
  store: Store,
  expiry: Expiry,
  compiler: () => Backend["compiler"],
): { readonly [K in keyof Store]?: Store[K] | undefined } & Pick<Store, "read" | "write" | "scan"> {
  const { merge } = store;
  return {
    ...shownOf(store, compiler, () => expiry.aliveCondition()),
    read: (ids, call) => then(store.read(ids, call), (rows) => rows.map((row) => expiry.alive(row))),
    write: (ops, request) => expiry.write(store, compiler, ops, request),
    ...(merge !== undefined && {
      merge: (op, call) =>
        then(store.read([op.id], call), ([row]): MaybePromise<WriteOutcome> => {
          if (row === undefined || expiry.alive(row) !== undefined) return merge.call(store, op, call);
          return op.ifVersion === undefined ? { status: "missing" } : { status: "stale", actual: null };
        }),
    }),
  };
}

class Expiry {
  readonly #path: Path;
  readonly #ttl: number;

  constructor({ ttl, field }: ExpiringOptions) {
    if ((ttl === undefined) === (field === undefined)) throw refused("expiring", "takes `ttl` or `field`, one of them");
    if (ttl !== undefined && !(milliseconds("expiring", "ttl", ttl) > 0))
      throw refused("expiring", "takes more than 0 milliseconds as `ttl`");
    this.#ttl = ttl ?? 0;
    this.#path = field === undefined ? resolvePath("updatedAt") : resolvePath(field);
    if (this.#path.root === "id") throw refused("expiring", "takes a field that holds a time; the id is none");
  }

  /** By the time of the call. */
  #expired(): Lowered {
    // an infinite `ttl` has no date
    const latest = Math.max(-8.64e15, Date.now() - this.#ttl);
    const source = { path: [this.#path.text], op: "<=" as const, value: isoTime(latest) };
    const operand: Operand = { value: isoTime(latest), types: null, class: "string" };
    return { kind: "compare", path: this.#path, op: "<=", operand, source };
  }

  aliveCondition(): Lowered {
    return { kind: "not", condition: this.#expired() };
  }

  alive(record: WireRecord | undefined): WireRecord | undefined {
    return record === undefined || matcherOf(this.#expired())(record) ? undefined : record;
  }

  sweep(store: Store, compiler: () => Backend["compiler"], call: Call): MaybePromise<number> {
    const { deleteWhere, scan } = shownOf(store, compiler, () => this.#expired());
    if (deleteWhere !== undefined) return deleteWhere(undefined, call);
    const all = {
      ...call,
      where: undefined,
      match: undefined,
      order: [],
      limit: undefined,
      offset: 0,
      select: [],
      batchSize: 1000,
    };
    return removeAll(store, scan(all), call);
  }

  /** Expired records of these ids are deleted within the same batch, before what is written. */
  write(
    store: Store,
    compiler: () => Backend["compiler"],
    ops: readonly WriteOp[],
    request: WriteRequest,
    attempt = 1,
    swept = false,
  ): MaybePromise<readonly WriteOutcome[]> {
    const ids = [...new Set(ops.map(({ id }) => id))];
    return then(store.read(ids, request), (rows) => {
      const gone = rows.filter((row): row is WireRecord => row !== undefined && this.alive(row) === undefined);
      const deletes = gone.map(({ id, version }): WriteOp => ({ kind: "delete", id, ifVersion: version }));
      return then(store.write([...deletes, ...ops], request), (all): MaybePromise<readonly WriteOutcome[]> => {
        const outcomes = all.slice(deletes.length);
        const changed = all.slice(0, deletes.length).some(({ status }) => status === "stale");
        // another was there first; in an atomic batch nothing is written then
        if (changed && request.atomic && attempt < maxAttempts) {
          return this.write(store, compiler, ops, request, attempt + 1, swept);
        }
        const taken = outcomes.some(({ status }) => status === "duplicate");
        if (!taken || swept) return outcomes;
        // the value may be that of a record that has expired
        return then(this.sweep(store, compiler, request), (removed) => {
          if (removed === 0) return outcomes;
          if (request.atomic) return this.write(store, compiler, ops, request, attempt, true);
          const at = outcomes.flatMap(({ status }, index) => (status === "duplicate" ? [index] : []));
          const again = this.write(
            store,
            compiler,
            at.map((index) => ops[index] as WriteOp),
            request,
            attempt,
            true,
          );
          return then(again, (second) => outcomes.map((outcome, index) => second[at.indexOf(index)] ?? outcome));
        });
      });
    });
  }
}
