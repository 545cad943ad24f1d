/**
 * Rows on their way in. Many travel as one text per column, the values joined by U+0000, which no record holds: the
 * driver takes a call for each value of its Appender, and blocks this thread while DuckDB indexes them. Here DuckDB
 * splits and indexes on threads of its own, one part of a batch while the next one is made.
 */
import type { Call, WireRecord } from "@dataknobs/core/backend";
import { join, raw, type Sql, sql } from "@dataknobs/sql";
import type { Lane } from "./lane.js";
import { baseColumns, columnsOf, type Layout, type SlotKind } from "./layout.js";
import { finish } from "./select.js";
import { type ColumnValue, columnsFrom } from "./split.js";

/** More rows than this are worth a text per column. */
const fewRows = 4;
const rowsAtOnce = 16_384;

/** Records, or what becomes them when it is its turn. */
export interface Records {
  readonly length: number;
  slice(start: number, end: number): readonly WireRecord[];
}

interface Rows {
  /** A relation, or the rows of VALUES; both have the columns of the table. */
  readonly source: Sql;
  readonly odd: boolean;
}

/** New rows. `beforeOdd` is called before the first odd one is written. */
export async function insertRows(
  lane: Lane,
  layout: Layout,
  records: Records,
  beforeOdd: () => void,
  call: Call,
  table: Sql = raw(layout.source),
): Promise<void> {
  await inParts(layout, records, beforeOdd, async ({ source }) => {
    await lane.run(finish(sql`INSERT INTO ${table} ${source}`, true), call);
  });
}

/** Replaces all of rows that are there. */
export async function updateRows(
  lane: Lane,
  layout: Layout,
  records: readonly WireRecord[],
  beforeOdd: () => void,
  call: Call,
): Promise<void> {
  const table = raw(layout.source);
  const [, ...columns] = columnsOf(layout);
  if (records.length <= fewRows) {
    const kinds = kindsOf(layout);
    for (const record of records) {
      const { values, odd } = columnsFrom(layout, [record]);
      if (odd) beforeOdd();
      const set = columns.map((column, index) => {
        const value = asParameter(kinds[index + 1], values[index + 1]?.[0] as ColumnValue);
        return sql`${raw(column)} = ${value}`;
      });
      await lane.run(finish(sql`UPDATE ${table} SET ${join(set, ", ")} WHERE id = ${record.id}`, true), call);
    }
    return;
  }
  const set = raw(columns.map((column) => `${column} = new.${column}`).join(", "));
  const names = raw(columnsOf(layout).join(", "));
  await inParts(layout, records, beforeOdd, async ({ source }) => {
    const update = sql`UPDATE ${table} AS old SET ${set} FROM (${source}) AS new (${names}) WHERE old.id = new.id`;
    await lane.run(finish(update, true), call);
  });
}

/** One after the other, the next one made while the last one is written. */
async function inParts(
  layout: Layout,
  records: Records,
  beforeOdd: () => void,
  write: (rows: Rows) => Promise<void>,
): Promise<void> {
  let writing = Promise.resolve();
  for (let start = 0; start < records.length; start += rowsAtOnce) {
    const rows = rowsOf(layout, records.slice(start, start + rowsAtOnce));
    await writing;
    if (rows.odd) beforeOdd();
    writing = write(rows);
    // awaited above or below, where it throws
    writing.catch(() => undefined);
  }
  await writing;
}

/** The rows as `INSERT INTO … ` goes on. */
export function rowsOf(layout: Layout, records: readonly WireRecord[]): Rows {
  const { values, odd } = columnsFrom(layout, records);
  const kinds = kindsOf(layout);
  if (records.length <= fewRows) {
    const rows = records.map((_, row) => {
      const one = values.map((column, index) => asParameter(kinds[index], column[row] as ColumnValue));
      return sql`(${join(one, ", ")})`;
    });
    return { source: sql`VALUES ${join(rows, ", ")}`, odd };
  }
  const texts: Sql[] = [];
  const read: Sql[] = [];
  values.forEach((column, index) => {
    const before = read[index - 1];
    // as the two times of new records, or columns without a value
    if (before !== undefined && kinds[index] === kinds[index - 1] && isSame(column, values[index - 1])) {
      read.push(before);
      return;
    }
    const name = `v${index}`;
    const { text, read: cast } = textOf(kinds[index], column);
    if (text !== undefined) texts.push(sql`unnest(string_split(${text}, chr(0))) AS ${raw(name)}`);
    read.push(raw(cast(name)));
  });
  return { source: sql`SELECT ${join(read, ", ")} FROM (SELECT ${join(texts, ", ")})`, odd };
}

function isSame(a: readonly ColumnValue[], b: readonly ColumnValue[] | undefined): boolean {
  return a.every((value, row) => value === b?.[row]);
}

/** What a column holds, or its type where it holds vectors. */
type ColumnKind = SlotKind | `FLOAT[${number}]`;

/** Of each column of the table; `undefined` for texts. */
function kindsOf({ slots, uniques, vectors }: Layout): (ColumnKind | undefined)[] {
  return [
    ...baseColumns.map((name) => baseKinds[name]),
    ...slots.map(({ kind }) => kind),
    ...uniques.map(() => undefined),
    ...vectors.map(({ dimensions }) => `FLOAT[${dimensions}]` as const),
  ];
}

const baseKinds: { readonly [name: string]: SlotKind } = { created_at: "date", updated_at: "date", odd: "boolean" };

function asParameter(kind: ColumnKind | undefined, value: ColumnValue): Sql {
  if (value === null) return raw("NULL");
  if (kind?.startsWith("FLOAT") === true) return sql`${value}::${raw(kind)}`;
  return kind === "date" ? sql`make_timestamp(${BigInt(value) * 1000n})` : sql`${value}`;
}

interface ColumnText {
  /** `undefined`: nothing but nulls. */
  readonly text: string | undefined;
  /** The column's value of one of the texts. */
  read(text: string): string;
}

function textOf(kind: ColumnKind | undefined, values: readonly ColumnValue[]): ColumnText {
  const nulls = values.includes(null);
  if (nulls && values.every((value) => value === null)) return { text: undefined, read: () => "NULL" };
  const cast = castOf(kind);
  if (cast !== undefined) {
    // `join` makes empty texts of nulls
    const texts = kind === "date" ? values.map(timeText) : values;
    return { text: texts.join("\0"), read: (text) => cast(nulls ? `nullif(${text}, '')` : text) };
  }
  if (!nulls) return { text: values.join("\0"), read: (text) => text };
  // an empty text is no null
  const marked = values.map((value) => (value === null ? null : `.${value}`));
  return { text: marked.join("\0"), read: (text) => `CASE WHEN ${text} <> '' THEN substr(${text}, 2) END` };
}

let lastTime: ColumnValue = null;
let lastText = "";

/** Neighbours are often written in the same millisecond, and to write such numbers is dear. */
function timeText(time: ColumnValue): string | null {
  if (time === null) return null;
  if (time !== lastTime) {
    lastText = String(time);
    lastTime = time;
  }
  return lastText;
}

function castOf(kind: ColumnKind | undefined): ((text: string) => string) | undefined {
  if (kind?.startsWith("FLOAT") === true) return (text) => `${text}::${kind}`;
  return kind === undefined ? undefined : casts[kind as SlotKind];
}

const casts: { readonly [K in SlotKind]?: (text: string) => string } = {
  number: (text) => `${text}::DOUBLE`,
  boolean: (text) => `${text}::BOOLEAN`,
  date: (text) => `make_timestamp(${text}::BIGINT * 1000)`,
};
