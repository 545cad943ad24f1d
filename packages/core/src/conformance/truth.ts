/**
 * The truth table of conditions, written by hand from the contract: which of these values each condition holds
 * for. Core's tests pin the reference matcher with it, the suite every backend.
 */
import type { Operator } from "../query/ast.js";
import type { Fields, Value } from "../record/values.js";

/** The names of the values, and the ids of their records. */
export const truthNames = [
  "missing",
  "null",
  "true",
  "false",
  "zero",
  "ten",
  "tenAndHalf",
  "minusThree",
  "bigTen",
  "bigTwo",
  "textTen",
  "empty",
  "Oslo",
  "oslo",
  "date",
  "iso",
  "bytes",
  "base64",
  "noItems",
  "mixed",
  "words",
  "vector",
  "pair",
  "blank",
  "object",
  "nullField",
] as const;

export type TruthName = (typeof truthNames)[number];

/** One record per value, in the field `v`. */
const truthValues: { readonly [K in TruthName]: Value } = {
  missing: undefined,
  null: null,
  true: true,
  false: false,
  zero: 0,
  ten: 10,
  tenAndHalf: 10.5,
  minusThree: -3,
  bigTen: 10n,
  bigTwo: 2n,
  textTen: "10",
  empty: "",
  Oslo: "Oslo",
  oslo: "oslo",
  date: new Date("2024-01-31T00:00:00.000Z"),
  iso: "2024-01-31T00:00:00.000Z",
  bytes: new Uint8Array([1, 2]),
  base64: "AQI=",
  noItems: [],
  mixed: [1, "1", null, 10n],
  words: ["red", "blue"],
  vector: new Float32Array([1, 2]),
  pair: [1, 2],
  blank: {},
  object: { a: 1, b: 2 },
  nullField: { a: null },
};

export function truthFields(name: TruthName): Fields {
  return name === "missing" ? { other: 1 } : { v: truthValues[name] };
}

const strings = ["textTen", "empty", "Oslo", "oslo", "date", "iso", "base64"] as const;

function except(...names: readonly TruthName[]): TruthName[] {
  return truthNames.filter((name) => name !== "missing" && name !== "null" && !names.includes(name));
}

function stringsExcept(...names: readonly TruthName[]): TruthName[] {
  return strings.filter((name) => !(names as readonly string[]).includes(name));
}

export interface TruthRow {
  /** What the row shows; unique. */
  readonly says: string;
  readonly op: Operator;
  readonly operand?: unknown;
  readonly holds: readonly TruthName[];
}

const day = (text: string): Date => new Date(`${text}T00:00:00.000Z`);
const bytes = (...values: readonly number[]): Uint8Array => new Uint8Array(values);

