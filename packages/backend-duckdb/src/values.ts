/** Records split into JSON and the columns of declared fields, and put together again. */
import {
  classOf,
  fromPointer,
  isoTime,
  type Json,
  type JsonObject,
  keyOf,
  type TypeMap,
  type TypeTag,
  type WireRecord,
  walk,
} from "@dataknobs/core/backend";
import { bigintKey, bigintOfKey, bytesKey, bytesOfKey } from "@dataknobs/sql";
import type { DeclaredField, Layout, SlotKind } from "./layout.js";

/** A column's value as it is appended: times in milliseconds. */
export type SlotValue = number | string | boolean | null;

/** What is written of a record, but for its id, version and times. */
export interface Content {
  readonly data: string;
  /** `null` for none. */
  readonly metadata: string | null;
  readonly types: string | null;
  readonly odd: boolean;
  readonly slots: readonly SlotValue[];
  /** Keys of unique indexes. */
  readonly keys: readonly (string | null)[];
}

export type ContentInput = Pick<WireRecord, "data" | "metadata" | "types" | "metadataTypes">;

/** The types column: what JSON lacks, and sortable keys of bigints and bytes. */
interface TypesColumn {
  readonly data?: TypeMap;
  readonly metadata?: TypeMap;
  readonly keys?: {
    readonly data?: { readonly [pointer: string]: string };
    readonly metadata?: { readonly [pointer: string]: string };
  };
}

/** What is written of a record: the columns of its declared fields, and the JSON of the rest. */
export function contentOf(layout: Layout, input: ContentInput): Content {
  const data: Half = { json: input.data, types: input.types, copied: false };
  const metadata: Half = { json: input.metadata, types: input.metadataTypes, copied: false };
  const slots: SlotValue[] = [];
  const keys: (string | null)[] = [];
  let odd = false;
  for (const field of layout.fields) {
    const { path, unique } = field;
    const half = path.root === "metadata" ? metadata : data;
    const value = valueIn(half.json, path.segments);
    if (unique !== undefined) keys.push(value === null ? null : String(keyOf(value, half.types, path.pointer)));
    odd = takeSlots(field, half, value, slots) || odd;
  }
  return {
    data: JSON.stringify(data.json),
    metadata: isEmpty(metadata.json) ? null : JSON.stringify(metadata.json),
    types: typesText(data.json, data.types, metadata.json, metadata.types),
    odd,
    slots,
    keys,
  };
}

function valueIn(json: JsonObject, segments: readonly string[]): Json {
  const [first] = segments as readonly [string];
  if (segments.length === 1 && !(first in Object.prototype)) return json[first] ?? null;
  return walk(json, segments, 0) ?? null;
}

/** Adds the values of the field's columns, and takes what they hold out of the JSON. Whether none holds the value. */
function takeSlots({ path, slots }: DeclaredField, half: Half, value: Json, into: SlotValue[]): boolean {
  if (value === null) {
    for (let count = slots.length; count > 0; count--) into.push(null);
    return false;
  }
  const kind = kindOfValue(value, half.types, path.pointer);
  let held = false;
  for (const slot of slots) {
    const holds = slot.kind === kind;
    into.push(holds ? slotValue(slot.kind, value) : null);
    held ||= holds;
  }
  if (!held) return true;
  blank(half, path.segments);
  if (half.types !== null && half.types[path.pointer] !== undefined) half.types = withoutType(half.types, path.pointer);
  return false;
}

function isEmpty(json: JsonObject): boolean {
  for (const _ in json) return false;
  return Object.keys(json).length === 0;
}

