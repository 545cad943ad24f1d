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
  escapeSegment,
  type Json,
  type JsonObject,
  type Path,
  type TypeMap,
  timeOfText,
  tokenize,
  type ValueClass,
  type VectorDeclaration,
  type WireRecord,
  walk,
} from "@dataknobs/core/backend";
import { cut, digestOf, isCut, keyOfValue } from "./keys.js";
import type { Layout } from "./layout.js";
import { indexedVector, isVector } from "./nearest.js";

type Texts = { [column: string]: string };
type Numbers = { [column: string]: number };

/** What declared fields have, by column. */
interface Columns {
  /** Its key, */
  k?: Texts;
  /** the value if it is a number, */
  n?: Numbers;
  /** the time in ms if it is a text that date buckets take, */
  t?: Numbers;
  /** of a text, 1 if it is a Date, else 0; */
  d?: Numbers;
  /** per text field the words, */
  w?: Texts;
  /** and the texts, for the engine's analyzers; */
  a?: { [column: string]: readonly string[] };
  /** the vector as Elasticsearch measures it, and the columns in which that is not its own length. */
  v?: { [column: string]: readonly number[] };
  odd?: string[];
}

/** What is below `side` in a document, as JSON. */
export function sideOf(record: Contents, layout: Layout): string {
  const terms: string[] = [];
  const vectors = layout.columns.filter(isVector);
  const unsplit = (root: string): ReadonlySet<string> | undefined =>
    vectors.length === 0
      ? undefined
      : new Set(vectors.filter(({ path }) => path.root === root).map(({ path }) => path.pointer));
  collect(record.data, placeOf("data"), record.types, terms, unsplit("data"));
  collect(record.metadata, placeOf("metadata"), record.metadataTypes, terms, unsplit("metadata"));
  const columns = layout.columns.length === 0 ? "" : `,${JSON.stringify(columnsOf(record, layout)).slice(1, -1)}`;
  return `{"layout":"${layout.signature}","terms":[${terms.join(",")}]${columns === "," ? "" : columns}}`;
}

type Contents = Pick<WireRecord, "data" | "types" | "metadata" | "metadataTypes">;

function columnsOf(record: Contents, layout: Layout): Columns {
  const columns: Columns = {};
  for (const { id, path, text, vector } of layout.columns) {
    const inData = path.root === "data";
    const value = walk(inData ? record.data : record.metadata, path.segments, 0);
    if (value === undefined || value === null) continue;
    const types = inData ? record.types : record.metadataTypes;
    if (vector !== undefined) {
      if (types?.[path.pointer] === "float32") addVector(columns, id, vector, value);
    } else if (text) addText(columns, id, value, types, path.pointer, layout.analyzers.length > 0);
    else addColumn(columns, id, value, types, path.pointer);
  }
  return columns;
}

/** A path of records: names are prepared once, not for every record. */
interface Place {
  readonly pointer: string;
  readonly token: string;
  /** What its terms begin with, as JSON without quotes. */
  readonly start: string;
  readonly below: Map<string, Place>;
}

const maxPlaces = 10_000;
let places = 0;
let roots: { readonly [root: string]: Place } = {};

/** Data with ever new names make the memory of them begin anew. */
function placeOf(root: "data" | "metadata"): Place {
  if (places === 0 || places > maxPlaces) {
    places = 1;
    roots = {
      data: { pointer: "", token: "d", start: "", below: new Map() },
      metadata: { pointer: "", token: "m", start: "", below: new Map() },
    };
  }
  return roots[root] as Place;
}

function placeBelow(place: Place, name: string): Place {
  const known = place.below.get(name);
  if (known !== undefined) return known;
  const token = `${place.token}/${escapeName(name)}`;
  const start = `${escaped(shortened(token))}:`;
  const made: Place = { pointer: `${place.pointer}/${escapeSegment(name)}`, token, start, below: new Map() };
  place.below.set(name, made);
  places++;
  return made;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them
const needsEscape = /["\\\u0000-\u001f]/;
const escaped = (text: string): string => (needsEscape.test(text) ? JSON.stringify(text).slice(1, -1) : text);

/** `unsplit`: places of vectors, whose elements are not looked for one by one. */
function collect(
  fields: JsonObject,
  place: Place,
  types: TypeMap | null,
  terms: string[],
  unsplit: ReadonlySet<string> | undefined,
): void {
  for (const key of Object.keys(fields)) {
    const value = fields[key] as Json;
    if (value === null) continue;
    const at = placeBelow(place, key);
    const valueClass = classOf(value, types, at.pointer);
    const whole = keyOfValue(valueClass, value);
    const term = cut(whole);
    terms.push(`"${at.start}${escaped(term)}"`);
    if (isCut(term)) terms.push(`"${at.start}${digestOf(whole)}"`, `"${at.start}${longMark}"`);
    else if (valueClass === "object") collect(value as JsonObject, at, types, terms, unsplit);
    else if (valueClass === "array" && unsplit?.has(at.pointer) !== true) {
      const items = value as readonly Json[];
      for (let index = 0; index < items.length; index++) {
        const item = items[index] as Json;
        const itemClass = classOf(item, types, types === null ? "" : `${at.pointer}/${index}`);
        if (isScalarClass(itemClass)) terms.push(`"${at.start}e${escaped(exactTerm(itemClass, item))}"`);
      }
    }
  }
}

/** In the place of a key: the value is a text whose key is cut. */
export const longMark = "+";

function isScalarClass(valueClass: ValueClass): boolean {
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

function addVector(columns: Columns, id: string, vector: VectorDeclaration, value: Json): void {
  const indexed = indexedVector(vector, value);
  if (indexed === undefined) return;
  columns.v ??= {};
  columns.v[id] = indexed.numbers;
  if (!indexed.odd) return;
  columns.odd ??= [];
  columns.odd.push(id);
}

function addColumn(columns: Columns, id: string, value: Json, types: TypeMap | null, pointer: string): void {
  const valueClass = classOf(value, types, pointer);
  columns.k ??= {};
  columns.k[id] = cut(keyOfValue(valueClass, value));
  if (valueClass === "number") {
    columns.n ??= {};
    columns.n[id] = value as number;
  } else if (valueClass === "string") {
    const time = timeOfText(value as string);
    if (time !== null) {
      columns.t ??= {};
      columns.t[id] = time;
    }
    columns.d ??= {};
    columns.d[id] = types?.[pointer] === "date" ? 1 : 0;
  }
}

function addText(
  columns: Columns,
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
  columns.w ??= {};
  columns.w[id] = texts.flatMap(tokenize).map(wordTerm).join(" ");
  if (!whole) return;
  columns.a ??= {};
  columns.a[id] = texts;
}

/** A word as it is indexed; no word has a `#`. */
export function wordTerm(word: string): string {
  return word.length <= 500 ? word : `#${hash("sha256", word, "base64url")}`;
}
