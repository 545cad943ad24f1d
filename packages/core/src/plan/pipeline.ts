/**
 * What core does to the batches of a scan: residual filter, full text, sort, offset, limit. Push batches in, get
 * records out; no I/O here, so that one implementation serves searches, streams and both kinds of database.
 */
import { DataknobsError } from "../errors.js";
import { type Comparator, comparatorOf, compareText } from "../match/compare.js";
import { bm25, isHit, type WordCounts, wordCounter } from "../match/fulltext.js";
import { fusedGetter } from "../match/fuse.js";
import { listMatcherOf } from "../match/matcher.js";
import type { Order } from "../query/lowered.js";
import type { WireRecord } from "../record/json.js";
import type { QueryPlan } from "./plan.js";

export interface Pipeline {
  /** Records that are certain now, in order. */
  push(batch: readonly WireRecord[]): readonly WireRecord[];
  /** The rest, after the scan's end. */
  end(): readonly WireRecord[];
  /** Nothing more can come: stop the scan. */
  readonly done: boolean;
}

export interface PipelineOptions {
  /** Records that a sort or a ranking may hold; `LIMIT_EXCEEDED` beyond. */
  readonly maxBuffered: number;
}

export function pipelineOf(plan: QueryPlan, options: PipelineOptions): Pipeline {
  const matcher = plan.residual === undefined ? undefined : listMatcherOf(plan.residual);
  const filter = (batch: readonly WireRecord[]): readonly WireRecord[] =>
    matcher === undefined ? batch : matcher.filter(batch);
  if (plan.ranks) return rankingPipeline(plan, filter, options);
  const counter = plan.match === undefined ? undefined : wordCounter(plan.match);
  const { match } = plan;
  const select =
    counter === undefined || match === undefined
      ? filter
      : (batch: readonly WireRecord[]) => filter(batch).filter((record) => isHit(match, counter(record)));
  if (plan.sort.length === 0) return pagingPipeline(plan, select);
  const each: Each =
    counter === undefined && matcher !== undefined ? matcher.each : (batch, visit) => select(batch).forEach(visit);
  return sortingPipeline(plan, each, options);
}

type Filter = (batch: readonly WireRecord[]) => readonly WireRecord[];

type Each = (batch: readonly WireRecord[], visit: (record: WireRecord) => void) => void;

function pagingPipeline(plan: QueryPlan, filter: Filter): Pipeline {
  let toSkip = plan.offset;
  let toTake = plan.limit ?? Number.POSITIVE_INFINITY;
  return {
    push(batch) {
      let records = filter(batch);
      if (toSkip > 0) {
        const skipped = Math.min(toSkip, records.length);
        toSkip -= skipped;
        records = records.slice(skipped);
      }
      if (records.length > toTake) records = records.slice(0, toTake);
      toTake -= records.length;
      return records;
    },
    end: () => [],
    get done() {
      return toTake <= 0;
    },
  };
}

function sortingPipeline(plan: QueryPlan, each: Each, options: PipelineOptions): Pipeline {
  const buffer = new SortBuffer(plan.sort, plan.offset, plan.limit, options.maxBuffered);
  const add = (record: WireRecord): void => buffer.add(record);
  return {
    push(batch) {
      each(batch, add);
      return [];
    },
    end: () => buffer.sorted(),
    get done() {
      return plan.limit === 0;
    },
  };
}

function rankingPipeline(plan: QueryPlan, filter: Filter, options: PipelineOptions): Pipeline {
  const match = plan.match as NonNullable<typeof plan.match>;
  const counter = wordCounter(match);
  const hits: { record: WireRecord; words: WordCounts }[] = [];
  const frequencies: number[] = new Array(match.words.length).fill(0);
  let size = 0;
  let length = 0;
  return {
    push(batch) {
      for (const record of filter(batch)) {
        const words = counter(record);
        size++;
        length += words.length;
        for (let index = 0; index < frequencies.length; index++) {
          if ((words.counts[index] as number) > 0) frequencies[index] = (frequencies[index] as number) + 1;
        }
        if (!isHit(match, words)) continue;
        if (hits.length >= options.maxBuffered) throw tooMany(options.maxBuffered);
        hits.push({ record, words });
      }
      return [];
    },
    end() {
      const corpus = { size, meanLength: size === 0 ? 0 : length / size, frequencies };
      const scored = hits.map(({ record, words }) => ({ ...record, score: bm25(words, corpus) }));
      scored.sort((a, b) => b.score - a.score || compareText(a.id, b.id));
      return scored.slice(plan.offset, plan.limit === undefined ? undefined : plan.offset + plan.limit);
    },
    get done() {
      return plan.limit === 0;
    },
  };
}

/** Sorts what it is given; with a limit it keeps only the best, in a heap with the worst of them on top. */
class SortBuffer {
  readonly #compare: Comparator;
  /** Of the first sort key, where it is a field: most records are told by one number to be too late. */
  readonly #lead: ((record: WireRecord) => unknown) | undefined;
  readonly #sign: number;
  #worst: unknown;
  readonly #offset: number;
  readonly #keep: number;
  readonly #max: number;
  #records: WireRecord[] = [];

  constructor(orders: readonly Order[], offset: number, limit: number | undefined, max: number) {
    const [first] = orders;
    this.#compare = comparatorOf(orders);
    this.#lead = first === undefined ? undefined : fusedGetter(first.path);
    this.#sign = first?.descending === true ? -1 : 1;
    this.#offset = offset;
    this.#keep = limit === undefined ? Number.POSITIVE_INFINITY : offset + limit;
    this.#max = max;
  }

  add(record: WireRecord): void {
    const records = this.#records;
    if (records.length < this.#keep) {
      if (records.length >= this.#max) throw tooMany(this.#max);
      records.push(record);
      if (this.#keep !== Number.POSITIVE_INFINITY) this.#up(records.length - 1);
      return;
    }
    if (this.#lead !== undefined && typeof this.#worst === "number") {
      const value = this.#lead(record);
      if (typeof value === "number" && this.#sign * (value - this.#worst) > 0) return;
    }
    if (this.#keep > 0 && this.#compare(record, records[0] as WireRecord) < 0) {
      records[0] = record;
      this.#down(0);
      this.#worst = this.#lead?.(records[0] as WireRecord);
    }
  }

  sorted(): readonly WireRecord[] {
    this.#records.sort(this.#compare);
    return this.#offset > 0 ? this.#records.slice(this.#offset) : this.#records;
  }

  #up(at: number): void {
    const records = this.#records;
    const moved = records[at] as WireRecord;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#compare(moved, records[parent] as WireRecord) <= 0) break;
      records[at] = records[parent] as WireRecord;
      at = parent;
    }
    records[at] = moved;
  }

  #down(at: number): void {
    const records = this.#records;
    const moved = records[at] as WireRecord;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= records.length) break;
      if (
        child + 1 < records.length &&
        this.#compare(records[child + 1] as WireRecord, records[child] as WireRecord) > 0
      ) {
        child++;
      }
      if (this.#compare(records[child] as WireRecord, moved) <= 0) break;
      records[at] = records[child] as WireRecord;
      at = child;
    }
    records[at] = moved;
  }
}

/** Of records that would have to be held. */
export function tooMany(max: number): DataknobsError {
  return new DataknobsError(
    "LIMIT_EXCEEDED",
    `More than ${max} records would have to be held in memory to sort or rank them. Add a limit, declare an index so ` +
      "that the engine sorts, or raise `maxBuffered`.",
    { limit: max },
  );
}
