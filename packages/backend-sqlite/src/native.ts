/** `db.sql`: a statement as the user wrote it. */
import { DataknobsError, type NativeRow } from "@dataknobs/core/backend";
import type { SqlValue } from "@dataknobs/sql";
import type Database from "better-sqlite3";
import type { Connection } from "./connection.js";

export function nativeRows(connection: Connection, statement: string, parameters: readonly SqlValue[]): NativeRow[] {
  let prepared: Database.Statement<unknown[], unknown>;
  try {
    prepared = connection.db.prepare<unknown[], unknown>(statement);
  } catch (cause) {
    throw new DataknobsError(
      "INVALID_QUERY",
      "SQLite does not understand this statement; see `cause`.",
      { backend: "sqlite" },
      { cause },
    );
  }
  const values = parameters.map((value) => (typeof value === "boolean" ? Number(value) : value));
  if (prepared.reader) {
    if (!prepared.readonly) connection.giveWay();
    return prepared.all(...values) as NativeRow[];
  }
  connection.giveWay();
  prepared.run(...values);
  return [];
}
