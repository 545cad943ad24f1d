/** Conditions to SQL: one handler per leaf kind, shared by all dialects. */
import {
  type BetweenLeaf,
  type CompareLeaf,
  type Compiled,
  type Compiler,
  fromBase64,
  type Leaf,
  type Operand,
  toBase64,
} from "@dataknobs/core/backend";
import { aggregatePlanOf } from "./aggregate.js";
import type { Dialect, Field, ScalarClass } from "./dialect.js";
import { afterOf, joinAll, joinAny, pastOf, tiedOf } from "./keyset.js";
import { orderIndex } from "./order.js";
import { all, any, complement, falsehood, raw, type Sql, sql } from "./sql.js";
import { likeShape, prefixEnd } from "./text.js";

/** The compiler of a dialect, with a handler for each kind of leaf that the dialect may serve. Every code it gives is exact. */
export function compilerOf(dialect: Dialect): Compiler<Sql> {
  const at = <L extends Leaf>(code: (field: Field, leaf: L) => Sql | undefined) => {
    return (leaf: L): Compiled<Sql> | undefined => {
      const field = dialect.field(leaf.path);
      const compiled = field === undefined ? undefined : code(field, leaf);
      if (field === undefined || compiled === undefined) return undefined;
      return { code: compiled, exact: true, index: servedBy(field, leaf) };
    };
  };
  const { regex, contains, overlaps } = dialect;
  return {
    // without the dialect's hook there is no handler: capabilities list what is here
    leaf: {
      exists: at((field) => field.present),
      equals: at((field, { operand }) => equals(dialect, field, operand)),
      compare: at((field, leaf) => compare(dialect, field, leaf)),
      between: at((field, leaf) => between(dialect, field, leaf)),
      in: at((field, { operands }) => within(dialect, field, operands)),
      like: at((field, leaf) => like(dialect, field, leaf)),
      ...(regex !== undefined && { regex: at((field, leaf) => textual(field, regex(field.get("string"), leaf))) }),
      prefix: at((field, { prefix }) => beginsWith(dialect, field, prefix)),
      ...(contains !== undefined && { contains: at(contains) }),
      ...(overlaps !== undefined && {
        overlaps: at((field, leaf) => (leaf.operands.length === 0 ? falsehood : overlaps(field, leaf))),
      }),
      after: at((field, leaf) => field.after?.(leaf) ?? afterOf(dialect, field, leaf)),
      tied: at((field, leaf) => field.tied?.(leaf) ?? tiedOf(dialect, field, leaf)),
    },
    and: joinAll,
    or: joinAny,
    not: complement,
    order: (order) => orderIndex(dialect, order),
    aggregate: (plan) => (aggregatePlanOf(dialect, plan) === undefined ? undefined : {}),
  };
}

/** The operators that a b-tree on rank and value serves. */
function servedBy(field: Field, leaf: Leaf): string | undefined {
  switch (leaf.kind) {
    case "contains":
    case "overlaps":
    case "regex":
      return undefined;
    case "equals":
      return isScalar(leaf.operand) ? field.index : undefined;
    case "like": {
      if (leaf.insensitive) return undefined;
      const shape = likeShape(leaf.pattern);
      const begins =
        shape.kind === "equals" || shape.kind === "prefix" || (shape.kind === "pattern" && shape.prefix !== "");
      return begins ? field.index : undefined;
    }
    default:
      return field.index;
  }
}

export function isScalar(operand: Operand): boolean {
  return operand.class !== "array" && operand.class !== "object" && operand.class !== "null";
}

/** Bytes are equal as text, so that text no encoder writes equals nothing that is stored. */
export function isCanonical(operand: Operand): boolean {
  if (operand.class !== "bytes") return true;
  const bytes = fromBase64(operand.value as string);
  return bytes !== undefined && toBase64(bytes) === operand.value;
}

function equals(dialect: Dialect, field: Field, operand: Operand): Sql | undefined {
  if (field.text && operand.class !== "string") return falsehood;
  if (!isScalar(operand)) return dialect.deepEquals?.(field, [operand]);
  return isCanonical(operand) ? related(dialect, field, "=", operand) : falsehood;
}

