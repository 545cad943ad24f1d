/** Declared fields: comparisons of keys, which an index holds cut, and places in their order. */
import {
  type AfterLeaf,
  type CompareOp,
  type Operand,
  type Path,
  pathKey,
  rankOf,
  type TiedLeaf,
} from "@dataknobs/core/backend";
import { all, any, falsehood, prefixEnd, raw, type ScalarClass, type Sql, type SqlValue, sql } from "@dataknobs/sql";
import { arrayText } from "./arrays.js";
import type { KeyedField } from "./fields.js";
import { cutLength, keyOfOperand } from "./keys.js";

const arrayTypes: { readonly [K in ScalarClass]: string } = {
  boolean: "boolean[]",
  number: "float8[]",
  bigint: "text[]",
  string: "text[]",
  bytes: "text[]",
};

export function within(value: Sql, valueClass: ScalarClass, values: readonly SqlValue[]): Sql {
  return sql`${value} = ANY(${arrayText(values as readonly string[])}::${raw(arrayTypes[valueClass])})`;
}

const points = (text: string): string[] => [...text];
/** Whether the cut key has all of it. */
const isShort = (key: string): boolean => key.length < cutLength || points(key).length < cutLength;
const cutOf = (key: string): string => points(key).slice(0, cutLength).join("");

/** A field that an index holds the cut key of. Keys that are shorter are whole there, and compare as they are. */
export function declared(field: KeyedField, cut: Sql): Partial<KeyedField> {
  const { key } = field;
  const between = (rank: number, test: Sql | undefined, op: string): Sql => {
    const parts = [...(test === undefined ? [] : [test])];
    if (op !== ">" && op !== ">=" && op !== "=") parts.unshift(raw(`${cut.texts[0]} >= '${rank}'`));
    if (op !== "<" && op !== "<=" && op !== "=") parts.push(raw(`${cut.texts[0]} < '${rank + 1}'`));
    return all(parts);
  };
  const compare = (op: "=" | CompareOp, operand: Operand): Sql => {
    const rank = rankOf(operand.class);
    const whole = keyOfOperand(operand);
    const operator = raw(op);
    if (isShort(whole)) return between(rank, sql`${cut} ${operator} ${whole}`, op);
    const near = raw(op === "=" ? "=" : op.startsWith("<") ? "<=" : ">=");
    return between(rank, all([sql`${cut} ${near} ${cutOf(whole)}`, sql`${key} ${operator} ${whole}`]), op);
  };
  const ordering = (operand: Operand | undefined): Sql => (isShort(keyOfOperand(operand)) ? cut : key);
  return {
    cut,
    present: sql`${cut} >= '1'`,
    is: (valueClass) => between(rankOf(valueClass), undefined, "is"),
    compare,
    within(operands) {
      const keys = operands.map(keyOfOperand);
      const short = keys.filter(isShort);
      const long = operands.filter((_, index) => !isShort(keys[index] as string));
      const parts = long.map((operand) => compare("=", operand));
      if (short.length > 0) parts.unshift(within(cut, "string", short));
      return any(parts);
    },
    prefix(prefix) {
      const from = `4${prefix}`;
      const end = prefixEnd(prefix);
      if (!isShort(from)) return all([sql`${cut} = ${cutOf(from)}`, sql`starts_with(${key}, ${from})`]);
      return all([sql`${cut} >= ${from}`, sql`${cut} < ${end === undefined ? "5" : `4${end}`}`]);
    },
    after: (leaf) => afterOf(ordering(leaf.operand), field.path, leaf),
    tied: (leaf) => tiedOf(ordering(leaf.operand), field.path, leaf),
  };
}

/** What comes after the operand in the order of the key, with the nulls where they shall be. */
export function afterOf(key: Sql, path: Path, { operand, order: { descending, nullsFirst } }: AfterLeaf): Sql {
  const value = keyOfOperand(operand);
  const op = raw(descending ? "<" : ">");
  if (nullsFirst !== descending) {
    const place = `${pathKey(path)} ${value}`;
    const keyset = { kind: "after", place, columns: [key], values: [sql`${value}`], descending } as const;
    return { ...sql`${key} ${op} ${value}`, keyset };
  }
  if (operand === undefined) return nullsFirst ? sql`${key} >= '1'` : falsehood;
  const beyond = sql`${key} ${op} ${value}`;
  return nullsFirst ? all([sql`${key} >= '1'`, beyond]) : any([sql`${key} < '1'`, beyond]);
}

export function tiedOf(key: Sql, path: Path, { operand }: TiedLeaf): Sql {
  const value = keyOfOperand(operand);
  const place = `${pathKey(path)} ${value}`;
  const keyset = { kind: "tied", place, columns: [key], values: [sql`${value}`], descending: false } as const;
  return { ...sql`${key} = ${value}`, keyset };
}
