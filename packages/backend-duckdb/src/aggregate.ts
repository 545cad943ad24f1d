/**
 * Aggregation as one grouped SELECT. Where a declared field's column says all, the SELECT is what one would write by
 * hand; else groups are told apart by rank, number and text. Arrays and objects as keys or counted as distinct are
 * found while reading the answer, and core then aggregates instead.
 */
import type { AggregatePlan, AggregateRow, Cell, LoweredFunction, LoweredKey, TypeMap } from "@dataknobs/core/backend";
import { bigintOfKey, bytesOfKey, join, raw, type Sql, type Statement, sql } from "@dataknobs/sql";
import type { DuckDialect } from "./compile.js";
import type { DuckField } from "./fields.js";
import type { Layout, Slot } from "./layout.js";
import { finish } from "./select.js";

export interface AggregateStatement extends Statement {
  /** `undefined`: the group holds what SQL cannot tell apart. */
  read(row: readonly unknown[]): AggregateRow | undefined;
}

interface Part {
  readonly columns: readonly Sql[];
  /** Which of the columns are texts. */
  readonly texts?: readonly number[];
  /** How many of the columns, from the first, are of the group key. */
  readonly keys: number;
  read(values: readonly unknown[]): Cell | undefined;
}

const nullCell: Cell = Object.freeze({ json: null });
const dateTypes: TypeMap = Object.freeze({ "": "date" });
const nullNumber = raw("NULL::DOUBLE");

export function canAggregate(dialect: DuckDialect, { keys, functions }: AggregatePlan): boolean {
  return [...keys, ...functions].every(({ path }) => path === undefined || dialect.field(path) !== undefined);
}

export function aggregateStatement(
  layout: Layout,
  dialect: DuckDialect,
  { keys, functions }: AggregatePlan,
  where: Sql | undefined,
  clean: boolean,
): AggregateStatement {
  const fieldOf = (one: LoweredKey | LoweredFunction): DuckField | undefined =>
    one.path === undefined ? undefined : dialect.field(one.path);
  const keyParts = keys.map((key) => keyPart(fieldOf(key) as DuckField, key, clean));
  const functionParts = functions.map((fn) => functionPart(fieldOf(fn), fn, clean));
  const parts = [...keyParts, ...functionParts];
  const columns = parts.flatMap((part) => part.columns);
  const groups: string[] = [];
  let at = 0;
  for (const part of keyParts) {
    for (let index = 0; index < part.keys; index++) groups.push(String(at + index + 1));
    at += part.columns.length;
  }
  const names = columns.map((column, index) => sql`${column} AS ${raw(`c${index}`)}`);
  let select = sql`SELECT ${columns.length === 0 ? raw("1") : join(names, ", ")} FROM ${raw(layout.source)}`;
  if (where !== undefined) select = sql`${select} WHERE ${where}`;
  // by place: an expression with a parameter equals no other
  if (groups.length > 0) select = sql`${select} GROUP BY ${raw(groups.join(", "))}`;
  const texts = textColumns(parts);
  if (texts.length > 0) {
    const marks = texts.map((index) => `'.' || c${index} AS c${index}`);
    select = sql`SELECT * REPLACE (${raw(marks.join(", "))}) FROM (${select})`;
  }
  return {
    ...finish(select, clean),
    read(given) {
      const row = [...given];
      for (const index of texts) if (row[index] !== null) row[index] = (row[index] as string).slice(1);
      let start = 0;
      const cells: Cell[] = [];
      for (const part of parts) {
        const end = start + part.columns.length;
        const cell = part.read(row.slice(start, end));
        start = end;
        if (cell === undefined) return undefined;
        cells.push(cell);
      }
      return { keys: cells.slice(0, keys.length), values: cells.slice(keys.length) };
    },
  };
}

/** The driver drops U+FEFF from the beginning of a text, so that texts are asked for with a dot before them. */
function textColumns(parts: readonly Part[]): number[] {
  let start = 0;
  return parts.flatMap(({ columns, texts = [] }) => {
    const at = start;
    start += columns.length;
    return texts.map((index) => at + index);
  });
}

