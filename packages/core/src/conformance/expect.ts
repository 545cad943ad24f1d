/** What cases assert with: errors by code, values by class and content, in whatever realm they were made. */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { DataknobsError, type ErrorCode, type ErrorDetails } from "../errors.js";

/** The call fails with an error of that code; answers with the error. */
export async function refuses(code: ErrorCode, call: () => unknown): Promise<DataknobsError> {
  let result: unknown;
  try {
    result = await call();
  } catch (error) {
    if (DataknobsError.is(error, code)) return error;
    const got = DataknobsError.is(error) ? `${error.code}: ${error.message}` : inspect(error);
    throw new assert.AssertionError({
      message: `expected the error ${code}, got ${got}`,
      actual: error,
      expected: code,
    });
  }
  return assert.fail(`expected the error ${code}, but the call gave ${show(result)}`);
}

/** The call fails with that code, and the error's details hold these. */
export async function refusesWith(code: ErrorCode, details: ErrorDetails, call: () => unknown): Promise<void> {
  const error = await refuses(code, call);
  for (const [name, value] of Object.entries(details)) {
    same(error.details[name], value, `details.${name} of ${code}`);
  }
}

/** Equal in class and content. Plain objects by own fields, in any order; numbers by `Object.is`. */
export function same(actual: unknown, expected: unknown, what = "value"): void {
  const place = differs(actual, expected, "");
  if (place === undefined) return;
  throw new assert.AssertionError({
    message: `${what}${place === "" ? "" : ` at ${place}`} differs\n  expected: ${show(expected)}\n  actual:   ${show(actual)}`,
    actual,
    expected,
  });
}

export function isSame(actual: unknown, expected: unknown): boolean {
  return differs(actual, expected, "") === undefined;
}

export function show(value: unknown): string {
  return inspect(value, { depth: 8, breakLength: 120, maxStringLength: 400, maxArrayLength: 60 });
}

/** The ids of records, in their order. */
export function idsOf(records: readonly { readonly id: string }[]): string[] {
  return records.map(({ id }) => id);
}

/** The ids of records whose order does not matter. */
export function idSet(records: readonly { readonly id: string }[]): string[] {
  return idsOf(records).sort();
}

/** Everything that an iterable gives. */
export async function collect<T>(items: AsyncIterable<T> | Iterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function differs(a: unknown, b: unknown, at: string): string | undefined {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    return Object.is(a, b) ? undefined : at;
  }
  const tag = tagOf(a);
  if (tag !== tagOf(b)) return at;
  if (tag === "[object Date]") return Number(a) === Number(b) ? undefined : at;
  // neither has keys of its own: without this, any two would be equal
  if (tag === "[object Set]" || tag === "[object Map]") {
    return differs([...(a as Iterable<unknown>)], [...(b as Iterable<unknown>)], at);
  }
  const isList = Array.isArray(a) || ArrayBuffer.isView(a);
  if (isList !== (Array.isArray(b) || ArrayBuffer.isView(b))) return at;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return at;
  if (isList && (a as ArrayLike<unknown>).length !== (b as ArrayLike<unknown>).length) return at;
  for (const key of keys) {
    if (!Object.hasOwn(b, key)) return `${at}.${key}`;
    const place = differs((a as Bag)[key], (b as Bag)[key], `${at}.${key}`);
    if (place !== undefined) return place;
  }
  return undefined;
}

interface Bag {
  readonly [key: string]: unknown;
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value);
}
