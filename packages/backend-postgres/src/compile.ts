/** The PostgreSQL dialect: jsonb expressions with type guards; declared fields by their keys, which an index holds. */
import {
  type AfterLeaf,
  type CompareOp,
  type Compiled,
  type Compiler,
  type ContainsLeaf,
  type LikeLeaf,
  type Operand,
  type OverlapsLeaf,
  type Path,
  pathKey,
  rankOf,
  type TiedLeaf,
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
  prefixEnd,
  raw,
  type ScalarClass,
  type Sql,
  type SqlValue,
  sql,
  truth,
} from "@dataknobs/sql";
import { arrayText } from "./arrays.js";
import { aggregatesOf } from "./groups.js";
import { cutLength, keyOfOperand, valueKey } from "./keys.js";
import {
  cutExpression,
  declaredAt,
  hasLists,
  idColumn,
  type JsonPieces,
  jsonPieces,
  keyExpression,
  type Layout,
  literal,
  rankExpression,
  timeText,
} from "./layout.js";
import { compileMatch } from "./match.js";

/** A field with what orders it. */
export interface KeyedField extends Field {
  /** In the total order; never NULL. */
  readonly key: Sql;
  /** What an index has of it; `key` decides where it is as long as can be. */
  readonly cut?: Sql | undefined;
}

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

const arrayTypes: { readonly [K in ScalarClass]: string } = {
  boolean: "boolean[]",
  number: "float8[]",
  bigint: "text[]",
  string: "text[]",
  bytes: "text[]",
};

