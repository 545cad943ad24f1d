/**
 * CSV with a column per top-level field, rewritten by every write:
 *
 *     id,name,age,tags,"dataknobs:{""layout"":1,""rows"":2,""crc"":""9a3c01f2""}"
 *     ada,Ada,36,"[""x""]","{""cells"":""sjj"",""version"":""…"",""createdAt"":…,""updatedAt"":…}"
 *     bob,Bob,,,"{""cells"":""sn-"",…}"
 *
 * The last column says what the text of each cell is, one letter a field: `s` text, `j` JSON, `n` null (an empty cell),
 * `-` no such field; and holds what CSV has no place for: version, times, metadata, types. So `"36"`, `36`, `""`, null
 * and missing stay apart, and a spreadsheet still shows plain cells. The checksum is of the field names and all bytes
 * after the first row. A field called `id`, or like `data.…` or `dataknobs:…`, has `data.` put before its name.
 *
 * Files of others: numbers, `true`/`false` and JSON lists and objects are told by column, where every cell is one that
 * would be written just so; empty cells are missing; rows may be shorter than the first.
 */
import { isUtf8 } from "node:buffer";
import { crc32 } from "node:zlib";
import { type Json, type JsonObject, parseJson, type WireRecord } from "@dataknobs/core/backend";
import { CsvError, parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import { corrupt } from "../errors.js";
import { type ForeignRow, fromRows } from "./foreign.js";
import {
  type DecodeContext,
  type Format,
  fromLine,
  hex8,
  isFields,
  isLine,
  type Line,
  layout,
  noFields,
  toLine,
} from "./format.js";
import { newerLayout } from "./jsonl.js";

const marker = "dataknobs:";
const reserved = /^(?:id$|data\.|dataknobs:)/;

export const csv: Format = {
  encode(records) {
    const names = new Set<string>();
    for (const { data } of records) for (const name of Object.keys(data)) names.add(name);
    const fields = [...names];
    const body = Buffer.from(toText(records.map((record) => toRow(record, fields))));
    const columns = fields.map((name) => (reserved.test(name) ? `data.${name}` : name));
    const header = { layout, rows: records.length, crc: checksum(columns, body) };
    const first = toText([["id", ...columns, marker + JSON.stringify(header)]]);
    return Buffer.concat([Buffer.from(first), body]);
  },

  decode(bytes, context) {
    if (!isUtf8(bytes)) throw corrupt(context.path, "it is not UTF-8 text", { position: 0 });
    const nul = bytes.indexOf(0);
    if (nul >= 0) throw corrupt(context.path, "it has a NUL, which no record can hold", { position: nul });
    const [first, ...rows] = parseText(bytes, context);
    if (first === undefined) throw corrupt(context.path, "it has no first row", { position: 0 });
    if (first.cells.at(-1)?.startsWith(marker) === true)
      return { records: own(first, rows, bytes, context), foreign: false };
    const [row] = rows;
    if (first.cells.some((name) => name.includes('"crc":')) || row?.cells.at(-1)?.startsWith('{"cells":"') === true) {
      throw corrupt(context.path, "its first row was changed", { position: 0, line: 1 });
    }
    return { records: fromRows(foreignRows(first.cells, rows, context), context), foreign: true };
  },
};

interface Row {
  readonly cells: readonly string[];
  readonly line: number;
  /** Bytes to the row's end. */
  readonly end: number;
}

// Every text in quotes: not all readers keep a lone CR or a blank at the edge of a bare cell.
function toText(rows: readonly (readonly (string | Bare)[])[]): string {
  return stringify(rows as unknown[][], {
    quoted_match: /[\r\n]|^\s|\s$|^$/,
    cast: { object: (value) => ({ value: String(value["text"]), quoted_match: null }) },
  });
}

/** An empty cell without quotes: null or missing. */
interface Bare {
  readonly text: string;
}
const empty: Bare = { text: "" };

function toRow(record: WireRecord, fields: readonly string[]): readonly (string | Bare)[] {
  const { data } = record;
  let kinds = "";
  const cells = fields.map((name) => {
    const value = Object.hasOwn(data, name) ? data[name] : undefined;
    kinds += value === undefined ? "-" : value === null ? "n" : typeof value === "string" ? "s" : "j";
    if (value === undefined || value === null) return empty;
    return typeof value === "string" ? value : JSON.stringify(value);
  });
  // a line of a log without the data, and the cells' kinds instead
  const line = toLine({ ...record, id: "", data: noFields });
  return [record.id, ...cells, `{"cells":"${kinds}",${line.slice(lineStart)}`];
}

const lineStart = '{"id":"","data":{},'.length;

function checksum(columns: readonly string[], body: Buffer): string {
  return hex8(crc32(body, crc32(JSON.stringify(columns))));
}

function parseText(bytes: Buffer, { path }: DecodeContext): readonly Row[] {
  const rows: Row[] = [];
  try {
    parse(bytes, {
      bom: true,
      relax_column_count: true,
      skip_empty_lines: false,
      record_delimiter: ["\r\n", "\n", "\r"],
      on_record: (cells: readonly string[], { bytes: end, lines: line }) => {
        rows.push({ cells, line, end });
        return null;
      },
    });
  } catch (cause) {
    if (!(cause instanceof CsvError) && (cause as { code?: unknown }).code === undefined) throw cause;
    const last = rows.at(-1);
    throw corrupt(path, "a cell's quotes do not close: it was cut off or changed", {
      position: last?.end ?? 0,
      line: (last?.line ?? 0) + 1,
      cause,
    });
  }
  return rows;
}

function own(first: Row, rows: readonly Row[], bytes: Buffer, context: DecodeContext): readonly WireRecord[] {
  const columns = first.cells.slice(1, -1);
  const header = parseObject((first.cells.at(-1) as string).slice(marker.length));
  const damaged = (what: string, { line, end }: Row): Error => corrupt(context.path, what, { position: end, line });
  if (header === undefined || first.cells[0] !== "id") throw damaged("its first row was changed", first);
  if (context.verify && header["crc"] !== checksum(columns, bytes.subarray(first.end))) {
    throw damaged("its checksum does not fit what was written", first);
  }
  if (header["layout"] !== layout) throw newerLayout(context.path, header["layout"]);
  if (context.verify && header["rows"] !== rows.length)
    throw damaged("it does not have as many rows as it says", first);
  const fields = columns.map((name) => (reserved.test(name) ? name.slice("data.".length) : name));
  return rows.map((row) => {
    const line = toOwnLine(row, fields);
    if (line === undefined) throw damaged("the row is no record of ours", row);
    return fromLine(line);
  });
}

function toOwnLine({ cells }: Row, fields: readonly string[]): Line | undefined {
  const { cells: kinds, ...rest } = parseObject(cells.at(-1) ?? "") ?? {};
  if (cells.length !== fields.length + 2 || typeof kinds !== "string" || kinds.length !== fields.length)
    return undefined;
  const entries: [string, Json][] = [];
  for (const [index, name] of fields.entries()) {
    const text = cells[index + 1] as string;
    const kind = kinds[index];
    if (kind === "s") entries.push([name, text]);
    else if (kind === "n") entries.push([name, null]);
    else if (kind === "j") {
      const value = tryJson(text);
      // only where checksums are not compared: somebody typed a text where JSON was
      entries.push([name, value === undefined ? text : value]);
    }
  }
  const line = { id: cells[0], data: Object.fromEntries(entries), ...rest };
  return isLine(line) ? line : undefined;
}

function tryJson(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch {
    // the caller decides what that means
    return undefined;
  }
}

function parseObject(text: string): JsonObject | undefined {
  const value = tryJson(text);
  return isFields(value) ? value : undefined;
}

// ---------- files of others

function foreignRows(names: readonly string[], rows: readonly Row[], { path }: DecodeContext): readonly ForeignRow[] {
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice >= 0) {
    throw corrupt(path, `two columns are called "${names[twice]}"`, { position: 0, line: 1 });
  }
  // an empty line is no row, unless there is but one column, in which it is an empty cell
  const filled = names.length === 1 ? rows : rows.filter(({ cells }) => cells.length > 1 || cells[0] !== "");
  for (const { cells, line, end } of filled) {
    if (cells.length <= names.length) continue;
    const what = `the row has ${cells.length} cells, the first row has ${names.length} names`;
    throw corrupt(path, what, { position: end, line });
  }
  const readers = names.map((name, column) => (name === "id" ? text : readerOf(filled, column)));
  return filled.map(({ cells }) => {
    const entries: [string, Json][] = [];
    for (const [column, cell] of cells.entries()) {
      if (cell !== "") entries.push([names[column] as string, (readers[column] as CellReader)(cell)]);
    }
    return { data: Object.fromEntries(entries) };
  });
}

type CellReader = (cell: string) => Json;

const text: CellReader = (cell) => cell;

/** What every filled cell of a column can be read as, such that it would be written the same way again. */
function readerOf(rows: readonly Row[], column: number): CellReader {
  const kinds: ((cell: string) => Json | undefined)[] = [
    (cell) => (String(Number(cell)) === cell && Number.isFinite(Number(cell)) ? Number(cell) : undefined),
    (cell) => (cell === "true" || cell === "false" ? cell === "true" : undefined),
    (cell) => (/^[[{]/.test(cell) ? tryJson(cell) : undefined),
  ];
  const filled = rows.map(({ cells }) => cells[column] ?? "").filter((cell) => cell !== "");
  const kind = kinds.find((read) => filled.every((cell) => read(cell) !== undefined));
  return kind === undefined || filled.length === 0 ? text : (kind as CellReader);
}
