/** The nearest vectors: DuckDB measures the column of a declared field, all of it, in 32-bit floats. */
import { type Compiler, type Nearest, samePath } from "@dataknobs/core/backend";
import { raw, type Sql, sql } from "@dataknobs/sql";
import type { Layout } from "./layout.js";

/** The distance as SQL, and the column that it is of. */
export interface NearestSql extends Sql {
  readonly column: Sql;
}

const functions: { readonly [M in Nearest["metric"]]: string } = {
  cosine: "array_cosine_distance",
  euclidean: "array_distance",
  dot: "array_negative_inner_product",
};

export function compileNearest(
  { vectors, indexes }: Layout,
  { path, vector, metric }: Nearest,
): ReturnType<NonNullable<Compiler<Sql>["nearest"]>> {
  const found = vectors.find((one) => samePath(one.path, path) && one.dimensions === vector.length);
  if (found === undefined) return undefined;
  const column = raw(found.column);
  const wanted = sql`${JSON.stringify([...vector])}::${raw(`FLOAT[${vector.length}]`)}`;
  const code: NearestSql = { ...sql`${raw(functions[metric])}(${column}, ${wanted})`, column };
  const spec = indexes.find((one) => one.vector?.dimensions === vector.length && samePath(one.path, path));
  return { code, exact: true, index: spec?.name };
}

/**
 * The whole of the rows that are near, read when they are known: in one step DuckDB reads the JSON of all rows for them,
 * and so it does where it may merge the two.
 */
export function nearestSelect(column: Sql, source: Sql, distance: Sql, where: Sql | undefined, limit: number): Sql {
  const { column: vectors } = distance as NearestSql;
  const filter = where === undefined ? raw("") : sql` AND (${where})`;
  const near = sql`SELECT id FROM ${source} WHERE ${vectors} IS NOT NULL${filter} ORDER BY ${distance}, id LIMIT ${raw(String(limit))}`;
  return sql`WITH near AS MATERIALIZED (${near}) SELECT ${column} FROM ${source} WHERE id IN (SELECT id FROM near)`;
}
