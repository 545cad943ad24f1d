/** Everything that the contract refuses is refused by the named code, by every call, before anything is done. */
import type { Aggregation } from "../aggregate/ast.js";
import { count } from "../aggregate/functions.js";
import type { Condition, Query } from "../query/ast.js";
import { where } from "../query/builder.js";
import type { Case } from "./case.js";
import { idSet, refuses, same } from "./expect.js";

/** Conditions as a stranger's JSON might have them. */
const badConditions: { readonly [name: string]: unknown } = {
  "an-unknown-operator": { path: "v", op: "==", value: 1 },
  "an-operator-in-another-spelling": { path: "v", op: "IN", value: [1] },
  "no-operator": { path: "v", value: 1 },
  "no-path": { op: "=", value: 1 },
  "a-path-of-another-type": { path: 1, op: "=", value: 1 },
  "an-empty-path-list": { path: [], op: "=", value: 1 },
  "a-path-below-id": { path: "id.x", op: "=", value: 1 },
  "a-path-below-createdAt": { path: "createdAt.x", op: "exists" },
  "a-path-with-U+0000": { path: "a\0", op: "exists" },
  "no-value": { path: "v", op: "=" },
  "no-value-for-a-range": { path: "v", op: ">" },
  "a-value-for-exists": { path: "v", op: "exists", value: 1 },
  "a-scalar-for-in": { path: "v", op: "in", value: 1 },
  "a-text-for-in": { path: "v", op: "in", value: "abc" },
  "a-scalar-for-not_in": { path: "v", op: "not_in", value: 1 },
  "one-bound": { path: "v", op: "between", value: [1] },
  "three-bounds": { path: "v", op: "between", value: [1, 2, 3] },
  "no-bounds": { path: "v", op: "not_between", value: 1 },
  "bounds-of-two-classes": { path: "v", op: "between", value: [1, "2"] },
  "a-null-bound": { path: "v", op: "between", value: [null, 2] },
  "a-list-for-a-range": { path: "v", op: ">", value: [1] },
  "an-object-for-a-range": { path: "v", op: "<", value: { a: 1 } },
  "null-for-a-range": { path: "v", op: "<=", value: null },
  "null-for-contains": { path: "v", op: "contains", value: null },
  "no-value-for-contains": { path: "v", op: "contains" },
  "null-in-overlaps": { path: "v", op: "overlaps", value: [1, null] },
  "a-scalar-for-overlaps": { path: "v", op: "overlaps", value: 1 },
  "a-number-as-pattern": { path: "v", op: "like", value: 1 },
  "null-as-pattern": { path: "v", op: "ilike", value: null },
  "a-list-as-prefix": { path: "v", op: "starts_with", value: ["a"] },
  "a-trailing-backslash": { path: "v", op: "like", value: "a\\" },
  "a-bad-regex": { path: "v", op: "regex", value: "(" },
  "a-regex-bad-under-u": { path: "v", op: "regex", value: "\\-" },
  "a-regex-flag-that-is-not-allowed": { path: "v", op: "regex", value: { pattern: "a", flags: "g" } },
  "a-regex-flag-twice": { path: "v", op: "regex", value: { pattern: "a", flags: "ii" } },
  "an-unknown-key-in-a-regex": { path: "v", op: "regex", value: { pattern: "a", flag: "i" } },
  "a-regex-that-may-explode": { path: "v", op: "regex", value: "^(a+)+$" },
  "another-regex-that-may-explode": { path: "v", op: "not_regex", value: "(x|x)*y" },
  "NaN-as-operand": { path: "v", op: "=", value: Number.NaN },
  "infinity-as-bound": { path: "v", op: "<", value: Number.POSITIVE_INFINITY },
  "a-lone-surrogate": { path: "v", op: "=", value: "\ud800" },
  "a-function-as-operand": { path: "v", op: "=", value: () => 1 },
  "a-Date-that-is-invalid": { path: "v", op: "=", value: new Date(Number.NaN) },
  "the-wrong-text-of-a-bigint": { path: "v", op: "=", value: "1.5", type: "bigint" },
  "the-wrong-text-of-bytes": { path: "v", op: "=", value: "?", type: "bytes" },
  "the-wrong-text-of-a-date": { path: "v", op: "=", value: "yesterday", type: "date" },
  "an-unknown-type": { path: "v", op: "=", value: "1", type: "decimal" },
  "a-type-for-a-number": { path: "v", op: "=", value: 1, type: "bigint" },
  "an-unknown-key": { path: "v", op: "=", value: 1, negate: true },
  "and-without-a-list": { and: { path: "v", op: "exists" } },
  "or-beside-and": { and: [], or: [] },
  "not-of-a-list": { not: [{ path: "v", op: "exists" }] },
  "not-of-nothing": { not: null },
  "a-condition-that-is-a-list": [{ path: "v", op: "exists" }],
  "a-condition-that-is-a-text": "v = 1",
  "a-condition-deep-inside": { and: [{ or: [{ not: { path: "v", op: "~", value: 1 } }] }] },
};

