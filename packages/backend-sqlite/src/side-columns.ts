/** What is kept beside the data: sortable keys of typed values, and of arrays and objects under unique indexes. */
import type { JsonObject, Path, TypeMap } from "@dataknobs/core/backend";
import { type DeepPlace, keysOf, quoteIdentifier } from "@dataknobs/sql";
import type { Connection } from "./connection.js";
import { deepPlaces, jsonPieces, type Layout } from "./layout.js";
import { parseObject, parseTypes } from "./rows.js";

/** The keys column of one root of a record. The data is only parsed where it must be. */
export function keysColumn(places: readonly DeepPlace[], json: string, types: string | null): string | null {
  if (types === null && places.length === 0) return null;
  const map: TypeMap | null = parseTypes(types);
  return keysOf(parseObject(json) as JsonObject, map, places);
}

/** Keys of the rows that were there before the unique index: those with an array or object at the path. */
export function refreshKeys(connection: Connection, layout: Layout, path: Path): void {
  const table = quoteIdentifier(layout.table);
  const root = path.root === "metadata" ? "metadata" : "data";
  const [types, keys] = root === "metadata" ? ["metadata_types", "metadata_keys"] : ["types", "keys"];
  const rows = connection.all({
    text: `SELECT id, ${root}, ${types} FROM ${table} WHERE ${jsonPieces(path).type} IN ('array', 'object')`,
    params: [],
  }) as [string, string, string | null][];
  const places = deepPlaces(layout, root);
  for (const [id, json, map] of rows) {
    connection.run(`UPDATE ${table} SET ${keys} = ? WHERE id = ?`, keysColumn(places, json, map), id);
  }
}
