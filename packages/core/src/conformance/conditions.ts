/** Conditions: the whole truth table, negations, nesting, and the corners of numbers and sets. */
import assert from "node:assert/strict";
import type { Condition } from "../query/ast.js";
import { and, not, or, where } from "../query/builder.js";
import type { Fields, Value } from "../record/values.js";
import type { Case } from "./case.js";
import { idSet, same } from "./expect.js";
import type { TestDatabase } from "./session.js";
import { truthFields, truthNames, truthTable } from "./truth.js";

const indexes = [{ path: "v" }] as const;

/** Loads the records and checks which of them each condition selects, by search and by count. */
export function selects(
  id: string,
  records: { readonly [id: string]: Fields },
  expectations: readonly (readonly [Condition, readonly string[]])[],
  declared: Case["indexes"] = indexes,
): Case {
  return {
    id,
    indexes: declared,
    run: async ({ db }) => {
      await load(db, records);
      for (const [condition, expected] of expectations) await check(db, condition, expected);
    },
  };
}

export async function load(db: TestDatabase, records: { readonly [id: string]: Fields }): Promise<void> {
  await db.createMany(Object.entries(records).map(([id, data]) => ({ id, data })));
}

async function check(db: TestDatabase, condition: Condition, expected: readonly string[]): Promise<void> {
  const what = JSON.stringify(condition).slice(0, 400);
  same(idSet(await db.search({ where: condition })), [...expected].sort(), what);
  same(await db.count({ where: condition }), expected.length, `count of ${what}`);
}

/** One record per value, `a` and so on, in the field `v`. */
function lettered(values: readonly Value[]): { [id: string]: Fields } {
  return Object.fromEntries(values.map((value, index) => [String.fromCharCode(97 + index), { v: value }]));
}

const operators = [...new Set(truthTable.map(({ op }) => op))];

const bigSet = Array.from({ length: 100_000 }, (_, index) => index * 2 + 1);

