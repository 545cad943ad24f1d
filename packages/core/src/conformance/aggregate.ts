/** Aggregation: groups, functions, buckets, having, sort and limit of rows. */
import assert from "node:assert/strict";
import type { AggregateFunction, Aggregation } from "../aggregate/ast.js";
import { avg, count, countDistinct, max, min, percentile, sum } from "../aggregate/functions.js";
import { where } from "../query/builder.js";
import type { Fields } from "../record/values.js";
import type { Case } from "./case.js";
import { load } from "./conditions.js";
import { same } from "./expect.js";

const indexes = [{ path: "v" }, { path: "g" }] as const;

/** Checks the rows of each aggregation. */
export function aggregates(
  id: string,
  records: { readonly [id: string]: Fields },
  expectations: readonly (readonly [Aggregation, readonly Fields[]])[],
): Case {
  return {
    id: `aggregate/${id}`,
    indexes,
    run: async ({ db }) => {
      await load(db, records);
      for (const [aggregation, rows] of expectations)
        same(await db.aggregate(aggregation), rows, JSON.stringify(aggregation));
    },
  };
}

/** One record per value, in the field `v`. */
export function column(...values: readonly Fields[string][]): { [id: string]: Fields } {
  return Object.fromEntries(
    values.map((v, index) => [`r${String(index).padStart(2, "0")}`, v === undefined ? {} : { v }]),
  );
}

export const n: { readonly [column: string]: AggregateFunction } = { n: count() };

