/** From groups to the rows users get: `having`, sort, offset and limit, on the columns of the result. */
import type { AggregateRow, Cell } from "../backend/spi.js";
import { comparatorOf, compareText, keyOf } from "../match/compare.js";
import { matcherOf } from "../match/matcher.js";
import type { Order } from "../query/lowered.js";
import { lowerSortClause } from "../query/parse.js";
import type { Json, TypeMap, WireRecord } from "../record/json.js";
import { escapeSegment } from "../record/pointer.js";
import { withType } from "../record/type-map.js";
import { decode, setOwn, type Value } from "../record/values.js";
import type { LoweredAggregation } from "./ast.js";

/** One row of an aggregation: a value per column of `groupBy` and `select`. */
export interface ResultRow {
  readonly [column: string]: Value;
}

export function finishRows(rows: readonly AggregateRow[], aggregation: LoweredAggregation): ResultRow[] {
  const { plan, having, sort, limit, offset } = aggregation;
  const columns = [...plan.keys, ...plan.functions].map(({ column }) => column);
  // a row as a record, so that conditions and orders mean the same here as everywhere
  let records = rows.map((row) => asRecord(columns, row));
  if (having !== undefined) records = records.filter(matcherOf(having));
  const keyColumns = plan.keys.map(({ column }) => ({ path: ["data", column] }));
  const orders: Order[] = [...(sort ?? []), ...keyColumns].map(lowerSortClause);
  const compare = comparatorOf(orders);
  // lists are level with each other, so are objects; as rows they still have one order on every backend
  const textOf = ({ data, types }: WireRecord): string =>
    JSON.stringify(plan.keys.map(({ column }) => keyOf(data[column] as Json, types, `/${escapeSegment(column)}`)));
  records.sort((a, b) => compare(a, b) || compareText(textOf(a), textOf(b)));
  return records
    .slice(offset, limit === undefined ? undefined : offset + limit)
    .map(({ data, types }) => (types === null ? data : decode(data, types)) as ResultRow);
}

function asRecord(columns: readonly string[], { keys, values }: AggregateRow): WireRecord {
  const data: { [column: string]: Json } = {};
  let types: TypeMap | null = null;
  for (let index = 0; index < columns.length; index++) {
    const column = columns[index] as string;
    const cell = (index < keys.length ? keys[index] : values[index - keys.length]) as Cell;
    setOwn(data, column, cell.json);
    if (cell.types === undefined || cell.types === null) continue;
    for (const [pointer, tag] of Object.entries(cell.types)) {
      types = withType(types, `/${escapeSegment(column)}${pointer}`, tag);
    }
  }
  return { id: "", data, types, metadata: {}, metadataTypes: null, version: "", createdAt: 0, updatedAt: 0 };
}