/** The columns that say all of the field; `undefined` where its JSON may hold more. */
function slotsOf(field: DuckField, clean: boolean): readonly Slot[] | undefined {
  return clean ? field.declared?.slots : undefined;
}

function keyPart(field: DuckField, key: LoweredKey, clean: boolean): Part {
  switch (key.kind) {
    case "path":
      return pathPart(field, clean);
    case "bucket": {
      // adding zero makes -0.0 a zero
      const lower = sql`floor(${numberOf(field)} / ${key.width}) * ${key.width} + 0.0::DOUBLE`;
      return { columns: [lower], keys: 1, read: ([value]) => ({ json: value as number | null }) };
    }
    case "dateBucket":
      return {
        columns: [sql`epoch_ms(date_trunc('${raw(key.unit)}', ${timeOf(field)}))::DOUBLE`],
        keys: 1,
        read: ([time]) => dateCell(time as number | null),
      };
  }
}

function pathPart(field: DuckField, clean: boolean): Part {
  if (field.column !== undefined) {
    if (field.path.root === "id")
      return { columns: [field.column], texts: [0], keys: 1, read: ([id]) => ({ json: id as string }) };
    return { columns: [timeNumber(field.column)], keys: 1, read: ([time]) => dateCell(time as number) };
  }
  const slots = slotsOf(field, clean);
  const dates = slots?.some(({ kind }) => kind === "date") === true && slots.some(({ kind }) => kind === "string");
  // a Date and the string of its text are one group, so that both in one field need the general way
  if (slots !== undefined && !dates) {
    const columns = slots.map(readable);
    return { columns, texts: textSlots(slots), keys: columns.length, read: (values) => slotCell(slots, values) };
  }
  return {
    columns: [field.rank, field.number, field.string, sql`bool_and(${field.isDate})`],
    texts: [2],
    keys: 3,
    read: ([rank, number, text, isDate]) =>
      scalarCell(rank as number, number as number, text as string, isDate === true),
  };
}

const timeNumber = (column: Sql): Sql => sql`epoch_ms(${column})::DOUBLE`;

function readable({ kind, column }: Slot): Sql {
  return kind === "date" ? timeNumber(raw(column)) : raw(column);
}

const textSlots = (slots: readonly Slot[]): number[] =>
  slots.flatMap(({ kind }, index) => (kind === "string" || kind === "bigint" || kind === "bytes" ? [index] : []));

function slotCell(slots: readonly Slot[], values: readonly unknown[]): Cell {
  const at = values.findIndex((value) => value !== null);
  const slot = slots[at];
  return slot === undefined ? nullCell : cellOf(slot.kind, values[at]);
}

function cellOf(kind: Slot["kind"], value: unknown): Cell {
  switch (kind) {
    case "date":
      return dateCell(value as number);
    case "bigint":
      return { json: bigintOfKey(value as string), types: { "": "bigint" } };
    case "bytes":
      return { json: bytesOfKey(value as string), types: { "": "bytes" } };
    default:
      return { json: value as string | number | boolean };
  }
}

function dateCell(time: number | null): Cell {
  return time === null ? nullCell : { json: new Date(time).toISOString(), types: dateTypes };
}

/** `undefined` for arrays and objects. */
function scalarCell(rank: number, number: number, text: string, isDate: boolean): Cell | undefined {
  switch (rank) {
    case 0:
      return nullCell;
    case 1:
      return { json: number === 1 };
    case 2:
      return { json: number };
    case 3:
      return cellOf("bigint", text);
    case 4:
      return isDate ? { json: text, types: dateTypes } : { json: text };
    case 5:
      return cellOf("bytes", text);
    default:
      return undefined;
  }
}

function numberOf(field: DuckField): Sql {
  return field.text ? nullNumber : field.as("number");
}

const plainDate = "'[0-9]{4}-[0-9]{2}-[0-9]{2}(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{3}Z)?'";

/** The field as a TIMESTAMP, where it is a Date or the text of one. */
function timeOf(field: DuckField): Sql {
  if (field.column !== undefined) return field.path.root === "id" ? timeOfText(field.column) : field.column;
  const slots = field.declared?.slots ?? [];
  const date = slots.find(({ kind }) => kind === "date");
  const rest = timeOfText(field.as("string"));
  return date === undefined ? rest : sql`coalesce(${raw(date.column)}, ${rest})`;
}