export const aggregateCases: readonly Case[] = [
  aggregates("functions-on-numbers", column(1, 2, 3, 4), [
    [
      { select: { n: count(), present: count("v"), total: sum("v"), mean: avg("v"), least: min("v"), most: max("v") } },
      [{ n: 4, present: 4, total: 10, mean: 2.5, least: 1, most: 4 }],
    ],
  ]),
  aggregates("functions-on-nothing", {}, [
    [
      {
        select: {
          n: count(),
          p: count("v"),
          d: countDistinct("v"),
          s: sum("v"),
          a: avg("v"),
          lo: min("v"),
          hi: max("v"),
          m: percentile("v", 0.5),
        },
      },
      [{ n: 0, p: 0, d: 0, s: 0, a: null, lo: null, hi: null, m: null }],
    ],
    [{ groupBy: { g: "g" }, select: n }, []],
  ]),
  aggregates("functions-on-null-and-missing-only", column(null, undefined), [
    [
      {
        select: {
          n: count(),
          p: count("v"),
          d: countDistinct("v"),
          s: sum("v"),
          a: avg("v"),
          lo: min("v"),
          hi: max("v"),
          m: percentile("v", 0.5),
        },
      },
      [{ n: 2, p: 0, d: 0, s: 0, a: null, lo: null, hi: null, m: null }],
    ],
  ]),
  aggregates(
    "sum-avg-and-percentile-take-numbers-and-skip-the-rest",
    column(1, "2", 3, null, true, 10n, "x", [5], { a: 7 }, undefined),
    [[{ select: { s: sum("v"), a: avg("v"), m: percentile("v", 0.5), p: count("v") } }, [{ s: 4, a: 2, m: 2, p: 8 }]]],
  ),
  aggregates("min-and-max-follow-the-total-order", column("b", 2, null, 10n, true, "a", 1, 3n), [
    [{ select: { lo: min("v"), hi: max("v") } }, [{ lo: true, hi: "b" }]],
    [{ where: where("v", "!=", true), select: { lo: min("v") } }, [{ lo: 1 }]],
    [{ where: where("v", "in", [10n, 3n]), select: { lo: min("v"), hi: max("v") } }, [{ lo: 3n, hi: 10n }]],
  ]),
  aggregates("min-and-max-keep-the-type", column(new Date(5), new Date(9), null), [
    [{ select: { lo: min("v"), hi: max("v") } }, [{ lo: new Date(5), hi: new Date(9) }]],
  ]),
  aggregates("min-and-max-of-bytes", column(new Uint8Array([200]), new Uint8Array([62, 1])), [
    [{ select: { lo: min("v"), hi: max("v") } }, [{ lo: new Uint8Array([62, 1]), hi: new Uint8Array([200]) }]],
  ]),
  aggregates(
    "countDistinct-tells-classes-apart",
    column(
      1,
      1.0,
      "1",
      1n,
      true,
      null,
      undefined,
      [1],
      [1],
      { a: 1, b: 2 },
      { b: 2, a: 1 },
      new Date(0),
      "1970-01-01T00:00:00.000Z",
    ),
    [[{ select: { d: countDistinct("v") } }, [{ d: 7 }]]],
  ),
  aggregates("percentile-interpolates-between-ranks", column(10, 20, 30, 40), [
    [
      {
        select: {
          p0: percentile("v", 0),
          p25: percentile("v", 0.25),
          p50: percentile("v", 0.5),
          p75: percentile("v", 0.75),
          p100: percentile("v", 1),
        },
      },
      [{ p0: 10, p25: 17.5, p50: 25, p75: 32.5, p100: 40 }],
    ],
  ]),
  aggregates("percentile-of-one", column(7), [[{ select: { p: percentile("v", 0.95) } }, [{ p: 7 }]]]),
  aggregates(
    "groups-by-path-with-null-and-missing-as-one",
    { a: { g: "x", v: 1 }, b: { g: null, v: 2 }, c: { v: 4 }, d: { g: "x", v: 8 }, e: { g: "y" } },
    [
      [
        { groupBy: { g: "g" }, select: { n: count(), s: sum("v") } },
        [
          { g: null, n: 2, s: 6 },
          { g: "x", n: 2, s: 9 },
          { g: "y", n: 1, s: 0 },
        ],
      ],
    ],
  ),
  aggregates("groups-tell-classes-apart", column(1, "1", 1n, true, 1.0, "true", "", 0, false, null), [
    [
      { groupBy: { v: "v" }, select: n },
      [
        { v: null, n: 1 },
        { v: false, n: 1 },
        { v: true, n: 1 },
        { v: 0, n: 1 },
        { v: 1, n: 2 },
        { v: 1n, n: 1 },
        { v: "", n: 1 },
        { v: "1", n: 1 },
        { v: "true", n: 1 },
      ],
    ],
  ]),
  aggregates("groups-of-lists-and-objects-are-deep", column([1, 2], [1, 2], { a: 1, b: 2 }, { b: 2, a: 1 }), [
    [
      { groupBy: { v: "v" }, select: n, having: where("n", "=", 2), sort: [{ path: "n" }] },
      [
        { v: [1, 2], n: 2 },
        { v: { a: 1, b: 2 }, n: 2 },
      ],
    ],
  ]),
  aggregates("groups-of-lists-and-objects-have-one-order", column({ b: 1 }, [2], { a: 1 }, [10], [1, 2], []), [
    [{ groupBy: { v: "v" }, select: n }, [[1, 2], [10], [2], [], { a: 1 }, { b: 1 }].map((v) => ({ v, n: 1 }))],
    [
      { groupBy: { v: "v" }, select: n, limit: 2, offset: 1 },
      [
        { v: [10], n: 1 },
        { v: [2], n: 1 },
      ],
    ],
    [{ groupBy: { v: "v" }, select: n, sort: [{ path: "n", direction: "desc" }], limit: 1 }, [{ v: [1, 2], n: 1 }]],
  ]),
  aggregates("groups-of-dates-come-back-as-dates", column(new Date(0), new Date(0), "x"), [
    [
      { groupBy: { v: "v" }, select: n },
      [
        { v: new Date(0), n: 2 },
        { v: "x", n: 1 },
      ],
    ],
  ]),
  aggregates(
    "groups-by-several-keys",
    { a: { g: "x", v: 1 }, b: { g: "x", v: 2 }, c: { g: "y", v: 1 }, d: { g: "x", v: 1 } },
    [
      [
        { groupBy: { v: "v", g: "g" }, select: n },
        [
          { v: 1, g: "x", n: 2 },
          { v: 1, g: "y", n: 1 },
          { v: 2, g: "x", n: 1 },
        ],
      ],
    ],
  ),
  aggregates(
    "keys-that-could-run-together-stay-apart",
    { a: { g: "a,b", v: "c" }, b: { g: "a", v: "b,c" }, c: { g: '"a"', v: null }, d: { g: "a" } },
    [[{ groupBy: { g: "g", v: "v" }, select: n, having: where("n", ">", 1) }, []]],
  ),
  aggregates("where-comes-before-grouping", { a: { g: 1, v: 1 }, b: { g: 1, v: 5 }, c: { g: 2, v: 1 } }, [
    [
      { where: where("v", "<", 3), groupBy: { g: "g" }, select: n },
      [
        { g: 1, n: 1 },
        { g: 2, n: 1 },
      ],
    ],
    [{ where: where("v", ">", 9), select: n }, [{ n: 0 }]],
  ]),
  aggregates("having-filters-rows", { a: { g: 1 }, b: { g: 1 }, c: { g: 2 }, d: {} }, [
    [{ groupBy: { g: "g" }, select: n, having: where("n", ">", 1) }, [{ g: 1, n: 2 }]],
    [
      { groupBy: { g: "g" }, select: n, having: where("g", "exists") },
      [
        { g: 1, n: 2 },
        { g: 2, n: 1 },
      ],
    ],
  ]),
  aggregates(
    "rows-sort-by-column-then-by-group",
    { a: { g: "x" }, b: { g: "y" }, c: { g: "y" }, d: { g: "z" }, e: { g: "z" }, f: {} },
    [
      [
        { groupBy: { g: "g" }, select: n, sort: [{ path: "n", direction: "desc" }] },
        [
          { g: "y", n: 2 },
          { g: "z", n: 2 },
          { g: null, n: 1 },
          { g: "x", n: 1 },
        ],
      ],
      [
        { groupBy: { g: "g" }, select: n, sort: [{ path: "n", direction: "desc" }], limit: 2, offset: 1 },
        [
          { g: "z", n: 2 },
          { g: null, n: 1 },
        ],
      ],
      [{ groupBy: { g: "g" }, select: n, limit: 1 }, [{ g: null, n: 1 }]],
      [{ groupBy: { g: "g" }, select: n, limit: 0 }, []],
    ],
  ),
  aggregates("by-id-times-and-metadata", { a: { v: 1 }, b: { v: 2 } }, [
    [
      { groupBy: { key: "id" }, select: { s: sum("v") } },
      [
        { key: "a", s: 1 },
        { key: "b", s: 2 },
      ],
    ],
    [{ groupBy: { m: "metadata.x" }, select: n }, [{ m: null, n: 2 }]],
    [{ select: { least: min("id"), most: max("id"), d: countDistinct("id") } }, [{ least: "a", most: "b", d: 2 }]],
  ]),
  {
    id: "aggregate/sums-of-fractions-agree-to-1e-9",
    indexes,
    run: async ({ db }) => {
      await db.createMany(Array.from({ length: 1000 }, (_, k) => ({ data: { v: k % 2 === 0 ? 0.1 : 1e6 + 0.3 } })));
      const [row] = await db.aggregate({ select: { s: sum("v"), a: avg("v") } });
      const expected = 500 * 0.1 + 500 * (1e6 + 0.3);
      assert.ok(Math.abs(((row?.["s"] as number) - expected) / expected) < 1e-9);
      assert.ok(Math.abs(((row?.["a"] as number) - expected / 1000) / (expected / 1000)) < 1e-9);
    },
  },
  {
    id: "aggregate/groups-and-counts-are-exact-however-many",
    indexes,
    run: async ({ db }) => {
      await db.createMany(Array.from({ length: 3000 }, (_, k) => ({ data: { g: k % 1500, v: k } })));
      const rows = await db.aggregate({ groupBy: { g: "g" }, select: { n: count(), d: countDistinct("v") } });
      same(rows.length, 1500);
      assert.ok(rows.every((row) => row["n"] === 2 && row["d"] === 2));
      same((await db.aggregate({ select: { d: countDistinct("v") } }))[0], { d: 3000 });
    },
  },
  {
    id: "aggregate/countDistinct-may-be-approximate-when-asked",
    run: async ({ db }) => {
      await db.createMany(Array.from({ length: 200 }, (_, k) => ({ data: { v: k } })));
      const [row] = await db.aggregate({ select: { d: countDistinct("v", { approximate: true }) } });
      const d = row?.["d"] as number;
      assert.ok(d > 150 && d < 250, `an approximate count of 200 is ${d}`);
    },
  },
  {
    id: "aggregate/columns-may-have-any-name",
    run: async ({ db }) => {
      await db.create({ v: 1 });
      const names = ["__proto__", "a.b", "id", "count", "", "x y", "'"];
      for (const name of names) {
        const select = Object.defineProperty({}, name, { value: count(), enumerable: true }) as Aggregation["select"];
        const [row] = await db.aggregate({ select });
        same(Object.entries(row ?? {}), [[name, 1]], JSON.stringify(name));
      }
    },
  },
];
