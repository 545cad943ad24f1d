/** Records as the columns of the table: declared fields in theirs, the rest as JSON. */
import {
  fromPointer,
  type Json,
  type JsonObject,
  keyOf,
  parseIsoTime,
  type TypeMap,
  type WireRecord,
  walk,
} from "@dataknobs/core/backend";
import { bigintKey, bytesKey } from "@dataknobs/sql";
import { baseColumns, type Layout, type Places, type SlotKind, type SlotPlace, type VectorColumn } from "./layout.js";
import { setOwn, type TypesColumn } from "./values.js";

/** As it is written: Dates as ISO texts, the times of writing in milliseconds. */
export type ColumnValue = string | number | boolean | null;

/** Values of many rows, side by side; columns in the order of the table. */
export interface Columns {
  readonly values: readonly (readonly ColumnValue[])[];
  /** Whether any row has a declared field's value in its JSON. */
  readonly odd: boolean;
}

export function columnsFrom(layout: Layout, records: readonly WireRecord[]): Columns {
  const column = (): ColumnValue[] => new Array<ColumnValue>(records.length).fill(null);
  const base: { readonly [K in (typeof baseColumns)[number]]: ColumnValue[] } = {
    id: column(),
    data: column(),
    metadata: column(),
    types: column(),
    version: column(),
    created_at: column(),
    updated_at: column(),
    odd: column(),
  };
  const slots = layout.slots.map(column);
  const dataSplitter = new Splitter(layout.places.data, slots);
  const metadataSplitter = new Splitter(layout.places.metadata, slots);
  let odd = false;
  // one pass: the records of a large batch are far apart in memory
  for (let row = 0; row < records.length; row++) {
    const record = records[row] as WireRecord;
    base.id[row] = record.id;
    base.data[row] = JSON.stringify(dataSplitter.split(record.data, record.types, row));
    const rest = metadataSplitter.split(record.metadata, record.metadataTypes, row);
    if (!isEmpty(rest)) base.metadata[row] = JSON.stringify(rest);
    base.types[row] = typesText(record, dataSplitter.types, metadataSplitter.types);
    base.version[row] = record.version;
    base.created_at[row] = record.createdAt;
    base.updated_at[row] = record.updatedAt;
    if (!dataSplitter.odd && !metadataSplitter.odd) continue;
    base.odd[row] = true;
    odd = true;
  }
  const keys = layout.uniques.map(column);
  if (keys.length > 0) {
    records.forEach((record, row) => {
      for (const [index, key] of uniqueKeys(layout, record).entries()) (keys[index] as ColumnValue[])[row] = key;
    });
  }
  const vectors = layout.vectors.map((vector) => records.map((record) => vectorText(vector, record)));
  return { values: [...baseColumns.map((name) => base[name]), ...slots, ...keys, ...vectors], odd };
}

/** The vector as a list in text; `null` where the record has none of these dimensions. */
function vectorText({ path, dimensions }: VectorColumn, record: WireRecord): string | null {
  const [json, types] =
    path.root === "metadata" ? [record.metadata, record.metadataTypes] : [record.data, record.types];
  if (types?.[path.pointer] !== "float32") return null;
  const value = walk(json, path.segments, 0);
  return Array.isArray(value) && value.length === dimensions ? JSON.stringify(value) : null;
}

/** Of each unique index: a text that is equal for equal values; `null` for none. */
export function uniqueKeys(
  layout: Layout,
  record: Omit<WireRecord, "id" | "version" | "createdAt" | "updatedAt">,
): (string | null)[] {
  return layout.fields.flatMap(({ path, unique }) => {
    if (unique === undefined) return [];
    const [json, types] =
      path.root === "metadata" ? [record.metadata, record.metadataTypes] : [record.data, record.types];
    const value = walk(json, path.segments, 0) ?? null;
    return [value === null ? null : String(keyOf(value, types, path.pointer))];
  });
}

/** Takes values out of the data, or the metadata, of one record after another. */
class Splitter {
  readonly #places: Places;
  readonly #slots: readonly ColumnValue[][];
  readonly #implied: string[] = [];
  /** Records of one shape have one map of types together, and lose the same of them. */
  #known: { readonly types: TypeMap; readonly implied: string; readonly left: TypeMap | null } | undefined;
  /** Of the record that was split last: types that no column implies. */
  types: TypeMap | null = null;
  /** Of the record that was split last. */
  odd = false;

  constructor(places: Places, slots: readonly ColumnValue[][]) {
    this.#places = places;
    this.#slots = slots;
  }

