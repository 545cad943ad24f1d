/** Random questions, with operands drawn from the data so that about half of the conditions hit something. */
import fc from "fast-check";
import type { AggregateFunction, Aggregation, GroupKey } from "../aggregate/ast.js";
import { avg, bucket, count, countDistinct, dateBucket, max, min, percentile, sum } from "../aggregate/functions.js";
import type { Condition, LeafCondition, MatchClause, Operator, Query, SortClause } from "../query/ast.js";
import { where } from "../query/builder.js";
import type { Value } from "../record/values.js";
import { type OperandClass, type Pool, paths } from "./random-records.js";

export type Question =
  | { readonly ask: "search" | "stream" | "count"; readonly query: Query }
  | { readonly ask: "aggregate"; readonly aggregation: Aggregation };

const anyClass: readonly OperandClass[] = ["boolean", "number", "bigint", "string", "bytes", "array", "object"];
const ranged: readonly OperandClass[] = ["boolean", "number", "bigint", "string", "bytes"];

/** Every operator and the classes that its operand may have; none for `exists`. */
export const operandClasses: { readonly [K in Operator]: readonly OperandClass[] } = {
  "=": anyClass,
  "!=": anyClass,
  "<": ranged,
  "<=": ranged,
  ">": ranged,
  ">=": ranged,
  between: ranged,
  not_between: ranged,
  in: anyClass,
  not_in: anyClass,
  like: ["string"],
  not_like: ["string"],
  ilike: ["string"],
  not_ilike: ["string"],
  regex: ["string"],
  not_regex: ["string"],
  starts_with: ["string"],
  contains: anyClass,
  overlaps: anyClass,
  exists: [],
  not_exists: [],
};

type Combination = readonly [Operator, OperandClass | undefined];

const combinations = (Object.entries(operandClasses) as [Operator, readonly OperandClass[]][]).flatMap(
  ([op, classes]) =>
    classes.length === 0 ? [[op, undefined] as Combination] : classes.map((one): Combination => [op, one]),
);

const path: fc.Arbitrary<string | readonly string[]> = fc.oneof(
  { weight: 2, arbitrary: fc.constant("m") },
  { weight: 3, arbitrary: fc.constantFrom(...paths) },
);

/** A condition on the path with that operator and an operand of that class. */
function leafOf(
  on: string | readonly string[],
  op: Operator,
  operandClass: OperandClass | undefined,
  pool: Pool,
): fc.Arbitrary<LeafCondition> {
  if (operandClass === undefined) return fc.constant(where(on, op));
  const operand: fc.Arbitrary<Value> = fc.constantFrom(...pool[operandClass]);
  switch (op) {
    case "between":
    case "not_between":
      return fc.tuple(operand, operand).map((bounds) => where(on, op, bounds));
    case "in":
    case "not_in":
    case "overlaps": {
      const others =
        op === "overlaps"
          ? anyOf(pool)
          : fc.oneof({ weight: 9, arbitrary: anyOf(pool) }, { weight: 1, arbitrary: fc.constant(null) });
      return fc
        .tuple(operand, fc.array(others, { maxLength: 3 }), fc.integer({ min: 0, max: 19 }))
        .map(([first, rest, empty]) => where(on, op, empty === 0 ? [] : [first, ...rest]));
    }
    case "like":
    case "not_like":
    case "ilike":
    case "not_ilike":
      return patternOf(pool).map((pattern) => where(on, op, pattern));
    case "regex":
    case "not_regex":
      return regexOf(pool).map((operandOf) => where(on, op, operandOf));
    case "starts_with":
      return piece(pool).map((prefix) => where(on, op, prefix));
    default:
      return operand.map((value) => where(on, op, value));
  }
}

function anyOf(pool: Pool): fc.Arbitrary<Value> {
  return fc.oneof(...anyClass.map((one) => fc.constantFrom(...pool[one])));
}

function stringsOf(pool: Pool): fc.Arbitrary<string> {
  const texts = pool.string.map((value) => (typeof value === "string" ? value : (value as Date).toISOString()));
  return fc.constantFrom(...(texts as [string, ...string[]]));
}

