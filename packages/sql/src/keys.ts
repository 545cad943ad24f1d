/**
 * Sortable text keys of bigints and bytes: compared as text, code point by code point, they come in the order of
 * their values. Stored beside the data, so that plain SQL gives core's total order with any number of digits.
 */
import { fromBase64, type JsonObject, keyOf, type TypeMap, toBase64, walk } from "@dataknobs/core/backend";

/**
 * A decimal text as a key. Non-negative: `p`, the length of the length, the length, the digits; negative: `n` and
 * the nines' complement of the same.
 */
export function bigintKey(decimal: string): string {
  const negative = decimal.startsWith("-");
  const digits = negative ? decimal.slice(1) : decimal;
  const length = String(digits.length);
  const key = `${length.length}${length}${digits}`;
  return negative ? `n${complementDigits(key)}` : `p${key}`;
}

/** The decimal text that the key was made of. */
export function bigintOfKey(key: string): string {
  const negative = key.startsWith("n");
  const plain = negative ? complementDigits(key.slice(1)) : key.slice(1);
  const digits = plain.slice(1 + Number(plain[0]));
  return negative ? `-${digits}` : digits;
}

function complementDigits(digits: string): string {
  let result = "";
  for (let index = 0; index < digits.length; index++) result += 57 - digits.charCodeAt(index);
  return result;
}

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Base64 as a key: hexadecimal, which sorts byte by byte. */
export function bytesKey(base64: string): string {
  let key = "";
  for (const byte of fromBase64(base64) ?? []) key += hex[byte];
  return key;
}

export function bytesOfKey(key: string): string {
  const bytes = new Uint8Array(key.length / 2);
  for (let index = 0; index < bytes.length; index++)
    bytes[index] = Number.parseInt(key.slice(index * 2, index * 2 + 2), 16);
  return toBase64(bytes);
}

/** A place whose containers must be compared by the engine: those of unique indexes. */
export interface DeepPlace {
  readonly segments: readonly string[];
  readonly pointer: string;
}

/**
 * JSON of pointer → key for the bigints and bytes of a value, and for arrays and objects at the given places;
 * `null` where there is none, which is the common case.
 */
export function keysOf(data: JsonObject, types: TypeMap | null, places: readonly DeepPlace[] = []): string | null {
  if (types === null && places.length === 0) return null;
  const keys: [string, string][] = [];
  for (const [pointer, tag] of Object.entries(types ?? {})) {
    if (tag !== "bigint" && tag !== "bytes") continue;
    const text = walkPointer(data, pointer);
    if (typeof text === "string") keys.push([pointer, tag === "bigint" ? bigintKey(text) : bytesKey(text)]);
  }
  for (const { segments, pointer } of places) {
    const value = walk(data, segments, 0);
    if (typeof value === "object" && value !== null) keys.push([pointer, String(keyOf(value, types, pointer))]);
  }
  return keys.length === 0 ? null : JSON.stringify(Object.fromEntries(keys));
}

function walkPointer(data: JsonObject, pointer: string): unknown {
  let value: unknown = data;
  for (const segment of pointer.slice(1).split("/")) {
    if (typeof value !== "object" || value === null) return undefined;
    const key = segment.replaceAll("~1", "/").replaceAll("~0", "~");
    value = Object.hasOwn(value, key) ? (value as { [key: string]: unknown })[key] : undefined;
  }
  return value;
}
