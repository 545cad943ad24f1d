/** The statements of reads. Pure: the same text for `explain` and for the server. */
import { arrayText, candidatesOf, finish } from "@dataknobs/backend-postgres/kit";
import type { VectorPart } from "@dataknobs/core/vector";
import { all, quoteIdentifier, raw, type Sql, type Statement, sql } from "@dataknobs/sql";
import { distanceSql, indexedDistanceSql, tableOf, type VectorLayout } from "./layout.js";
import { lacking } from "./schema.js";

/** Rows of the scope that satisfy the condition. */
export function rowsWhere(layout: VectorLayout, scope: string, where: Sql | undefined): Sql {
  const { columns, nullable } = layout;
  if (columns.scope === undefined && scope !== "") throw lacking("scope", "scopes");
  const conditions = [
    ...(columns.scope === undefined ? [] : [sql`${raw(quoteIdentifier(columns.scope))} = ${scope}`]),
    ...(nullable ? [raw(`${quoteIdentifier(columns.embedding)} IS NOT NULL`)] : []),
    ...(where === undefined ? [] : [where]),
  ];
  return all(conditions);
}

type Part = readonly [name: string, column: string | undefined];

/** The columns of the parts that are asked for, in the order that `rowOf` reads them. */
function partsOf({ columns }: VectorLayout, include: readonly VectorPart[]): readonly Part[] {
  const part = (key: VectorPart, column: string | undefined): string | undefined =>
    column !== undefined && include.includes(key) ? quoteIdentifier(column) : undefined;
  return [
    ["id", quoteIdentifier(columns.id)],
    ["metadata", part("metadata", columns.metadata)],
    ["metadata_types", part("metadata", columns.metadataTypes)],
    ["text", part("text", columns.text)],
    ["vector", part("vector", columns.embedding)],
  ];
}

const asText = (parts: readonly Part[], source = ""): string =>
  parts
    .map(([name, column]) => (column === undefined ? "NULL" : `${source === "" ? column : source + name}::text`))
    .join(", ");

/** For scans and gets. */
export function rowSelect(layout: VectorLayout, include: readonly VectorPart[], conditions: Sql): Statement {
  return finish(sql`SELECT ${raw(asText(partsOf(layout, include)))} FROM ${raw(tableOf(layout))} WHERE ${conditions}`);
}

export function isOneOf(layout: VectorLayout, ids: readonly string[]): Sql {
  return sql`${raw(quoteIdentifier(layout.columns.id))} = ANY(${arrayText(ids)}::text[])`;
}

export interface Nearest {
  readonly scope: string;
  readonly where: Sql | undefined;
  readonly include: readonly VectorPart[];
  readonly limit: number;
  /** Past every index. */
  readonly exact: boolean;
}

/**
 * The nearest rows to each of these vectors, as texts: `[row…, distance, number of the query]`.
 *
 * The limit stands in the text: a plan for any limit would be one for a tenth of the table, without the index. The inner
 * selection gives whole columns and the outer one their texts, which would else be made of every row that is measured.
 */
export function nearestSelect(layout: VectorLayout, vectors: readonly string[], request: Nearest): Statement {
  const { scope, where, include, limit, exact } = request;
  if (where !== undefined || vectors.length !== 1) return makeNearest(layout, vectors, request);
  // the usual question: its text is made once, and has the vector and the scope for parameters
  const known = texts.get(layout) ?? new Map<string, string>();
  texts.set(layout, known);
  const key = `${limit} ${exact} ${scope === ""} ${include.join(" ")}`;
  const text = known.get(key);
  const params = layout.columns.scope === undefined ? vectors : [...vectors, scope];
  if (text !== undefined) return { text, params };
  const made = makeNearest(layout, vectors, request);
  if (known.size < mostTexts) known.set(key, made.text);
  return made;
}

const mostTexts = 100;
const texts = new WeakMap<VectorLayout, Map<string, string>>();

function makeNearest(layout: VectorLayout, vectors: readonly string[], request: Nearest): Statement {
  const parts = partsOf(layout, request.include);
  const shown = raw(`${asText(parts, "near.")}, near.distance`);
  const order = raw('near.distance + 0, near.id COLLATE "C"');
  const most = raw(String(Math.floor(request.limit)));
  const [only] = vectors;
  if (vectors.length === 1) {
    // the first parameter, which the order says again
    const found = candidates(layout, parts, sql`${only as string}`, "$1", request);
    return finish(sql`SELECT ${shown}, 1 FROM (${found}) AS near ORDER BY ${order} LIMIT ${most}`);
  }
  const found = candidates(layout, parts, raw("query.vector"), "query.vector", request);
  const each = sql`SELECT * FROM (${found}) AS near ORDER BY ${order} LIMIT ${most}`;
  const queries = sql`unnest(${arrayText(vectors)}::text[]) WITH ORDINALITY AS query(vector, place)`;
  return finish(
    sql`SELECT ${shown}, query.place FROM ${queries} CROSS JOIN LATERAL (${each}) AS near ORDER BY query.place, ${order}`,
  );
}

/** Among these are the nearest. */
function candidates(
  layout: VectorLayout,
  parts: readonly Part[],
  query: Sql,
  again: string,
  { scope, where, limit, exact }: Nearest,
): Sql {
  const [before, after] = distanceSql(layout, hole).split(hole) as [string, string];
  const distance = sql`${raw(before)}${query}${raw(after)}`;
  const there = parts.filter(([, column]) => column !== undefined);
  const columns = raw(there.map(([name, column]) => `${column} AS ${name}`).join(", "));
  const rows = sql`FROM ${raw(tableOf(layout))} WHERE ${rowsWhere(layout, scope, where)}`;
  if (exact) {
    // adding zero hides the order from indexes
    const order = raw(`distance, ${quoteIdentifier(layout.columns.id)} COLLATE "C" LIMIT ${Math.floor(limit)}`);
    return sql`SELECT ${columns}, ${distance} + 0 AS distance ${rows} ORDER BY ${order}`;
  }
  const order = raw(`${indexedDistanceSql(layout, again)} LIMIT ${Math.floor(candidatesOf(layout, limit))}`);
  return sql`SELECT ${columns}, ${distance} AS distance ${rows} ORDER BY ${order}`;
}

/** Stands for the query vector where an expression is made as text. */
const hole = "\0";

export function countSelect(layout: VectorLayout, scope: string, where: Sql | undefined): Statement {
  return finish(sql`SELECT count(*) FROM ${raw(tableOf(layout))} WHERE ${rowsWhere(layout, scope, where)}`);
}
