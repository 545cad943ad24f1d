/** `db.sql`: a statement as the user wrote it, and rows of plain values. */
import type { Call, NativeRow } from "@dataknobs/core/backend";
import { DataknobsError } from "@dataknobs/core/backend";
import {
  BIGINT,
  BLOB,
  BOOLEAN,
  blobValue,
  DOUBLE,
  DuckDBTimestampMillisecondsValue,
  type DuckDBType,
  type DuckDBValue,
  HUGEINT,
  LIST,
  listValue,
  ResultReturnType,
  SQLNULL,
  TIMESTAMP_MS,
  VARCHAR,
} from "@duckdb/node-api";
import type { Lane } from "./lane.js";

/**
 * Of the engine's types: all integers beyond 32 bits come as bigint, DECIMAL as a number, DATE and TIMESTAMP as Date,
 * BLOB as Uint8Array, LIST as a list, STRUCT as an object, JSON as its text.
 */
export async function nativeRows(
  lane: Lane,
  statement: string,
  parameters: readonly unknown[],
  call: Call,
): Promise<NativeRow[]> {
  if (statement.trim() === "")
    throw new DataknobsError("INVALID_QUERY", "The statement is empty.", { backend: "duckdb" });
  const bound = parameters.map(bind);
  const values = bound.map(({ value }) => value);
  const types = bound.map(({ type }) => type);
  const start = () => lane.connection.runAndReadAll(statement, values, types);
  const reader = await lane.interruptible(start, call.signal);
  return reader.returnType === ResultReturnType.QUERY_RESULT ? (reader.getRowObjectsJS() as NativeRow[]) : [];
}

interface Bound {
  readonly value: DuckDBValue;
  readonly type: DuckDBType;
}

function bind(value: unknown): Bound {
  switch (typeof value) {
    case "string":
      return { value, type: VARCHAR };
    case "boolean":
      return { value, type: BOOLEAN };
    case "number":
      return { value, type: DOUBLE };
    case "bigint":
      return { value, type: BigInt.asIntN(64, value) === value ? BIGINT : HUGEINT };
  }
  if (value === null || value === undefined) return { value: null, type: SQLNULL };
  if (Array.isArray(value)) {
    const items = value.map(bind);
    return { value: listValue(items.map((item) => item.value)), type: LIST(items[0]?.type ?? VARCHAR) };
  }
  switch (Object.prototype.toString.call(value)) {
    case "[object Date]":
      return { value: new DuckDBTimestampMillisecondsValue(BigInt(Number(value))), type: TIMESTAMP_MS };
    case "[object Uint8Array]":
      return { value: blobValue(value as Uint8Array), type: BLOB };
  }
  throw new DataknobsError(
    "INVALID_QUERY",
    "A parameter of `sql` is a string, number, bigint, boolean, null, Date, Uint8Array or a list of one of them.",
    {
      backend: "duckdb",
    },
  );
}
