/** The query as backends get it: checked, with negations resolved, paths split and operands encoded. */
import type { Json, TypeMap } from "../record/json.js";
import type { Metric } from "../vector/metric.js";
import type { Condition, LeafCondition } from "./ast.js";

export interface Path {
  /** `data` and `metadata` hold fields; the others are scalars with no segments. `createdAt` and `updatedAt`
   * compare as canonical ISO strings. */
  readonly root: "data" | "metadata" | "id" | "createdAt" | "updatedAt";
  readonly segments: readonly string[];
  /** JSON Pointer of the segments: the key into `types` or `metadataTypes`. */
  readonly pointer: string;
  /** As an error or a plan prints it. */
  readonly text: string;
}

/** The classes of the total order, in their order. Dates are strings; a Float32Array is an array. */
export const valueClasses = ["null", "boolean", "number", "bigint", "string", "bytes", "array", "object"] as const;
export type ValueClass = (typeof valueClasses)[number];

/** One operand: JSON, the types inside it, and the class of the whole. */
export interface Operand {
  readonly value: Json;
  /** Without `date` and `float32`, which no comparison tells apart. */
  readonly types: TypeMap | null;
  readonly class: ValueClass;
}

export type CompareOp = "<" | "<=" | ">" | ">=";

interface LeafBase {
  readonly path: Path;
  /** The condition as it was written, for plans and errors. */
  readonly source: Condition;
}
/** Present and not null. */
export interface ExistsLeaf extends LeafBase {
  readonly kind: "exists";
}
/** Same class and equal, deeply. The operand is never null. */
export interface EqualsLeaf extends LeafBase {
  readonly kind: "equals";
  readonly operand: Operand;
}
/** Same class and in that order. The operand is a boolean, number, bigint, string or bytes. */
export interface CompareLeaf extends LeafBase {
  readonly kind: "compare";
  readonly op: CompareOp;
  readonly operand: Operand;
}
/** Both ends included; both of one class, as for `compare`. */
export interface BetweenLeaf extends LeafBase {
  readonly kind: "between";
  readonly lower: Operand;
  readonly upper: Operand;
}
/** Equal to any. Without null; may be empty, which matches nothing. */
export interface InLeaf extends LeafBase {
  readonly kind: "in";
  readonly operands: readonly Operand[];
}
/** A string that fits the pattern: `%`, `_`, `\` escapes. */
export interface LikeLeaf extends LeafBase {
  readonly kind: "like";
  readonly pattern: string;
  /** Both sides through `toLowerCase()`; `pattern` is as written. */
  readonly insensitive: boolean;
}
/** A string in which the regular expression is found; `flags` include `u`. */
export interface RegexLeaf extends LeafBase {
  readonly kind: "regex";
  readonly pattern: string;
  readonly flags: string;
}
/** A string that begins with this one. */
export interface PrefixLeaf extends LeafBase {
  readonly kind: "prefix";
  readonly prefix: string;
}
/** An array with an element equal to the operand. */
export interface ContainsLeaf extends LeafBase {
  readonly kind: "contains";
  readonly operand: Operand;
}
/** An array that shares an element with these. */
export interface OverlapsLeaf extends LeafBase {
  readonly kind: "overlaps";
  readonly operands: readonly Operand[];
}
/**
 * Keyset paging: the value comes strictly after (or, for `tied`, is level with) the operand in the total
 * order as the sort key has it. `undefined` stands for null or missing. Arrays are level with each other, so
 * are objects.
 */
export interface AfterLeaf extends LeafBase {
  readonly kind: "after";
  readonly operand: Operand | undefined;
  readonly order: Order;
}
export interface TiedLeaf extends LeafBase {
  readonly kind: "tied";
  readonly operand: Operand | undefined;
}

export type Leaf =
  | ExistsLeaf
  | EqualsLeaf
  | CompareLeaf
  | BetweenLeaf
  | InLeaf
  | LikeLeaf
  | RegexLeaf
  | PrefixLeaf
  | ContainsLeaf
  | OverlapsLeaf
  | AfterLeaf
  | TiedLeaf;
export type LeafKind = Leaf["kind"];

export interface AndNode {
  readonly kind: "and";
  readonly conditions: readonly Lowered[];
}
export interface OrNode {
  readonly kind: "or";
  readonly conditions: readonly Lowered[];
}
export interface NotNode {
  readonly kind: "not";
  readonly condition: Lowered;
}
/** Every leaf is two-valued, so `not` is the true complement. Empty `and` is true, empty `or` false. */
export type Lowered = Leaf | AndNode | OrNode | NotNode;

/** One sort key. A list of them handed to a backend always ends with `id`, which breaks ties. */
export interface Order {
  readonly path: Path;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export interface Match {
  readonly text: string;
  /** The words of the text, by core's tokenizer, each once, in order of appearance. Never empty. */
  readonly words: readonly string[];
  readonly fields: readonly Path[];
  readonly mode: "all" | "any";
  readonly analyzer?: string;
}

/** Candidates are records with a Float32Array of as many numbers at the path; under cosine not all of them zero. */
export interface Nearest {
  readonly path: Path;
  /** Finite, 32-bit; under cosine not all zero. */
  readonly vector: Float32Array;
  readonly k: number;
  readonly metric: Metric;
  readonly minScore: number | undefined;
  /** No approximation. */
  readonly exact: boolean;
}

export interface Fusion {
  readonly by: "rank" | "score";
  readonly k: number;
  readonly weights: readonly [match: number, nearest: number];
}

export interface LoweredQuery {
  readonly where: Lowered | undefined;
  readonly match: Match | undefined;
  readonly nearest?: Nearest | undefined;
  /** Of `match` and `nearest`, where both are there. */
  readonly fusion?: Fusion | undefined;
  /** As asked for, `id` added; empty where the order does not matter. */
  readonly order: readonly Order[];
  /** With `match` or `nearest`, and without `sort`: by score, then id. */
  readonly byScore: boolean;
  readonly limit: number | undefined;
  readonly offset: number;
  readonly select: readonly Path[] | undefined;
  readonly residual: "allow" | "error" | undefined;
}

export type { LeafCondition };