  /** What no column holds. */
  split(json: JsonObject, types: TypeMap | null, row: number): JsonObject {
    const { top, nested } = this.#places;
    this.types = types;
    this.odd = false;
    if (top.size === 0 && nested.length === 0) return json;
    this.#implied.length = 0;
    const rest: { [key: string]: Json } = {};
    for (const key of Object.keys(json)) {
      const value = json[key] as Json;
      const place = top.get(key);
      if (place === undefined || !this.#take(place, value, types, row)) setOwn(rest, key, value);
    }
    for (const place of nested) {
      const { segments } = place.path;
      const value = walk(json, segments, 0) ?? null;
      if (this.#take(place, value, types, row)) cut(rest, segments);
    }
    if (types !== null && this.#implied.length > 0) this.types = this.#without(types);
    return rest;
  }

  #without(types: TypeMap): TypeMap | null {
    const implied = this.#implied.join();
    if (this.#known?.types !== types || this.#known.implied !== implied) {
      this.#known = { types, implied, left: without(types, this.#implied) };
    }
    return this.#known.left;
  }

  /** Whether a column has it now. Null is nothing to have: it stays, and so differs from what is missing. */
  #take({ path, slots, at }: SlotPlace, value: Json, types: TypeMap | null, row: number): boolean {
    if (value === null) return false;
    const kind = kindOf(value, types, path.pointer);
    for (let index = 0; index < slots.length; index++) {
      if (kind === undefined || slots[index]?.kind !== kind) continue;
      const held = columnValue(kind, value);
      if (held === null) break;
      (this.#slots[at + index] as ColumnValue[])[row] = held;
      if (kind === "date" || kind === "bigint" || kind === "bytes") this.#implied.push(path.pointer);
      return true;
    }
    this.odd = true;
    return false;
  }
}

/** The kind of column that may hold the value; `undefined` where none does. */
function kindOf(value: Json, types: TypeMap | null, pointer: string): SlotKind | undefined {
  switch (typeof value) {
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "string": {
      const tag = types?.[pointer];
      return tag === undefined || tag === "float32" ? "string" : tag;
    }
    default:
      return undefined;
  }
}

/** `null`: the column cannot hold it, as a Date beyond the years 0000 to 9999, where texts sort as times do. */
function columnValue(kind: SlotKind, value: Json): ColumnValue {
  switch (kind) {
    case "date":
      return Number.isNaN(parseIsoTime(value as string)) ? null : (value as string);
    case "bigint":
      return bigintKey(value as string);
    case "bytes":
      return bytesKey(value as string);
    default:
      return value as ColumnValue;
  }
}

/** Takes what is at the path out of containers on the way there, each a copy of our own. */
function cut(rest: { [key: string]: Json }, [segment = "", ...below]: readonly string[]): void {
  const inner = rest[segment] as JsonObject;
  const copy: { [key: string]: Json } = {};
  for (const key of Object.keys(inner)) {
    if (below.length > 1 || key !== below[0]) setOwn(copy, key, inner[key] as Json);
  }
  if (below.length > 1) cut(copy, below);
  setOwn(rest, segment, copy);
}

function without(types: TypeMap, pointers: readonly string[]): TypeMap | null {
  const left = Object.entries(types).filter(([pointer]) => !pointers.includes(pointer));
  return left.length === 0 ? null : Object.fromEntries(left);
}

function isEmpty(json: JsonObject): boolean {
  for (const _ in json) return false;
  return Object.keys(json).length === 0;
}

function typesText(
  { data, metadata }: WireRecord,
  types: TypeMap | null,
  metadataTypes: TypeMap | null,
): string | null {
  if (types === null && metadataTypes === null) return null;
  const dataKeys = types === null ? undefined : sortableKeys(data, types);
  const metadataKeys = metadataTypes === null ? undefined : sortableKeys(metadata, metadataTypes);
  const column: TypesColumn = {
    ...(types !== null && { data: types }),
    ...(metadataTypes !== null && { metadata: metadataTypes }),
    ...((dataKeys ?? metadataKeys) !== undefined && {
      keys: {
        ...(dataKeys !== undefined && { data: dataKeys }),
        ...(metadataKeys !== undefined && { metadata: metadataKeys }),
      },
    }),
  };
  return JSON.stringify(column);
}

function sortableKeys(json: JsonObject, types: TypeMap): { [pointer: string]: string } | undefined {
  let keys: { [pointer: string]: string } | undefined;
  for (const [pointer, tag] of Object.entries(types)) {
    if (tag !== "bigint" && tag !== "bytes") continue;
    const text = walk(json, fromPointer(pointer), 0);
    if (typeof text !== "string") continue;
    keys ??= {};
    keys[pointer] = tag === "bigint" ? bigintKey(text) : bytesKey(text);
  }
  return keys;
}
