/**
 * Vectors of declared fields: a table beside the records, of 32-bit floats as they are. A vector that is written gets a
 * slot of its own, which never comes back: readers know what is new by the slots above those they have.
 */
import { type IndexSpec, type Path, samePath } from "@dataknobs/core/backend";
import { quoteIdentifier } from "@dataknobs/sql";
import type { Connection } from "./connection.js";
import { type Layout, vectorTable } from "./layout.js";
import { parseObject, parseTypes } from "./rows.js";
import type { WordSource } from "./words.js";

/** What a field's vectors are made of, and where they go. */
interface Place {
  readonly path: Path;
  readonly dimensions: number;
  readonly put: string;
  readonly remove: string;
}

const places = new WeakMap<Layout, readonly Place[]>();

function placesOf(layout: Layout): readonly Place[] {
  let list = places.get(layout);
  if (list === undefined) {
    list = vectorFields(layout).map((spec) => placeOf(layout, spec));
    places.set(layout, list);
  }
  return list;
}

function placeOf(layout: Layout, { path, vector }: IndexSpec): Place {
  const dimensions = vector?.dimensions ?? 0;
  const table = vectorTable(layout, path, dimensions);
  return {
    path,
    dimensions,
    // the row that was there goes, and with it its slot
    put: `INSERT OR REPLACE INTO ${table} (record, vector) VALUES (?, ?)`,
    remove: `DELETE FROM ${table} WHERE record = ?`,
  };
}

export function vectorFields({ indexes }: Layout): readonly IndexSpec[] {
  return indexes.filter(({ vector }) => vector !== undefined);
}

/** The declared field of these dimensions, whatever its metric: the vectors are kept as they are. */
export function vectorFieldOf(layout: Layout, path: Path, dimensions: number): IndexSpec | undefined {
  return vectorFields(layout).find((spec) => samePath(spec.path, path) && spec.vector?.dimensions === dimensions);
}

/** Makes a field's table and fills it from the records there are. */
export function makeVectors(connection: Connection, layout: Layout, spec: IndexSpec): void {
  const place = placeOf(layout, spec);
  const table = vectorTable(layout, spec.path, place.dimensions);
  connection.exec(
    `DROP TABLE IF EXISTS ${table}; CREATE TABLE ${table} ` +
      "(slot INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL UNIQUE, vector BLOB NOT NULL)",
  );
  const text = `SELECT id, data, types, metadata, metadata_types FROM ${quoteIdentifier(layout.table)} WHERE id > ? ORDER BY id LIMIT 1000`;
  let last = "";
  for (;;) {
    const rows = connection.all({ text, params: [last] }) as [string, string, string | null, string, string | null][];
    for (const [id, data, types, metadata, metadataTypes] of rows) {
      const blob = blobOf(place, { data, types, metadata, metadataTypes });
      if (blob !== undefined) connection.prepare(place.put).run(id, blob);
    }
    const end = rows.at(-1);
    if (end === undefined) return;
    [last] = end;
  }
}

export function dropVectors(connection: Connection, layout: Layout, { path, vector }: IndexSpec): void {
  connection.exec(`DROP TABLE IF EXISTS ${vectorTable(layout, path, vector?.dimensions ?? 0)}`);
}

/** Replaces the vectors of a record. */
export function addVectors(connection: Connection, layout: Layout, id: string, source: WordSource): void {
  for (const place of placesOf(layout)) {
    const blob = blobOf(place, source);
    if (blob === undefined) connection.run(place.remove, id);
    else connection.prepare(place.put).run(id, blob);
  }
}

export function removeVectors(connection: Connection, layout: Layout, id: string): void {
  for (const { remove } of placesOf(layout)) connection.run(remove, id);
}

export function clearVectors(connection: Connection, layout: Layout): void {
  for (const { path, dimensions } of placesOf(layout)) {
    connection.exec(`DELETE FROM ${vectorTable(layout, path, dimensions)}`);
  }
}

/** The vector as bytes; nothing where the record has none of these dimensions. */
function blobOf({ path, dimensions }: Place, source: WordSource): Buffer | undefined {
  const types = path.root === "data" ? source.types : source.metadataTypes;
  if (types?.includes("float32") !== true || parseTypes(types)?.[path.pointer] !== "float32") return undefined;
  let value: unknown = parseObject(path.root === "data" ? source.data : source.metadata);
  for (const segment of path.segments) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, segment)) return undefined;
    value = (value as { [key: string]: unknown })[segment];
  }
  // another program may have edited the list
  if (!Array.isArray(value) || value.length !== dimensions) return undefined;
  return Buffer.from(Float32Array.from(value as number[]).buffer);
}