/** A text of the data, or its first or last part. */
function piece(pool: Pool): fc.Arbitrary<string> {
  return fc.tuple(stringsOf(pool), fc.integer({ min: 0, max: 4 })).map(([text, cut]) => {
    const points = Array.from(text);
    return cut === 0 ? text : points.slice(0, Math.max(0, points.length - cut)).join("");
  });
}

/** A pattern that the text fits, mostly. */
function patternOf(pool: Pool): fc.Arbitrary<string> {
  return fc.tuple(stringsOf(pool), fc.integer({ min: 0, max: 9 }), fc.nat(8)).map(([text, form, at]) => {
    const points = Array.from(text).map((point) => point.replace(/[\\%_]/g, "\\$&"));
    const middle = at % Math.max(1, points.length);
    switch (form) {
      case 0:
        return points.join("");
      case 1:
        return `${points.slice(0, middle).join("")}%`;
      case 2:
        return `%${points.slice(middle).join("")}`;
      case 3:
        return `%${points.slice(middle, middle + 2).join("")}%`;
      case 4:
        return points.map((point, index) => (index === middle ? "_" : point)).join("");
      case 5:
        return points.join("").toUpperCase();
      case 6:
        return `${points.slice(0, middle).join("")}%${points.slice(middle + 1).join("")}`;
      case 7:
        return "_".repeat(at);
      case 8:
        return points.map((point) => (point.length === 1 && /[a-z]/i.test(point) ? `\\${point}` : point)).join("");
      default:
        // wildcards where the text has them: an unescaped one
        return /\\$/.test(text.replaceAll("\\\\", "")) ? `${text}\\` : text;
    }
  });
}

function regexOf(pool: Pool): fc.Arbitrary<unknown> {
  const flags = fc.constantFrom("", "i", "s", "m", "is");
  return fc.oneof(
    fc.tuple(stringsOf(pool), fc.integer({ min: 0, max: 4 }), flags).map(([text, form, flag]) => {
      const source = Array.from(text).slice(0, 8).map(escapeRegex).join("");
      const pattern =
        form === 0
          ? `^${source}$`
          : form === 1
            ? `^${source}`
            : form === 2
              ? `${source}$`
              : form === 3
                ? source
                : `^.?${source}`;
      return { pattern, flags: flag };
    }),
    fc
      .tuple(
        fc.constantFrom(
          "^.$",
          "\\d",
          "^\\p{L}+$",
          "[a-c]",
          "^a.b$",
          "",
          "^\\s",
          "b$",
          "\\.",
          "^[^a]*$",
          "(?<=a).",
          "^\\S{2,3}$",
        ),
        flags,
      )
      .map(([pattern, flag]) => ({ pattern, flags: flag })),
  );
}

function escapeRegex(point: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(point) ? `\\${point}` : point;
}

/** The pool for conditions on `id`, of which most strings are ids. */
function onIds(pool: Pool): Pool {
  return { ...pool, string: [...pool.id, ...pool.string.slice(0, 5)] };
}

export function conditionOf(pool: Pool): fc.Arbitrary<Condition> {
  const ofIds = onIds(pool);
  const leaf: fc.Arbitrary<Condition> = fc
    .tuple(
      fc.oneof({ weight: 9, arbitrary: path }, { weight: 1, arbitrary: fc.constant("id") }),
      fc.constantFrom(...combinations),
    )
    .chain(([on, [op, operandClass]]) => leafOf(on, op, operandClass, on === "id" ? ofIds : pool));
  const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
    condition: fc.oneof(
      { depthSize: "small", maxDepth: 3, withCrossShrink: true },
      { weight: 5, arbitrary: leaf },
      { weight: 2, arbitrary: fc.array(tie("condition"), { maxLength: 3 }).map((and) => ({ and })) },
      { weight: 2, arbitrary: fc.array(tie("condition"), { maxLength: 3 }).map((or) => ({ or })) },
      { weight: 2, arbitrary: tie("condition").map((not) => ({ not })) },
    ),
  }));
  return condition;
}

