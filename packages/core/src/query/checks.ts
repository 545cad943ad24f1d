/** Checks that every part of a query goes through. All throw `INVALID_QUERY`. */
import { DataknobsError } from "../errors.js";
import { nearest } from "./nearest.js";

export function checkKeys(value: unknown, allowed: readonly string[], subject: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(`${subject} is an object.`);
  for (const key of Object.keys(value)) {
    if (!allowed.includes(key)) {
      throw invalid(`${subject} has no "${key}".${nearest(key, allowed)} It has ${allowed.join(", ")}.`);
    }
  }
}

export function checkCount(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw invalid(`\`${name}\` is a whole number, 0 or more; got ${String(value)}.`);
  }
  return value;
}

export function invalid(message: string): DataknobsError {
  return new DataknobsError("INVALID_QUERY", message);
}
