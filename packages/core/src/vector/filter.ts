/** Filters: the conditions of records, on the metadata of vectors. */
import type { Compiler } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import { listMatcherOf } from "../match/matcher.js";
import { type Split, split } from "../plan/split.js";
import type { Condition } from "../query/ast.js";
import type { Lowered } from "../query/lowered.js";
import { lowerCondition } from "../query/parse.js";
import { resolveFilterPath } from "../query/paths.js";
import type { PartialRow } from "./spi.js";

/** A filter, asked of one row or of many. Rows need their id, metadata and metadata types. */
export interface RowMatcher {
  readonly test: (row: PartialRow) => boolean;
  filter<R extends PartialRow>(rows: readonly R[]): R[];
  count(rows: readonly PartialRow[]): number;
  each<R extends PartialRow>(rows: readonly R[], visit: (row: R) => void): void;
}

/** Checks a filter. Throws `INVALID_QUERY` or `LIMIT_EXCEEDED`. */
export function lowerFilter(filter: Condition): Lowered {
  return lowerCondition(filter, resolveFilterPath);
}

/** The reference matcher over rows: what a filter means. Compile once. */
export function rowMatcherOf(condition: Lowered): RowMatcher {
  // a filter's paths reach ids and metadata only, and those a row has as a record has them
  return listMatcherOf(condition) as unknown as RowMatcher;
}

/** The compiler of a store that evaluates conditions in its own process: all of them, as they are. */
export const matchingCompiler: Compiler<Lowered> = Object.freeze({
  leaf: Object.freeze({
    exists: exactly,
    equals: exactly,
    compare: exactly,
    between: exactly,
    in: exactly,
    like: exactly,
    regex: exactly,
    prefix: exactly,
    contains: exactly,
    overlaps: exactly,
  }),
  and: (conditions: readonly Lowered[]): Lowered => ({ kind: "and", conditions }),
  or: (conditions: readonly Lowered[]): Lowered => ({ kind: "or", conditions }),
  not: (condition: Lowered): Lowered => ({ kind: "not", condition }),
});

function exactly(leaf: Lowered): { readonly code: Lowered; readonly exact: true } {
  return { code: leaf, exact: true };
}

/** What the engine does of a filter, and what core does. */
export interface FilterPlan extends Split<unknown> {
  /** The whole filter. */
  readonly whole: Lowered | undefined;
}

export function planFilter(filter: Condition | undefined, compiler: Compiler<unknown> | undefined): FilterPlan {
  const whole = filter === undefined ? undefined : lowerFilter(filter);
  return { whole, ...split(whole, compiler) };
}

/** Throws `UNSUPPORTED` where in-memory work is refused and the filter needs some. */
export function refuseEmulation(plan: FilterPlan, backend: string, residual: "allow" | "error"): void {
  if (residual !== "error" || plan.residual === undefined) return;
  throw new DataknobsError(
    "UNSUPPORTED",
    `The ${backend} store leaves conditions of this filter to be evaluated in memory, which \`residual: "error"\` ` +
      "refuses. `store.explain({ filter })` says which.",
    { backend, emulated: ["conditions"] },
  );
}
