/**
 * Values as texts that sort as the contract orders them: the digit of the class, then a text of the value. Lucene
 * compares terms byte by byte in UTF-8, which is by code point, so one keyword field holds every class in order.
 *
 * Lucene refuses terms beyond 32,766 bytes, so a key is cut; a cut key ends with U+0000, which no value holds. Keys
 * that differ are rightly ordered, cut or not; keys that are cut and alike need a look at the values.
 */
import { hash } from "node:crypto";
import { type Cell, type Json, rankOf, type ValueClass } from "@dataknobs/core/backend";
import { bigintKey, bigintOfKey, bytesKey, bytesOfKey } from "@dataknobs/sql";

/** Code points of a key. */
const maxKey = 500;

export const arrayKey: string = String(rankOf("array"));
export const objectKey: string = String(rankOf("object"));

/** The whole key of a value; arrays are level with each other, and so are objects. */
export function keyOfValue(valueClass: ValueClass, value: Json): string {
  switch (valueClass) {
    case "boolean":
      return value === true ? "11" : "10";
    case "number":
      return `2${numberKey(value as number)}`;
    case "bigint":
      return `3${bigintKey(value as string)}`;
    case "string":
      return `4${value as string}`;
    case "bytes":
      return `5${bytesKey(value as string)}`;
    default:
      return String(rankOf(valueClass));
  }
}

/** The key as it is indexed. */
export function cut(key: string): string {
  if (key.length <= maxKey) return key;
  let at = 0;
  for (let points = 0; points < maxKey; points++) {
    if (at >= key.length) return key;
    at += (key.codePointAt(at) as number) > 0xffff ? 2 : 1;
  }
  return at >= key.length ? key : `${key.slice(0, at)}\0`;
}

export function isCut(key: unknown): boolean {
  return typeof key === "string" && key.endsWith("\0");
}

/** Tells long values apart, which their cut keys do not; sorts outside all classes. */
export function digestOf(key: string): string {
  return `h${hash("sha256", key, "base64url")}`;
}

const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const hexOf = (word: number): string =>
  `${hex[word >>> 24]}${hex[(word >>> 16) & 255]}${hex[(word >>> 8) & 255]}${hex[word & 255]}`;

/** The bits of a double, made to sort as the numbers do. */
function numberKey(value: number): string {
  double[0] = value;
  const [low, high] = [halves[0] as number, halves[1] as number];
  return high >>> 31 === 1 ? hexOf(~high) + hexOf(~low) : hexOf(high | 0x8000_0000) + hexOf(low);
}

function numberOfKey(key: string): number {
  let high = Number.parseInt(key.slice(0, 8), 16);
  let low = Number.parseInt(key.slice(8), 16);
  if (high >>> 31 === 1) high = (high & 0x7fff_ffff) >>> 0;
  else [low, high] = [~low >>> 0, ~high >>> 0];
  halves[0] = low;
  halves[1] = high;
  return double[0] as number;
}

/** The value of a key; `undefined` where the key does not tell: cut ones, arrays and objects. */
export function cellOfKey(key: string, isDate: boolean): Cell | undefined {
  if (isCut(key)) return undefined;
  const text = key.slice(1);
  switch (key[0]) {
    case "1":
      return { json: text === "1" };
    case "2":
      return { json: numberOfKey(text) };
    case "3":
      return { json: bigintOfKey(text), types: { "": "bigint" } };
    case "4":
      return isDate ? { json: text, types: { "": "date" } } : { json: text };
    case "5":
      return { json: bytesOfKey(text), types: { "": "bytes" } };
    default:
      return undefined;
  }
}
