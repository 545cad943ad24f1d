/**
 * Fields declared for vectors: a column beside the record that PostgreSQL fills itself, out of the record's data and
 * types, at every write of whomever; its indexes; and how the nearest are looked for.
 *
 * Vectors that pgvector would measure wrongly, since it squares in 32-bit floats, or not take into an index, are odd:
 * a small index has them, and every search gives them all to core, which measures them.
 */
import type { Compiled, IndexSpec, Json, Nearest, VectorDeclaration, WireRecord } from "@dataknobs/core/backend";
import { samePath } from "@dataknobs/core/backend";
import { all, quoteIdentifier, raw, type Sql, type Statement, sql } from "@dataknobs/sql";
import { indexName, type JsonPieces, jsonPieces, type Layout, literal, tableOf, vectorColumn } from "./layout.js";
import {
  candidatesOf,
  fitQuery,
  fitsIndex,
  greatestHalf,
  isHalved,
  knobsOf,
  longest,
  mostIndexed,
  operatorClass,
  operatorOf,
  shortest,
  typeOf,
  type VectorShape,
  vectorText,
} from "./pgvector.js";
import { recordColumns, recordOf, recordWidth } from "./rows.js";
import { finish } from "./select.js";

/** Numbers in a vector that is stored; longer ones are left to core. */
export const mostDimensions = 16_000;
/** IVFFlat learns from the rows that are there: of fewer none is made. */
export const enoughForLists = 1000;

export interface VectorSpec extends IndexSpec {
  readonly vector: VectorDeclaration;
}

export const isVector = (spec: IndexSpec): spec is VectorSpec => spec.vector !== undefined;

function shapeOf({ extension = "public" }: Layout, { vector }: VectorSpec): VectorShape {
  return { extension, dimensions: vector.dimensions, metric: vector.metric };
}

export const methodOf = ({ vector }: VectorSpec): "hnsw" | "ivfflat" | undefined =>
  vector.index === "none" || vector.dimensions > mostIndexed ? undefined : (vector.index ?? "hnsw");

// ---------- what DDL makes

/** NULL where the record has no Float32Array of so many numbers there. */
function columnExpression(layout: Layout, spec: VectorSpec): string {
  const { json, type, tag }: JsonPieces = jsonPieces(layout, spec.path);
  const shape = shapeOf(layout, spec);
  const value = `${json}::text::${typeOf(shape, "vector", shape.dimensions)}`;
  // one inside the other: the parts of an AND come in any order
  return (
    `CASE WHEN ${tag} = 'float32' THEN CASE ${type} WHEN 'array' THEN ` +
    `CASE jsonb_array_length(${json}) WHEN ${shape.dimensions} THEN ${value} END END END`
  );
}

/** Numbers hardly become fewer bytes: packing them takes as long as all the rest of a write. */
export function storeAs(layout: Layout, { path }: VectorSpec, storage: "EXTERNAL" | "EXTENDED"): string {
  return `ALTER TABLE ${tableOf(layout)} ALTER COLUMN ${path.root} SET STORAGE ${storage}`;
}

export function addColumn(layout: Layout, spec: VectorSpec): string {
  const shape = shapeOf(layout, spec);
  return (
    `ALTER TABLE ${tableOf(layout)} ADD COLUMN IF NOT EXISTS ${vectorColumn(spec)} ` +
    `${typeOf(shape, "vector", shape.dimensions)} GENERATED ALWAYS AS (${columnExpression(layout, spec)}) STORED`
  );
}

/** That pgvector, and an index, measure it rightly; NULL without a vector. */
function isFitting(layout: Layout, spec: VectorSpec, column: string = vectorColumn(spec)): string {
  const shape = shapeOf(layout, spec);
  const norm = `${quoteIdentifier(shape.extension)}.vector_norm(${column})`;
  const halved = methodOf(spec) !== undefined && isHalved(shape);
  const least = shape.metric !== "cosine" ? 0 : halved ? 2 ** -8 : shortest;
  return `${norm} BETWEEN ${least}::float8 AND ${halved ? greatestHalf : longest}::float8`;
}

function indexed(layout: Layout, spec: VectorSpec): string {
  const shape = shapeOf(layout, spec);
  const column = vectorColumn(spec);
  if (!isHalved(shape)) return column;
  return `((CASE WHEN ${isFitting(layout, spec)} THEN ${column} END)::${typeOf(shape, "halfvec", shape.dimensions)})`;
}

/** The parts of its index; the second is there where the engine has one for it. */
export function vectorParts(layout: Layout, spec: VectorSpec): { readonly name: string; readonly on: string }[] {
  const shape = shapeOf(layout, spec);
  const parts = [{ name: indexName(layout, spec, "odd"), on: `(id) WHERE NOT (${isFitting(layout, spec)})` }];
  const method = methodOf(spec);
  if (method === undefined || (method === "ivfflat" && layout.lists === undefined)) return parts;
  const on = isHalved(shape) ? `(${indexed(layout, spec)})` : indexed(layout, spec);
  const options = method === "ivfflat" ? ` WITH (lists = ${layout.lists})` : "";
  const classed = `${on} ${quoteIdentifier(shape.extension)}.${operatorClass(shape)}`;
  // of all rows: how many a condition on lengths leaves, the planner cannot know, and would think too few
  parts.push({ name: indexName(layout, spec), on: `USING ${method} (${classed})${options}` });
  return parts;
}