export const conditionCases: readonly Case[] = [
  ...operators.flatMap((op): Case[] => {
    const rows = truthTable.filter((row) => row.op === op);
    const loadTable = async (db: TestDatabase): Promise<void> => {
      await db.createMany(truthNames.map((name) => ({ id: name, data: truthFields(name) })));
    };
    return [
      {
        id: `conditions/truth/${op}`,
        indexes,
        run: async ({ db }) => {
          await loadTable(db);
          for (const { operand, holds } of rows) await check(db, where("v", op, operand), holds);
        },
      },
      {
        id: `conditions/not/${op}`,
        indexes,
        run: async ({ db }) => {
          await loadTable(db);
          for (const { operand, holds } of rows) {
            const others = truthNames.filter((name) => !holds.includes(name));
            await check(db, not(where("v", op, operand)), others);
          }
        },
      },
    ];
  }),
  selects(
    "conditions/a-text-of-digits-never-joins-a-number-range",
    lettered(["30", 30, "27abc", 20, true, null, [30]]),
    [
      [where("v", ">", 26), ["b"]],
      [where("v", "<", 26), ["d"]],
      [where("v", "between", [1, 100]), ["b", "d"]],
      [not(where("v", ">", 26)), ["a", "c", "d", "e", "f", "g"]],
    ],
  ),
  selects("conditions/neighbours-of-2-53-are-told-apart", lettered([2 ** 53 - 1, 2 ** 53, 2 ** 53 + 2, 2 ** 60]), [
    [where("v", "=", 2 ** 53), ["b"]],
    [where("v", "<", 2 ** 53), ["a"]],
    [where("v", ">", 2 ** 53), ["c", "d"]],
    [where("v", "in", [2 ** 60, 2 ** 53 - 1]), ["a", "d"]],
  ]),
  selects("conditions/extreme-numbers-equal-themselves", lettered([5e-324, 1e308, -1e308, 0.1 + 0.2, 0.3, 2 ** 60]), [
    [where("v", "=", 5e-324), ["a"]],
    [where("v", "=", 1e308), ["b"]],
    [where("v", "=", -1e308), ["c"]],
    [where("v", "=", 0.3), ["e"]],
    [where("v", "=", 0.1 + 0.2), ["d"]],
    [where("v", "=", 2 ** 60), ["f"]],
    [where("v", ">", 0), ["a", "b", "d", "e", "f"]],
    [where("v", ">=", 1e308), ["b"]],
  ]),
  selects("conditions/bigints-beyond-64-bits", lettered([2n ** 70n, -(2n ** 70n), 9n, 10n, -9n, -10n]), [
    [where("v", ">", 9n), ["a", "d"]],
    [where("v", "<", -9n), ["b", "f"]],
    [where("v", "=", 2n ** 70n), ["a"]],
    [where("v", "between", [-10n, 10n]), ["c", "d", "e", "f"]],
  ]),
  selects("conditions/code-points-not-utf-16-units", lettered(["\uFFFD", "\uE000", "😀", "z", "\u{10FFFF}"]), [
    [where("v", "<", "😀"), ["a", "b", "d"]],
    [where("v", ">", "\uFFFD"), ["c", "e"]],
    [where("v", ">=", "\u{1F600}"), ["c", "e"]],
    [where("v", "between", ["\uE000", "\uFFFD"]), ["a", "b"]],
  ]),
  selects("conditions/text-is-not-normalised-trimmed-or-folded", lettered(["é", "e\u0301", "a", "a ", "A", " a"]), [
    [where("v", "=", "é"), ["a"]],
    [where("v", "=", "e\u0301"), ["b"]],
    [where("v", "=", "a"), ["c"]],
    [where("v", "in", ["a "]), ["d"]],
    [where("v", ">", "a"), ["a", "b", "d"]],
  ]),
  selects(
    "conditions/dates-and-texts-are-one-class",
    lettered([new Date("2023-05-01"), "2023-05-01", "2023-05-01T00:00:00.000Z", new Date("2024-01-01")]),
    [
      [where("v", "<", "2024-01-01"), ["a", "b", "c"]],
      [where("v", "=", new Date("2023-05-01")), ["a", "c"]],
      [where("v", ">", new Date("2023-05-01")), ["d"]],
      [where("v", "starts_with", "2023-"), ["a", "b", "c"]],
      [where("v", "in", [new Date("2024-01-01"), "2023-05-01"]), ["b", "d"]],
    ],
  ),
  selects(
    "conditions/bytes-compare-byte-by-byte-not-as-base64",
    lettered([0, 1, 62, 63, 128, 255].map((byte) => new Uint8Array([byte, 0]))),
    [
      [where("v", ">", new Uint8Array([62, 0])), ["d", "e", "f"]],
      [where("v", "<", new Uint8Array([128])), ["a", "b", "c", "d"]],
      [where("v", ">=", new Uint8Array([255])), ["f"]],
    ],
  ),
  selects(
    "conditions/lists-inside-objects-and-objects-inside-lists",
    lettered([{ a: [{ b: 1n }] }, { a: [{ b: "1" }] }, [{ x: 1, y: [2] }], [{ y: [2], x: 1 }]]),
    [
      [where("v", "=", { a: [{ b: 1n }] }), ["a"]],
      [where("v", "=", { a: [{ b: "1" }] }), ["b"]],
      [where("v", "=", [{ x: 1, y: [2] }]), ["c", "d"]],
      [where("v", "contains", { y: [2], x: 1 }), ["c", "d"]],
      [where("v", "overlaps", [{ x: 1, y: [2] }, 7]), ["c", "d"]],
      [where("v", "in", [{ a: [{ b: 1n }] }, [{ x: 1, y: [2] }]]), ["a", "c", "d"]],
    ],
  ),
  selects(
    "conditions/contains-looks-at-elements-one-level-down",
    lettered([["a", ["b"]], ["b"], "b", { b: "b" }, [null], [{ b: 1 }], []]),
    [
      [where("v", "contains", "b"), ["b"]],
      [where("v", "contains", ["b"]), ["a"]],
      [where("v", "contains", { b: 1 }), ["f"]],
      [where("v", "overlaps", ["a", "b"]), ["a", "b"]],
    ],
  ),
  selects(
    "conditions/contains-finds-Dates-as-their-text",
    lettered([[new Date(0)], ["1970-01-01T00:00:00.000Z"], [0]]),
    [
      [where("v", "contains", new Date(0)), ["a", "b"]],
      [where("v", "contains", "1970-01-01T00:00:00.000Z"), ["a", "b"]],
    ],
  ),
  selects(
    "conditions/and-or-not-nest",
    { a: { v: 1, w: 1 }, b: { v: 1, w: 2 }, c: { v: 2, w: 1 }, d: { w: 2 }, e: {} },
    [
      [and(where("v", "=", 1), where("w", "=", 1)), ["a"]],
      [or(where("v", "=", 1), where("w", "=", 1)), ["a", "b", "c"]],
      [not(or(where("v", "=", 1), where("w", "=", 1))), ["d", "e"]],
      [not(and(where("v", "=", 1), where("w", "=", 1))), ["b", "c", "d", "e"]],
      [and(or(where("v", "=", 1), where("v", "=", 2)), not(where("w", "=", 1))), ["b"]],
      [not(not(where("v", "=", 1))), ["a", "b"]],
      [or(and(where("v", "=", 2), where("w", "=", 1)), not(where("w", "exists"))), ["c", "e"]],
      [not(where("v", "!=", 1)), ["a", "b", "d", "e"]],
      [not(where("v", "not_in", [1])), ["a", "b", "d", "e"]],
    ],
    [{ path: "v" }, { path: "w" }],
  ),
  selects("conditions/empty-and-is-true-empty-or-is-false", lettered([1, null]), [
    [and(), ["a", "b"]],
    [or(), []],
    [not(and()), []],
    [not(or()), ["a", "b"]],
    [and(or(), where("v", "=", 1)), []],
    [or(and(), where("v", "=", 9)), ["a", "b"]],
    [and(and(), where("v", "=", 1)), ["a"]],
    [or(or(), where("v", "=", 1)), ["a"]],
  ]),
  selects(
    "conditions/an-or-of-two-fields-finds-each-record-once",
    { a: { v: 1, w: 1 }, b: { v: 1 }, c: { w: 1 } },
    [
      [or(where("v", "=", 1), where("w", "=", 1)), ["a", "b", "c"]],
      [or(where("v", "=", 1), where("v", ">", 0)), ["a", "b"]],
    ],
    [{ path: "v" }, { path: "w" }],
  ),
  selects("conditions/overlapping-values-of-in-find-each-record-once", lettered([["x", "y"], ["x"], ["y"]]), [
    [where("v", "overlaps", ["x", "y"]), ["a", "b", "c"]],
    [where("v", "overlaps", ["x", "x"]), ["a", "b"]],
  ]),
  {
    id: "conditions/in-takes-100000-values",
    indexes,
    run: async ({ db }) => {
      await load(db, lettered([1, 2, 3, "3", null, 199_999]));
      same(idSet(await db.search({ where: where("v", "in", bigSet) })), ["a", "c", "f"]);
      same(idSet(await db.search({ where: where("v", "not_in", bigSet) })), ["b", "d"]);
    },
  },
  {
    id: "conditions/overlaps-takes-20000-values",
    indexes,
    run: async ({ db }) => {
      await load(db, lettered([[1, 2], [2, 4], ["3"], []]));
      same(idSet(await db.search({ where: where("v", "overlaps", bigSet.slice(0, 20_000)) })), ["a"]);
    },
  },
  {
    id: "conditions/a-nesting-of-64-works",
    indexes,
    run: async ({ db }) => {
      await load(db, lettered([1, 2]));
      let deep: Condition = where("v", "=", 1);
      for (let level = 1; level < 63; level++) deep = not(deep);
      same(idSet(await db.search({ where: deep })), ["a"]);
    },
  },
  {
    id: "conditions/many-conditions-side-by-side",
    indexes,
    run: async ({ db }) => {
      await load(db, lettered([1, 2, 3]));
      const many = Array.from({ length: 500 }, (_, index) => where("v", "=", index + 2));
      same(idSet(await db.search({ where: { or: many } })), ["b", "c"]);
      same(idSet(await db.search({ where: { and: many.map(not) } })), ["a"]);
    },
  },
  {
    id: "conditions/reserved-roots-can-be-asked-for",
    run: async ({ db }) => {
      await db.create(
        { id: "x", createdAt: 5, n: 1 },
        { id: "a", metadata: { id: "m", tags: ["t"], at: new Date(0) } },
      );
      const created = await db.create({ n: 2 }, { id: "b" });
      const find = async (condition: Condition): Promise<string[]> => idSet(await db.search({ where: condition }));
      same(await find(where("id", "=", "a")), ["a"]);
      same(await find(where("id", "in", ["a", "b", "c"])), ["a", "b"]);
      same(await find(where("id", "starts_with", "b")), ["b"]);
      same(await find(where("id", ">", "a")), ["b"]);
      same(await find(where("id", "!=", "a")), ["b"]);
      same(await find(where("id", "regex", "^[a]$")), ["a"]);
      same(await find(where("data.id", "=", "x")), ["a"]);
      same(await find(where("data.createdAt", "=", 5)), ["a"]);
      same(await find(where("data.n", "=", 2)), ["b"]);
      same(await find(where("metadata.id", "=", "m")), ["a"]);
      same(await find(where("metadata.tags", "contains", "t")), ["a"]);
      same(await find(where("metadata.at", "<", new Date(1))), ["a"]);
      same(await find(not(where("metadata.at", "exists"))), ["b"]);
      same(await find(where("metadata", "=", {})), ["b"]);
      same(await find(where("createdAt", "<=", created.createdAt)), ["a", "b"]);
      same(await find(where("createdAt", ">", new Date(created.createdAt.getTime() + 60_000))), []);
      same(await find(where("updatedAt", "starts_with", created.updatedAt.toISOString().slice(0, 4))), ["a", "b"]);
      same(await find(where("createdAt", "exists")), ["a", "b"]);
    },
  },
  {
    id: "conditions/a-query-read-back-from-JSON-gives-the-same",
    indexes,
    run: async ({ db }) => {
      await db.createMany(truthNames.map((name) => ({ id: name, data: truthFields(name) })));
      for (const { op, operand, holds } of truthTable) {
        const query = JSON.parse(JSON.stringify({ where: where("v", op, operand) })) as { where: Condition };
        same(idSet(await db.search(query)), [...holds].sort(), JSON.stringify(query));
      }
    },
  },
  {
    id: "conditions/no-condition-finds-every-record",
    run: async ({ db }) => {
      same(await db.search(), []);
      await load(db, lettered([1, 2, 3]));
      same(idSet(await db.search()), ["a", "b", "c"]);
      same(idSet(await db.search({})), ["a", "b", "c"]);
      assert.equal(await db.count(), 3);
    },
  },
];
