/** Aggregation: what users write, and the checked plan that backends get. */
import type { Condition, MatchClause, PathInput, SortClause } from "../query/ast.js";
import type { Lowered, Path } from "../query/lowered.js";

export const dateUnits = ["hour", "day", "week", "month", "quarter", "year"] as const;
export type DateUnit = (typeof dateUnits)[number];

export type GroupKey =
  | PathInput
  | { readonly bucket: PathInput; readonly width: number }
  | { readonly dateBucket: PathInput; readonly unit: DateUnit };

export interface AggregateFunction {
  readonly fn: "count" | "countDistinct" | "sum" | "avg" | "min" | "max" | "percentile";
  /** All but a plain `count` have one. */
  readonly path?: PathInput;
  /** Of `percentile`: 0 to 1. */
  readonly fraction?: number;
  /** Of `countDistinct`: an engine may estimate. */
  readonly approximate?: boolean;
}

export interface Aggregation {
  readonly where?: Condition;
  readonly match?: MatchClause;
  readonly groupBy?: { readonly [column: string]: GroupKey };
  readonly select: { readonly [column: string]: AggregateFunction };
  /** On the columns of the result. */
  readonly having?: Condition;
  /** By columns of the result; default: by the group keys, ascending. */
  readonly sort?: readonly SortClause[];
  readonly limit?: number;
  readonly offset?: number;
}

export type LoweredKey =
  | { readonly kind: "path"; readonly column: string; readonly path: Path }
  | { readonly kind: "bucket"; readonly column: string; readonly path: Path; readonly width: number }
  | { readonly kind: "dateBucket"; readonly column: string; readonly path: Path; readonly unit: DateUnit };

export type LoweredFunction =
  | { readonly kind: "count"; readonly column: string; readonly path: Path | undefined }
  | { readonly kind: "countDistinct"; readonly column: string; readonly path: Path; readonly approximate: boolean }
  | { readonly kind: "sum" | "avg" | "min" | "max"; readonly column: string; readonly path: Path }
  | { readonly kind: "percentile"; readonly column: string; readonly path: Path; readonly fraction: number };

/**
 * What a backend computes: one row per group, every group. Core applies `having`, sort, limit.
 *
 * Keys: missing and null are one group, null. A `path` key groups by deep equality; a string comes back as Date
 * where every value of the group is one. `bucket`: floor(value / width) × width of numbers, null for the rest.
 * `dateBucket`: start of the unit in UTC, weeks from Monday, for texts `YYYY-MM-DD` or
 * `YYYY-MM-DDTHH:MM:SS.sssZ` that are real dates, null for the rest; comes back as Date.
 *
 * Functions: `count` without a path counts records, with one the present values. `countDistinct`, `min`, `max`
 * skip null and missing; `min` and `max` follow the total order over scalars and leave arrays and objects out, and
 * a string comes back as Date where all strings at the path in the group are Dates. `sum`, `avg`, `percentile`
 * take numbers and skip the rest. On nothing: count 0, sum 0, else null.
 */
export interface AggregatePlan {
  readonly keys: readonly LoweredKey[];
  readonly functions: readonly LoweredFunction[];
}

export interface LoweredAggregation {
  readonly where: Lowered | undefined;
  readonly match: MatchClause | undefined;
  readonly plan: AggregatePlan;
  readonly having: Lowered | undefined;
  readonly sort: readonly SortClause[] | undefined;
  readonly limit: number | undefined;
  readonly offset: number;
}
