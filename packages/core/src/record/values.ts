/**
 * Values: from what users hold to plain JSON plus a type map (`encode`), and back (`decode`).
 *
 * Guaranteed: the input is never changed; a typed value is told by its place in the map, so no user object is
 * ever mistaken for one of ours; whatever a backend could not keep unchanged is refused here, by name.
 */
import { DataknobsError, type ErrorCode } from "../errors.js";
import { fromBase64, toBase64 } from "./base64.js";
import { isoTime, parseIsoTime } from "./iso.js";
import type { Json, JsonObject, TypeMap, TypeTag } from "./json.js";
import { limits } from "./limits.js";
import { escapeSegment, fromPointer } from "./pointer.js";
import { isPortableText, utf8Length } from "./text.js";

/** What a record may hold. */
export type Scalar = null | boolean | number | string | bigint | Date;
export type Value =
  | Scalar
  | Uint8Array
  | Float32Array
  | undefined
  | readonly Value[]
  | { readonly [key: string]: Value };
export interface Fields {
  readonly [key: string]: Value;
}

export interface Encoded<T extends Json = Json> {
  readonly json: T;
  readonly types: TypeMap | null;
}

export interface EncodeOptions {
  /** How errors name the place: `data`, `metadata`, `value`. */
  readonly subject: string;
  readonly code: ErrorCode;
  /** Freeze every container of the copy. */
  readonly freeze: boolean;
}

interface State extends EncodeOptions {
  types: { [pointer: string]: TypeTag } | null;
  root: unknown;
}

/** Spelled out: a spread costs more than encoding a small record. */
function stateOf(root: unknown, { subject, code, freeze }: EncodeOptions): State {
  return { subject, code, freeze, types: null, root };
}

/** Any supported value as a JSON copy and the map of its types. */
export function encode(value: unknown, options: EncodeOptions): Encoded {
  const state = stateOf(value, options);
  const json = encodeValue(value, "", 0, state) as Json | undefined;
  return { json: json === undefined ? null : json, types: state.types };
}

const dataOptions = { subject: "data", code: "INVALID_RECORD", freeze: false } as const;

/** A record's data or metadata: an object, encoded as by {@link encode}. */
export function encodeFields(value: unknown, options: EncodeOptions = dataOptions): Encoded<JsonObject> {
  if (typeof value === "object" && value !== null && isPlain(value)) {
    const state = stateOf(value, options);
    const json = encodeObject(value as { [key: string]: unknown }, "", 1, state);
    return { json, types: shared(state.types) };
  }
  const encoded = encode(value, options);
  if (typeof encoded.json !== "object" || encoded.json === null || Array.isArray(encoded.json) || encoded.types?.[""]) {
    throw new DataknobsError(options.code, `${options.subject} is an object of fields; got ${nameOf(value)}.`);
  }
  return encoded as Encoded<JsonObject>;
}

/** Stays as it is and needs no pointer to its place: nearly every value. */
function isKept(value: unknown): boolean {
  switch (typeof value) {
    case "string":
      return isPortableText(value);
    case "number":
      return Number.isFinite(value) && value !== 0;
    case "boolean":
      return true;
    default:
      return value === null;
  }
}

function encodeValue(value: unknown, pointer: string, depth: number, state: State): unknown {
  switch (typeof value) {
    case "string":
      if (!isPortableText(value)) fail(state, pointer, "a string with U+0000 or a lone surrogate");
      return value;
    case "number":
      if (!Number.isFinite(value)) fail(state, pointer, String(value));
      return value === 0 ? 0 : value;
    case "boolean":
    case "undefined":
      return value;
    case "bigint":
      tag(state, pointer, "bigint");
      return value.toString();
    case "object":
      if (value === null) return null;
      if (Array.isArray(value)) return encodeArray(value, pointer, depth + 1, state);
      if (isPlain(value)) return encodeObject(value as { [key: string]: unknown }, pointer, depth + 1, state);
      return encodeInstance(value, pointer, depth, state);
    default:
      return fail(state, pointer, `a ${typeof value}`);
  }
}

function encodeObject(value: { [key: string]: unknown }, pointer: string, depth: number, state: State): JsonObject {
  if (depth > limits.nesting) tooDeep(state, pointer);
  // field by field, not by a spread: see `copyFields`
  const copy: { [key: string]: unknown } = {};
  for (const key of Object.keys(value)) {
    checkKey(key, pointer, state);
    const item = value[key];
    const encoded = isKept(item) ? item : encodeValue(item, pointerTo(pointer, key), depth, state);
    if (encoded !== undefined) setOwn(copy, key, encoded);
  }
  const symbols = Object.getOwnPropertySymbols(value);
  if (symbols.some((symbol) => Object.prototype.propertyIsEnumerable.call(value, symbol))) {
    fail(state, pointer, "an object with a symbol key");
  }
  if (state.freeze) Object.freeze(copy);
  return copy as JsonObject;
}

