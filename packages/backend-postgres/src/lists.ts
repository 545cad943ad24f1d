/** Lists and objects: deep equality with the types in them, and elements; narrowed first by an index where there is one. */
import type { Operand, Path } from "@dataknobs/core/backend";
import { all, any, type Field, falsehood, isCanonical, isScalar, raw, type Sql, sql } from "@dataknobs/sql";
import { within } from "./declared.js";
import { hasLists, type JsonPieces, jsonPieces, type Layout, literal } from "./layout.js";

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
export const mostAlternatives = 20;

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

export function deepEquals(layout: Layout, field: Field, operands: readonly Operand[]): Sql | undefined {
  if (!operands.every(({ value }) => hasPlainNumbers(layout, value))) return undefined;
  const pieces = jsonPieces(layout, field.path);
  const classes = [...new Set(operands.map((operand) => literal(operand.class)))].join(", ");
  const exact = isAny(raw(pieces.json), operands, typesBelow(pieces, raw(literal(field.path.pointer))));
  const first = listed(layout, field.path, operands.map(jsonOf));
  return all([raw(`${pieces.type} IN (${classes})`), ...(first === undefined ? [] : [first]), exact]);
}

/** An array with an element equal to any of the operands. */
export function containsAny(layout: Layout, field: Field, operands: readonly Operand[]): Sql | undefined {
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