// ---------- searches

interface Search {
  readonly spec: VectorSpec;
  readonly vector: string;
  readonly exact: boolean;
}

/** Searches go with the code of a `nearest`: a scan selects by them. */
const searches = new WeakMap<Sql, Search>();

export function compileNearest(layout: Layout, { path, vector, metric, exact }: Nearest): Compiled<Sql> | undefined {
  const spec = layout.indexes
    .filter(isVector)
    .find((one) => samePath(one.path, path) && one.vector.metric === metric && one.vector.dimensions === vector.length);
  const query = fitQuery(metric, vector);
  if (spec === undefined || query === undefined) return undefined;
  const shape = shapeOf(layout, spec);
  const byIndex = layout.vectorIndexes?.has(indexName(layout, spec)) === true;
  const measures = exact || !byIndex || !fitsIndex(shape, query);
  const code = raw(vectorColumn(spec));
  searches.set(code, { spec, vector: vectorText(query), exact: measures });
  if (measures) return { code, exact: true };
  return { code, exact: false, index: spec.name };
}

/** A row of `nearestStatement`. */
export function nearestRecordOf(code: Sql, row: readonly unknown[]): WireRecord {
  const record = recordOf(row.slice(0, recordWidth));
  const text = row[recordWidth];
  if (text === null) return record;
  const { root, segments } = (searches.get(code) as Search).spec.path;
  let place = record[root as "data" | "metadata"] as { [key: string]: Json };
  // own properties, whatever they are called
  const own = (key: string): Json => Object.getOwnPropertyDescriptor(place, key)?.value;
  for (const key of segments.slice(0, -1)) place = own(key) as { [key: string]: Json };
  const value = (JSON.parse(text as string) as number[]).map(Math.fround);
  Object.defineProperty(place, segments.at(-1) as string, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
  return record;
}

export interface NearestStatement {
  /** Parameters of settings that the search runs under; none for one that measures every candidate. */
  readonly knobs: readonly string[] | undefined;
  readonly statement: Statement;
}

/**
 * Those nearest by what pgvector measures, each without the vector in its data and with it behind, as pgvector writes it,
 * which is much faster than JSON of as many numbers; and every odd one as it is. `past` the index.
 *
 * The limit stands in the text: a plan for any limit would be one for a tenth of the table, without the index. Inner
 * selections give whole columns and the outer one their texts, which would else be made of every row that is measured.
 */
export function nearestStatement(
  layout: Layout,
  code: Sql,
  where: Sql | undefined,
  limit: number,
  past = false,
): NearestStatement {
  const search = searches.get(code) as Search;
  const { spec, vector } = search;
  const exact = past || search.exact;
  const shape = shapeOf(layout, spec);
  const column = vectorColumn(spec);
  const columns = "id, data, metadata, types, metadata_types, version, created_at, updated_at";
  const most = Math.floor(limit);
  const rows = (test: string): Sql =>
    sql`FROM ${raw(tableOf(layout))} WHERE ${all([raw(test), ...(where === undefined ? [] : [where])])}`;
  const operator = operatorOf(shape);
  const type = typeOf(shape, "vector");
  const distance = sql`(${raw(`${column} ${operator} `)}${vector}::${raw(type)})`;
  const fitting = isFitting(layout, spec);
  const half = typeOf(shape, "halfvec", shape.dimensions);
  // the first parameter, which the order says again
  const order = isHalved(shape)
    ? `${indexed(layout, spec)} ${operator} $1::${type}::${half}`
    : `${column} ${operator} $1::${type}`;
  const limited = (count: number): Sql => raw(`LIMIT ${count}`);
  const found = exact
    ? // adding zero hides the order from indexes
      sql`SELECT ${raw(columns)}, ${raw(column)} AS vector, ${distance} + 0 AS distance ${rows(fitting)} ORDER BY distance, id COLLATE "C" ${limited(most)}`
    : sql`SELECT ${raw(columns)}, ${raw(column)} AS vector, ${distance} AS distance ${rows(`${column} IS NOT NULL`)} ORDER BY ${raw(order)} ${limited(candidatesOf(shape, most))}`;
  const { root, segments } = spec.path;
  const rest = `(near.${root} #- ARRAY[${segments.map(literal).join(", ")}]::text[])`;
  const shown = raw(recordColumns("near.", { [root]: rest }));
  const fit = exact ? raw("") : raw(`WHERE ${isFitting(layout, spec, "found.vector")} `);
  const ordered = sql`SELECT * FROM (${found}) AS found ${fit}ORDER BY distance + 0, id COLLATE "C" ${limited(most)}`;
  const near = sql`(SELECT ${shown}, near.vector::text FROM (${exact ? found : ordered}) AS near)`;
  const odd = sql`(SELECT ${raw(recordColumns())}, NULL ${rows(`NOT (${fitting})`)})`;
  const statement = finish(sql`${near} UNION ALL ${odd}`);
  if (exact) return { knobs: undefined, statement };
  const lists = layout.vectorIndexes?.get(indexName(layout, spec)) ?? 0;
  const index = { type: methodOf(spec) as "hnsw" | "ivfflat", lists };
  return { knobs: knobsOf(index, candidatesOf(shape, most), { efSearch: 100, probes: undefined }), statement };
}