const matchClause: fc.Arbitrary<MatchClause> = fc.record({
  text: fc
    .array(fc.constantFrom("red", "RED", "fox", "hen", "the", "naïve", "東京", "x2", "nothing"), {
      minLength: 1,
      maxLength: 3,
    })
    .map((words) => words.join(" ")),
  fields: fc.constantFrom<readonly string[]>(["t"], ["t", "s"], ["m"]),
  mode: fc.constantFrom("all", "any"),
});

const sortClause: fc.Arbitrary<SortClause> = fc
  .tuple(fc.oneof(path, fc.constant("id")), fc.constantFrom("asc", "desc"), fc.constantFrom(undefined, "first", "last"))
  .map(([on, direction, nulls]) => ({ path: on, direction, ...(nulls !== undefined && { nulls }) }));

const groupKey: fc.Arbitrary<GroupKey> = fc.oneof(
  { weight: 4, arbitrary: fc.oneof(fc.constant<GroupKey>("g"), path) },
  { weight: 1, arbitrary: fc.constantFrom(bucket("n", 5), bucket("m", 0.5), bucket("n", 1)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      dateBucket("m", "month"),
      dateBucket("s", "week"),
      dateBucket("g", "day"),
      dateBucket("m", "hour"),
    ),
  },
);

// sums over the wildest numbers are a matter of luck; these fields are asked for what is exact
const aggregateFunction: fc.Arbitrary<AggregateFunction> = fc.oneof(
  fc.constant(count()),
  path.map((on) => count(on)),
  path.map((on) => countDistinct(on)),
  path.map((on) => min(on)),
  path.map((on) => max(on)),
  fc.constantFrom(sum("g"), avg("g"), percentile("n", 0.5), percentile("g", 0.95), percentile("m", 0.25)),
);

function optional<T>(arbitrary: fc.Arbitrary<T>, freq: number): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined, freq });
}

/** One question of any kind. */
export function questionOf(pool: Pool): fc.Arbitrary<Question> {
  const condition = optional(conditionOf(pool), 9);
  const query = fc
    .record({
      where: condition,
      match: fc.oneof({ weight: 7, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: matchClause }),
      sort: optional(fc.array(sortClause, { minLength: 1, maxLength: 3 }), 2),
      limit: fc.oneof(fc.constant(undefined), fc.integer({ min: 0, max: 30 })),
      offset: fc.oneof(
        { weight: 3, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 20 }) },
      ),
      select: fc.oneof(
        { weight: 4, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.array(path, { maxLength: 4 }) },
      ),
    })
    .map((parts) => Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined)) as Query);
  const aggregation = fc
    .record({
      where: condition,
      keys: fc.array(groupKey, { maxLength: 2 }),
      functions: fc.array(aggregateFunction, { minLength: 1, maxLength: 3 }),
    })
    .map(
      ({ where: only, keys, functions }): Aggregation => ({
        ...(only !== undefined && { where: only }),
        groupBy: Object.fromEntries(keys.map((key, index) => [`k${index}`, key])),
        select: Object.fromEntries(functions.map((fn, index) => [`f${index}`, fn])),
      }),
    );
  return fc.oneof(
    { weight: 12, arbitrary: query.map((one): Question => ({ ask: "search", query: one })) },
    { weight: 2, arbitrary: query.map((one): Question => ({ ask: "stream", query: one })) },
    { weight: 3, arbitrary: query.map((one): Question => ({ ask: "count", query: one })) },
    { weight: 3, arbitrary: aggregation.map((one): Question => ({ ask: "aggregate", aggregation: one })) },
  );
}

/** One question per operator, class of operand and path, so that every pair is asked; of ids, too. */
export function sweep(pool: Pool, seed: number): Query[] {
  return combinations.flatMap(([op, operandClass]) =>
    [leafOf("m", op, operandClass, pool), leafOf("id", op, operandClass, onIds(pool))].flatMap((leaf) =>
      fc.sample(leaf, { seed, numRuns: 2 }).map((one) => ({ where: one })),
    ),
  );
}
