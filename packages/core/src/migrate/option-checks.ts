/** Options of migrations, checked alike. All throw `INVALID_CONFIG`. */
import { DataknobsError } from "../errors.js";
import { nearest } from "../query/nearest.js";

export function checkKnown(operation: string, options: object, known: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw bad(`${operation} has no option "${key}".${nearest(key, known)}`);
  }
}

export function oneOf(name: string, value: string, values: readonly string[]): void {
  if (!values.includes(value)) throw bad(`\`${name}\` is one of ${values.join(", ")}.`);
}

export function count(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw bad(`\`${name}\` is a whole number, ${least} or more.`);
}

export function bad(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message, { operation: "migrate" });
}