function typesText(
  data: JsonObject,
  types: TypeMap | null,
  metadata: JsonObject,
  metadataTypes: TypeMap | null,
): string | null {
  if (types === null && metadataTypes === null) return null;
  const column: { data?: TypeMap; metadata?: TypeMap; keys?: TypesColumn["keys"] } = {};
  const keys: { data?: { [pointer: string]: string }; metadata?: { [pointer: string]: string } } = {};
  for (const [root, json, map] of [
    ["data", data, types],
    ["metadata", metadata, metadataTypes],
  ] as const) {
    if (map === null) continue;
    column[root] = map;
    const sortable = sortableKeys(json, map);
    if (sortable !== undefined) keys[root] = sortable;
  }
  if (keys.data !== undefined || keys.metadata !== undefined) column.keys = keys;
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

interface Half {
  json: JsonObject;
  types: TypeMap | null;
  /** Whether `json` is a copy of our own. */
  copied: boolean;
}

/** The kind of column that holds the value; `undefined` where none does. */
function kindOfValue(value: Json, types: TypeMap | null, pointer: string): SlotKind | undefined {
  const valueClass = classOf(value, types, pointer);
  if (valueClass === "string") {
    if (types?.[pointer] !== "date") return "string";
    return isPlainDate(value as string) ? "date" : undefined;
  }
  return valueClass === "null" || valueClass === "array" || valueClass === "object" ? undefined : valueClass;
}

/** Whether the text, core's own of a Date, is within the years 0000 to 9999: there the order of texts is that of times. */
function isPlainDate(text: string): boolean {
  return text.length === 24 && !Number.isNaN(Date.parse(text));
}

function slotValue(kind: SlotKind, value: Json): SlotValue {
  switch (kind) {
    case "date":
      return Date.parse(value as string);
    case "bigint":
      return bigintKey(value as string);
    case "bytes":
      return bytesKey(value as string);
    default:
      return value as SlotValue;
  }
}

/** Null at the path, in a copy: only what is on the way is copied. */
function blank(half: Half, segments: readonly string[]): void {
  if (!half.copied) half.json = copyOf(half.json);
  half.copied = true;
  let container = half.json as { [key: string]: Json };
  for (let index = 0; index < segments.length - 1; index++) {
    const segment = segments[index] as string;
    const inner = copyOf(container[segment] as JsonObject);
    container[segment] = inner;
    container = inner as { [key: string]: Json };
  }
  container[segments.at(-1) as string] = null;
}

/** An own `__proto__` needs the spread, which V8 makes slower objects of. */
function copyOf(json: JsonObject): JsonObject {
  return Object.hasOwn(json, "__proto__") ? { ...json } : Object.assign({}, json);
}

function withoutType(types: TypeMap, pointer: string): TypeMap | null {
  const entries = Object.entries(types).filter(([at]) => at !== pointer);
  return entries.length === 0 ? null : Object.fromEntries(entries);
}

const tagOf: { readonly [K in SlotKind]?: TypeTag } = { date: "date", bigint: "bigint", bytes: "bytes" };

/** A row as `recordColumn` of select.ts writes it. */
export type RowJson = readonly [
  data: JsonObject,
  metadata: JsonObject | null,
  types: TypesColumn | null,
  rest: readonly [id: string, version: string, createdAt: number, updatedAt: number, ...slots: SlotValue[]],
];

export function recordOf(layout: Layout, [data, metadata, types, rest]: RowJson): WireRecord {
  const halves: { readonly data: Half; readonly metadata: Half } = {
    data: { json: data, types: types?.data ?? null, copied: true },
    metadata: { json: metadata ?? {}, types: types?.metadata ?? null, copied: true },
  };
  let at = 4;
  for (const { path, slots } of layout.fields) {
    for (const { kind } of slots) {
      const value = rest[at++] as SlotValue;
      if (value === null) continue;
      const half = path.root === "metadata" ? halves.metadata : halves.data;
      put(half.json, path.segments, jsonOf(kind, value));
      const tag = tagOf[kind];
      if (tag !== undefined) half.types = { ...half.types, [path.pointer]: tag };
    }
  }
  return {
    id: rest[0],
    data: halves.data.json,
    types: halves.data.types,
    metadata: halves.metadata.json,
    metadataTypes: halves.metadata.types,
    version: rest[1],
    createdAt: rest[2],
    updatedAt: rest[3],
  };
}

/** The key is there, with null: an own `__proto__` too, so that a plain assignment is right. */
function put(json: JsonObject, segments: readonly string[], value: Json): void {
  let container = json as { [key: string]: Json };
  for (let index = 0; index < segments.length - 1; index++) {
    const segment = segments[index] as string;
    const inner = Object.hasOwn(container, segment) ? container[segment] : undefined;
    container = (inner ?? setOwn(container, segment, {})) as { [key: string]: Json };
  }
  setOwn(container, segments.at(-1) as string, value);
}

function setOwn(container: { [key: string]: Json }, key: string, value: Json): Json {
  if (key !== "__proto__") container[key] = value;
  else Object.defineProperty(container, key, { value, enumerable: true, configurable: true, writable: true });
  return value;
}

function jsonOf(kind: SlotKind, value: SlotValue): Json {
  switch (kind) {
    case "date":
      return isoTime(value as number);
    case "bigint":
      return bigintOfKey(value as string);
    case "bytes":
      return bytesOfKey(value as string);
    default:
      return value;
  }
}
