/**
 * Paths as expressions. A field is a rank, a number and a text, each of one SQL type: ordered one after the other
 * they give the contract's total order, grouped together they tell every two scalars apart.
 */
import { type CompareOp, type Operand, type Path, pathKey, rankOf, samePath, toPointer } from "@dataknobs/core/backend";
import {
  any,
  bigintKey,
  bytesKey,
  type Field,
  falsehood,
  jsonPath,
  quoteText,
  raw,
  type ScalarClass,
  type Sql,
  type SqlValue,
  sql,
  truth,
} from "@dataknobs/sql";
import { compareTime, timeText } from "./dates.js";
import type { DeclaredField, Layout, Slot } from "./layout.js";

/**
 * Whether the row has a value of a declared field in its JSON. Text that no user can write (it holds U+0000), put in
 * place when a statement is rendered: FALSE where no row of the table has any, and the engine then drops all that
 * depends on it.
 */
export const oddMark = "\0odd\0";
const odd = raw(oddMark);

export interface DuckField extends Field {
  /** Booleans as 0 and 1; NULL for what is no number and no boolean. */
  readonly number: Sql;
  /** Strings, and keys of bigints and bytes; NULL for the rest. */
  readonly string: Sql;
  /** Comparable within the class; NULL for values of another. */
  as(valueClass: ScalarClass): Sql;
  readonly declared: DeclaredField | undefined;
  /** Of the id and the times: the column itself. */
  readonly column: Sql | undefined;
  /** Elements of an array, as a list of JSON; NULL where it is none. */
  readonly elements: Sql | undefined;
}

export function bind({ value, class: valueClass }: Operand): SqlValue {
  if (valueClass === "bigint") return bigintKey(value as string);
  if (valueClass === "bytes") return bytesKey(value as string);
  return value as SqlValue;
}

/** Fields by path, made once each. */
export function fieldsOf(layout: Layout): (path: Path) => DuckField | undefined {
  const fields = new Map<string, DuckField | undefined>();
  return (path) => {
    const key = pathKey(path);
    if (!fields.has(key)) {
      if (fields.size > 1000) fields.clear();
      fields.set(key, makeField(layout, path));
    }
    return fields.get(key);
  };
}

function makeField(layout: Layout, path: Path): DuckField | undefined {
  if (path.root === "id") return idField(path);
  if (path.root === "createdAt") return timeField(path, raw("created_at"));
  if (path.root === "updatedAt") return timeField(path, raw("updated_at"));
  if (path.segments.length === 0) return undefined;
  const pieces = jsonPieces(path);
  if (pieces === undefined) return undefined;
  const declared = layout.fields.find((field) => samePath(field.path, path));
  return declared === undefined ? jsonField(path, pieces) : declaredField(path, pieces, declared, layout);
}

function idField(path: Path): DuckField {
  const id = raw("id");
  return {
    path,
    text: true,
    index: "id",
    rank: raw("4"),
    value: id,
    number: raw("NULL::DOUBLE"),
    string: id,
    present: truth,
    is: (valueClass) => (valueClass === "string" ? truth : falsehood),
    get: () => id,
    as: (valueClass) => (valueClass === "string" ? id : raw("NULL")),
    isDate: falsehood,
    declared: undefined,
    column: id,
    elements: undefined,
  };
}

function timeField(path: Path, column: Sql): DuckField {
  const text = timeText(column);
  return {
    ...idField(path),
    index: undefined,
    value: text,
    string: text,
    get: () => text,
    as: (valueClass) => (valueClass === "string" ? text : raw("NULL")),
    compare: (op, operand) => compareTime(column, op, operand.value as string),
    isDate: truth,
    column,
  };
}

/** Expressions over one JSON path. */
interface JsonPieces {
  readonly type: Sql;
  readonly json: Sql;
  readonly text: Sql;
  readonly tag: Sql;
  readonly key: Sql;
  readonly elements: Sql | undefined;
}

