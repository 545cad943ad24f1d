/**
 * Keyset paging. Core asks for "after by the first key, or level with it and after by the second, …", a
 * disjunction that no index serves. Where the order is the plain one, that is a comparison of rows, or implies
 * one, and an index on (rank, value, id) begins right there: the cost of a page does not grow with its number.
 */
import { type AfterLeaf, type CompareOp, type Operand, pathKey, rankOf, type TiedLeaf } from "@dataknobs/core/backend";
import type { Dialect, Field } from "./dialect.js";
import { all, any, falsehood, join, type Keyset, raw, type Sql, type SqlValue, sql, truth } from "./sql.js";

interface Place {
  readonly rank: number;
  /** `undefined`: every value of that rank is level. */
  readonly value: SqlValue | undefined;
}

function placeOf(dialect: Dialect, operand: Operand | undefined): Place {
  const rank = rankOf(operand?.class ?? "null");
  return { rank, value: operand === undefined || rank === 0 || rank >= 6 ? undefined : dialect.bind(operand) };
}

/** Of level values the field has one constant, so that a row of theirs can be compared. */
const level = "";

export function afterOf(dialect: Dialect, field: Field, { operand, order }: AfterLeaf): Sql {
  const { descending, nullsFirst } = order;
  const { rank, value } = placeOf(dialect, operand);
  const nullsPlain = nullsFirst !== descending;
  if (rank === 0) return nullsFirst ? field.present : falsehood;
  if (field.text) {
    const past = value === undefined || rank !== 4 ? otherClass(rank, descending) : textPast(field, descending, value);
    return past;
  }
  const op = raw(descending ? "<" : ">");
  const beyond =
    value === undefined
      ? sql`${field.rank} ${op} ${raw(String(rank))}`
      : sql`(${field.rank}, ${field.value}) ${op} (${raw(String(rank))}, ${value})`;
  if (!nullsPlain) return nullsFirst ? all([field.present, beyond]) : any([sql`${field.rank} = 0`, beyond]);
  return { ...beyond, keyset: keyset("after", field, { rank, value }, descending) };
}

function otherClass(rank: number, descending: boolean): Sql {
  return (descending ? 4 < rank : 4 > rank) ? truth : falsehood;
}

function textPast(field: Field, descending: boolean, value: SqlValue): Sql {
  return {
    ...sql`${field.value} ${raw(descending ? "<" : ">")} ${value}`,
    keyset: {
      kind: "after",
      place: `${pathKey(field.path)} ${value}`,
      columns: [field.value],
      values: [sql`${value}`],
      descending,
    },
  };
}

export function tiedOf(dialect: Dialect, field: Field, { operand }: TiedLeaf): Sql {
  const { rank, value } = placeOf(dialect, operand);
  if (field.text) {
    if (rank !== 4 || value === undefined) return falsehood;
    const place = `${pathKey(field.path)} ${value}`;
    return {
      ...sql`${field.value} = ${value}`,
      keyset: { kind: "tied", place, columns: [field.value], values: [sql`${value}`], descending: false },
    };
  }
  const ofRank = sql`${field.rank} = ${raw(String(rank))}`;
  const code = value === undefined ? ofRank : all([ofRank, sql`${field.value} = ${value}`]);
  return { ...code, keyset: keyset("tied", field, { rank, value }, false) };
}

function keyset(kind: "after" | "tied", field: Field, { rank, value }: Place, descending: boolean): Keyset {
  return {
    kind,
    place: `${pathKey(field.path)} ${rank} ${value ?? level}`,
    columns: [field.rank, field.value],
    values: [raw(String(rank)), sql`${value ?? level}`],
    descending,
  };
}

/** What an id comparison contributes. */
export function pastOf(field: Field, op: CompareOp, value: SqlValue): Keyset | undefined {
  if (op !== "<" && op !== ">") return undefined;
  return { kind: "past", place: "", columns: [field.value], values: [sql`${value}`], descending: op === "<" };
}

export function joinAll(parts: readonly Sql[]): Sql {
  const code = all(parts);
  const tied = parts.find((part) => part.keyset?.kind === "tied")?.keyset;
  if (tied === undefined) return code;
  const past = parts.length === 2 ? parts.find((part) => part.keyset?.kind === "past")?.keyset : undefined;
  if (past === undefined) return { ...code, keyset: tied };
  return {
    ...code,
    keyset: {
      kind: "tiedPast",
      place: tied.place,
      columns: [...tied.columns, ...past.columns],
      values: [...tied.values, ...past.values],
      descending: past.descending,
    },
  };
}

export function joinAny(parts: readonly Sql[]): Sql {
  const code = any(parts);
  const after = parts[0]?.keyset;
  const second = parts[1]?.keyset;
  if (after?.kind !== "after" || second === undefined) return code;
  if (parts.some(({ keyset }) => keyset === undefined || keyset.kind === "past" || keyset.place !== after.place))
    return code;
  // one key and the id, both in the same direction: the disjunction is the comparison
  if (parts.length === 2 && second.kind === "tiedPast" && second.descending === after.descending) {
    return row(second, after.descending ? "<" : ">");
  }
  // else the comparison of the first key follows from it, and says where to begin
  return sql`(${row(after, after.descending ? "<=" : ">=")} AND ${code})`;
}

function row({ columns, values }: Keyset, op: string): Sql {
  if (columns.length === 1) return sql`${columns[0] as Sql} ${raw(op)} ${values[0] as Sql}`;
  return sql`(${join(columns, ", ")}) ${raw(op)} (${join(values, ", ")})`;
}
