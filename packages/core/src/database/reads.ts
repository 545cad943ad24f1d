/** Every read operation, once, as steps. */
import type { Aggregation, LoweredAggregation } from "../aggregate/ast.js";
import { finishRows, type ResultRow } from "../aggregate/finish.js";
import { lowerAggregation } from "../aggregate/parse.js";
import { aggregatorOf } from "../aggregate/run.js";
import type { Call, MaybePromise, NativeRow } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import { listMatcherOf } from "../match/matcher.js";
import { type AggregateExplanation, explainPlan, type StepPlan } from "../plan/explain.js";
import { planQuery, type QueryPlan, refuseResidual } from "../plan/plan.js";
import { projectorOf } from "../plan/project.js";
import type { Query } from "../query/ast.js";
import { checkCount } from "../query/checks.js";
import { encodeCursor } from "../query/cursor.js";
import type { LoweredQuery, Path } from "../query/lowered.js";
import { lowerMatch, lowerQuery, type QuerySource, toQuery } from "../query/parse.js";
import { checkId } from "../record/ids.js";
import type { WireRecord } from "../record/json.js";
import { type StoredRecord, toStored } from "../record/stored.js";
import { collect, nearestRows, scanAll } from "./scans.js";
import { issuesOf } from "./schema.js";
import { misuse, noCall, type Session } from "./session.js";
import { isThenable, type Steps, wait } from "./steps.js";

/** A query, or the builder of one. */
export type QueryInput = Query | QuerySource;

export interface ReadOptions {
  /** Tell where stored data no longer fits the schema, in `issues`. */
  readonly validate?: boolean | undefined;
}

/** The shortest way to one record: no steps where there is nothing to wait for. */
export function readNow(session: Session, id: string): MaybePromise<StoredRecord | undefined> {
  const { store } = session;
  // whatever is stored under it is a good id
  const found = store.peek?.(id);
  if (found !== undefined) return toStored(found);
  checkId(id, "INVALID_QUERY");
  const rows = store.read([id], noCall);
  if (isThenable(rows)) return rows.then(([row]) => (row === undefined ? undefined : toStored(row)));
  const row = rows[0];
  return row === undefined ? undefined : toStored(row);
}

export function* readMany(
  session: Session,
  ids: readonly string[],
  options: ReadOptions,
  call: Call,
): Steps<(StoredRecord | undefined)[]> {
  if (!Array.isArray(ids)) throw misuse("readMany takes a list of ids.");
  for (const id of ids as readonly string[]) checkId(id, "INVALID_QUERY");
  if (ids.length === 0) return [];
  const rows = yield* wait(session.store.read(ids, call));
  const records: (StoredRecord | undefined)[] = [];
  for (const row of rows) records.push(row === undefined ? undefined : yield* finish(session, row, options));
  return records;
}

function* finish(session: Session, row: WireRecord, options: ReadOptions): Steps<StoredRecord> {
  const record = toStored(row);
  if (options.validate !== true) return record;
  const issues = yield* issuesOf(session.schema, record.data);
  return issues === undefined ? record : { ...record, issues };
}

export function planFor(session: Session, input: QueryInput | undefined): QueryPlan {
  return planLowered(session, lowerQuery(input, session));
}

/** The plan as `explain` reads it: a query that refuses in-memory work is explained too, since nothing is run. */
export function planToExplain(session: Session, input: QueryInput | undefined): QueryPlan {
  return planQuery(lowerQuery(input, session), session, session.batchSize);
}

function planLowered(session: Session, query: LoweredQuery): QueryPlan {
  const plan = planQuery(query, session, session.batchSize);
  refuseResidual(plan, session.name, session.residual);
  return plan;
}

export function* search(
  session: Session,
  input: QueryInput | undefined,
  options: ReadOptions,
  call: Call,
): Steps<StoredRecord[]> {
  const rows = yield* collect(session, planFor(session, input), call);
  if (options.validate !== true) return rows.map(toStored);
  const records: StoredRecord[] = [];
  for (const row of rows) records.push(yield* finish(session, row, options));
  return records;
}

export function* first(session: Session, input: QueryInput | undefined, call: Call): Steps<StoredRecord | undefined> {
  const query = toQuery(input);
  // the query as it was given is checked before its limit is replaced
  const { limit = 1 } = lowerQuery(query, session);
  const [row] = yield* collect(session, planFor(session, { ...query, limit: Math.min(limit, 1) }), call);
  return row === undefined ? undefined : toStored(row);
}

export interface Page<T> {
  readonly records: StoredRecord<T>[];
  /** For `after`; `undefined` on the last page. */
  readonly next: string | undefined;
}
export interface PageOptions {
  readonly after?: string | undefined;
}
const defaultPageSize = 100;

