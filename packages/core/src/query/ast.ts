/** The query as users write it and as JSON carries it: plain data. `lowered.ts` has the form backends get. */
import type { TypeMap } from "../record/json.js";
import type { Metric } from "../vector/metric.js";

/** A dotted path, or its segments. */
export type PathInput = string | readonly string[];

export const operators = [
  "=",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "between",
  "not_between",
  "in",
  "not_in",
  "like",
  "not_like",
  "ilike",
  "not_ilike",
  "regex",
  "not_regex",
  "starts_with",
  "contains",
  "overlaps",
  "exists",
  "not_exists",
] as const;

export type Operator = (typeof operators)[number];

/** `path op value`. */
export interface LeafCondition {
  readonly path: PathInput;
  readonly op: Operator;
  /** JSON; or a Date, bigint or Uint8Array, which the builder turns into JSON with `type` or `types`. */
  readonly value?: unknown;
  /** The type of a scalar operand that JSON lacks, or of every element of a list operand. */
  readonly type?: "bigint" | "bytes" | "date";
  /** The types inside an operand, by JSON Pointer. */
  readonly types?: TypeMap;
}

export type Condition =
  | LeafCondition
  | { readonly and: readonly Condition[] }
  | { readonly or: readonly Condition[] }
  | { readonly not: Condition };

/** The operand of `regex` in full. */
export interface RegexOperand {
  readonly pattern: string;
  /** Of `i`, `s`, `m`; `u` always holds. */
  readonly flags?: string;
  /** Skips the check against exponential backtracking. */
  readonly trusted?: boolean;
}

export interface MatchClause {
  readonly text: string;
  /** Defaults to the paths declared `text: true`. */
  readonly fields?: readonly PathInput[];
  /** Every word, or any word. Default `"all"`. */
  readonly mode?: "all" | "any";
  /** An engine's own analyzer, where `capabilities.analyzers` lists it; then the engine decides what matches. */
  readonly analyzer?: string;
}

/** The k records whose vector at the path is nearest to this one. */
export interface NearestClause {
  readonly path: PathInput;
  /** Rounded to 32-bit floats, as the vectors of records are. */
  readonly vector: readonly number[];
  /** Records to find: of those that satisfy `where`, if so many have a vector there. */
  readonly k: number;
  /** Default: that of the declared index; of an undeclared path it must be said. */
  readonly metric?: Metric;
  /** Leaves out what scores less: cosine, 1 / (1 + distance), or inner product. */
  readonly minScore?: number;
  /** Measure every candidate, whatever index there is. */
  readonly exact?: boolean;
}

/** How `match` and `nearest` of one query make one ranking. */
export interface FusionClause {
  /** By rank (default), or by the weighted scores. */
  readonly by?: "rank" | "score";
  /** Of `"rank"`: the constant added to ranks. Default 60. */
  readonly k?: number;
  /** Default 1 each. */
  readonly weights?: { readonly match?: number; readonly nearest?: number };
}

export interface SortClause {
  readonly path: PathInput;
  readonly direction?: "asc" | "desc";
  /** Where null and missing go. Default: first ascending, last descending. */
  readonly nulls?: "first" | "last";
}

export interface Query {
  readonly where?: Condition;
  readonly match?: MatchClause;
  /** With `match`: both rankings, fused. With `sort`: what was found, sorted. */
  readonly nearest?: NearestClause;
  readonly fusion?: FusionClause;
  readonly sort?: readonly SortClause[];
  readonly limit?: number;
  readonly offset?: number;
  readonly select?: readonly PathInput[];
  /** Continue after this page's `next`. */
  readonly after?: string;
  /** With `limit`: any rows will do, in any order. */
  readonly unordered?: boolean;
  /** `"error"` refuses a query of which core would evaluate a part in memory. */
  readonly residual?: "allow" | "error";
}
