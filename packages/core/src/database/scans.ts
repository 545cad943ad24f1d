/** Runs plans: scans batch by batch through core's part of the work, and the search for the nearest. */
import type { Call, MaybePromise } from "../backend/spi.js";
import { comparatorOf } from "../match/compare.js";
import { isHit, type RankedHit, rankByWords, wordCounter } from "../match/fulltext.js";
import { listMatcherOf } from "../match/matcher.js";
import { measureOf } from "../match/measure.js";
import { pipelineOf, tooMany } from "../plan/pipeline.js";
import type { NearestPlan, QueryPlan } from "../plan/plan.js";
import { projectorOf } from "../plan/project.js";
import type { Match } from "../query/lowered.js";
import type { WireRecord } from "../record/json.js";
import { reciprocalRankFusion, weightedFusion } from "../vector/fusion.js";
import { scoreOf } from "../vector/metric.js";
import { NearestRows } from "../vector/nearest-rows.js";
import type { Session } from "./session.js";
import { type Steps, wait } from "./steps.js";

/**
 * Every record of a plan that has no order or paging, batch by batch, after core's filters; `seen` is told how many
 * there were before them.
 */
export function* scanAll(
  session: Session,
  plan: QueryPlan,
  call: Call,
  visit: (batch: readonly WireRecord[]) => void,
  seen?: (count: number) => void,
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
      seen?.(step.value.length);
      let batch = matcher === undefined ? step.value : matcher.filter(step.value);
      if (counter !== undefined && match !== undefined) batch = batch.filter((record) => isHit(match, counter(record)));
      visit(batch);
    }
  } finally {
    if (!finished) yield* wait(iterator.return?.());
  }
}

/** The rows of a plan, all of them. */
export function* collect(session: Session, plan: QueryPlan, call: Call): Steps<WireRecord[]> {
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
  readonly #nearest: (() => Steps<WireRecord[]>) | undefined;
  #iterator: BatchIterator | undefined;
  #state: "new" | "open" | "ended" = "new";

  constructor(session: Session, plan: QueryPlan, call: Call) {
    this.#plan = plan;
    this.#pipeline = pipelineOf(plan, session);
    this.#project = projectorOf(plan.query.select);
    this.#nearest = plan.nearest === undefined ? undefined : () => nearestRows(session, plan, call);
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
      if (this.#nearest !== undefined) {
        this.#state = "ended";
        const rows = yield* this.#nearest();
        return rows.length === 0 ? undefined : rows.map(this.#project);
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

/**
 * The k best hits by words, ranked by core: scores of engines differ, and so would what is fused of them. The corpus is
 * that of the hits, so that nothing else has to be read.
 */
function* rankHits(session: Session, plan: QueryPlan, match: Match, k: number, call: Call): Steps<WireRecord[]> {
  const counter = wordCounter(match);
  const hits: RankedHit[] = [];
  yield* scanAll(session, plan, call, (batch) => {
    if (hits.length + batch.length > session.maxBuffered) throw tooMany(session.maxBuffered);
    for (const record of batch) hits.push({ record, words: counter(record) });
  });
  return rankByWords(hits, match.words.length).slice(0, k);
}

/** What `nearest` finds, with `match` fused: ordered and paged, not projected. At most k of each ranking are held. */
export function* nearestRows(session: Session, plan: QueryPlan, call: Call): Steps<WireRecord[]> {
  const { query, nearest, text } = plan;
  let rows = yield* findNearest(session, plan, nearest as NearestPlan, call);
  if (text !== undefined && query.fusion !== undefined) {
    const words = yield* rankHits(session, text, query.match as Match, (nearest as NearestPlan).nearest.k, call);
    const { by, k, weights } = query.fusion;
    const fused =
      by === "rank" ? reciprocalRankFusion([words, rows], { k, weights }) : weightedFusion([words, rows], { weights });
    rows = fused.map(({ item, score }) => ({ ...item, score }));
  }
  if (query.order.length > 0) rows.sort(comparatorOf(query.order));
  return rows.slice(plan.offset, plan.limit === undefined ? undefined : plan.offset + plan.limit);
}

/**
 * The engine is asked for more and more candidates, until k of them are good or there are no more; and, where it measures
 * all, until the last one is so much farther than the k-th that no rounding of 32-bit floats has changed their places.
 */
function* findNearest(
  session: Session,
  plan: QueryPlan,
  { nearest, code, exact }: NearestPlan,
  call: Call,
): Steps<WireRecord[]> {
  const { k, metric, minScore = Number.NEGATIVE_INFINITY } = nearest;
  const measure = measureOf(nearest);
  for (let fetch = plan.request.limit ?? 0; ; fetch *= 4) {
    const found = new NearestRows<Hit>(k);
    let good = 0;
    let farthest = Number.NEGATIVE_INFINITY;
    let seen = 0;
    const request = code === undefined ? plan.request : { ...plan.request, limit: fetch };
    yield* scanAll(
      session,
      { ...plan, request },
      call,
      (batch) => {
        for (const record of batch) {
          const distance = measure(record);
          if (distance === undefined) continue;
          good++;
          if (distance > farthest) farthest = distance;
          if (distance <= found.bound) found.add({ id: record.id, distance, record });
        }
      },
      (count) => {
        seen += count;
      },
    );
    const isFar = !exact || farthest - found.bound > rounding * Math.max(1, Math.abs(farthest));
    if (code !== undefined && seen >= fetch && (good < k || !isFar)) continue;
    const hits = found.sorted().map(({ record, distance }) => ({ ...record, score: scoreOf(metric, distance) }));
    return hits.filter(({ score }) => score >= minScore);
  }
}

/** More than sums of 32-bit floats differ by, of vectors of thousands of dimensions. */
const rounding = 1e-5;

interface Hit {
  readonly id: string;
  readonly distance: number;
  readonly record: WireRecord;
}
