/**
 * Files queried where they are: each column is a field. Scalars are read as the columns of declared fields are, so that
 * filters, groups and sorts reach the reader of the files; lists and structs are the JSON.
 */
import { statSync } from "node:fs";
import { type Call, DataknobsError, resolvePath } from "@dataknobs/core/backend";
import { identifier, join, quoteIdentifier, quoteText, raw, type Sql, sql } from "@dataknobs/sql";
import { classify, duckdbType } from "./errors.js";
import type { Lane } from "./lane.js";
import { type DeclaredField, type Layout, makeLayout, type Slot, type SlotKind } from "./layout.js";
import type { Settings } from "./options.js";
import { finish } from "./select.js";

type From = NonNullable<Settings["from"]>;

const call: Call = {};

export async function openFiles(lane: Lane, { table }: Settings, from: From): Promise<Layout> {
  const reader = readerOf(from);
  const columns = await describe(lane, reader, from);
  const { idColumn } = from;
  if (idColumn !== undefined && !columns.some(({ name }) => name === idColumn)) {
    throw new DataknobsError(
      "INVALID_CONFIG",
      `The files have no column "${idColumn}"; they have ${columns.map(({ name }) => name).join(", ")}.`,
      {
        backend: "duckdb",
      },
    );
  }
  const fields: DeclaredField[] = [];
  const values: Sql[] = [];
  const rest: Sql[] = [];
  for (const { name, type } of columns) {
    const kind = kindOf(type);
    const column = sql`file.${identifier(name)}`;
    if (kind === undefined) {
      rest.push(
        sql`CASE WHEN ${column} IS NOT NULL THEN json_object(${raw(quoteText(name))}, ${jsonOf(type, column)}) END`,
      );
      continue;
    }
    const slot: Slot = { kind, name: `field ${fields.length}`, column: quoteIdentifier(`field ${fields.length}`) };
    fields.push({ path: resolvePath(["data", name]), slots: [slot], unique: undefined });
    values.push(sql`${columnOf(kind, type, column)} AS ${raw(slot.column)}`);
  }
  const changed = raw(`make_timestamp(${lastChange(from.files)}000)`);
  const data = rest.length === 0 ? raw("'{}'::JSON") : restOf(rest);
  const base = [
    sql`${idOf(from)} AS id`,
    sql`${data} AS data`,
    raw("NULL::JSON AS metadata, NULL::JSON AS types"),
    sql`${raw(quoteText(`file-${lastChange(from.files)}`))} AS version`,
    sql`${changed} AS created_at, ${changed} AS updated_at, NULL::BOOLEAN AS odd`,
  ];
  const select = sql`SELECT ${join([...base, ...values], ", ")} FROM ${reader} AS file`;
  const view = `dataknobs ${table}`;
  await lane.exec(`CREATE OR REPLACE VIEW ${quoteIdentifier(view)} AS ${finish(select, true).text}`);
  await lane.exec(`CREATE OR REPLACE VIEW ${quoteIdentifier(table)} AS SELECT * FROM ${finish(reader, true).text}`);
  return makeLayout(table, fields, [], quoteIdentifier(view));
}

/** As literals: the text becomes that of a view. */
function readerOf({ files, format }: From): Sql {
  const list = raw(`[${files.map(quoteText).join(", ")}]`);
  switch (format) {
    case "parquet":
      return sql`read_parquet(${list}, union_by_name = true, file_row_number = true, filename = true)`;
    case "csv":
      return sql`read_csv(${list}, union_by_name = true, filename = true)`;
    case "json":
      return sql`read_json_auto(${list}, union_by_name = true, filename = true)`;
  }
}

