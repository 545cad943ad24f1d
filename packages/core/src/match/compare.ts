/**
 * Classes, equality and the total order: the reference for every backend.
 *
 * A value is its JSON plus the type map and pointer that tell a bigint or bytes from a string. Dates are strings
 * and a Float32Array is an array here, so only those two types matter.
 */
import type { Operand, Order, ValueClass } from "../query/lowered.js";
import { fromBase64 } from "../record/base64.js";
import type { Json, TypeMap, WireRecord } from "../record/json.js";
import { escapeSegment } from "../record/pointer.js";
import { getterOf, typesOf } from "./access.js";

/** The class of a value, by JSON and by the type map where that matters. */
export function classOf(value: Json | undefined, types: TypeMap | null, pointer: string): ValueClass {
  switch (typeof value) {
    case "string": {
      if (types === null) return "string";
      const type = types[pointer];
      return type === "bigint" || type === "bytes" ? type : "string";
    }
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "object":
      if (value === null) return "null";
      return Array.isArray(value) ? "array" : "object";
    default:
      return "null";
  }
}

const ranks: { readonly [K in ValueClass]: number } = {
  null: 0,
  boolean: 1,
  number: 2,
  bigint: 3,
  string: 4,
  bytes: 5,
  array: 6,
  object: 7,
};
export function rankOf(valueClass: ValueClass): number {
  return ranks[valueClass];
}

/** By Unicode code point, which UTF-16 order is not above U+D7FF. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    let x = a.charCodeAt(index);
    let y = b.charCodeAt(index);
    if (x !== y) {
      // surrogates stand for code points above all others of 16 bits
      if (x >= 0xd800 && y >= 0xd800) {
        x = x >= 0xe000 ? x - 0x800 : x + 0x2000;
        y = y >= 0xe000 ? y - 0x800 : y + 0x2000;
      }
      return x - y;
    }
  }
  return a.length - b.length;
}

/** Decimal texts of bigints, by value. */
export function compareBigint(a: string, b: string): number {
  if (a === b) return 0;
  const negative = a.charCodeAt(0) === 45;
  if (negative !== (b.charCodeAt(0) === 45)) return negative ? -1 : 1;
  const order = a.length !== b.length ? a.length - b.length : a < b ? -1 : 1;
  return negative ? -order : order;
}

/** Base64 texts, byte by byte. */
export function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  const x = fromBase64(a) ?? new Uint8Array();
  const y = fromBase64(b) ?? new Uint8Array();
  const length = Math.min(x.length, y.length);
  for (let index = 0; index < length; index++) {
    const difference = (x[index] as number) - (y[index] as number);
    if (difference !== 0) return difference;
  }
  return x.length - y.length;
}

/** Order of two values of one class. Arrays are level with each other, so are objects. */
export function compareWithin(valueClass: ValueClass, a: Json, b: Json): number {
  switch (valueClass) {
    case "number":
    case "boolean":
      return Number(a) - Number(b) || 0;
    case "string":
      return compareText(a as string, b as string);
    case "bigint":
      return compareBigint(a as string, b as string);
    case "bytes":
      return compareBytes(a as string, b as string);
    default:
      return 0;
  }
}

/** Deep equality: JSON's, with classes; key order is irrelevant, `{ a: null }` and `{}` differ. */
export function equalJson(
  a: Json,
  aTypes: TypeMap | null,
  aPointer: string,
  b: Json,
  bTypes: TypeMap | null,
  bPointer: string,
): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    if (a !== b) return false;
    if (typeof a !== "string" || (aTypes === null && bTypes === null)) return true;
    return classOf(a, aTypes, aPointer) === classOf(b, bTypes, bPointer);
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    for (let index = 0; index < a.length; index++) {
      const x = aTypes === null ? "" : `${aPointer}/${index}`;
      const y = bTypes === null ? "" : `${bPointer}/${index}`;
      if (!equalJson(a[index] as Json, aTypes, x, b[index] as Json, bTypes, y)) return false;
    }
    return true;
  }
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  for (const key of keys) {
    if (!Object.hasOwn(b, key)) return false;
    const x = aTypes === null ? "" : `${aPointer}/${escapeSegment(key)}`;
    const y = bTypes === null ? "" : `${bPointer}/${escapeSegment(key)}`;
    const left = (a as { [key: string]: Json })[key] as Json;
    const right = (b as { [key: string]: Json })[key] as Json;
    if (!equalJson(left, aTypes, x, right, bTypes, y)) return false;
  }
  return true;
}

