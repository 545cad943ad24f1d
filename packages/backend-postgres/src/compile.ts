/** What PostgreSQL is asked: conditions as its dialect has them. */
import type { Compiled, Compiler, ContainsLeaf, LikeLeaf, Operand, OverlapsLeaf, Path } from "@dataknobs/core/backend";
import { pathKey } from "@dataknobs/core/backend";
import {
  all,
  compilerOf as compilerOfDialect,
  type Dialect,
  likeShape,
  type Sql,
  type SqlValue,
  sql,
} from "@dataknobs/sql";
import { within } from "./declared.js";
import { fieldOf, type KeyedField } from "./fields.js";
import { aggregatesOf } from "./groups.js";
import { valueKey } from "./keys.js";
import { declaredAt, hasLists, type Layout } from "./layout.js";
import { containsAny, deepEquals, mostAlternatives } from "./lists.js";
import { compileMatch } from "./match.js";
import { compileNearest } from "./vectors.js";

export interface PostgresDialect extends Dialect {
  field(path: Path): KeyedField | undefined;
}

export function dialectOf(layout: Layout): PostgresDialect {
  const fields = new Map<string, KeyedField | undefined>();
  return {
    name: "postgres",
    placeholder: (position) => `$${position}`,
    field(path) {
      const key = pathKey(path);
      if (!fields.has(key)) {
        if (fields.size > 1000) fields.clear();
        fields.set(key, fieldOf(layout, path));
      }
      return fields.get(key);
    },
    bind,
    within: (value, valueClass, values) => within(value, valueClass, values),
    like: (text, leaf) => (leaf.insensitive ? undefined : like(text, leaf)),
    deepEquals: (field, operands) => deepEquals(layout, field, operands),
    contains: (field, { operand }: ContainsLeaf) => containsAny(layout, field, [operand]),
    overlaps: (field, { operands }: OverlapsLeaf) => containsAny(layout, field, operands),
    aggregates: aggregatesOf(layout),
  };
}

export function compilerOf(layout: Layout, dialect: PostgresDialect): Compiler<Sql> {
  const compiler = compilerOfDialect(dialect);
  const { equals, contains, overlaps } = compiler.leaf;
  /** With the index of lists and objects, which the shared compiler does not know of. */
  const named = <L extends { readonly path: Path }>(
    handler: ((leaf: L) => Compiled<Sql> | undefined) | undefined,
    operands: (leaf: L) => readonly Operand[],
  ) => {
    return (leaf: L): Compiled<Sql> | undefined => {
      const compiled = handler?.(leaf);
      const few = operands(leaf).length <= mostAlternatives && hasLists(layout, leaf.path);
      return compiled === undefined || !few ? compiled : { ...compiled, index: declaredAt(layout, leaf.path)?.name };
    };
  };
  return {
    ...compiler,
    leaf: {
      ...compiler.leaf,
      equals: named(equals, ({ operand }) => [operand]),
      contains: named(contains, ({ operand }) => [operand]),
      overlaps: named(overlaps, ({ operands }) => operands),
      like: (leaf) => (leaf.insensitive ? foldedLike(dialect, leaf) : compiler.leaf.like?.(leaf)),
    },
    match: (match) => compileMatch(layout, match),
    nearest: (nearest) => (layout.extension === undefined ? undefined : compileNearest(layout, nearest)),
    why: ({ kind }) => (kind === "regex" ? "PostgreSQL's regular expressions are not JavaScript's" : undefined),
  };
}

function bind(operand: Operand): SqlValue {
  switch (operand.class) {
    case "bigint":
    case "bytes":
      return valueKey(operand);
    default:
      return operand.value as string | number | boolean;
  }
}

/** Patterns mean the same in both, `\` included. */
function like(text: Sql, { pattern }: LikeLeaf): Sql {
  const shape = likeShape(pattern);
  switch (shape.kind) {
    case "includes":
      return sql`strpos(${text}, ${shape.text}) > 0`;
    case "suffix":
      return sql`right(${text}, ${[...shape.text].length}) = ${shape.text}`;
    default:
      return sql`${text} LIKE ${pattern}`;
  }
}

/** Lower case is the same in both for ASCII; core looks at all other texts again. */
function foldedLike(
  dialect: PostgresDialect,
  { path, pattern }: LikeLeaf,
): ReturnType<NonNullable<Compiler<Sql>["leaf"]["like"]>> {
  const field = dialect.field(path);
  if (field === undefined) return undefined;
  const text = field.get("string");
  const folded = sql`lower(${text}) LIKE ${pattern.toLowerCase()}`;
  const code = all([field.is("string"), sql`(octet_length(${text}) <> length(${text}) OR ${folded})`]);
  return { code, exact: false, why: "PostgreSQL and JavaScript differ in lower case beyond ASCII" };
}
