/**
 * Rows as Chroma has them. Metadata that is a text, a boolean or a number stands under its own name, where filters and
 * other programs find it; nested ones under a JSON Pointer, for filters only. What Chroma has no value for is kept in
 * one JSON text beside, and so is what such a value stood for. Rows that other programs wrote are read as they are.
 */
import {
  DataknobsError,
  escapeSegment,
  type Json,
  type JsonObject,
  parseJson,
  type TypeMap,
} from "@dataknobs/core/backend";
import type { PartialRow, VectorRow } from "@dataknobs/core/vector";
import type { Metadata } from "chromadb";
import { mementoOf, restore } from "./directions.js";
import { keyOf, parseKey } from "./keys.js";
import { isPlain, standIn } from "./numbers.js";

/** Of this library, in the metadata of rows and collections. */
export const ownKeys = {
  /** What Chroma cannot hold, as JSON: see `Rest`. */
  rest: "dataknobs:rest",
  /** What brings the vector back; see `directions.ts`. */
  vector: "dataknobs:vector",
  /** Only rows with a scope have these two. */
  scope: "dataknobs:scope",
  scoped: "dataknobs:scoped",
  /** Of a collection. */
  dimensions: "dataknobs:dimensions",
} as const;

interface Rest {
  /** Metadata that is not, or not as it is, under its own name. */
  readonly m?: JsonObject;
  readonly t?: TypeMap;
  /** The text is there and empty; Chroma has an empty document for none too. */
  readonly e?: true;
}

/** The flat metadata of a row; `null` takes a key away. */
export type Flat = { [key: string]: string | number | boolean };

/**
 * The name of a field among Chroma's metadata. `undefined`: filters do not find the field there. Names that Chroma has
 * for itself, hides or refuses go by their JSON Pointer, and so do names with what JSON escapes: the client's parser is
 * V8's, which mixes up such keys (see `parseJson` in core), so that they stand there as `~u` and four hex digits.
 */
export function flatKey(segments: readonly string[], pointer: string): string | undefined {
  const [name] = segments;
  if (name === undefined || name.startsWith("/")) return undefined;
  return segments.length === 1 && isPlainName(name) ? name : pointer.replace(escaped, (c) => `~u${hex4(c)}`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what JSON writes with a backslash
const escaped = /["\\\u0000-\u001f]/g;

function hex4(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(4, "0");
}

function isPlainName(name: string): boolean {
  return name !== "__proto__" && !/^(?:$|[#$/]|chroma:|dataknobs:)/.test(name) && name.search(escaped) < 0;
}

export function flatten({ metadata, metadataTypes: types, text }: Omit<VectorRow, "id" | "vector">): Flat {
  const flat: Flat = {};
  const rest: [string, Json][] = [];
  for (const [name, value] of Object.entries(metadata)) {
    const pointer = `/${escapeSegment(name)}`;
    flattenInto(flat, [name], pointer, value, types);
    if (!isWhole(flat, name, value)) rest.push([name, value]);
  }
  if (rest.length > 0 || types !== null || text === "") {
    flat[ownKeys.rest] = JSON.stringify({
      ...(rest.length > 0 && { m: Object.fromEntries(rest) }),
      ...(types !== null && { t: types }),
      ...(text === "" && { e: true }),
    } satisfies Rest);
  }
  return flat;
}

/** Whether Chroma has the field itself. */
function isWhole(flat: Flat, name: string, value: Json): boolean {
  return Object.hasOwn(flat, name) && (typeof value !== "number" || isPlain(value));
}

function flattenInto(flat: Flat, segments: string[], pointer: string, value: Json, types: TypeMap | null): void {
  if (typeof value === "object") {
    if (value === null || Array.isArray(value)) return;
    for (const [name, inner] of Object.entries(value as JsonObject)) {
      flattenInto(flat, [...segments, name], `${pointer}/${escapeSegment(name)}`, inner, types);
    }
    return;
  }
  // bigints and bytes are texts in JSON, and equal to none
  const tag = types?.[pointer];
  if (tag !== undefined && tag !== "date") return;
  const key = flatKey(segments, pointer);
  if (key !== undefined) flat[key] = typeof value === "number" ? standIn(value) : value;
}

/** The whole metadata of a row, for Chroma. */
export function metadataOf(scope: string, row: VectorRow, withVector: boolean): Flat {
  const flat = flatten(row);
  if (withVector) flat[ownKeys.vector] = mementoOf(row.vector);
  if (scope !== "") {
    flat[ownKeys.scope] = scope;
    flat[ownKeys.scoped] = true;
  }
  return flat;
}

/**
 * The metadata that makes the stored one be `next`: Chroma merges, so what is there no more must be taken away. Its
 * client drops `null`, but writes NaN as null.
 */
export function replacing(next: Flat, stored: Metadata | null | undefined): Metadata | null {
  const merged: Metadata = { ...next };
  for (const key of Object.keys(stored ?? {})) if (!Object.hasOwn(next, key)) merged[key] = Number.NaN;
  // the client refuses an empty object
  return Object.keys(merged).length === 0 ? null : merged;
}

/** What Chroma gives of a row; what was not asked for is not there. */
export interface Found {
  readonly id: string;
  readonly metadata?: Metadata | null | undefined;
  readonly document?: string | null | undefined;
  readonly embedding?: readonly number[] | null | undefined;
}

export function rowOf({ id: key, metadata, document, embedding }: Found): PartialRow {
  const { id } = parseKey(key);
  const rest = restOf(id, metadata);
  const memento = metadata?.[ownKeys.vector];
  return {
    id,
    ...(metadata !== undefined && { metadata: fieldsOf(metadata, rest), metadataTypes: rest?.t ?? null }),
    ...(document !== undefined && { text: textOf(document, rest) }),
    ...(embedding != null && {
      vector: typeof memento === "string" ? vectorOf(id, embedding, memento) : Float32Array.from(embedding),
    }),
  };
}

function fieldsOf(metadata: Metadata | null, rest: Rest | undefined): JsonObject {
  const own = Object.entries(metadata ?? {}).filter(
    // what begins with / is another program's, unless the rest has it
    ([key]) => !key.startsWith("dataknobs:") && !(rest !== undefined && key.startsWith("/")),
  );
  return Object.fromEntries([...own, ...Object.entries(rest?.m ?? {})]) as JsonObject;
}

function textOf(document: string | null, rest: Rest | undefined): string | undefined {
  if (document === null || document === "") return rest?.e === true ? "" : undefined;
  return document;
}

function restOf(id: string, metadata: Metadata | null | undefined): Rest | undefined {
  const text = metadata?.[ownKeys.rest];
  if (text === undefined || text === null) return undefined;
  try {
    if (typeof text === "string") return parseJson(text) as Rest;
  } catch (error) {
    throw damaged(id, ownKeys.rest, error);
  }
  throw damaged(id, ownKeys.rest);
}

function vectorOf(id: string, embedding: readonly number[], memento: string): Float32Array {
  const vector = restore(embedding, memento);
  if (vector === undefined) throw damaged(id, ownKeys.vector);
  return vector;
}

function damaged(id: string, key: string, cause?: unknown): DataknobsError {
  return new DataknobsError(
    "CORRUPT",
    `The metadata "${key}" of a row in the Chroma collection was changed by another program.`,
    { backend: "chroma", id },
    { cause },
  );
}

export function keysOf(scope: string, ids: readonly string[]): string[] {
  return ids.map((id) => keyOf(scope, id));
}