// biome-ignore format: a table
const rows: readonly (readonly [says: string, op: Operator, operand: unknown, holds: readonly TruthName[]])[] = [
  ["null means missing or null", "=", null, ["missing", "null"]],
  ["true", "=", true, ["true"]],
  ["false is not zero, empty or null", "=", false, ["false"]],
  ["numbers by value, not the text or the bigint", "=", 10, ["ten"]],
  ["zero is not false, empty or null", "=", 0, ["zero"]],
  ["minus zero is zero", "=", -0, ["zero"]],
  ["a number that none has", "=", 11, []],
  ["bigints by value, not the number or the text", "=", 10n, ["bigTen"]],
  ["text of digits is not the number", "=", "10", ["textTen"]],
  ["empty text is present", "=", "", ["empty"]],
  ["text is case-sensitive", "=", "Oslo", ["Oslo"]],
  ["a Date is its ISO text", "=", day("2024-01-31"), ["date", "iso"]],
  ["ISO text is the Date", "=", "2024-01-31T00:00:00.000Z", ["date", "iso"]],
  ["bytes are not their base64 text", "=", bytes(1, 2), ["bytes"]],
  ["base64 text is not the bytes", "=", "AQI=", ["base64"]],
  ["an empty list", "=", [], ["noItems"]],
  ["lists deeply, and a vector is a list of numbers", "=", [1, 2], ["vector", "pair"]],
  ["a vector as operand", "=", new Float32Array([1, 2]), ["vector", "pair"]],
  ["the order of a list matters", "=", [2, 1], []],
  ["a list keeps the classes of its elements", "=", [1, "1", null, 10n], ["mixed"]],
  ["a text in a list is not the bigint", "=", [1, "1", null, "10"], []],
  ["an empty object", "=", {}, ["blank"]],
  ["objects deeply, key order irrelevant", "=", { b: 2, a: 1 }, ["object"]],
  ["a part of an object is not equal", "=", { a: 1 }, []],
  ["a null field differs from none", "=", { a: null }, ["nullField"]],

  ["null means present", "!=", null, except()],
  ["holds for present values of other classes", "!=", 10, except("ten")],
  ["text of digits", "!=", "10", except("textTen")],
  ["bigint", "!=", 10n, except("bigTen")],
  ["true", "!=", true, except("true")],
  ["bytes", "!=", bytes(1, 2), except("bytes")],
  ["a list", "!=", [1, 2], except("vector", "pair")],
  ["an object", "!=", { a: 1, b: 2 }, except("object")],
  ["a Date", "!=", day("2024-01-31"), except("date", "iso")],

  ["numbers only", "<", 10, ["zero", "minusThree"]],
  ["the bound itself", "<=", 10, ["zero", "minusThree", "ten"]],
  ["numbers only", ">", 10, ["tenAndHalf"]],
  ["the bound itself", ">=", 10, ["ten", "tenAndHalf"]],
  ["strings by code point, Dates among them", "<", "Oslo", ["textTen", "empty", "date", "iso", "base64"]],
  ["strings by code point", ">=", "Oslo", ["Oslo", "oslo"]],
  ["every string but the empty one", ">", "", stringsExcept("empty")],
  ["no string is below the empty one", "<", "", []],
  ["a Date bound takes strings too", "<", day("2024-02-01"), ["empty", "textTen", "date", "iso"]],
  ["a text bound takes Dates too", ">=", "2024-01-31", ["date", "iso", "Oslo", "oslo", "base64"]],
  ["false comes before true", "<", true, ["false"]],
  ["booleans only", "<=", true, ["true", "false"]],
  ["true comes after false", ">", false, ["true"]],
  ["nothing comes after true", ">", true, []],
  ["bigints by value, not as text", "<", 10n, ["bigTwo"]],
  ["bigints only", ">", 2n, ["bigTen"]],
  ["bigints include the bound", ">=", 2n, ["bigTwo", "bigTen"]],
  ["bytes byte by byte", ">", bytes(1), ["bytes"]],
  ["bytes include the bound", "<=", bytes(1, 2), ["bytes"]],
  ["bytes only", "<", bytes(1, 2), []],

  ["both ends included", "between", [0, 10], ["zero", "ten"]],
  ["lower above upper matches nothing", "between", [10, 0], []],
  ["one point", "between", [10, 10], ["ten"]],
  ["strings", "between", ["", "A"], ["empty", "textTen", "date", "iso"]],
  ["bigints", "between", [2n, 9n], ["bigTwo"]],
  ["booleans", "between", [false, true], ["true", "false"]],
  ["Dates", "between", [day("2024-01-01"), day("2024-01-31")], ["date", "iso"]],
  ["bytes", "between", [bytes(1), bytes(2)], ["bytes"]],
  ["present and not between, other classes too", "not_between", [0, 10], except("zero", "ten")],
  ["lower above upper leaves every present value", "not_between", [10, 0], except()],
  ["strings", "not_between", ["", "A"], except("empty", "textTen", "date", "iso")],
  ["bigints", "not_between", [2n, 9n], except("bigTwo")],

  ["any equal, classes kept apart", "in", [10, "Oslo"], ["ten", "Oslo"]],
  ["an empty list matches nothing", "in", [], []],
  ["null in the list means missing or null", "in", [null], ["missing", "null"]],
  ["null beside a value", "in", [null, 10], ["missing", "null", "ten"]],
  ["bigints", "in", [10n, 3n], ["bigTen"]],
  ["lists and objects deeply", "in", [[1, 2], { b: 2, a: 1 }], ["vector", "pair", "object"]],
  ["booleans and empty text", "in", [true, ""], ["true", "empty"]],
  ["bytes", "in", [bytes(1, 2)], ["bytes"]],
  ["Dates", "in", [day("2024-01-31")], ["date", "iso"]],
  ["repeats change nothing", "in", [10, 10, 10], ["ten"]],
  ["present and none equal", "not_in", [10, "Oslo"], except("ten", "Oslo")],
  ["an empty list leaves every present value", "not_in", [], except()],
  ["null in the list excludes what is absent anyway", "not_in", [null], except()],
  ["null beside a value", "not_in", [null, 10], except("ten")],
  ["bigints", "not_in", [10n], except("bigTen")],

  ["a prefix, case-sensitive", "like", "Os%", ["Oslo"]],
  ["the other case", "like", "os%", ["oslo"]],
  ["percent is every string, Dates too, bigint and bytes not", "like", "%", strings],
  ["an empty pattern is the empty text", "like", "", ["empty"]],
  ["underscore is one character", "like", "__", ["textTen"]],
  ["anchored at both ends", "like", "sl", []],
  ["in the middle", "like", "%sl%", ["Oslo", "oslo"]],
  ["Dates as ISO text", "like", "2024-01-31%", ["date", "iso"]],
  ["not the base64 of bytes", "like", "AQ%", ["base64"]],
  ["not the text of a bigint", "like", "1_", ["textTen"]],
  ["strings that do not fit, other classes not", "not_like", "Os%", stringsExcept("Oslo")],
  ["percent leaves nothing", "not_like", "%", []],
  ["both cases", "ilike", "OS%", ["Oslo", "oslo"]],
  ["strings that do not fit in any case", "not_ilike", "OS%", stringsExcept("Oslo", "oslo")],

  ["unanchored search", "regex", "sl", ["Oslo", "oslo"]],
  ["anchors where they are written", "regex", "^O", ["Oslo"]],
  ["the flag i", "regex", { pattern: "^o", flags: "i" }, ["Oslo", "oslo"]],
  ["an empty pattern is every string", "regex", "", strings],
  ["Dates as ISO text", "regex", "^2024-\\d\\d", ["date", "iso"]],
  ["not the text of a bigint", "regex", "^1\\d?$", ["textTen"]],
  ["strings in which it is not found", "not_regex", "sl", stringsExcept("Oslo", "oslo")],

  ["a literal prefix", "starts_with", "O", ["Oslo"]],
  ["an empty prefix is every string", "starts_with", "", strings],
  ["Dates as ISO text", "starts_with", "2024-01", ["date", "iso"]],
  ["wildcards mean themselves", "starts_with", "%", []],
  ["not the text of a bigint or bytes", "starts_with", "A", ["base64"]],

  ["an element by value", "contains", 1, ["mixed", "vector", "pair"]],
  ["an element of the same class", "contains", "1", ["mixed"]],
  ["a bigint element", "contains", 10n, ["mixed"]],
  ["not the text of a bigint element", "contains", "10", []],
  ["a whole element, not a part of its text", "contains", "re", []],
  ["a text element", "contains", "red", ["words"]],
  ["not a text that contains the operand", "contains", "O", []],
  ["shares any element", "overlaps", [2, "red"], ["words", "vector", "pair"]],
  ["an empty list shares nothing", "overlaps", [], []],
  ["classes kept apart", "overlaps", ["10", "2"], []],
  ["a bigint element", "overlaps", [10n], ["mixed"]],

  ["present and not null", "exists", undefined, except()],
  ["missing or null", "not_exists", undefined, ["missing", "null"]],
];

export const truthTable: readonly TruthRow[] = rows.map(([says, op, operand, holds]) => ({ says, op, operand, holds }));
