/**
 * What is indexed of a record, beside its plain JSON.
 *
 * For every path, in `terms`: the key of its value, and one of each element of a list. So conditions on any path are
 * served, and "30" and 30 never meet. For every declared field besides: the key to sort and group by, the number,
 * the date, the words.
 */
import { hash } from "node:crypto";
import {
  classOf,
  dateBucketOf,
  escapeSegment,
  type Json,
  type JsonObject,
  type Path,
  type TypeMap,
  tokenize,
  type ValueClass,
  walk,
} from "@dataknobs/core/backend";
import { cut, digestOf, isCut, keyOfValue } from "./keys.js";
import type { Layout } from "./layout.js";

type Texts = { [column: string]: string };

/** The fields below `side` of a document. */
export interface Side {
  /** Signature of the layout that these were made by. */
  readonly layout: string;
  readonly terms: string[];
  /** Per declared field: its key, */
  readonly k?: Texts;
  /** the value if it is a number, */
  readonly n?: { [column: string]: number };
  /** the time in ms if it is a text that date buckets take, */
  readonly t?: { [column: string]: number };
  /** of a text, 1 if it is a Date, else 0; */
  readonly d?: { [column: string]: 0 | 1 };
  /** per text field the words, */
  readonly w?: Texts;
  /** and the texts, for the engine's analyzers. */
  readonly a?: { [column: string]: string | readonly string[] };
}

export function sideOf(
  record: {
    readonly data: JsonObject;
    readonly types: TypeMap | null;
    readonly metadata: JsonObject;
    readonly metadataTypes: TypeMap | null;
  },
  layout: Layout,
): Side {
  const side: { -readonly [K in keyof Side]: Side[K] } = { layout: layout.signature, terms: [] };
  collect(record.data, "d", "", record.types, side);
  collect(record.metadata, "m", "", record.metadataTypes, side);
  for (const { id, path, text } of layout.columns) {
    const inData = path.root === "data";
    const value = walk(inData ? record.data : record.metadata, path.segments, 0);
    if (value === undefined || value === null) continue;
    const types = inData ? record.types : record.metadataTypes;
    if (text) addText(side, id, value, types, path.pointer, layout.analyzers.length > 0);
    else addColumn(side, id, value, types, path.pointer);
  }
  return side;
}

function collect(fields: JsonObject, token: string, pointer: string, types: TypeMap | null, side: Side): void {
  for (const key of Object.keys(fields)) {
    const value = fields[key] as Json;
    if (value === null) continue;
    const at = `${pointer}/${escapeSegment(key)}`;
    const here = `${token}/${escapeName(key)}`;
    const name = shortened(here);
    const valueClass = classOf(value, types, at);
    const whole = keyOfValue(valueClass, value);
    const term = cut(whole);
    side.terms.push(`${name}:${term}`);
    if (isCut(term)) side.terms.push(`${name}:${digestOf(whole)}`, `${name}:${longMark}`);
    else if (valueClass === "object") collect(value as JsonObject, here, at, types, side);
    else if (valueClass === "array") {
      const items = value as readonly Json[];
      for (let index = 0; index < items.length; index++) {
        const item = items[index] as Json;
        const itemClass = classOf(item, types, types === null ? "" : `${at}/${index}`);
        if (isScalarClass(itemClass)) side.terms.push(`${name}:e${exactTerm(itemClass, item)}`);
      }
    }
  }
}

/** In the place of a key: the value is a text whose key is cut. */
export const longMark = "+";

export function isScalarClass(valueClass: ValueClass): boolean {
  return valueClass !== "null" && valueClass !== "array" && valueClass !== "object";
}

/** The term that only this value has. */
export function exactTerm(valueClass: ValueClass, value: Json): string {
  const whole = keyOfValue(valueClass, value);
  const key = cut(whole);
  return isCut(key) ? digestOf(whole) : key;
}

/** What all terms of a path begin with: the path without a colon, and one. */
export function termPrefix(path: Path): string {
  const token = path.segments.reduce(
    (text, segment) => `${text}/${escapeName(segment)}`,
    path.root === "data" ? "d" : "m",
  );
  return `${shortened(token)}:`;
}

function escapeName(name: string): string {
  const escaped = escapeSegment(name);
  return escaped.includes(":") ? escaped.replaceAll(":", "~2") : escaped;
}

function shortened(token: string): string {
  return token.length <= 500 ? token : `#${hash("sha256", token, "base64url")}`;
}

function addColumn(
  side: { -readonly [K in keyof Side]: Side[K] },
  id: string,
  value: Json,
  types: TypeMap | null,
  pointer: string,
): void {
  const valueClass = classOf(value, types, pointer);
  side.k ??= {};
  side.k[id] = cut(keyOfValue(valueClass, value));
  if (valueClass === "number") {
    side.n ??= {};
    side.n[id] = value as number;
  } else if (valueClass === "string") {
    const start = dateBucketOf(value as string, "hour");
    if (start !== null) {
      side.t ??= {};
      side.t[id] = Date.parse(value as string);
    }
    side.d ??= {};
    side.d[id] = types?.[pointer] === "date" ? 1 : 0;
  }
}

function addText(
  side: { -readonly [K in keyof Side]: Side[K] },
  id: string,
  value: Json,
  types: TypeMap | null,
  pointer: string,
  whole: boolean,
): void {
  const items = Array.isArray(value) ? (value as readonly Json[]) : [value];
  const texts = items.filter((item, index) => {
    const at = Array.isArray(value) ? `${pointer}/${index}` : pointer;
    return typeof item === "string" && classOf(item, types, at) === "string";
  }) as string[];
  if (texts.length === 0) return;
  side.w ??= {};
  side.w[id] = texts.flatMap(tokenize).map(wordTerm).join(" ");
  if (!whole) return;
  side.a ??= {};
  side.a[id] = texts;
}

/** A word as it is indexed; no word has a `#`. */
export function wordTerm(word: string): string {
  return word.length <= 500 ? word : `#${hash("sha256", word, "base64url")}`;
}
