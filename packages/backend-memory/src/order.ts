/** Records in the order of a sorted index, walked from either end, so that a page reads no more than it shows. */
import {
  type Comparator,
  comparatorOf,
  type Lowered,
  matcherOf,
  type Order,
  type WireRecord,
} from "@dataknobs/core/backend";
import { intersect, type Ranges, rangeOf, sizeOf } from "./ranges.js";
import { boundsIn, estimate, select, sortedBy } from "./select.js";
import { firstWhere, type SortedIndex } from "./sorted-index.js";
import type { Table } from "./table.js";
import type { Overlay } from "./view.js";

export interface OrderedRequest {
  readonly where: Lowered | undefined;
  readonly order: readonly Order[];
  readonly limit: number | undefined;
  readonly offset: number;
}

/** The records in order, from a walk or a sort, whichever costs less; taken as they are at the call. */
export function inOrder(table: Table, overlay: Overlay | undefined, request: OrderedRequest): Iterable<WireRecord> {
  const { where, order, limit, offset } = request;
  const [first] = order as readonly [Order, ...Order[]];
  const compare = comparatorOf(order);
  const test = where === undefined ? undefined : matcherOf(where);
  const own = overlay === undefined ? [] : [...overlay.values()].filter((record) => record !== undefined);
  const extra = (test === undefined ? own : own.filter(test)).sort(compare);
  const hidden = overlay === undefined ? undefined : new Set(overlay.keys());

  const index = sortedBy(table, first.path) as SortedIndex;
  const candidates = estimate(table, where);
  const wanted = offset + (limit ?? Number.POSITIVE_INFINITY);
  const sorting = candidates * Math.log2(candidates + 1);
  if (sorting > cheap && sorting > index.catchUpCost()) {
    const ranges = where === undefined ? rangeOf(0, index.records().length) : boundsIn(index, where);
    const toWalk = Math.min(sizeOf(ranges), (wanted * sizeOf(ranges)) / candidates);
    if (toWalk <= sorting) {
      return merged(walk(index, first, ranges), { test, hidden, extra, compare });
    }
  }
  const found = select(table, where);
  const kept = hidden === undefined ? [...found] : found.filter(({ id }) => !hidden.has(id));
  return kept.concat(extra).sort(compare);
}

/** Comparisons; below it, nothing else is worth a thought. */
const cheap = 256;

interface Merge {
  readonly test: ((record: WireRecord) => boolean) | undefined;
  /** Ids whose records are not as the index has them. */
  readonly hidden: ReadonlySet<string> | undefined;
  /** Records in order that the index lacks. */
  readonly extra: readonly WireRecord[];
  readonly compare: Comparator;
}

function* merged(
  stretches: Iterable<readonly WireRecord[]>,
  { test, hidden, extra, compare }: Merge,
): Generator<WireRecord> {
  let at = 0;
  for (const stretch of stretches) {
    for (const record of stretch) {
      if (hidden?.has(record.id) || (test !== undefined && !test(record))) continue;
      for (; at < extra.length && compare(extra[at] as WireRecord, record) < 0; at++) yield extra[at] as WireRecord;
      yield record;
    }
  }
  yield* extra.slice(at);
}

const stretchLength = 1024;

/** The index's order is ascending with null first and ties by id; every other order is a matter of where to begin. */
function walk(index: SortedIndex, order: Order, ranges: Ranges): Iterable<readonly WireRecord[]> {
  // taken here, not at the first step: what is written later is not seen
  const records = index.records();
  const present = index.present();
  const nulls = intersect(ranges, rangeOf(0, present));
  const values = intersect(ranges, rangeOf(present, records.length));
  return stretchesOf(index, records, { nulls, values }, order);
}

function* stretchesOf(
  index: SortedIndex,
  records: readonly WireRecord[],
  { nulls, values }: { readonly nulls: Ranges; readonly values: Ranges },
  { descending, nullsFirst }: Order,
): Generator<readonly WireRecord[]> {
  if (nullsFirst) yield* upwards(records, nulls);
  yield* descending ? downwards(index, records, values) : upwards(records, values);
  if (!nullsFirst) yield* upwards(records, nulls);
}

function* upwards(records: readonly WireRecord[], ranges: Ranges): Generator<readonly WireRecord[]> {
  for (const [from, to] of ranges) {
    for (let at = from; at < to; at += stretchLength) yield records.slice(at, Math.min(at + stretchLength, to));
  }
}

/** From the last value down; records with level values still go up by id. */
function* downwards(
  index: SortedIndex,
  records: readonly WireRecord[],
  ranges: Ranges,
): Generator<readonly WireRecord[]> {
  for (const [from, to] of ranges.toReversed()) {
    let end = to;
    let stretch: WireRecord[] = [];
    while (end > from) {
      const last = records[end - 1] as WireRecord;
      const before = end - 2 >= from ? records[end - 2] : undefined;
      if (before === undefined || !index.tied(before, last)) {
        stretch.push(last);
        end--;
      } else {
        if (stretch.length > 0) yield stretch;
        stretch = [];
        const start = firstWhere(records, (record) => index.tied(record, last), from, end);
        yield* upwards(records, [[start, end]]);
        end = start;
      }
      if (stretch.length >= stretchLength) {
        yield stretch;
        stretch = [];
      }
    }
    if (stretch.length > 0) yield stretch;
  }
}
