/** The builder: a fluent way to write the plain query. Immutable; every step gives a new one. */
import type { TypeTag } from "../record/json.js";
import { encode } from "../record/values.js";
import type {
  Condition,
  FusionClause,
  LeafCondition,
  MatchClause,
  NearestClause,
  Operator,
  PathInput,
  Query,
  RegexOperand,
  SortClause,
} from "./ast.js";

/**
 * One condition, as plain JSON: operands that JSON lacks are turned into text with their type.
 *
 * @example
 * where("age", ">", 30);
 * where("joined", ">=", new Date("2024-01-01"));
 * where("bio", "exists");
 */
export function where(path: PathInput, op: Operator, value?: unknown): LeafCondition {
  if (value === undefined) return { path, op };
  if (Object.prototype.toString.call(value) === "[object RegExp]") {
    const { source, flags } = value as RegExp;
    return { path, op, value: { pattern: source, flags: flags.replace(/[dgyu]/g, "") } satisfies RegexOperand };
  }
  const { json, types } = encode(value, { subject: "the operand", code: "INVALID_QUERY", freeze: false });
  const own = types?.[""];
  if (types === null) return { path, op, value: json };
  return own !== undefined && own !== "float32"
    ? { path, op, value: json, type: own as Exclude<TypeTag, "float32"> }
    : { path, op, value: json, types };
}

/** All of them. Of none: true. */
export function and(...conditions: readonly Condition[]): Condition {
  return { and: conditions };
}

/** Any of them. Of none: false. */
export function or(...conditions: readonly Condition[]): Condition {
  return { or: conditions };
}

/** The complement: `not(where("age", ">", 20))` holds for records without an age too. */
export function not(condition: Condition): Condition {
  return { not: condition };
}

export class QueryBuilder {
  readonly #query: Query;

  constructor(base: Query = {}) {
    this.#query = base;
  }

  /** Adds a condition; several are joined by and. */
  filter(condition: Condition): QueryBuilder;
  filter(path: PathInput, op: Operator, value?: unknown): QueryBuilder;
  filter(first: Condition | PathInput, op?: Operator, value?: unknown): QueryBuilder {
    const condition = op === undefined ? (first as Condition) : where(first as PathInput, op, value);
    const before = this.#query.where;
    const joined =
      before === undefined ? condition : { and: "and" in before ? [...before.and, condition] : [before, condition] };
    return this.#with({ where: joined });
  }

  /** Full text: every word (or `mode: "any"`) occurs in some of the fields. */
  match(text: string, options: Omit<MatchClause, "text"> = {}): QueryBuilder {
    return this.#with({ match: { text, ...options } });
  }

  /**
   * The records nearest to a vector, the best first. With `match` both rankings are fused.
   *
   * @example
   * query().filter("lang", "=", "en").nearest("embedding", vector, { k: 10 });
   */
  nearest(path: PathInput, vector: ArrayLike<number>, options: Omit<NearestClause, "path" | "vector">): QueryBuilder {
    return this.#with({ nearest: { path, vector: Array.from(vector), ...options } });
  }

  /** How `match` and `nearest` make one ranking. */
  fuse(options: FusionClause): QueryBuilder {
    return this.#with({ fusion: options });
  }

  /** Adds a sort key. */
  sort(path: PathInput, direction: "asc" | "desc" = "asc", options: Pick<SortClause, "nulls"> = {}): QueryBuilder {
    return this.#with({ sort: [...(this.#query.sort ?? []), { path, direction, ...options }] });
  }

  limit(count: number): QueryBuilder {
    return this.#with({ limit: count });
  }

  offset(count: number): QueryBuilder {
    return this.#with({ offset: count });
  }

  /** Keeps only these paths of the data. */
  select(...paths: readonly PathInput[]): QueryBuilder {
    return this.#with({ select: [...(this.#query.select ?? []), ...paths] });
  }

  /** Continues after a page's `next`. */
  after(cursor: string): QueryBuilder {
    return this.#with({ after: cursor });
  }

  /** With `limit`: any rows will do. */
  unordered(): QueryBuilder {
    return this.#with({ unordered: true });
  }

  /** Refuses the query where core would evaluate a part of it in memory. */
  strict(): QueryBuilder {
    return this.#with({ residual: "error" });
  }

  /** The plain query. */
  toQuery(): Query {
    return this.#query;
  }

  /** For `JSON.stringify`. */
  toJSON(): Query {
    return this.#query;
  }

  #with(part: Query): QueryBuilder {
    return new QueryBuilder({ ...this.#query, ...part });
  }
}

/**
 * Begins a query.
 *
 * @example
 * query().filter("age", ">", 30).sort("age", "desc").limit(10);
 */
export function query(): QueryBuilder {
  return new QueryBuilder();
}