function compare(dialect: Dialect, field: Field, { op, operand }: CompareLeaf): Sql {
  if (field.text && operand.class !== "string") return falsehood;
  const code = related(dialect, field, op, operand);
  const past = field.path.root === "id" ? pastOf(field, op, dialect.bind(operand)) : undefined;
  return past === undefined ? code : { ...code, keyset: past };
}

function between(dialect: Dialect, field: Field, { lower, upper }: BetweenLeaf): Sql {
  if (field.text && lower.class !== "string") return falsehood;
  return all([related(dialect, field, ">=", lower), related(dialect, field, "<=", upper)]);
}

function related(dialect: Dialect, field: Field, op: "=" | CompareLeaf["op"], operand: Operand): Sql {
  const special = field.compare?.(op, operand);
  if (special !== undefined) return special;
  const valueClass = operand.class as ScalarClass;
  const test = sql`${field.get(valueClass)} ${raw(op)} ${dialect.bind(operand)}`;
  return field.text ? test : all([field.is(valueClass), test]);
}

function within(dialect: Dialect, field: Field, operands: readonly Operand[]): Sql | undefined {
  const classes = new Map<ScalarClass, Operand[]>();
  const deep: Operand[] = [];
  for (const operand of operands) {
    if (field.text && operand.class !== "string") continue;
    if (!isScalar(operand)) deep.push(operand);
    else if (isCanonical(operand)) {
      const valueClass = operand.class as ScalarClass;
      const list = classes.get(valueClass);
      if (list === undefined) classes.set(valueClass, [operand]);
      else list.push(operand);
    }
  }
  const parts = [...classes].map(([valueClass, list]) => {
    const [only] = list;
    if (list.length === 1 && only !== undefined) return related(dialect, field, "=", only);
    const special = field.within?.(list);
    if (special !== undefined) return special;
    const test = dialect.within(field.get(valueClass), valueClass, list.map(dialect.bind));
    return field.text ? test : all([field.is(valueClass), test]);
  });
  if (deep.length > 0) {
    const part = dialect.deepEquals?.(field, deep);
    if (part === undefined) return undefined;
    parts.push(part);
  }
  return any(parts);
}

/** A test of a text, where the field is one. */
function textual(field: Field, test: Sql | undefined): Sql | undefined {
  if (test === undefined) return undefined;
  return field.text ? test : all([field.is("string"), test]);
}

function beginsWith(dialect: Dialect, field: Field, prefix: string): Sql {
  if (prefix === "") return field.text ? raw("TRUE") : field.is("string");
  const special = field.prefix?.(prefix);
  if (special !== undefined) return special;
  const text = field.get("string");
  if (dialect.prefix !== undefined) return textual(field, dialect.prefix(text, prefix)) as Sql;
  const end = prefixEnd(prefix);
  const from = sql`${text} >= ${prefix}`;
  return textual(field, end === undefined ? from : all([from, sql`${text} < ${end}`])) as Sql;
}

function like(dialect: Dialect, field: Field, leaf: Parameters<NonNullable<Dialect["like"]>>[1]): Sql | undefined {
  const text = field.get("string");
  if (leaf.insensitive) return textual(field, dialect.like?.(text, leaf));
  const shape = likeShape(leaf.pattern);
  switch (shape.kind) {
    case "any":
      return beginsWith(dialect, field, "");
    case "prefix":
      return beginsWith(dialect, field, shape.text);
    case "equals":
      return related(dialect, field, "=", textOperand(shape.text));
    case "pattern": {
      const test = textual(field, dialect.like?.(text, leaf));
      return test === undefined || shape.prefix === "" ? test : all([beginsWith(dialect, field, shape.prefix), test]);
    }
    default:
      return textual(field, dialect.like?.(text, leaf));
  }
}

function textOperand(value: string): Operand {
  return { value, types: null, class: "string" };
}
