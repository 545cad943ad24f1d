/**
 * What differs between SQL engines. A dialect gives the fields of a record as expressions; the rest has defaults.
 *
 * Guaranteed by the compiler: a hook that returns nothing leaves its condition to core; nothing is guessed.
 */
import type {
  AfterLeaf,
  CompareOp,
  ContainsLeaf,
  DateUnit,
  Json,
  LikeLeaf,
  Operand,
  OverlapsLeaf,
  Path,
  RegexLeaf,
  TiedLeaf,
  ValueClass,
} from "@dataknobs/core/backend";
import type { Sql, SqlValue } from "./sql.js";

/** The classes that have an order, and so a value to compare. */
export type ScalarClass = Exclude<ValueClass, "null" | "array" | "object">;

/** One path of a record, as expressions. */
export interface Field {
  readonly path: Path;
  /** Always present and always a string: the id and the times. */
  readonly text: boolean;
  /** What `explain` calls the index that serves it. */
  readonly index?: string | undefined;
  /** The class by its rank in the total order: 0 for null and missing, 1 boolean … 7 object. Never NULL. */
  readonly rank: Sql;
  /**
   * Ordered within a rank as the contract orders it; bigints and bytes as their sortable keys; one constant for
   * null, arrays and objects. Never NULL.
   */
  readonly value: Sql;
  readonly present: Sql;
  is(valueClass: ValueClass): Sql;
  /** The value where it is of that class; anything elsewhere, but no error. */
  get(valueClass: ScalarClass): Sql;
  /** A cheaper way to say "of the operand's class, and in that relation to it", where there is one. */
  compare?(op: "=" | CompareOp, operand: Operand): Sql | undefined;
  /** The same of "equal to any of these", all of one class; of "a string with this prefix"; and of keyset paging. */
  within?(operands: readonly Operand[]): Sql | undefined;
  prefix?(prefix: string): Sql | undefined;
  after?(leaf: AfterLeaf): Sql | undefined;
  tied?(leaf: TiedLeaf): Sql | undefined;
  /** The text class test of an aggregate: whether a string here stands for a Date. */
  readonly isDate: Sql;
}

export interface Dialect {
  readonly name: string;
  /** `?`, or `$1`; positions count from 1. */
  placeholder(position: number): string;
  /** `undefined`: the engine cannot name this path exactly. */
  field(path: Path): Field | undefined;
  /** A scalar operand as a parameter to compare `get` and `value` with. */
  bind(operand: Operand): SqlValue;
  /** `value` is any of these, all of one class; by one parameter, since there may be 100,000. */
  within(value: Sql, valueClass: ScalarClass, values: readonly SqlValue[]): Sql;

  /** The text begins with the prefix; the default is a range by code point. */
  prefix?(text: Sql, prefix: string): Sql;
  like?(text: Sql, leaf: LikeLeaf): Sql | undefined;
  regex?(text: Sql, leaf: RegexLeaf): Sql | undefined;
  /** The field, an array or object, equals one of these deeply. */
  deepEquals?(field: Field, operands: readonly Operand[]): Sql | undefined;
  contains?(field: Field, leaf: ContainsLeaf): Sql | undefined;
  overlaps?(field: Field, leaf: OverlapsLeaf): Sql | undefined;

  /** Aggregation; without it core aggregates. */
  readonly aggregates?: AggregateDialect | undefined;
}

export interface AggregateDialect {
  /** One text for equal arrays and objects: `[value, types]` as JSON, to be read back. */
  deepKey(field: Field): Sql;
  /** Whether `present`, `0` or `1`, holds in every row of the group. */
  every(condition: Sql): Sql;
  bucket(number: Sql, width: number): Sql;
  /** Canonical ISO text, or NULL. */
  dateBucket(text: Sql, unit: DateUnit): Sql | undefined;
  percentile(number: Sql, fraction: number): Sql | undefined;
  /** Over the field's numbers; by default over `get("number")`. Where the engine's own fails beyond 1.8e308. */
  sum?(field: Field): Sql;
  avg?(field: Field): Sql;
  /** A scalar as JSON from its rank and `value`, where `value` is not what drivers give for it. */
  decode?(rank: number, value: string): Json;
}

/** The field of a path that the dialect is known to have. */
export function fieldOf(dialect: Dialect, path: Path): Field {
  const field = dialect.field(path);
  if (field === undefined) throw new TypeError(`${dialect.name} has no expression for ${path.text}.`);
  return field;
}