export function* page(
  session: Session,
  input: QueryInput | undefined,
  options: PageOptions,
  call: Call,
): Steps<Page<never>> {
  const query = toQuery(input);
  lowerQuery(query, session);
  const size = checkCount(query.limit, "limit") ?? defaultPageSize;
  if (size === 0) throw new DataknobsError("INVALID_QUERY", "A page has a limit of 1 or more.");
  if (query.nearest !== undefined) {
    throw new DataknobsError(
      "INVALID_QUERY",
      "The nearest records are not paged by a cursor: there are `k` at most, and `limit` and `offset` page through them.",
    );
  }
  if (query.match !== undefined && (query.sort ?? []).length === 0) {
    throw new DataknobsError(
      "INVALID_QUERY",
      "A `match` without `sort` cannot be paged: scores have no place in a cursor.",
    );
  }
  if ((query.offset ?? 0) !== 0)
    throw new DataknobsError("INVALID_QUERY", "A page continues by cursor, not by offset.");
  const after = options.after ?? query.after;
  // one more than asked for tells whether there is a next page; the sort keys are read before the projection
  const { select, unordered: _, ...rest } = query;
  const whole = lowerQuery({ ...rest, limit: size + 1, ...(after !== undefined && { after }) }, session);
  const rows = yield* collect(session, planLowered(session, whole), call);
  const project = projectorOf(select === undefined ? undefined : lowerQuery({ select }).select);
  const shown = rows.slice(0, size);
  const last = shown.at(-1);
  const next = rows.length > size && last !== undefined ? encodeCursor(last, query, whole.order) : undefined;
  return { records: shown.map((row) => toStored(project(row))) as StoredRecord<never>[], next };
}

export function* count(session: Session, input: QueryInput | undefined, call: Call): Steps<number> {
  const lowered = lowerQuery(input, session);
  const plan = planLowered(session, { ...unpaged(lowered), select: [] });
  if (plan.nearest !== undefined) return (yield* nearestRows(session, plan, call)).length;
  const { store } = session;
  if (plan.residual === undefined && plan.match === undefined && store.count !== undefined) {
    return yield* wait(store.count(plan.request.where, plan.request.match, call));
  }
  let n = 0;
  if (plan.match === undefined && plan.residual !== undefined) {
    // the loop that counts: no arrays of what is only counted
    const matcher = listMatcherOf(plan.residual);
    yield* scanAll(session, bare({ ...plan, residual: undefined }), call, (batch) => {
      n += matcher.count(batch);
    });
    return n;
  }
  yield* scanAll(session, bare(plan), call, (batch) => {
    n += batch.length;
  });
  return n;
}

function bare(plan: QueryPlan): QueryPlan {
  return { ...plan, request: { ...plan.request, bare: true } };
}

/** The plan of an aggregation's input, and whether the engine computes the groups too. */
function planAggregation(
  session: Session,
  lowered: LoweredAggregation,
): { readonly plan: QueryPlan; readonly native: { readonly index?: string | undefined } | undefined } {
  const match = lowered.match === undefined ? undefined : lowerMatch(lowered.match, session);
  const { keys, functions } = lowered.plan;
  const paths: Path[] = [...keys, ...functions].flatMap(({ path }) => (path === undefined ? [] : [path]));
  const query = { where: lowered.where, match, order: [], byScore: false, limit: undefined, offset: 0, select: paths };
  const plan = planQuery({ ...query, residual: undefined }, session, session.batchSize);
  const whole = plan.residual === undefined && plan.match === undefined && session.store.aggregate !== undefined;
  return { plan, native: whole ? session.compiler?.aggregate?.(lowered.plan) : undefined };
}

export function* aggregate(session: Session, aggregation: Aggregation, call: Call): Steps<ResultRow[]> {
  const lowered = lowerAggregation(aggregation, session);
  const { plan, native } = planAggregation(session, lowered);
  refuseResidual(plan, session.name, session.residual);
  const { store } = session;
  if (native !== undefined && store.aggregate !== undefined) {
    const { where, match } = plan.request;
    return finishRows(yield* wait(store.aggregate({ ...call, where, match, plan: lowered.plan })), lowered);
  }
  const aggregator = aggregatorOf(lowered.plan);
  yield* scanAll(session, bare(plan), call, (batch) => {
    for (const record of batch) aggregator.add(record);
  });
  return finishRows(aggregator.rows(), lowered);
}

/** What `explainAggregate` tells. */
export function explainAggregation(session: Session, aggregation: Aggregation): AggregateExplanation {
  const { plan, native } = planAggregation(session, lowerAggregation(aggregation, session));
  const groups: StepPlan =
    native === undefined
      ? { how: "emulated", why: "core groups the records of a scan" }
      : { how: "pushed", ...(native.index !== undefined && { index: native.index }) };
  return Object.freeze({ ...explainPlan(plan, session.backend), groups });
}

/** A statement of the engine's own, unchecked. */
export function* sql(
  session: Session,
  statement: string,
  parameters: readonly unknown[],
  call: Call,
): Steps<readonly NativeRow[]> {
  if (typeof statement !== "string") throw misuse("sql takes a statement and a list of parameters.");
  if (session.store.sql === undefined) {
    throw new DataknobsError("UNSUPPORTED", `The ${session.name} backend does not speak SQL.`, {
      backend: session.name,
    });
  }
  return yield* wait(session.store.sql(statement, parameters, call));
}

/** The same question without order and paging. */
function unpaged(query: LoweredQuery): LoweredQuery {
  return { ...query, order: [], byScore: false, limit: undefined, offset: 0 };
}
