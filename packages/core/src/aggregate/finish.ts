/** From groups to the rows users get: `having`, sort, offset and limit, on the columns of the result. */
import type { AggregateRow, Cell } from "../backend/spi.js";
import { comparatorOf } from "../match/compare.js";
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
  let records = rows.map((row) => asRecord(columns, [...row.keys, ...row.values]));
  if (having !== undefined) records = records.filter(matcherOf(having));
  const keyColumns = plan.keys.map(({ column }) => ({ path: ["data", column] }));
  const orders: Order[] = [...(sort ?? []), ...keyColumns].map(lowerSortClause);
  records.sort(comparatorOf(orders));
  return records
    .slice(offset, limit === undefined ? undefined : offset + limit)
    .map((record) => decode(record.data, record.types) as ResultRow);
}

function asRecord(columns: readonly string[], cells: readonly Cell[]): WireRecord {
  const data: { [column: string]: Json } = {};
  let types: TypeMap | null = null;
  for (let index = 0; index < columns.length; index++) {
    const column = columns[index] as string;
    const cell = cells[index] as Cell;
    setOwn(data, column, cell.json);
    for (const [pointer, tag] of Object.entries(cell.types ?? {})) {
      types = withType(types, `/${escapeSegment(column)}${pointer}`, tag);
    }
  }
  return { id: "", data, types, metadata: {}, metadataTypes: null, version: "", createdAt: 0, updatedAt: 0 };
}
