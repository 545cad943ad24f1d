/** The statements that write one record. */
import { type DeepPlace, quoteIdentifier } from "@dataknobs/sql";
import { deepPlaces, type Layout, timeColumn } from "./layout.js";
import { recordColumns } from "./select.js";
import { hasSides } from "./sides.js";

export interface WriteSql {
  readonly deep: readonly DeepPlace[];
  readonly metadataDeep: readonly DeepPlace[];
  /** Whether words or vectors are kept beside the records. */
  readonly hasSides: boolean;
  readonly read: string;
  readonly insert: string;
  /** Where all that JSON lacks is null. */
  readonly insertPlain: string;
  readonly upsert: string;
  readonly update: string;
  readonly delete: string;
}

const written = [
  "data",
  "metadata",
  "types",
  "metadata_types",
  "keys",
  "metadata_keys",
  "version",
  "updated_at",
] as const;

export function writeSql(layout: Layout): WriteSql {
  const table = quoteIdentifier(layout.table);
  const created = timeColumn(layout, "created_at");
  const insert = `INSERT INTO ${table} (id, ${written.join(", ")}, created_at) VALUES (?${", ?".repeat(written.length + 1)}) ON CONFLICT (id) DO`;
  const columns = recordColumns(layout).texts.join("");
  return {
    deep: deepPlaces(layout, "data"),
    metadataDeep: deepPlaces(layout, "metadata"),
    hasSides: hasSides(layout),
    read: layout.own
      ? `SELECT ${columns} FROM ${table} WHERE id = ?`
      : `SELECT ${columns.replace("types, metadata_types, version", "NULL, NULL, NULL")} FROM ${table} WHERE id = ?`,
    insert: `${insert} NOTHING`,
    insertPlain: `INSERT INTO ${table} (id, data, metadata, version, updated_at, created_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
    upsert: `${insert} UPDATE SET ${written.map((column) => `${column} = excluded.${column}`).join(", ")} RETURNING ${created}`,
    update: `UPDATE ${table} SET ${written.map((column) => `${column} = ?`).join(", ")} WHERE id = ? RETURNING ${created}`,
    delete: `DELETE FROM ${table} WHERE id = ?`,
  };
}
