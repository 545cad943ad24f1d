/** The DuckDB dialect: typed columns of declared fields, JSON functions guarded by `json_type` for the rest. */
import {
  type Compiled,
  type Compiler,
  type ContainsLeaf,
  type EqualsLeaf,
  type InLeaf,
  type LikeLeaf,
  type Operand,
  type OverlapsLeaf,
  type Path,
  parseLike,
} from "@dataknobs/core/backend";
import {
  all,
  any,
  compilerOf as compilerOfDialect,
  type Dialect,
  type Field,
  falsehood,
  isCanonical,
  isScalar,
  likeShape,
  quoteText,
  raw,
  type ScalarClass,
  type Sql,
  type SqlValue,
  sql,
} from "@dataknobs/sql";
import { bind, type DuckField, fieldsOf } from "./fields.js";
import { afterOf, tiedOf } from "./keyset.js";
import type { Layout } from "./layout.js";

export interface DuckDialect extends Dialect {
  field(path: Path): DuckField | undefined;
}

export function dialectOf(layout: Layout): DuckDialect {
  return {
    name: "duckdb",
    placeholder: (position) => `$${position}`,
    field: fieldsOf(layout),
    bind,
    within,
    like: (text, { pattern }) => likeTest(text, pattern),
    contains: (field, { operand }: ContainsLeaf) => containsAny(field as DuckField, [operand]),
    overlaps: (field, { operands }: OverlapsLeaf) => containsAny(field as DuckField, operands),
  };
}

export function compilerOf(dialect: DuckDialect, aggregates: NonNullable<Compiler<Sql>["aggregate"]>): Compiler<Sql> {
  const shared = compilerOfDialect(dialect);
  const { equals, in: within, like } = shared.leaf;
  return {
    ...shared,
    leaf: {
      ...shared.leaf,
      equals: (leaf) => deepEquals(dialect, leaf, [leaf.operand]) ?? equals?.(leaf),
      in: (leaf) => deepEquals(dialect, leaf, leaf.operands) ?? within?.(leaf),
      like: (leaf) => (leaf.insensitive ? insensitiveLike(dialect, leaf) : like?.(leaf)),
      after: (leaf) => exactly(dialect, leaf.path, (field) => afterOf(field, leaf)),
      tied: (leaf) => exactly(dialect, leaf.path, (field) => tiedOf(field, leaf)),
    },
    // a comparison of the whole row, as keyset paging makes it elsewhere, helps no columnar scan
    and: all,
    or: any,
    order: (order) => (order.every(({ path }) => dialect.field(path) !== undefined) ? {} : undefined),
    aggregate: aggregates,
    why: (leaf) => {
      if (leaf.kind === "regex") return "DuckDB's regular expressions are not JavaScript's";
      if (leaf.kind === "like" && leaf.insensitive) return "DuckDB's lower case is JavaScript's for ASCII only";
      return dialect.field(leaf.path) === undefined ? "no JSON path of DuckDB's names just this field" : undefined;
    },
  };
}

function exactly(dialect: DuckDialect, path: Path, code: (field: DuckField) => Sql): Compiled<Sql> | undefined {
  const field = dialect.field(path);
  return field === undefined ? undefined : { code: code(field), exact: true, index: field.index };
}

/** Few values one by one, many as one list. */
const longestList = 64;

const listTypes: { readonly [K in ScalarClass]: string } = {
  boolean: "BOOLEAN",
  number: "DOUBLE",
  bigint: "VARCHAR",
  string: "VARCHAR",
  bytes: "VARCHAR",
};

function within(value: Sql, valueClass: ScalarClass, values: readonly SqlValue[]): Sql {
  if (values.length <= longestList) {
    const [first, ...rest] = values;
    return sql`${value} IN (${rest.reduce<Sql>((list, one) => sql`${list}, ${one}`, sql`${first as SqlValue}`)})`;
  }
  return sql`${value} IN (SELECT unnest(${listOf(values, listTypes[valueClass])}))`;
}

/** Values as one parameter, whatever their number. */
export function listOf(values: readonly SqlValue[], type: string): Sql {
  return sql`from_json(${JSON.stringify(values)}, ${raw(quoteText(`["${type}"]`))})`;
}

/** Arrays and objects by their class: DuckDB compares JSON as text, so core looks again. */
function deepEquals(
  dialect: DuckDialect,
  leaf: EqualsLeaf | InLeaf,
  operands: readonly Operand[],
): Compiled<Sql> | undefined {
  const field = dialect.field(leaf.path);
  const deep = new Set(operands.filter((operand) => !isScalar(operand)).map((operand) => operand.class));
  if (field === undefined || field.text || deep.size === 0) return undefined;
  const scalars = operands.filter((operand) => isScalar(operand) && isCanonical(operand));
  const code = any([
    ...[...deep].map((one) => field.is(one)),
    ...scalars.map((operand) => field.compare?.("=", operand) ?? falsehood),
  ]);
  return { code, exact: false, index: field.index, why: "DuckDB compares arrays and objects as text" };
}