const badQueries: { readonly [name: string]: unknown } = {
  "a-negative-limit": { limit: -1 },
  "a-fractional-limit": { limit: 1.5 },
  "a-limit-that-is-text": { limit: "10" },
  "a-limit-that-is-NaN": { limit: Number.NaN },
  "a-limit-of-null": { limit: null },
  "a-negative-offset": { offset: -1 },
  "a-fractional-offset": { offset: 0.5 },
  "an-unknown-key": { filter: [] },
  "an-unknown-key-in-sort": { sort: [{ path: "v", order: "desc" }] },
  "an-unknown-direction": { sort: [{ path: "v", direction: "descending" }] },
  "an-unknown-place-of-nulls": { sort: [{ path: "v", nulls: "middle" }] },
  "a-sort-that-is-no-list": { sort: "v" },
  "a-sort-by-nothing": { sort: [{}] },
  "a-select-that-is-no-list": { select: "v" },
  "a-select-of-a-number": { select: [1] },
  "an-after-that-is-no-cursor": { after: "x" },
  "an-after-of-another-type": { after: 1 },
  "after-with-offset": { after: "x", offset: 1 },
  "unordered-that-is-no-boolean": { unordered: "yes" },
  "residual-of-another-word": { residual: "refuse" },
  "a-match-without-text": { match: { fields: ["v"] } },
  "a-match-without-fields": { match: { text: "a" } },
  "a-match-of-an-empty-list-of-fields": { match: { text: "a", fields: [] } },
  "a-match-with-an-unknown-mode": { match: { text: "a", fields: ["v"], mode: "some" } },
  "a-match-with-an-unknown-key": { match: { text: "a", fields: ["v"], fuzzy: true } },
  "a-match-without-a-word": { match: { text: "...", fields: ["v"] } },
  "a-query-that-is-a-list": [],
  "a-query-that-is-a-text": "v",
  "a-query-that-is-null": null,
};

const badAggregations: { readonly [name: string]: unknown } = {
  "no-functions": { select: {} },
  "no-select": { groupBy: { v: "v" } },
  "an-unknown-function": { select: { n: { fn: "median", path: "v" } } },
  "a-function-without-path": { select: { n: { fn: "sum" } } },
  "a-percentile-without-fraction": { select: { n: { fn: "percentile", path: "v" } } },
  "a-percentile-of-95": { select: { n: { fn: "percentile", path: "v", fraction: 95 } } },
  "a-fraction-for-avg": { select: { n: { fn: "avg", path: "v", fraction: 0.5 } } },
  "a-bucket-of-width-0": { groupBy: { b: { bucket: "v", width: 0 } }, select: { n: count() } },
  "a-bucket-of-negative-width": { groupBy: { b: { bucket: "v", width: -1 } }, select: { n: count() } },
  "an-unknown-date-unit": { groupBy: { b: { dateBucket: "v", unit: "minute" } }, select: { n: count() } },
  "a-column-twice": { groupBy: { n: "v" }, select: { n: count() } },
  "a-sort-by-an-unknown-column": { groupBy: { v: "v" }, select: { n: count() }, sort: [{ path: "x" }] },
  "a-negative-limit": { select: { n: count() }, limit: -1 },
  "an-unknown-key": { select: { n: count() }, group: "v" },
  "a-bad-having": { select: { n: count() }, having: { path: "n", op: "~", value: 1 } },
  "a-bad-where": { select: { n: count() }, where: { path: "n", op: "in", value: 1 } },
};

