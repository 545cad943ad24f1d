/** Rows of the table as records. */
import {
  isoTime,
  type Json,
  type JsonObject,
  parseJson,
  type TypeMap,
  type TypeTag,
  type WireRecord,
} from "@dataknobs/core/backend";
import { bigintOfKey, bytesOfKey } from "@dataknobs/sql";
import type { Layout, SlotKind } from "./layout.js";

/** The types column: what JSON lacks, and sortable keys of bigints and bytes. */
export interface TypesColumn {
  readonly data?: TypeMap;
  readonly metadata?: TypeMap;
  readonly keys?: {
    readonly data?: { readonly [pointer: string]: string };
    readonly metadata?: { readonly [pointer: string]: string };
  };
}

const tagOf: { readonly [K in SlotKind]?: TypeTag } = { date: "date", bigint: "bigint", bytes: "bytes" };

type RowJson = readonly [
  data: JsonObject,
  metadata: JsonObject | null,
  types: TypesColumn | null,
  rest: readonly [
    id: string,
    version: string,
    createdAt: number,
    updatedAt: number,
    ...slots: (string | number | boolean | null)[],
  ],
];

interface Half {
  readonly json: JsonObject;
  types: TypeMap | null;
}

/** The record of a text that `recordColumn` of select.ts made. */
export function recordOf(layout: Layout, text: string): WireRecord {
  const [data, metadata, types, rest] = parseJson(text) as unknown as RowJson;
  const halves: { readonly data: Half; readonly metadata: Half } = {
    data: { json: data, types: types?.data ?? null },
    metadata: { json: metadata ?? {}, types: types?.metadata ?? null },
  };
  let at = 4;
  for (const { path, slots } of layout.fields) {
    for (const { kind } of slots) {
      const value = rest[at++];
      if (value === undefined || value === null) continue;
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

function put(json: JsonObject, segments: readonly string[], value: Json): void {
  let container = json as { [key: string]: Json };
  for (let index = 0; index < segments.length - 1; index++) {
    const segment = segments[index] as string;
    const inner = Object.hasOwn(container, segment) ? container[segment] : undefined;
    container = (inner ?? setOwn(container, segment, {})) as { [key: string]: Json };
  }
  setOwn(container, segments.at(-1) as string, value);
}

export function setOwn(container: { [key: string]: Json }, key: string, value: Json): Json {
  if (key !== "__proto__") container[key] = value;
  else Object.defineProperty(container, key, { value, enumerable: true, configurable: true, writable: true });
  return value;
}

function jsonOf(kind: SlotKind, value: string | number | boolean): Json {
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