function encodeArray(value: readonly unknown[], pointer: string, depth: number, state: State): readonly Json[] {
  if (depth > limits.nesting) tooDeep(state, pointer);
  const copy: unknown[] = new Array(value.length);
  for (let index = 0; index < value.length; index++) {
    const item = value[index];
    const encoded = isKept(item) ? item : encodeValue(item, `${pointer}/${index}`, depth, state);
    // as JSON does: a hole or undefined in a list keeps its place as null
    copy[index] = encoded === undefined ? null : encoded;
  }
  if (state.freeze) Object.freeze(copy);
  return copy as Json[];
}

function encodeInstance(value: object, pointer: string, depth: number, state: State): unknown {
  switch (Object.prototype.toString.call(value)) {
    case "[object Date]": {
      const time = Date.prototype.getTime.call(value);
      if (Number.isNaN(time)) fail(state, pointer, "an invalid Date");
      tag(state, pointer, "date");
      return isoTime(time);
    }
    case "[object Uint8Array]":
      tag(state, pointer, "bytes");
      return toBase64(value as Uint8Array);
    case "[object Float32Array]": {
      if (depth + 1 > limits.nesting) tooDeep(state, pointer);
      const numbers = Array.from(value as Float32Array, (number) => {
        if (!Number.isFinite(number)) fail(state, pointer, `a Float32Array with ${number}`);
        return number === 0 ? 0 : number;
      });
      tag(state, pointer, "float32");
      return state.freeze ? Object.freeze(numbers) : numbers;
    }
  }
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === "function") {
    const plain: unknown = toJSON.call(value);
    if (plain === value || depth > limits.nesting) fail(state, pointer, nameOf(value));
    return encodeValue(plain, pointer, depth, state);
  }
  return fail(state, pointer, nameOf(value));
}

/** Typed values back in their places. Containers without any are shared with the input, the rest is copied. */
export function decode(json: Json, types: TypeMap | null): Value {
  if (types === null) return json as Value;
  if (types[""] !== undefined) return reviveScalar(json, types[""]) as Value;
  const root = shallowCopy(json);
  const fields = plainFields(types);
  if (fields !== undefined) {
    const container = root as { [key: string]: unknown };
    for (const [key, type] of fields) {
      if (Object.hasOwn(container, key)) container[key] = reviveScalar(container[key] as Json, type);
    }
    return root as Value;
  }
  const copied = new Map<string, { [key: string]: unknown }>([["", root as { [key: string]: unknown }]]);
  for (const pointer of Object.keys(types)) {
    const segments = fromPointer(pointer);
    let container = root as { [key: string]: unknown };
    let at = "";
    for (let index = 0; index < segments.length - 1; index++) {
      const segment = segments[index] as string;
      at += `/${escapeSegment(segment)}`;
      let next = copied.get(at);
      if (next === undefined) {
        if (!Object.hasOwn(container, segment)) break;
        next = shallowCopy(container[segment] as Json) as { [key: string]: unknown };
        copied.set(at, next);
        setOwn(container, segment, next);
      }
      container = next;
    }
    const last = segments.at(-1) as string;
    if (Object.hasOwn(container, last)) {
      setOwn(container, last, reviveScalar(container[last] as Json, types[pointer] as TypeTag));
    }
  }
  return root as Value;
}

let knownTypes: TypeMap | undefined;
let knownFields: readonly (readonly [key: string, type: TypeTag])[] | undefined;

/** The fields of a map that names no place below a field, as of most records; the last one is remembered. */
function plainFields(types: TypeMap): typeof knownFields {
  if (types === knownTypes) return knownFields;
  const fields: [key: string, type: TypeTag][] = [];
  knownTypes = types;
  knownFields = undefined;
  for (const pointer of Object.keys(types)) {
    const [key, below] = fromPointer(pointer);
    if (key === undefined || below !== undefined || key === "__proto__") return undefined;
    fields.push([key, types[pointer] as TypeTag]);
  }
  knownFields = fields;
  return fields;
}

/** One typed value from its JSON; the JSON itself where it does not fit, as after another program's edit. */
function reviveScalar(json: Json, type: TypeTag): unknown {
  if (type === "float32") return Array.isArray(json) ? Float32Array.from(json as readonly number[]) : json;
  if (typeof json !== "string") return json;
  if (type === "bigint") return /^-?\d+$/.test(json) ? BigInt(json) : json;
  if (type === "bytes") return fromBase64(json) ?? json;
  const time = parseIsoTime(json);
  const date = new Date(Number.isNaN(time) ? json : time);
  return Number.isNaN(date.getTime()) ? json : date;
}

