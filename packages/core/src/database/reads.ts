/** Every read operation, once, as steps; and the machine behind searches and streams. */

import type { Aggregation, LoweredAggregation } from "../aggregate/ast.js";
import { finishRows, type ResultRow } from "../aggregate/finish.js";
import { lowerAggregation } from "../aggregate/parse.js";
import { aggregatorOf } from "../aggregate/run.js";
import type { Call, MaybePromise, NativeRow } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import { isHit, wordCounter } from "../match/fulltext.js";
import { listMatcherOf } from "../match/matcher.js";
import { type AggregateExplanation, explainPlan, type StepPlan } from "../plan/explain.js";
import { pipelineOf } from "../plan/pipeline.js";
import { planQuery, type QueryPlan, refuseResidual } from "../plan/plan.js";
import { projectorOf } from "../plan/project.js";
import type { Query } from "../query/ast.js";
import { encodeCursor } from "../query/cursor.js";
import type { LoweredQuery, Path } from "../query/lowered.js";
import { checkCount, lowerMatch, lowerQuery, type QuerySource, toQuery } from "../query/parse.js";
import { checkId } from "../record/ids.js";
import type { WireRecord } from "../record/json.js";
import { type StoredRecord, toStored } from "../record/stored.js";
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

/** Every record of a plan that has no order or paging, batch by batch, after core's filters. */
export function* scanAll(
  session: Session,
  plan: QueryPlan,
  call: Call,
  visit: (batch: readonly WireRecord[]) => void,
): Steps<void> {
  const matcher = plan.residual === undefined ? undefined : listMatcherOf(plan.residual);
  const { match } = plan;
  const counter = match === undefined ? undefined : wordCounter(match);
  const iterator = iteratorOf(session.store.scan({ ...plan.request, ...call }));
  let finished = false;
  try {
    for (;;) {
      const step = yield* wait(iterator.next());
      if (step.done === true) {
        finished = true;
        return;
      }
      let batch = matcher === undefined ? step.value : matcher.filter(step.value);
      if (counter !== undefined && match !== undefined) batch = batch.filter((record) => isHit(match, counter(record)));
      visit(batch);
    }
  } finally {
    if (!finished) yield* wait(iterator.return?.());
  }
}

/** The rows of a plan, all of them. */
function* collect(session: Session, plan: QueryPlan, call: Call): Steps<WireRecord[]> {
  const machine = new BatchMachine(session, plan, call);
  const rows: WireRecord[] = [];
  try {
    for (;;) {
      const batch = yield* machine.next();
      if (batch === undefined) return rows;
      for (const row of batch) rows.push(row);
    }
  } finally {
    yield* machine.close();
  }
}

type BatchIterator = {
  next(): MaybePromise<IteratorResult<readonly WireRecord[], unknown>>;
  return?(): MaybePromise<unknown>;
};

function iteratorOf(batches: Iterable<readonly WireRecord[]> | AsyncIterable<readonly WireRecord[]>): BatchIterator {
  return Symbol.iterator in batches
    ? (batches[Symbol.iterator]() as BatchIterator)
    : (batches[Symbol.asyncIterator]() as BatchIterator);
}

/** Pulls batches out of a scan and through the pipeline: what searches and streams have in common. */
export class BatchMachine {
  readonly #plan: QueryPlan;
  readonly #pipeline: ReturnType<typeof pipelineOf>;
  readonly #project: (record: WireRecord) => WireRecord;
  readonly #open: () => BatchIterator;
  #iterator: BatchIterator | undefined;
  #state: "new" | "open" | "ended" = "new";

  constructor(session: Session, plan: QueryPlan, call: Call) {
    this.#plan = plan;
    this.#pipeline = pipelineOf(plan, session);
    this.#project = projectorOf(plan.query.select);
    this.#open = () => iteratorOf(session.store.scan({ ...plan.request, ...call }));
  }

  /** The next batch that is not empty; `undefined` at the end. */
  *next(): Steps<readonly WireRecord[] | undefined> {
    for (;;) {
      if (this.#state === "ended") return undefined;
      if (this.#plan.limit === 0 || this.#plan.request.limit === 0) {
        this.#state = "ended";
        return undefined;
      }
      if (this.#iterator === undefined) {
        this.#iterator = this.#open();
        this.#state = "open";
      }
      const step = yield* wait(this.#iterator.next());
      let rows: readonly WireRecord[];
      if (step.done === true) {
        this.#state = "ended";
        this.#iterator = undefined;
        rows = this.#pipeline.end();
      } else {
        rows = this.#pipeline.push(step.value);
        if (this.#pipeline.done) yield* this.close();
      }
      if (rows.length > 0) return this.#plan.query.select === undefined ? rows : rows.map(this.#project);
    }
  }

  /** Ends the scan; the engine's work ends with it. */
  *close(): Steps<void> {
    this.#state = "ended";
    const iterator = this.#iterator;
    this.#iterator = undefined;
    if (iterator?.return !== undefined) yield* wait(iterator.return());
  }
}