function within(value: Sql, valueClass: ScalarClass, values: readonly SqlValue[]): Sql {
  return sql`${value} = ANY(${arrayText(values as readonly string[])}::${raw(arrayTypes[valueClass])})`;
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

function fieldOf(layout: Layout, path: Path): KeyedField | undefined {
  switch (path.root) {
    case "id":
      return textColumn(path, raw(idColumn(layout)));
    case "createdAt":
      return textColumn(path, raw(timeText("created_at")));
    case "updatedAt":
      return textColumn(path, raw(timeText("updated_at")));
  }
  if (path.segments.length === 0) return undefined;
  const spec = declaredAt(layout, path);
  const field = jsonField(layout, path);
  return spec === undefined
    ? field
    : { ...field, ...declared(field, raw(cutExpression(layout, path))), index: spec.name };
}

function textColumn(path: Path, column: Sql): KeyedField {
  return {
    path,
    text: true,
    index: path.root === "id" ? "id" : undefined,
    rank: raw("4"),
    value: column,
    key: column,
    present: truth,
    is: (valueClass) => (valueClass === "string" ? truth : falsehood),
    get: () => column,
    isDate: path.root === "id" ? falsehood : truth,
  };
}

function jsonField(layout: Layout, path: Path): KeyedField {
  const pieces = jsonPieces(layout, path);
  const { types } = pieces;
  const type = raw(pieces.type);
  const text = raw(`${pieces.text} COLLATE "C"`);
  const key = raw(`(${keyExpression(layout, path)}) COLLATE "C"`);
  const own = raw(`substr(${key.texts[0]}, 2)`);
  const ofType = (name: string, value: string): Sql => raw(`CASE WHEN ${pieces.type} = '${name}' THEN ${value} END`);
  const values: { readonly [K in ScalarClass]: Sql } = {
    boolean: ofType("boolean", `${pieces.json}::boolean`),
    number: ofType("number", pieces.double),
    string: text,
    bigint: own,
    bytes: own,
  };
  return {
    path,
    text: false,
    rank: raw(rankExpression(layout, path)),
    value: own,
    key,
    present: sql`coalesce(${type}, 'null') <> 'null'`,
    is(valueClass) {
      switch (valueClass) {
        case "null":
          return sql`coalesce(${type}, 'null') = 'null'`;
        case "string":
          return sql`${type} = 'string' AND ${raw(pieces.plain)}`;
        case "bigint":
        case "bytes":
          return raw(`${types} IS NOT NULL AND ${pieces.tag} = '${valueClass}' AND ${pieces.type} = 'string'`);
        default:
          return sql`${type} = ${raw(literal(valueClass))}`;
      }
    },
    get: (valueClass) => values[valueClass],
    // one look at the type instead of two: rows without an index are many
    compare(op, operand) {
      const { value } = operand;
      if (typeof value === "number") {
        return sql`CASE WHEN ${type} = 'number' THEN ${raw(pieces.double)} ${raw(op)} ${value} ELSE FALSE END`;
      }
      if (op === "=" && typeof value === "boolean") return raw(`${pieces.json} = '${value}'`);
      return undefined;
    },
    after: (leaf) => afterOf(key, path, leaf),
    tied: (leaf) => tiedOf(key, path, leaf),
    isDate: raw(`(${types} IS NOT NULL AND coalesce(${pieces.tag}, '') = 'date')`),
  };
}

const points = (text: string): string[] => [...text];
/** Whether the cut key has all of it. */
const isShort = (key: string): boolean => key.length < cutLength || points(key).length < cutLength;
const cutOf = (key: string): string => points(key).slice(0, cutLength).join("");

/** A field that an index holds the cut key of. Keys that are shorter are whole there, and compare as they are. */
function declared(field: KeyedField, cut: Sql): Partial<KeyedField> {
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
function afterOf(key: Sql, path: Path, { operand, order: { descending, nullsFirst } }: AfterLeaf): Sql {
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

function tiedOf(key: Sql, path: Path, { operand }: TiedLeaf): Sql {
  const value = keyOfOperand(operand);
  const place = `${pathKey(path)} ${value}`;
  const keyset = { kind: "tied", place, columns: [key], values: [sql`${value}`], descending: false } as const;
  return { ...sql`${key} = ${value}`, keyset };
}

/** Whole numbers from here on may be written in several ways, by other programs, and are still the same double. */
const exactBelow = 2 ** 53;

/** Whether jsonb's own equality, digit by digit, is that of the operand's numbers. */
function hasPlainNumbers(layout: Layout, value: unknown): boolean {
  if (!layout.shared) return true;
  if (typeof value === "number") return Math.abs(value) < exactBelow;
  if (typeof value !== "object" || value === null) return true;
  return Object.values(value).every((item) => hasPlainNumbers(layout, item));
}

const jsonOf = (operand: Operand): string => JSON.stringify(operand.value);

/** The bigints and bytes below a place, as `{ pointer from there: type }`. */
function typesBelow({ types }: JsonPieces, pointer: Sql): Sql {
  const found = sql`SELECT jsonb_object_agg(substr(k, length(${pointer}) + 1), v) FROM jsonb_each_text(${raw(types)}) AS each_type(k, v) WHERE v IN ('bigint', 'bytes') AND starts_with(k, ${pointer} || '/')`;
  return sql`CASE WHEN ${raw(types)} IS NULL THEN '{}' ELSE coalesce((${found}), '{}') END`;
}

/** Above so many operands a list of alternatives is worse than one test. */
const mostAlternatives = 20;

/** That a jsonb value is one of the operands, with the types in it. */
function isAny(value: Sql, operands: readonly Operand[], below: Sql): Sql {
  const bare = operands.filter(({ types }) => types === null);
  const parts = operands
    .filter(({ types }) => types !== null)
    .map(
      (one) => sql`(${value} = ${jsonOf(one)}::text::jsonb AND ${below} = ${JSON.stringify(one.types)}::text::jsonb)`,
    );
  if (bare.length > 0) {
    const list = `[${bare.map(jsonOf).join(",")}]`;
    const [only] = bare;
    const test =
      bare.length === 1 && only !== undefined
        ? sql`${value} = ${jsonOf(only)}::text::jsonb`
        : sql`${value} = ANY(ARRAY(SELECT jsonb_array_elements(${list}::text::jsonb)))`;
    parts.push(sql`(${test} AND ${below} = '{}')`);
  }
  return any(parts);
}

/** A test that an index of arrays and objects serves; it may find too much. */
function listed(layout: Layout, path: Path, values: readonly string[]): Sql | undefined {
  if (values.length > mostAlternatives || !hasLists(layout, path)) return undefined;
  const json = raw(jsonPieces(layout, path).json);
  return any(values.map((value) => sql`${json} @> ${value}::text::jsonb`));
}

function deepEquals(layout: Layout, field: Field, operands: readonly Operand[]): Sql | undefined {
  if (!operands.every(({ value }) => hasPlainNumbers(layout, value))) return undefined;
  const pieces = jsonPieces(layout, field.path);
  const classes = [...new Set(operands.map((operand) => literal(operand.class)))].join(", ");
  const exact = isAny(raw(pieces.json), operands, typesBelow(pieces, raw(literal(field.path.pointer))));
  const first = listed(layout, field.path, operands.map(jsonOf));
  return all([raw(`${pieces.type} IN (${classes})`), ...(first === undefined ? [] : [first]), exact]);
}

/** An array with an element equal to any of the operands. */
function containsAny(layout: Layout, field: Field, operands: readonly Operand[]): Sql | undefined {
  if (field.text) return falsehood;
  const wanted = operands.filter((operand) => isCanonical(operand));
  if (!wanted.every(({ value }) => hasPlainNumbers(layout, value))) return undefined;
  if (wanted.length === 0) return falsehood;
  const pieces = jsonPieces(layout, field.path);
  const json = raw(pieces.json);
  const isArray = raw(`${pieces.type} = 'array'`);
  const alternatives = wanted.length > mostAlternatives ? undefined : wanted.map((one) => `[${jsonOf(one)}]`);
  const first =
    alternatives === undefined ? undefined : any(alternatives.map((list) => sql`${json} @> ${list}::text::jsonb`));
  // of numbers and booleans containment is equality; of strings too where no record has types
  if (first !== undefined && wanted.every((one) => one.class === "number" || one.class === "boolean")) {
    return all([isArray, first]);
  }
  const tag = raw(`(${pieces.types} ->> (${literal(`${field.path.pointer}/`)} || (place - 1)::text))`);
  const below = typesBelow(pieces, sql`(${raw(literal(`${field.path.pointer}/`))} || (place - 1)::text)`);
  const tests: Sql[] = [];
  const scalars = wanted.filter((one) => isScalar(one) && one.class !== "bigint" && one.class !== "bytes");
  if (scalars.length > 0) {
    const plain = sql`(${raw(pieces.types)} IS NULL OR coalesce(${tag}, 'date') = 'date')`;
    const list = `[${scalars.map(jsonOf).join(",")}]`;
    tests.push(sql`(element = ANY(ARRAY(SELECT jsonb_array_elements(${list}::text::jsonb))) AND ${plain})`);
  }
  for (const typed of ["bigint", "bytes"] as const) {
    const texts = wanted.filter((one) => one.class === typed).map(({ value }) => value as string);
    if (texts.length > 0)
      tests.push(sql`(${tag} = ${raw(literal(typed))} AND ${within(raw("element #>> '{}'"), typed, texts)})`);
  }
  const deep = wanted.filter((one) => !isScalar(one));
  if (deep.length > 0) tests.push(isAny(raw("element"), deep, below));
  const elements = sql`EXISTS (SELECT 1 FROM jsonb_array_elements(CASE WHEN ${isArray} THEN ${json} ELSE '[]' END) WITH ORDINALITY AS each_element(element, place) WHERE ${any(tests)})`;
  const onlyStrings = wanted.every(
    (one) => one.class === "string" || one.class === "number" || one.class === "boolean",
  );
  if (first === undefined) return all([isArray, elements]);
  return onlyStrings
    ? all([isArray, first, sql`(${raw(pieces.types)} IS NULL OR ${elements})`])
    : all([isArray, first, elements]);
}
