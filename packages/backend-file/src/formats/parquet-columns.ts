/**
 * Records as typed columns (`parquet-survey.ts` chooses them) and one JSON column for the rest. A column holds the values
 * of one kind; null, values of other kinds, lists and objects stay in the rest, and the footer lists the classes of values
 * that do (`strays`), so that a reader knows when it may leave the rest unread.
 */
import {
  classOf,
  escapeSegment,
  fromBase64,
  type Json,
  type JsonObject,
  type TypeMap,
  toBase64,
  type ValueClass,
  type WireRecord,
  walk,
} from "@dataknobs/core/backend";
import { noFields } from "./format.js";

export const columnKinds = ["number", "integer", "string", "boolean", "date", "bigint", "bytes"] as const;
export type ColumnKind = (typeof columnKinds)[number];

/** A field's column. */
export interface FieldColumn {
  readonly name: string;
  readonly segments: readonly string[];
  readonly kind: ColumnKind;
  /** Classes of values at this path that are not in the column, and perhaps some more. */
  readonly strays: readonly ValueClass[];
  /** Plain values at this path that came since the columns were chosen and are not in the column; absent: none. */
  readonly misfits?: number;
}

export const ownNames = {
  id: "id",
  rest: "dataknobs_rest",
  version: "dataknobs_version",
  createdAt: "dataknobs_created_at",
  updatedAt: "dataknobs_updated_at",
} as const;
/** What no field's column may be called. */
export const reserved: ReadonlySet<string> = new Set([...Object.values(ownNames), "__proto__"]);

/** What Parquet's writer takes: numbers, strings, booleans, bigints, bytes. */
export type Cell = number | string | boolean | bigint | Uint8Array | null;

export interface Column {
  readonly field: FieldColumn;
  readonly cells: readonly Cell[];
  readonly strays: ReadonlySet<ValueClass>;
}

/** What the columns do not hold of a record. */
export interface Rest {
  readonly data?: JsonObject;
  readonly types?: TypeMap;
  readonly metadata?: JsonObject;
  readonly metadataTypes?: TypeMap;
}

export function pointerOf(segments: readonly string[]): string {
  return segments.map((segment) => `/${escapeSegment(segment)}`).join("");
}

/** The cells of records, and what is left of each. */
export function toColumns(
  records: readonly WireRecord[],
  fields: readonly FieldColumn[],
): { readonly columns: readonly Column[]; readonly rests: readonly (Rest | undefined)[] } {
  const columns = fields.map((field) => makeColumn(field, records));
  const rest = restWriter(columns);
  return { columns, rests: records.map(rest) };
}

function makeColumn(field: FieldColumn, records: readonly WireRecord[]): Column {
  const { segments, kind } = field;
  const pointer = pointerOf(segments);
  const strays = new Set<ValueClass>();
  const cells = records.map(({ data, types }) => {
    const value = walk(data, segments, 0);
    if (value === undefined) return null;
    const cell = toCell(value, types?.[pointer], kind);
    if (cell === undefined) strays.add(classOf(value, types, pointer));
    return cell ?? null;
  });
  return { field, cells, strays };
}

/** `undefined` where the column cannot give the value back just so. */
function toCell(value: Json, tag: string | undefined, kind: ColumnKind): Cell | undefined {
  switch (kind) {
    case "number":
      return typeof value === "number" ? value : undefined;
    case "integer":
      return Number.isSafeInteger(value) ? BigInt(value as number) : undefined;
    case "boolean":
      return typeof value === "boolean" ? value : undefined;
    case "string":
      return typeof value === "string" && tag === undefined ? value : undefined;
    case "date": {
      const time = tag === "date" ? Date.parse(value as string) : Number.NaN;
      return !Number.isNaN(time) && new Date(time).toISOString() === value ? BigInt(time) : undefined;
    }
    case "bigint": {
      if (tag !== "bigint" || typeof value !== "string" || !/^-?\d+$/.test(value)) return undefined;
      const number = BigInt(value);
      return BigInt.asIntN(64, number) === number && number.toString() === value ? number : undefined;
    }
    case "bytes": {
      const bytes = tag === "bytes" && typeof value === "string" ? fromBase64(value) : undefined;
      return bytes !== undefined && toBase64(bytes) === value ? bytes : undefined;
    }
  }
}

/** A cell as JSON and, where JSON lacks it, its type. */
function fromCell(
  cell: Cell | Date,
  kind: ColumnKind,
): { readonly value: Json; readonly tag?: "date" | "bigint" | "bytes" } {
  switch (kind) {
    case "integer":
      return { value: Number(cell) };
    case "date":
      return { value: new Date(Number(cell)).toISOString(), tag: "date" };
    case "bigint":
      return { value: String(cell), tag: "bigint" };
    case "bytes":
      return { value: toBase64(cell as Uint8Array), tag: "bytes" };
    default:
      return { value: cell as Json };
  }
}

