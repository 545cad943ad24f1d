/**
 * Rows on their way in. Many travel as one text per column, the values joined by U+0000, which no record holds: the
 * driver takes a call for each value of its Appender, and blocks this thread while DuckDB indexes them. Here DuckDB
 * splits and indexes on threads of its own, one part of a batch while the next one is made.
 */
import type { Call, WireRecord } from "@dataknobs/core/backend";
import { join, raw, type Sql, sql } from "@dataknobs/sql";
import type { Lane, Prepared } from "./lane.js";
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
  await inParts(lane, layout, records, beforeOdd, ({ source }) => sql`INSERT INTO ${table} ${source}`, call);
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
  const write = ({ source }: Rows): Sql =>
    sql`UPDATE ${table} AS old SET ${set} FROM (${source}) AS new (${names}) WHERE old.id = new.id`;
  await inParts(lane, layout, records, beforeOdd, write, call);
}

/**
 * One after the other, the next one made while the last one is written: which takes a statement that was prepared, since
 * the driver prepares it in steps that would wait for the next one.
 */
async function inParts(
  lane: Lane,
  layout: Layout,
  records: Records,
  beforeOdd: () => void,
  write: (rows: Rows) => Sql,
  call: Call,
): Promise<void> {
  let last: { readonly text: string; readonly prepared: Prepared } | undefined;
  let writing = Promise.resolve();
  try {
    for (let start = 0; start < records.length; start += rowsAtOnce) {
      const rows = rowsOf(layout, records.slice(start, start + rowsAtOnce));
      const { text, params } = finish(write(rows), true);
      await writing;
      if (rows.odd) beforeOdd();
      if (last?.text !== text) {
        last?.prepared.close();
        last = undefined;
        last = { text, prepared: await lane.prepare(text, call) };
      }
      writing = last.prepared.run(params, call);
      // awaited above or below, where it throws
      writing.catch(() => undefined);
    }
    await writing;
  } finally {
    last?.prepared.close();
  }
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
    const [first = null] = column;
    if (column.every((value) => value === first)) {
      read.push(asParameter(kinds[index], first));
      return;
    }
    const name = `v${index}`;
    const { text, read: cast } = textOf(kinds[index], column);
    texts.push(sql`unnest(string_split(${text}, chr(0))) AS ${raw(name)}`);
    read.push(raw(cast(name)));
  });
  return { source: sql`SELECT ${join(read, ", ")} FROM (SELECT ${join(texts, ", ")})`, odd };
}

function isSame(a: readonly ColumnValue[], b: readonly ColumnValue[] | undefined): boolean {
  return a.every((value, row) => value === b?.[row]);
}

/** What a column holds: a time in milliseconds, else as its slot has it; or its type where it holds vectors. */
type ColumnKind = SlotKind | "time" | `FLOAT[${number}]`;

/** Of each column of the table; `undefined` for texts. */
function kindsOf({ slots, uniques, vectors }: Layout): (ColumnKind | undefined)[] {
  return [
    ...baseColumns.map((name) => baseKinds[name]),
    ...slots.map(({ kind }) => kind),
    ...uniques.map(() => undefined),
    ...vectors.map(({ dimensions }) => `FLOAT[${dimensions}]` as const),
  ];
}

const baseKinds: { readonly [name: string]: ColumnKind } = { created_at: "time", updated_at: "time", odd: "boolean" };

function asParameter(kind: ColumnKind | undefined, value: ColumnValue): Sql {
  if (value === null) return raw("NULL");
  if (kind === "time") return sql`make_timestamp(${BigInt(value) * 1000n})`;
  const cast = castOf(kind);
  return cast === undefined || typeof value !== "string" ? sql`${value}` : sql`${value}${raw(cast)}`;
}

interface ColumnText {
  readonly text: string;
  /** The column's value of one of the texts. */
  read(text: string): string;
}

function textOf(kind: ColumnKind | undefined, values: readonly ColumnValue[]): ColumnText {
  const nulls = values.includes(null);
  const text = values.join("\0");
  if (kind === "time") return { text, read: (one) => `make_timestamp(${one}::BIGINT * 1000)` };
  const cast = castOf(kind);
  // `join` makes empty texts of nulls
  if (cast !== undefined) return { text, read: (one) => (nulls ? `nullif(${one}, '')${cast}` : `${one}${cast}`) };
  if (!nulls) return { text, read: (one) => one };
  // an empty text is no null
  const marked = values.map((value) => (value === null ? null : `.${value}`));
  return { text: marked.join("\0"), read: (one) => `CASE WHEN ${one} <> '' THEN substr(${one}, 2) END` };
}

/** What makes a column's value of a text; nothing where it is one. */
function castOf(kind: ColumnKind | undefined): string | undefined {
  switch (kind) {
    case "number":
      return "::DOUBLE";
    case "boolean":
      return "::BOOLEAN";
    case "date":
      return "::TIMESTAMP";
    default:
      return kind?.startsWith("FLOAT") === true ? `::${kind}` : undefined;
  }
}