function timeOfText(text: Sql): Sql {
  return sql`CASE WHEN regexp_full_match(${text}, ${raw(plainDate)}) THEN TRY_CAST(replace(rtrim(${text}, 'Z'), 'T', ' ') AS TIMESTAMP) END`;
}

function functionPart(field: DuckField | undefined, fn: LoweredFunction, clean: boolean): Part {
  const one = (column: Sql, otherwise: number | null): Part => ({
    columns: [sql`${column}::DOUBLE`],
    keys: 0,
    read: ([value]) => ({ json: (value as number | null) ?? otherwise }),
  });
  if (field === undefined) return one(raw("count(*)"), 0);
  switch (fn.kind) {
    case "count": {
      const [only, second] = slotsOf(field, clean) ?? [];
      if (only !== undefined && second === undefined) return one(raw(`count(${only.column})`), 0);
      return one(sql`count(CASE WHEN ${field.present} THEN 1 END)`, 0);
    }
    case "countDistinct":
      return distinctPart(field, clean, one);
    case "sum":
      return one(sql`fsum(${numberOf(field)})`, 0);
    case "avg":
      return one(sql`favg(${numberOf(field)})`, null);
    case "percentile":
      return one(sql`quantile_cont(${numberOf(field)}, ${raw(String(fn.fraction))}::DOUBLE)`, null);
    case "min":
    case "max":
      return extremePart(field, fn.kind, clean);
  }
}

function distinctPart(field: DuckField, clean: boolean, one: (column: Sql, otherwise: number) => Part): Part {
  const [only, second] = slotsOf(field, clean) ?? [];
  if (only !== undefined && second === undefined) return one(raw(`count(DISTINCT ${only.column})`), 0);
  if (field.column !== undefined) return one(sql`count(DISTINCT ${field.column})`, 0);
  const place = sql`CASE WHEN ${field.rank} > 0 THEN row(${field.rank}, ${field.number}, ${field.string}) END`;
  return {
    columns: [sql`count(DISTINCT ${place})::DOUBLE`, sql`max(${field.rank})`],
    keys: 0,
    read: ([count, rank]) => (((rank as number | null) ?? 0) >= 6 ? undefined : { json: count as number }),
  };
}

/** Least or greatest of each class, from which the total order picks. */
function extremePart(field: DuckField, kind: "min" | "max", clean: boolean): Part {
  const best = raw(kind);
  if (field.column !== undefined) {
    const column = field.path.root === "id" ? sql`${best}(${field.column})` : sql`${best}(${timeNumber(field.column)})`;
    const read =
      field.path.root === "id"
        ? (id: unknown): Cell => ({ json: id as string | null })
        : (time: unknown) => dateCell(time as number | null);
    return { columns: [column], texts: field.path.root === "id" ? [0] : [], keys: 0, read: ([value]) => read(value) };
  }
  const [only, second] = slotsOf(field, clean) ?? [];
  if (only !== undefined && second === undefined) {
    return {
      columns: [sql`${best}(${readable(only)})`],
      texts: textSlots([only]),
      keys: 0,
      read: (values) => slotCell([only], values),
    };
  }
  const { rank, number, string } = field;
  const of = (one: number, value: Sql): Sql => sql`${best}(CASE WHEN ${rank} = ${raw(String(one))} THEN ${value} END)`;
  return {
    columns: [
      of(1, number),
      of(2, number),
      of(3, string),
      of(4, string),
      of(5, string),
      sql`bool_and(CASE WHEN ${rank} = 4 THEN ${field.isDate} END)`,
    ],
    texts: [2, 3, 4],
    keys: 0,
    read([boolean, numeric, bigint, text, bytes, isDate]) {
      const found = [boolean, numeric, bigint, text, bytes].map((value, index) =>
        value === null ? undefined : scalarCell(index + 1, value as number, value as string, isDate === true),
      );
      const cells = found.filter((cell) => cell !== undefined);
      return (kind === "min" ? cells[0] : cells.at(-1)) ?? nullCell;
    },
  };
}
