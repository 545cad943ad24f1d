/**
 * The records of a store that satisfy a condition, as if there were no others. What the engine can prove it does; the
 * rest of the condition is looked at here, and then paging, counting and grouping are done here too.
 */
import { aggregatorOf } from "../aggregate/run.js";
import type {
  AggregateRequest,
  AggregateRow,
  Batches,
  Call,
  Compiler,
  MaybePromise,
  ScanRequest,
  Store,
  WriteOp,
} from "../backend/spi.js";
import { matcherOf, type Predicate } from "../match/matcher.js";
import { leavesOf, split } from "../plan/split.js";
import type { Lowered, Path } from "../query/lowered.js";
import type { WireRecord } from "../record/json.js";
import { then } from "./either.js";

/** The condition, made anew for every call: it may tell the time. */
export type ConditionOf = () => Lowered;

interface Shown {
  readonly where: unknown;
  /** `undefined`: the engine does it all. */
  readonly rest: Predicate | undefined;
  /** What `rest` looks at. */
  readonly paths: readonly Path[];
}

const batchSize = 1000;

/** The methods of a store that see the part. */
export function shownOf(
  store: Store,
  compiler: () => Compiler<unknown> | undefined,
  condition: ConditionOf,
): Pick<Store, "scan"> & { readonly [K in "count" | "aggregate" | "deleteWhere"]: Store[K] | undefined } {
  const narrowed = (where: unknown): Shown => {
    const own = condition();
    const known = compiler();
    const { pushed, residual } = split(own, known);
    if (pushed === undefined || known === undefined)
      return { where, rest: matcherOf(own), paths: leavesOf(own).map(({ path }) => path) };
    const both = where === undefined ? pushed : known.and([where, pushed]);
    // more than the engine takes at once
    if (both === undefined) return { where, rest: matcherOf(own), paths: leavesOf(own).map(({ path }) => path) };
    if (residual === undefined) return { where: both, rest: undefined, paths: [] };
    return { where: both, rest: matcherOf(residual), paths: leavesOf(residual).map(({ path }) => path) };
  };
  const scan = (request: ScanRequest<unknown>): Batches => {
    const { where, rest, paths } = narrowed(request.where);
    if (rest === undefined) return store.scan({ ...request, where });
    const select = request.select === undefined ? undefined : [...request.select, ...paths];
    // the engine's nearest would be of records that are not seen: core finds them among all that are
    const all = store.scan({ ...request, where, select, nearest: undefined, limit: undefined, offset: 0 });
    return paged(all, rest, request.nearest === undefined ? request : { limit: undefined, offset: 0 });
  };
  const { count, aggregate, deleteWhere } = store;
  return {
    scan,
    count:
      count &&
      ((where, match, call) => {
        const part = narrowed(where);
        if (part.rest === undefined) return count.call(store, part.where, match, call);
        return folded(scan(everything(where, match, [], call)), 0, (n, rows) => n + rows.length);
      }),
    aggregate:
      aggregate &&
      ((request: AggregateRequest<unknown>): MaybePromise<readonly AggregateRow[]> => {
        const part = narrowed(request.where);
        if (part.rest === undefined) return aggregate.call(store, { ...request, where: part.where });
        const aggregator = aggregatorOf(request.plan);
        const rows = scan(everything(request.where, request.match, undefined, request));
        const done = folded(rows, undefined, (_, batch) => {
          for (const record of batch) aggregator.add(record);
          return undefined;
        });
        return then(done, () => aggregator.rows());
      }),
    deleteWhere:
      deleteWhere &&
      ((where, call) => {
        const part = narrowed(where);
        if (part.rest === undefined) return deleteWhere.call(store, part.where, call);
        return removeAll(store, scan(everything(where, undefined, [], call)), call);
      }),
  };
}

function everything(
  where: unknown,
  match: unknown,
  select: readonly Path[] | undefined,
  call: Call,
): ScanRequest<unknown> {
  return { ...call, where, match, order: [], limit: undefined, offset: 0, select, batchSize };
}

/** Deletes what a scan gives, each as it was given; how many. */
export function removeAll(store: Store, batches: Batches, call: Call): MaybePromise<number> {
  // all of them first: what is deleted under a scan may move it
  const found = folded(batches, [] as WriteOp[], (ops, rows) => {
    for (const { id, version } of rows) ops.push({ kind: "delete", id, ifVersion: version });
    return ops;
  });
  return then(found, (ops) => {
    if (ops.length === 0) return 0;
    return then(
      store.write(ops, { ...call, atomic: false }),
      (outcomes) => outcomes.filter(({ status }) => status === "deleted").length,
    );
  });
}

/** All batches into one value, at once where they come at once. */
function folded<R>(batches: Batches, from: R, add: (value: R, batch: readonly WireRecord[]) => R): MaybePromise<R> {
  if (!(Symbol.iterator in batches)) return foldedLater(batches, from, add);
  let value = from;
  for (const batch of batches) value = add(value, batch);
  return value;
}

async function foldedLater<R>(
  batches: AsyncIterable<readonly WireRecord[]>,
  from: R,
  add: (value: R, batch: readonly WireRecord[]) => R,
): Promise<R> {
  let value = from;
  for await (const batch of batches) value = add(value, batch);
  return value;
}

type Paging = Pick<ScanRequest<unknown>, "limit" | "offset">;

class Pager {
  #skip: number;
  #take: number;
  readonly #test: Predicate;

  constructor(test: Predicate, { limit = Number.POSITIVE_INFINITY, offset }: Paging) {
    this.#test = test;
    this.#skip = offset;
    this.#take = limit;
  }

  get done(): boolean {
    return this.#take <= 0;
  }

  next(batch: readonly WireRecord[]): readonly WireRecord[] {
    let rows = batch.filter(this.#test);
    const skipped = Math.min(this.#skip, rows.length);
    this.#skip -= skipped;
    rows = rows.slice(skipped, Math.min(rows.length, skipped + this.#take));
    this.#take -= rows.length;
    return rows;
  }
}

function paged(batches: Batches, test: Predicate, paging: Paging): Batches {
  const pager = new Pager(test, paging);
  return Symbol.iterator in batches ? pagedNow(batches, pager) : pagedLater(batches, pager);
}

function* pagedNow(batches: Iterable<readonly WireRecord[]>, pager: Pager): Generator<readonly WireRecord[], void> {
  for (const batch of batches) {
    yield pager.next(batch);
    if (pager.done) return;
  }
}

async function* pagedLater(
  batches: AsyncIterable<readonly WireRecord[]>,
  pager: Pager,
): AsyncGenerator<readonly WireRecord[], void> {
  for await (const batch of batches) {
    yield pager.next(batch);
    if (pager.done) return;
  }
}
