/** Queries over the records as one reader sees them: the table, and what a transaction has different. */
import {
  type AggregateRequest,
  type AggregateRow,
  aggregatorOf,
  comparatorOf,
  compareText,
  isHit,
  type Lowered,
  type Match,
  matcherOf,
  type Order,
  type ScanRequest,
  type WireRecord,
  wordCounter,
} from "@dataknobs/core/backend";
import { type Code, matchOf, whereOf } from "./compile.js";
import { hitsOf, scorerOf } from "./fulltext.js";
import { inOrder } from "./order.js";
import { count, select } from "./select.js";
import type { Table } from "./table.js";

/** Ids whose records are not as the table has them; `undefined`: no such record. */
export type Overlay = ReadonlyMap<string, WireRecord | undefined>;

export class View {
  readonly #table: Table;
  readonly #overlay: Overlay | undefined;

  constructor(table: Table, overlay?: Overlay) {
    this.#table = table;
    this.#overlay = overlay === undefined || overlay.size === 0 ? undefined : overlay;
  }

  /** What the scan gives is settled when it returns, whatever is written while it is read. */
  scan({
    where: code,
    match: matchCode,
    order,
    limit,
    offset,
    batchSize,
  }: ScanRequest<Code>): Iterable<readonly WireRecord[]> {
    const where = whereOf(code);
    const match = matchOf(matchCode);
    if (limit === 0) return [];
    if (match === undefined && order.length > 0) {
      return batched(inOrder(this.#table, this.#overlay, { where, order, limit, offset }), {
        offset,
        limit,
        batchSize,
      });
    }
    const records = match === undefined ? this.records(where) : this.#matches(match, where, order);
    const paged = offset === 0 && limit === undefined ? records : records.slice(offset, limit && offset + limit);
    return growing(paged, batchSize);
  }

  /** In no order. */
  records(where: Lowered | undefined): readonly WireRecord[] {
    const records = select(this.#table, where);
    const overlay = this.#overlay;
    if (overlay === undefined) return records;
    return records.filter(({ id }) => !overlay.has(id)).concat(this.#different(where));
  }

  count(whereCode: Code | undefined, matchCode: Code | undefined): number {
    const where = whereOf(whereCode);
    const match = matchOf(matchCode);
    if (match !== undefined) return this.#hits(match, where).length;
    let total = count(this.#table, where);
    if (this.#overlay === undefined) return total;
    const test = where === undefined ? () => true : matcherOf(where);
    for (const [id, record] of this.#overlay) {
      const stored = this.#table.get(id);
      if (stored !== undefined && test(stored)) total--;
      if (record !== undefined && test(record)) total++;
    }
    return total;
  }

  aggregate({ where, match: code, plan }: AggregateRequest<Code>): readonly AggregateRow[] {
    const match = matchOf(code);
    const aggregator = aggregatorOf(plan);
    const records = match === undefined ? this.records(whereOf(where)) : this.#hits(match, whereOf(where));
    for (const record of records) aggregator.add(record);
    return aggregator.rows();
  }

  #hits(match: Match, where: Lowered | undefined): readonly WireRecord[] {
    const overlay = this.#overlay;
    const test = where === undefined ? undefined : matcherOf(where);
    const stored = hitsOf(this.#table, match).filter(
      (record) => !overlay?.has(record.id) && (test === undefined || test(record)),
    );
    if (overlay === undefined) return stored;
    const counter = wordCounter(match);
    return stored.concat(this.#different(where).filter((record) => isHit(match, counter(record))));
  }

  #matches(match: Match, where: Lowered | undefined, order: readonly Order[]): readonly WireRecord[] {
    const hits = this.#hits(match, where);
    if (order.length > 0) return hits.toSorted(comparatorOf(order));
    const score = scorerOf(this.#table, match);
    const counter = wordCounter(match);
    return hits
      .map((record) => ({
        ...record,
        score: this.#overlay?.has(record.id) ? score.counted(counter(record)) : score.stored(record),
      }))
      .sort((a, b) => b.score - a.score || compareText(a.id, b.id));
  }

  /** The overlay's records that the condition selects. */
  #different(where: Lowered | undefined): WireRecord[] {
    const test = where === undefined ? undefined : matcherOf(where);
    return [...(this.#overlay?.values() ?? [])].filter(
      (record): record is WireRecord => record !== undefined && (test === undefined || test(record)),
    );
  }
}

// as many as a young array may have: a larger one is allocated apart, at some cost
const largestBatch = 8_192;

/** A reader that stops early has had a small batch; one that goes on does not pay for many. */
function* growing(records: readonly WireRecord[], batchSize: number): Generator<readonly WireRecord[]> {
  if (records.length > 0 && records.length <= batchSize) {
    yield records;
    return;
  }
  let size = batchSize;
  for (let at = 0; at < records.length; at += size, size = Math.min(size * 2, Math.max(batchSize, largestBatch))) {
    yield records.slice(at, at + size);
  }
}

function* batched(
  records: Iterable<WireRecord>,
  {
    offset,
    limit,
    batchSize,
  }: { readonly offset: number; readonly limit: number | undefined; readonly batchSize: number },
): Generator<readonly WireRecord[]> {
  let toSkip = offset;
  let toTake = limit ?? Number.POSITIVE_INFINITY;
  let size = batchSize;
  let batch: WireRecord[] = [];
  for (const record of records) {
    if (toSkip > 0) {
      toSkip--;
      continue;
    }
    batch.push(record);
    if (--toTake === 0) break;
    if (batch.length >= size) {
      yield batch;
      batch = [];
      size = Math.min(size * 2, Math.max(batchSize, largestBatch));
    }
  }
  if (batch.length > 0) yield batch;
}