function shallowCopy(json: Json): unknown {
  if (Array.isArray(json)) return [...(json as readonly Json[])];
  return typeof json === "object" && json !== null ? { ...json } : json;
}

/**
 * A shallow copy that keeps the shape. Not by a spread: V8 gives every object that was made by one and then frozen a
 * hidden class of its own, which makes reading its fields ten times slower. An own `__proto__` needs the spread.
 */
export function copyFields(fields: { readonly [key: string]: unknown }): { [key: string]: unknown } {
  return Object.hasOwn(fields, "__proto__") ? { ...fields } : Object.assign({}, fields);
}

/** Assignment that never meets a setter: `__proto__` becomes an own field. */
export function setOwn(target: { [key: string]: unknown }, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    target[key] = value;
  }
}

// Names of fields recur: their pointers are made once, within bounds.
const pointers = new Map<string, string>();

function pointerTo(parent: string, key: string): string {
  if (parent !== "" || key.length > 64) return `${parent}/${escapeSegment(key)}`;
  let pointer = pointers.get(key);
  if (pointer === undefined) {
    pointer = `/${escapeSegment(key)}`;
    if (pointers.size >= 4096) pointers.clear();
    pointers.set(key, pointer);
  }
  return pointer;
}

let lastTypes: TypeMap = {};

/** Records of one shape have one map together: a batch keeps no copies of it, and `decode` knows it again. */
function shared(types: TypeMap | null): TypeMap | null {
  if (types === null) return null;
  if (!isSameMap(types, lastTypes)) lastTypes = types;
  return lastTypes;
}

function isSameMap(a: TypeMap, b: TypeMap): boolean {
  let count = 0;
  for (const pointer in a) {
    if (a[pointer] !== b[pointer]) return false;
    count++;
  }
  for (const _ in b) count--;
  return count === 0;
}

function tag(state: State, pointer: string, type: TypeTag): void {
  state.types ??= {};
  state.types[pointer] = type;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // another realm's Object.prototype is not ours, but it too is where the chain ends
  return (
    prototype === Object.prototype ||
    prototype === null ||
    (Object.getPrototypeOf(prototype) === null && Object.prototype.toString.call(value) === "[object Object]")
  );
}

// Field names recur in nearly every record: remember those already found good, within bounds.
const goodKeys = new Set<string>();

function checkKey(key: string, pointer: string, state: State): void {
  if (goodKeys.has(key)) return;
  if (!isPortableText(key)) fail(state, pointer, "a field name with U+0000 or a lone surrogate");
  if (key.length * 3 > limits.fieldNameBytes && utf8Length(key) > limits.fieldNameBytes) {
    throw new DataknobsError(
      "LIMIT_EXCEEDED",
      `A field name has at most ${limits.fieldNameBytes} UTF-8 bytes; one in ${state.subject} has ${utf8Length(key)}.`,
      { field: `${key.slice(0, 80)}…`, limit: limits.fieldNameBytes },
    );
  }
  if (key.length <= 64) {
    if (goodKeys.size >= 4096) goodKeys.clear();
    goodKeys.add(key);
  }
}

function fail(state: State, pointer: string, what: string): never {
  const field = fromPointer(pointer).join(".");
  throw new DataknobsError(
    state.code,
    `${field === "" ? state.subject : `Field "${field}" of ${state.subject}`} is ${what}, which no store can keep. ` +
      "Use null, booleans, finite numbers, strings, bigints, Dates, Uint8Array, Float32Array, lists and plain objects.",
    { field },
  );
}

function tooDeep(state: State, pointer: string): never {
  const field = `${fromPointer(pointer).slice(0, 4).join(".")}…`;
  if (isCyclic(state.root)) {
    throw new DataknobsError(state.code, `${state.subject} refers to itself at "${field}".`, { field });
  }
  throw new DataknobsError(
    "LIMIT_EXCEEDED",
    `${state.subject} is nested more than ${limits.nesting} deep at "${field}".`,
    { field, limit: limits.nesting },
  );
}

function isCyclic(root: unknown): boolean {
  const open = new Set<object>();
  const visit = (value: unknown): boolean => {
    if (typeof value !== "object" || value === null) return false;
    if (open.has(value)) return true;
    if (open.size > 10_000) return false;
    open.add(value);
    const found = Object.values(value).some(visit);
    open.delete(value);
    return found;
  };
  return visit(root);
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "a list";
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof name === "string" && name !== "" && name !== "Object" ? `an instance of ${name}` : "an object";
}