/** What is left of a record when the columns have their cells of it; `undefined`: nothing. */
function restWriter(columns: readonly Column[]): (record: WireRecord, row: number) => Rest | undefined {
  const plain = new Map<string, readonly Cell[]>();
  const deep = columns.filter(({ field }) => field.segments.length > 1);
  for (const { field, cells } of columns)
    if (field.segments.length === 1) plain.set(field.segments[0] as string, cells);
  const pointers = columns.map(({ field }) => pointerOf(field.segments));
  return (record, row) => {
    let data: { [name: string]: Json } | undefined;
    for (const name of Object.keys(record.data)) {
      const cells = plain.get(name);
      if (cells !== undefined && cells[row] !== null) continue;
      // the keys of an own map: __proto__ is one like any other
      data ??= {};
      if (name === "__proto__") return restOf(record, row, columns);
      data[name] = record.data[name] as Json;
    }
    if (deep.some(({ cells }) => cells[row] !== null)) return restOf(record, row, columns);
    return joined(record, data, () => new Set(pointers.filter((_, index) => columns[index]?.cells[row] !== null)));
  };
}

function restOf(record: WireRecord, row: number, columns: readonly Column[]): Rest | undefined {
  const held = columns.filter(({ cells }) => cells[row] !== null);
  const data = without(
    record.data,
    held.map(({ field }) => field.segments),
  );
  return joined(
    record,
    Object.keys(data).length > 0 ? data : undefined,
    () => new Set(held.map(({ field }) => pointerOf(field.segments))),
  );
}

function joined(
  record: WireRecord,
  data: JsonObject | undefined,
  heldPointers: () => ReadonlySet<string>,
): Rest | undefined {
  const rest: { -readonly [K in keyof Rest]?: Rest[K] } = {};
  if (data !== undefined) rest.data = data;
  if (record.types !== null) {
    const held = heldPointers();
    const types = Object.entries(record.types).filter(([pointer]) => !held.has(pointer));
    if (types.length > 0) rest.types = Object.fromEntries(types);
  }
  if (Object.keys(record.metadata).length > 0) rest.metadata = record.metadata;
  if (record.metadataTypes !== null) rest.metadataTypes = record.metadataTypes;
  return Object.keys(rest).length === 0 ? undefined : rest;
}

function without(data: JsonObject, paths: readonly (readonly string[])[]): JsonObject {
  const here = new Set(paths.filter(({ length }) => length === 1).map(([name]) => name));
  const deeper = paths.filter(({ length }) => length > 1);
  return Object.fromEntries(
    Object.entries(data)
      .filter(([name]) => !here.has(name))
      .map(([name, value]) => {
        const below = deeper.filter(([first]) => first === name).map((segments) => segments.slice(1));
        return [name, below.length === 0 ? value : without(value as JsonObject, below)];
      }),
  );
}

/** Puts a record together again. `cells` are those of the columns, in their order. */
export function toRecord(
  system: Pick<WireRecord, "id" | "version" | "createdAt" | "updatedAt">,
  fields: readonly FieldColumn[],
  cells: readonly (Cell | Date | undefined)[],
  rest: Rest | undefined,
): WireRecord {
  let data: { [name: string]: Json } = { ...rest?.data };
  let types: { [pointer: string]: "date" | "bigint" | "bytes" | "float32" } | null =
    rest?.types === undefined ? null : { ...rest.types };
  for (let index = 0; index < fields.length; index++) {
    const cell = cells[index];
    if (cell === null || cell === undefined) continue;
    const { segments, kind } = fields[index] as FieldColumn;
    const { value, tag } = fromCell(cell, kind);
    if (segments.length === 1) data[segments[0] as string] = value;
    else data = placed(data, segments, value) as { [name: string]: Json };
    if (tag !== undefined) {
      types ??= {};
      types[pointerOf(segments)] = tag;
    }
  }
  return { ...system, data, types, metadata: rest?.metadata ?? noFields, metadataTypes: rest?.metadataTypes ?? null };
}

function placed(data: JsonObject, [name, ...deeper]: readonly string[], value: Json): JsonObject {
  const key = name as string;
  if (deeper.length === 0) return { ...data, [key]: value };
  const inner = Object.hasOwn(data, key) ? (data[key] as JsonObject) : {};
  return { ...data, [key]: placed(inner, deeper, value) };
}
