/** `@dataknobs/backend-duckdb`: records in DuckDB, declared fields as typed columns; files in place. */
import { type BackendFactory, defineBackend } from "@dataknobs/core/backend";
import { DuckdbBackend } from "./backend.js";
import { type DuckdbOptions, fromUrl, optionSpecs, settingsOf } from "./options.js";

export type { DuckdbOptions, FileFormat } from "./options.js";

/**
 * A store in a DuckDB file or in memory, or files queried in place. Declared fields (`indexes` of `openDatabase`) are
 * typed columns; everything else is JSON.
 *
 * @example
 * import { openDatabase } from "@dataknobs/core";
 * import { duckdb } from "@dataknobs/backend-duckdb";
 *
 * await using db = await openDatabase(duckdb(), { indexes: [{ path: "country", type: "string" }, { path: "age", type: "number" }] });
 * await db.createMany([{ data: { country: "NO", age: 34 } }, { data: { country: "PE", age: 51 } }]);
 * const rows = await db.aggregate({ groupBy: { country: "country" }, select: { age: { fn: "avg", path: "age" } } });
 * const same = await db.sql("SELECT country, avg(age) AS age FROM records GROUP BY country ORDER BY country");
 */
export const duckdb: BackendFactory<DuckdbOptions> = defineBackend<DuckdbOptions>({
  name: "duckdb",
  options: optionSpecs,
  create: (options) => new DuckdbBackend(settingsOf(options)),
  fromUrl,
});