/** The same text for equal values and different ones for others: for sets, groups and hash indexes. */
export function keyOf(value: Json, types: TypeMap | null, pointer: string): string | number {
  switch (typeof value) {
    case "number":
      return value;
    case "string": {
      const type = types === null ? undefined : types[pointer];
      return type === "bigint" ? `n${value}` : type === "bytes" ? `x${value}` : `s${value}`;
    }
    case "boolean":
      return value ? "t" : "f";
    default:
      return value === null ? "z" : `j${canonical(value, types, pointer)}`;
  }
}

/** JSON text with sorted keys and the classes that JSON lacks marked. */
function canonical(value: Json, types: TypeMap | null, pointer: string): string {
  if (Array.isArray(value)) {
    const items = (value as readonly Json[]).map((item, index) => canonical(item, types, `${pointer}/${index}`));
    return `[${items.join(",")}]`;
  }
  if (typeof value === "object" && value !== null) {
    const fields = value as { [key: string]: Json };
    const items = Object.keys(fields)
      .sort()
      .map(
        (key) => `${JSON.stringify(key)}:${canonical(fields[key] as Json, types, `${pointer}/${escapeSegment(key)}`)}`,
      );
    return `{${items.join(",")}}`;
  }
  if (typeof value === "string" && types !== null) {
    const valueClass = classOf(value, types, pointer);
    if (valueClass !== "string") return `${valueClass}(${value})`;
  }
  return JSON.stringify(value);
}

/** Order of one sort key between a value and another, null placement included. */
export function compareKey(
  a: Json | undefined,
  aClass: ValueClass,
  b: Json | undefined,
  bClass: ValueClass,
  order: Order,
): number {
  if (aClass === "null" || bClass === "null") {
    if (aClass === bClass) return 0;
    return (aClass === "null") === order.nullsFirst ? -1 : 1;
  }
  const difference = aClass === bClass ? compareWithin(aClass, a as Json, b as Json) : ranks[aClass] - ranks[bClass];
  return order.descending ? -difference : difference;
}

export type Comparator = (a: WireRecord, b: WireRecord) => number;

/** The comparator of a list of sort keys. */
export function comparatorOf(orders: readonly Order[]): Comparator {
  const comparators = orders.map(comparatorOfOne);
  const [first, second] = comparators;
  if (first === undefined) return () => 0;
  if (second === undefined) return first;
  if (comparators.length === 2) return (a, b) => first(a, b) || second(a, b);
  return (a, b) => {
    for (const compare of comparators) {
      const difference = compare(a, b);
      if (difference !== 0) return difference;
    }
    return 0;
  };
}

function comparatorOfOne(order: Order): Comparator {
  if (order.path.root === "id") {
    return order.descending ? (a, b) => compareText(b.id, a.id) : (a, b) => compareText(a.id, b.id);
  }
  const get = getterOf(order.path);
  const types = typesOf(order.path);
  const { pointer } = order.path;
  const sign = order.descending ? -1 : 1;
  return (a, b) => {
    const x = get(a);
    const y = get(b);
    if (typeof x === "number" && typeof y === "number") return sign * (x - y) || 0;
    return compareKey(x, classOf(x, types(a), pointer), y, classOf(y, types(b), pointer), order);
  };
}

/** Whether a stored value equals the operand. */
export function equalsOperand(value: Json, types: TypeMap | null, pointer: string, operand: Operand): boolean {
  return equalJson(value, types, pointer, operand.value, operand.types, "");
}