/**
 * By the cheapest test that is exact, and linear in the text: DuckDB's own LIKE tries every place for every `%`. RE2
 * never goes back; its dot is one code point.
 */
function likeTest(text: Sql, pattern: string): Sql {
  const shape = likeShape(pattern);
  switch (shape.kind) {
    case "any":
      return sql`${text} IS NOT NULL`;
    case "equals":
      return sql`${text} = ${shape.text}`;
    case "prefix":
      return sql`starts_with(${text}, ${shape.text})`;
    case "suffix":
      return sql`suffix(${text}, ${shape.text})`;
    case "includes":
      return sql`contains(${text}, ${shape.text})`;
    case "pattern": {
      const parts = (parseLike(pattern) ?? []).map((part) =>
        part.kind === "text"
          ? part.text.replace(/[^\p{L}\p{N}\s]/gu, escapeCharacter)
          : part.kind === "any"
            ? ".*"
            : ".",
      );
      return sql`regexp_full_match(${text}, ${parts.join("")}, 's')`;
    }
  }
}

/** RE2 takes a backslash before ASCII punctuation only. */
function escapeCharacter(character: string): string {
  return character.charCodeAt(0) < 0x80 ? `\\${character}` : character;
}

/**
 * `lower` is `toLowerCase` for ASCII: such texts are tested, the others are left to core. A pattern with other
 * characters is not narrowed, since those may come of ASCII letters or become them.
 */
function insensitiveLike(dialect: DuckDialect, { path, pattern }: LikeLeaf): Compiled<Sql> | undefined {
  const field = dialect.field(path);
  if (field === undefined || !/^[\x20-\x7e]*$/.test(pattern)) return undefined;
  const text = field.as("string");
  if (hasNoCase(pattern)) return { code: likeTest(text, pattern), exact: true, index: field.index };
  const code = sql`CASE WHEN strlen(${text}) = length(${text}) THEN ${likeTest(sql`lower(${text})`, pattern.toLowerCase())} ELSE ${text} IS NOT NULL END`;
  return { code, exact: false, index: field.index, why: "DuckDB's lower case is JavaScript's for ASCII only" };
}

/** Lower case makes no ASCII but letters, and takes none away; `_` would count what became two characters. */
function hasNoCase(pattern: string): boolean {
  return !/[A-Za-z]/.test(pattern) && (parseLike(pattern) ?? []).every(({ kind }) => kind !== "one");
}

/**
 * An array with an element equal to any of the operands. Elements and operands go through the same writer of JSON, so
 * that equal values have equal texts, and texts say their class; bigints and bytes are told by the types beside.
 */
function containsAny(field: Field, operands: readonly Operand[]): Sql | undefined {
  const { text, elements, path } = field as DuckField;
  if (text) return falsehood;
  if (elements === undefined || operands.some((operand) => !isScalar(operand))) return undefined;
  const root = path.root === "metadata" ? "metadata" : "data";
  const tagAt = raw(
    `json_extract_string(types, ${quoteText(`/${root}/`)} || ${quoteText(pointerStep(`${path.pointer}/`))} || (i - 1))`,
  );
  const parts: Sql[] = [];
  const add = (wanted: readonly Operand[], plain: boolean, tagged: Sql | undefined): void => {
    if (wanted.length === 0) return;
    const list = sql`json_extract(${JSON.stringify(wanted.map(({ value }) => value))}, '$[*]')`;
    if (plain)
      parts.push(
        sql`(${tagged === undefined ? raw("TRUE") : raw("types IS NULL")} AND list_has_any(${elements}, ${list}))`,
      );
    if (tagged === undefined) return;
    const test = sql`list_contains(${list}, ${elements}[i]) AND ${tagged}`;
    parts.push(sql`(types IS NOT NULL AND len(list_filter(range(1, len(${elements}) + 1), lambda i: ${test})) > 0)`);
  };
  const good = operands.filter(isCanonical);
  const ofClass = (...classes: string[]): Operand[] => good.filter((operand) => classes.includes(operand.class));
  add(ofClass("number", "boolean"), true, undefined);
  add(ofClass("string"), true, sql`coalesce(${tagAt}, 'date') = 'date'`);
  for (const one of ["bigint", "bytes"]) add(ofClass(one), false, sql`${tagAt} = ${raw(quoteText(one))}`);
  return parts.length === 0 ? falsehood : any(parts);
}

/** One step of a JSON Pointer. */
function pointerStep(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
