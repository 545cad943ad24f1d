/** The statements of requests. Pure: the same text for `explain`, for this thread and for another. */
import type { AggregateRequest, AggregateRow, ScanRequest } from "@dataknobs/core/backend";
import {
  aggregatePlanOf,
  aggregateSelect,
  all,
  type Dialect,
  orderBy,
  raw,
  render,
  type Sql,
  type SqlValue,
  type Statement,
  sql,
} from "@dataknobs/sql";
import type { NearestSql } from "./compile.js";
import { type Layout, sourceOf, tableName, textNames, timeColumn } from "./layout.js";
import type { NearestSearch } from "./matrix.js";

// Far below SQLite's limit of 32,766, which an `or` of very many parts can reach.
const mostParams = 32_000;

/** Text and parameters; parameters beyond the engine's limit go as one list, under a name. */
export function finish(part: Sql, dialect: Pick<Dialect, "placeholder">, limit: number = mostParams): Statement {
  if (part.params.length <= limit) return render(part, dialect.placeholder);
  const rest = part.params.slice(limit);
  const { text } = render(part, (position) => {
    if (position <= limit) return "?";
    const at = `json_extract(@rest, '$[${position - limit - 1}]')`;
    return typeof part.params[position - 1] === "number" ? `(${at} + 0.0)` : at;
  });
  // better-sqlite3 takes the values of named parameters in an object at the end
  const named = { rest: JSON.stringify(rest) } as unknown as SqlValue;
  return { text, params: [...part.params.slice(0, limit), named] };
}

/** The columns of a record, in the order that `rows.ts` reads them. */
export function recordColumns(layout: Layout): Sql {
  const created = timeColumn(layout, "created_at");
  const updated = timeColumn(layout, "updated_at");
  return raw(`id, data, metadata, types, metadata_types, version, ${created}, ${updated}`);
}

export const recordWidth = 8;

function fromOf(layout: Layout, where: Sql | undefined, match: Sql | undefined): Sql {
  const conditions: Sql[] = [];
  let from = sourceOf(layout);
  if (match !== undefined) {
    const { words, docs } = textNames(layout);
    // the words first, then their records: no other order of the join makes sense
    from = sql`${raw(words)} CROSS JOIN ${raw(docs)} ON doc = ${raw(words)}.rowid CROSS JOIN ${from} ON id = record`;
    conditions.push(match);
  }
  if (where !== undefined) conditions.push(where);
  return conditions.length === 0 ? sql`FROM ${from}` : sql`FROM ${from} WHERE ${all(conditions)}`;
}

/** Rows of a record and, with `match`, its score. */
export function scanSelect(layout: Layout, dialect: Dialect, request: ScanRequest<Sql>): Statement {
  const { where, match, order, limit, offset } = request;
  const score = match === undefined ? raw("") : raw(`, -bm25(${textNames(layout).words}) AS score`);
  let select = sql`SELECT ${recordColumns(layout)}${score} ${fromOf(layout, where, match)}`;
  if (order.length > 0) select = sql`${select} ORDER BY ${orderBy(dialect, order)}`;
  else if (match !== undefined) select = sql`${select} ORDER BY score DESC, id`;
  if (limit !== undefined || offset > 0) select = sql`${select} LIMIT ${limit ?? -1}`;
  if (offset > 0) select = sql`${select} OFFSET ${offset}`;
  return finish(select, dialect);
}

/** The statements of a search for the nearest, which reads the vectors itself. */
export function nearestSearch(layout: Layout, dialect: Dialect, request: ScanRequest<Sql>): NearestSearch | undefined {
  const { where, limit } = request;
  const { nearest, ...table } = (request.nearest ?? {}) as Partial<NearestSql>;
  if (nearest === undefined) return undefined;
  const vectors = table as Sql;
  const records = sql`SELECT ${recordColumns(layout)}, place FROM (SELECT key AS place, value AS wanted FROM json_each(${""})) CROSS JOIN ${vectors} ON slot = wanted CROSS JOIN ${tableName(layout)} ON id = record ORDER BY place`;
  return {
    table: vectors.texts.join(""),
    metric: nearest.metric,
    vector: nearest.vector,
    limit: limit ?? nearest.k,
    filter:
      where === undefined
        ? undefined
        : finish(sql`SELECT slot FROM ${tableName(layout)} JOIN ${vectors} ON record = id WHERE ${where}`, dialect),
    records: finish(records, dialect),
  };
}

/** The same rows again by a list of ids, the first parameter, as far as they still fit. */
export function refetchSelect(layout: Layout, dialect: Dialect, { where }: ScanRequest<Sql>): Statement {
  const again = sql`SELECT ${recordColumns(layout)}, place FROM (SELECT key AS place, value AS wanted FROM json_each(${""})) CROSS JOIN ${sourceOf(layout)} ON id = wanted`;
  const select = where === undefined ? again : sql`${again} WHERE ${where}`;
  return finish(sql`${select} ORDER BY place`, dialect);
}

export function countSelect(
  layout: Layout,
  dialect: Dialect,
  where: Sql | undefined,
  match: Sql | undefined,
): Statement {
  return finish(sql`SELECT count(*) ${fromOf(layout, where, match)}`, dialect);
}

export interface AggregateStatement extends Statement {
  read(row: readonly unknown[]): AggregateRow;
}

export function aggregateStatement(
  layout: Layout,
  dialect: Dialect,
  request: AggregateRequest<Sql>,
): AggregateStatement {
  const plan = aggregatePlanOf(dialect, request.plan);
  if (plan === undefined) throw new TypeError("This aggregation was not pushed down.");
  const select = aggregateSelect(plan, fromOf(layout, request.where, request.match));
  return { ...finish(select, dialect), read: plan.read };
}

export function deleteStatement(layout: Layout, dialect: Dialect, where: Sql | undefined): Statement {
  const start = sql`DELETE FROM ${tableName(layout)}`;
  return finish(where === undefined ? start : sql`${start} WHERE ${where}`, dialect);
}
