/** Aggregate functions and group keys, as plain data. */
import type { PathInput } from "../query/ast.js";
import type { AggregateFunction, DateUnit, GroupKey } from "./ast.js";

/** Records in the group; with a path, those where it is present. */
export function count(path?: PathInput): AggregateFunction {
  return path === undefined ? { fn: "count" } : { fn: "count", path };
}

/** Different present values; exact unless `approximate` is asked for. */
export function countDistinct(path: PathInput, options: { readonly approximate?: boolean } = {}): AggregateFunction {
  return { fn: "countDistinct", path, ...options };
}

/** Sum of the numbers; 0 of none. */
export function sum(path: PathInput): AggregateFunction {
  return { fn: "sum", path };
}

/** Mean of the numbers; null of none. */
export function avg(path: PathInput): AggregateFunction {
  return { fn: "avg", path };
}

/** Least scalar in the total order; null of none. */
export function min(path: PathInput): AggregateFunction {
  return { fn: "min", path };
}

/** Greatest scalar in the total order; null of none. */
export function max(path: PathInput): AggregateFunction {
  return { fn: "max", path };
}

/** Of the numbers, linear between ranks: `percentile("latency", 0.95)`. `fraction` is 0 to 1. */
export function percentile(path: PathInput, fraction: number): AggregateFunction {
  return { fn: "percentile", path, fraction };
}

/** Groups numbers by intervals of `width`; the key is the lower bound. */
export function bucket(path: PathInput, width: number): GroupKey {
  return { bucket: path, width };
}

/** Groups dates by unit in UTC; the key is the start, a Date. Weeks begin on Monday. */
export function dateBucket(path: PathInput, unit: DateUnit): GroupKey {
  return { dateBucket: path, unit };
}
