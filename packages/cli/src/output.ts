/** Answers as JSON Lines, a table or CSV. */
import type { StoredRecord, Value } from "@dataknobs/core";
import Table from "cli-table3";
import { stringify } from "csv-stringify/sync";

export type Format = "json" | "table" | "csv";

export interface Sink {
  write(text: string): unknown;
}

/** Values that JSON lacks as text: what people read. */
function plain(value: Value | object): unknown {
  switch (Object.prototype.toString.call(value)) {
    case "[object BigInt]":
      return String(value);
    case "[object Date]":
      return (value as Date).toISOString();
    case "[object Uint8Array]":
      return Buffer.from(value as Uint8Array).toString("base64");
    case "[object Float32Array]":
      return Array.from(value as Float32Array);
    case "[object Array]":
      return (value as Value[]).map(plain);
    case "[object Object]":
      return Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, plain(item as Value)]));
    default:
      return value;
  }
}

type Row = { readonly [column: string]: unknown };

function rowOf({ id, data, metadata, version, createdAt, updatedAt, score }: StoredRecord, whole: boolean): Row {
  const fields = plain(data) as Row;
  if (!whole) return { id, ...fields, ...(score !== undefined && { score }) };
  return {
    id,
    data: fields,
    metadata: plain(metadata),
    version,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
    ...(score !== undefined && { score }),
  };
}

/** JSON: a line per record with all that it has, as it comes. The others need all rows to know their columns. */
export async function printRecords(records: AsyncIterable<StoredRecord>, format: Format, out: Sink): Promise<void> {
  if (format === "json") {
    for await (const record of records) out.write(`${JSON.stringify(rowOf(record, true))}\n`);
    return;
  }
  const rows: Row[] = [];
  for await (const record of records) rows.push(rowOf(record, false));
  printRows(rows, format, out);
}

export function printRows(rows: readonly Row[], format: Format, out: Sink): void {
  if (format === "json") {
    for (const row of rows) out.write(`${JSON.stringify(row)}\n`);
    return;
  }
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = rows.map((row) => columns.map((column) => cellOf(row[column])));
  if (format === "csv") {
    out.write(stringify([columns, ...cells]));
    return;
  }
  if (rows.length === 0) {
    out.write("no rows\n");
    return;
  }
  const table = new Table({
    head: columns,
    style: { head: [], border: [] },
    chars: {
      top: "",
      "top-mid": "",
      "top-left": "",
      "top-right": "",
      bottom: "",
      "bottom-mid": "",
      "bottom-left": "",
      "bottom-right": "",
      left: "",
      "left-mid": "",
      mid: "",
      "mid-mid": "",
      right: "",
      "right-mid": "",
      middle: "  ",
    },
  });
  for (const row of cells) table.push(row.map(shortened));
  out.write(`${table.toString()}\n`);
}

function cellOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const widest = 60;

function shortened(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > widest ? `${line.slice(0, widest - 1)}…` : line;
}