export const badInputCases: readonly Case[] = [
  ...Object.entries(badConditions).map(
    ([name, bad]): Case => ({
      id: `bad-input/condition/${name}`,
      run: async ({ db }) => {
        await db.create({ v: 1 }, { id: "a" });
        const condition = bad as Condition;
        await refuses("INVALID_QUERY", () => db.search({ where: condition }));
        await refuses("INVALID_QUERY", () => db.count({ where: condition }));
        await refuses("INVALID_QUERY", () => db.first({ where: condition }));
        await refuses("INVALID_QUERY", () => db.stream({ where: condition }));
        await refuses("INVALID_QUERY", () => db.page({ where: condition }));
        await refuses("INVALID_QUERY", () => db.explain({ where: condition }));
        await refuses("INVALID_QUERY", () => db.aggregate({ where: condition, select: { n: count() } }));
        await refuses("INVALID_QUERY", () => db.deleteWhere(condition));
        await refuses("INVALID_QUERY", () => db.updateWhere(condition, { x: 1 }));
        same(
          (await db.search()).map(({ data }) => data),
          [{ v: 1 }],
        );
      },
    }),
  ),
  ...Object.entries(badQueries).map(
    ([name, bad]): Case => ({
      id: `bad-input/query/${name}`,
      run: async ({ db }) => {
        const query = bad as Query;
        await refuses("INVALID_QUERY", () => db.search(query));
        await refuses("INVALID_QUERY", () => db.count(query));
        await refuses("INVALID_QUERY", () => db.first(query));
        await refuses("INVALID_QUERY", () => db.page(query));
        await refuses("INVALID_QUERY", () => db.stream(query));
        await refuses("INVALID_QUERY", () => db.explain(query));
      },
    }),
  ),
  ...Object.entries(badAggregations).map(
    ([name, bad]): Case => ({
      id: `bad-input/aggregate/${name}`,
      run: async ({ db }) => {
        await refuses("INVALID_QUERY", () => db.aggregate(bad as Aggregation));
      },
    }),
  ),
  {
    id: "bad-input/a-trusted-regex-is-taken-at-its-word",
    run: async ({ db }) => {
      await db.createMany([
        { id: "a", data: { v: "aaa" } },
        { id: "b", data: { v: "b" } },
      ]);
      const condition = where("v", "regex", { pattern: "^(a+)+$", trusted: true });
      same(idSet(await db.search({ where: condition })), ["a"]);
    },
  },
  {
    id: "bad-input/harmless-repeated-groups-are-not-refused",
    run: async ({ db }) => {
      await db.createMany([
        { id: "a", data: { v: "1.2.3" } },
        { id: "b", data: { v: "a@b.c" } },
      ]);
      for (const [pattern, ids] of [
        ["^\\d+(?:\\.\\d+)*$", ["a"]],
        ["^(?:ab)+$", []],
        ["^(\\w@)?b", ["b"]],
        ["(?:a|b){1,2}@", ["b"]],
      ] as const) {
        same(idSet(await db.search({ where: where("v", "regex", pattern) })), ids, pattern);
      }
    },
  },
  {
    id: "bad-input/patterns-of-4096-work-and-longer-ones-are-refused",
    run: async ({ db }) => {
      const text = "x".repeat(4096);
      await db.create({ v: text }, { id: "a" });
      for (const op of ["like", "ilike", "regex", "starts_with"] as const) {
        same(idSet(await db.search({ where: where("v", op, text) })), ["a"], op);
        await refuses("LIMIT_EXCEEDED", () => db.search({ where: where("v", op, `${text}x`) }));
      }
      same(idSet(await db.search({ where: where("v", "=", text) })), ["a"]);
      same(idSet(await db.search({ where: where("v", "=", `${text}x`) })), []);
    },
  },
  {
    id: "bad-input/conditions-nested-beyond-64-are-refused",
    run: async ({ db }) => {
      let condition: Condition = where("v", "=", 1);
      for (let level = 0; level < 64; level++) condition = { not: condition };
      await refuses("LIMIT_EXCEEDED", () => db.search({ where: condition }));
      for (let level = 0; level < 5000; level++) condition = { not: condition };
      await refuses("LIMIT_EXCEEDED", () => db.search({ where: condition }));
    },
  },
];