/** `undefined`: no JSON path of DuckDB's names just this place. */
function jsonPieces({ root, segments, pointer }: Path): JsonPieces | undefined {
  const column = root === "metadata" ? "metadata" : "data";
  const path = pathText(segments);
  if (path === undefined) return undefined;
  const at = quoteText(path);
  const beside = (...steps: string[]): Sql => raw(`json_extract_string(types, ${quoteText(toPointer(steps))})`);
  return {
    type: raw(`json_type(${column}, ${at})`),
    json: raw(`json_extract(${column}, ${at})`),
    text: raw(`json_extract_string(${column}, ${at})`),
    tag: beside(column, pointer),
    key: beside("keys", column, pointer),
    elements: path.startsWith("$") ? raw(`json_extract(${column}, ${quoteText(`${path}[*]`)})`) : undefined,
  };
}

// Three: of a longer list DuckDB makes a join, and a hundred of those take it seconds to plan.
const numberTypes = "('UBIGINT', 'BIGINT', 'DOUBLE')";

/**
 * `$."a"."b"` where DuckDB reads it literally; a JSON Pointer otherwise, which takes every name but means an element
 * of an array where the name is a number.
 */
function pathText(segments: readonly string[]): string | undefined {
  if (segments.every((segment) => /^[^"\\*\p{Cc}]+$/u.test(segment))) return jsonPath(segments);
  if (segments.some((segment) => /^(?:\d+|-)$/.test(segment))) return undefined;
  return toPointer(segments);
}

function jsonAs({ type, json, text, tag, key }: JsonPieces, valueClass: ScalarClass): Sql {
  switch (valueClass) {
    case "number":
      return sql`CASE WHEN ${type} IN ${raw(numberTypes)} THEN ${json}::DOUBLE END`;
    case "boolean":
      return sql`CASE WHEN ${type} = 'BOOLEAN' THEN ${text} = 'true' END`;
    case "string":
      return sql`CASE WHEN ${type} = 'VARCHAR' AND (types IS NULL OR coalesce(${tag}, 'date') = 'date') THEN ${text} END`;
    default:
      return sql`CASE WHEN types IS NOT NULL AND ${tag} = ${raw(quoteText(valueClass))} THEN ${key} END`;
  }
}

function jsonRank({ type, tag }: JsonPieces): Sql {
  return sql`CASE ${type} WHEN 'VARCHAR' THEN CASE WHEN types IS NULL THEN 4 ELSE CASE ${tag} WHEN 'bigint' THEN 3 WHEN 'bytes' THEN 5 ELSE 4 END END WHEN 'BOOLEAN' THEN 1 WHEN 'ARRAY' THEN 6 WHEN 'OBJECT' THEN 7 WHEN 'NULL' THEN 0 ELSE CASE WHEN ${type} IS NULL THEN 0 ELSE 2 END END`;
}

function jsonNumber({ type, json, text }: JsonPieces): Sql {
  return sql`CASE WHEN ${type} IN ${raw(numberTypes)} THEN ${json}::DOUBLE WHEN ${type} = 'BOOLEAN' THEN CASE ${text} WHEN 'true' THEN 1 ELSE 0 END END`;
}

function jsonString({ type, text, key }: JsonPieces): Sql {
  return sql`CASE WHEN ${type} = 'VARCHAR' THEN CASE WHEN types IS NULL THEN ${text} ELSE coalesce(${key}, ${text}) END END`;
}

function jsonIsDate({ tag }: JsonPieces): Sql {
  return sql`coalesce(types IS NOT NULL AND ${tag} = 'date', FALSE)`;
}

function jsonField(path: Path, pieces: JsonPieces): DuckField {
  const as = (valueClass: ScalarClass): Sql => jsonAs(pieces, valueClass);
  const { type } = pieces;
  return {
    path,
    text: false,
    rank: jsonRank(pieces),
    value: jsonString(pieces),
    number: jsonNumber(pieces),
    string: jsonString(pieces),
    present: sql`coalesce(${type} <> 'NULL', FALSE)`,
    is(valueClass) {
      switch (valueClass) {
        case "null":
          return sql`coalesce(${type} = 'NULL', TRUE)`;
        case "array":
        case "object":
          return sql`${type} = ${raw(quoteText(valueClass.toUpperCase()))}`;
        default:
          return sql`${as(valueClass)} IS NOT NULL`;
      }
    },
    get: as,
    as,
    compare: (op, operand) => sql`${as(operand.class as ScalarClass)} ${raw(op)} ${bind(operand)}`,
    isDate: jsonIsDate(pieces),
    declared: undefined,
    column: undefined,
    elements: pieces.elements,
  };
}

const classOfKind = (slot: Slot): ScalarClass => (slot.kind === "date" ? "string" : slot.kind);

/** The columns first; the JSON where the row is odd. */
function declaredField(path: Path, pieces: JsonPieces, declared: DeclaredField, layout: Layout): DuckField {
  const { slots } = declared;
  const inJson = jsonField(path, pieces);
  const columns = slots.map(({ column }) => raw(column));
  const set = columns.map((column) => sql`${column} IS NOT NULL`);
  const whens = (value: (slot: Slot, column: Sql) => Sql | undefined): Sql =>
    slots.reduceRight<Sql>((rest, slot, index) => {
      const then = value(slot, columns[index] as Sql);
      return then === undefined ? rest : sql`WHEN ${set[index] as Sql} THEN ${then} ${rest}`;
    }, raw(""));
  const oddly = (value: Sql): Sql => sql`CASE WHEN ${odd} THEN ${value} END`;
  const as = (valueClass: ScalarClass): Sql => {
    const parts = slots.flatMap((slot, index) => {
      if (classOfKind(slot) !== valueClass) return [];
      const column = columns[index] as Sql;
      return [slot.kind === "date" ? timeText(column) : column];
    });
    const rest = oddly(inJson.as(valueClass));
    // all values of a class but strings are in its column, where there is one
    if (valueClass !== "string") return parts[0] ?? rest;
    return parts.reduceRight((other, part) => sql`coalesce(${part}, ${other})`, rest);
  };
  const spec = layout.indexes.find((index) => !index.text && samePath(index.path, path));
  return {
    path,
    text: false,
    index: spec?.name,
    rank: sql`CASE ${whens((slot) => raw(String(rankOf(classOfKind(slot)))))}WHEN ${odd} THEN ${inJson.rank} ELSE 0 END`,
    value: as("string"),
    number: sql`CASE ${whens((slot, column) => (slot.kind === "number" ? column : slot.kind === "boolean" ? sql`${column}::INT` : undefined))}WHEN ${odd} THEN ${inJson.number} END`,
    string: sql`CASE ${whens(textOf)}WHEN ${odd} THEN ${inJson.string} END`,
    present: any([...set, sql`(${odd} AND ${inJson.present})`]),
    is(valueClass) {
      switch (valueClass) {
        case "null":
          return sql`(NOT ${any([...set, sql`(${odd} AND ${inJson.present})`])})`;
        case "array":
        case "object":
          return sql`(${odd} AND ${inJson.is(valueClass)})`;
        default:
          return sql`${as(valueClass)} IS NOT NULL`;
      }
    },
    get: as,
    as,
    compare(op, operand) {
      const parts = slots.flatMap((slot, index) =>
        classOfKind(slot) === operand.class ? [compareSlot(slot, columns[index] as Sql, op, operand)] : [],
      );
      if (operand.class === "string" || parts.length === 0) {
        parts.push(sql`(${odd} AND ${inJson.as(operand.class as ScalarClass)} ${raw(op)} ${bind(operand)})`);
      }
      return any(parts);
    },
    isDate: any([
      ...slots.flatMap(({ kind }, index) => (kind === "date" ? [set[index] as Sql] : [])),
      sql`(${odd} AND ${inJson.isDate})`,
    ]),
    declared,
    column: undefined,
    elements: inJson.elements === undefined ? undefined : oddly(inJson.elements),
  };
}

function compareSlot({ kind }: Slot, column: Sql, op: "=" | CompareOp, operand: Operand): Sql {
  return kind === "date"
    ? compareTime(column, op, operand.value as string)
    : sql`${column} ${raw(op)} ${bind(operand)}`;
}

function textOf(slot: Slot, column: Sql): Sql | undefined {
  if (slot.kind === "date") return timeText(column);
  return slot.kind === "number" || slot.kind === "boolean" ? undefined : column;
}