/** Places of rows as texts whose order is that of the rows. */
function idOf({ format, idColumn, files }: From): Sql {
  if (idColumn !== undefined) return sql`file.${identifier(idColumn)}::VARCHAR`;
  const one = files.length === 1 && !/[*?[{]/.test(files[0] as string);
  const row =
    format === "parquet"
      ? raw("file.file_row_number")
      : one
        ? raw("(row_number() OVER () - 1)")
        : raw("(row_number() OVER (PARTITION BY file.filename) - 1)");
  const place = sql`lpad(${row}::VARCHAR, 12, '0')`;
  return one ? place : sql`file.filename || ':' || ${place}`;
}

interface Column {
  readonly name: string;
  readonly type: string;
}

async function describe(lane: Lane, reader: Sql, { format }: From): Promise<Column[]> {
  let rows: readonly (readonly unknown[])[];
  try {
    rows = await lane.rows(finish(sql`DESCRIBE SELECT * FROM ${reader}`, true), call);
  } catch (error) {
    throw asProblem(error);
  }
  const own = format === "parquet" ? ["file_row_number", "filename"] : ["filename"];
  return rows
    .map(([name, type]) => ({ name: name as string, type: type as string }))
    .filter(({ name }) => !own.includes(name));
}

function asProblem(error: unknown): Error {
  const type = duckdbType(error);
  if (type === "IO") {
    return new DataknobsError(
      "NOT_FOUND",
      "There is no file of `from`, or it cannot be read; see `cause`.",
      { backend: "duckdb" },
      { cause: error },
    );
  }
  if (type === "Invalid Input" || type === "Conversion" || type === "Binder") {
    return new DataknobsError(
      "CORRUPT",
      "A file of `from` is not what `format` or its name says, or it is damaged.",
      { backend: "duckdb" },
      { cause: error },
    );
  }
  return classify(error);
}

/** Columns that hold one class of scalars; `undefined` for lists, structs and JSON. */
function kindOf(type: string): SlotKind | undefined {
  if (/^(?:U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\))$/.test(type)) return "number";
  if (/^(?:VARCHAR|UUID|TIME|ENUM\(.*\)|INTERVAL|BIT|TIME WITH TIME ZONE)$/s.test(type)) return "string";
  if (/^(?:DATE|TIMESTAMP(?:_S|_MS|_NS| WITH TIME ZONE)?)$/.test(type)) return "date";
  if (type === "BOOLEAN") return "boolean";
  return type === "BLOB" ? "bytes" : undefined;
}

/** What no record can hold is missing: infinities, NaN, texts with U+0000, times out of the years 0 to 9999. */
function columnOf(kind: SlotKind, type: string, column: Sql): Sql {
  switch (kind) {
    case "number":
      return type === "FLOAT" || type === "DOUBLE"
        ? sql`CASE WHEN isfinite(${column}) THEN ${column}::DOUBLE + 0.0 END`
        : sql`${column}::DOUBLE`;
    case "date": {
      const time =
        type === "TIMESTAMP WITH TIME ZONE" ? sql`make_timestamp(epoch_us(${column}))` : sql`${column}::TIMESTAMP`;
      return sql`CASE WHEN isfinite(${column}) THEN date_trunc('milliseconds', ${time}) END`;
    }
    case "bytes":
      return sql`lower(hex(${column}))`;
    case "boolean":
      return column;
    default:
      return type === "VARCHAR" ? column : sql`${column}::VARCHAR`;
  }
}

function jsonOf(type: string, column: Sql): Sql {
  return type === "JSON" ? column : sql`to_json(${column})`;
}

/** One object of all that are there: a column without a value is a field without one. */
function restOf(parts: readonly Sql[]): Sql {
  const inner = parts.map((part) => sql`(${part})::VARCHAR`);
  const texts = join(
    inner.map((text) => sql`substr(${text}, 2, length(${text}) - 2)`),
    ", ",
  );
  return sql`('{' || concat_ws(',', ${texts}) || '}')::JSON`;
}

/** Milliseconds; 0 for what is not a plain local file. */
function lastChange(files: readonly string[]): number {
  const times = files.map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return Math.floor(Math.max(0, ...times));
}
