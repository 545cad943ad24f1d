/** The one total order, its directions, where nulls go, and ties. */

import type { SortClause } from "../query/ast.js";
import { where } from "../query/builder.js";
import type { Fields, Value } from "../record/values.js";
import type { Case } from "./case.js";
import { load } from "./conditions.js";
import { idsOf, same } from "./expect.js";

const indexes = [{ path: "v" }, { path: "w" }] as const;

/** Checks the order that each sort gives. */
function sorts(
  id: string,
  records: { readonly [id: string]: Fields },
  expectations: readonly (readonly [readonly SortClause[], readonly string[]])[],
): Case {
  return {
    id,
    indexes,
    run: async ({ db }) => {
      await load(db, records);
      for (const [sort, expected] of expectations) {
        const what = JSON.stringify(sort);
        same(idsOf(await db.search({ sort })), expected, what);
        same(
          idsOf(await db.search({ sort, limit: 3, offset: 1 })),
          expected.slice(1, 4),
          `${what} with limit and offset`,
        );
      }
    },
  };
}

function byValue(values: { readonly [id: string]: Value }): { [id: string]: Fields } {
  return Object.fromEntries(Object.entries(values).map(([id, v]) => [id, v === undefined ? {} : { v }]));
}

const asc: readonly SortClause[] = [{ path: "v" }];
const desc: readonly SortClause[] = [{ path: "v", direction: "desc" }];

// written in an order that is neither the right one nor its reverse
const everyClass = byValue({
  s2: "b",
  n1: 2,
  z1: null,
  o1: { a: 1 },
  t: true,
  g2: 10n,
  a1: [2],
  z2: undefined,
  y2: new Uint8Array([200]),
  s1: "a",
  o2: {},
  f: false,
  a2: [1],
  n2: 10,
  g1: 2n,
  y1: new Uint8Array([9]),
});
const everyClassOrder = ["z1", "z2", "f", "t", "n1", "n2", "g1", "g2", "s1", "s2", "y1", "y2", "a1", "a2", "o1", "o2"];
// ties stay ascending by id
const everyClassReversed = [
  "o1",
  "o2",
  "a1",
  "a2",
  "y2",
  "y1",
  "s2",
  "s1",
  "g2",
  "g1",
  "n2",
  "n1",
  "t",
  "f",
  "z1",
  "z2",
];
const withoutNulls = everyClassOrder.slice(2);

export const orderCases: readonly Case[] = [
  sorts("order/classes-come-in-one-order", everyClass, [
    [asc, everyClassOrder],
    [desc, everyClassReversed],
  ]),
  sorts("order/nulls-go-where-they-are-told", everyClass, [
    [[{ path: "v", nulls: "last" }], [...withoutNulls, "z1", "z2"]],
    [[{ path: "v", nulls: "first" }], everyClassOrder],
    [[{ path: "v", direction: "desc", nulls: "first" }], ["z1", "z2", ...everyClassReversed.slice(0, -2)]],
    [[{ path: "v", direction: "desc", nulls: "last" }], everyClassReversed],
  ]),
  sorts("order/numbers-by-value", byValue({ a: 10, b: 9, c: 100, d: -1, e: 0.5, f: 2 ** 60, g: 5e-324, h: -1e308 }), [
    [asc, ["h", "d", "g", "e", "b", "a", "c", "f"]],
    [desc, ["f", "c", "a", "b", "e", "g", "d", "h"]],
  ]),
  sorts("order/bigints-by-value", byValue({ a: 10n, b: 9n, c: -10n, d: -9n, e: 2n ** 80n, f: 0n, g: -(2n ** 80n) }), [
    [asc, ["g", "c", "d", "f", "b", "a", "e"]],
  ]),
  sorts(
    "order/texts-by-code-point",
    byValue({ a: "b", b: "B", c: "a", d: "😀", e: "\uFFFD", f: "", g: "aa", h: "é", i: "z", j: "10", k: "9" }),
    [
      [asc, ["f", "j", "k", "b", "c", "g", "a", "i", "h", "e", "d"]],
      [desc, ["d", "e", "h", "i", "a", "g", "c", "b", "k", "j", "f"]],
    ],
  ),
  sorts(
    "order/dates-among-texts",
    byValue({
      a: new Date("2024-01-01"),
      b: "2023-12-31",
      c: "2024-01-01T00:00:00.000Z",
      d: new Date("2024-01-02"),
      e: "2025",
    }),
    [[asc, ["b", "a", "c", "d", "e"]]],
  ),
  sorts(
    "order/bytes-byte-by-byte",
    byValue({
      a: new Uint8Array([62, 0]),
      b: new Uint8Array([63]),
      c: new Uint8Array([0]),
      d: new Uint8Array([62]),
      e: new Uint8Array(),
      f: new Uint8Array([255]),
      g: new Uint8Array([128]),
    }),
    [[asc, ["e", "c", "d", "a", "b", "g", "f"]]],
  ),
  sorts("order/ties-are-broken-by-id-ascending", byValue({ d: 1, b: 1, a: 2, c: 1, e: 2 }), [
    [asc, ["b", "c", "d", "a", "e"]],
    [desc, ["a", "e", "b", "c", "d"]],
  ]),
  sorts(
    "order/ids-tie-by-code-point",
    { "😀": { v: 1 }, "\uFFFD": { v: 1 }, Z: { v: 1 }, a: { v: 1 }, "a.b": { v: 1 }, "10": { v: 1 }, "9": { v: 1 } },
    [
      [asc, ["10", "9", "Z", "a", "a.b", "\uFFFD", "😀"]],
      [[{ path: "id", direction: "desc" }], ["😀", "\uFFFD", "a.b", "a", "Z", "9", "10"]],
    ],
  ),
  sorts(
    "order/several-keys",
    { a: { v: 1, w: 2 }, b: { v: 2, w: 1 }, c: { v: 1, w: 1 }, d: { w: 9 }, e: { v: 2 }, f: { v: 1, w: 2 } },
    [
      [
        [{ path: "v" }, { path: "w" }],
        ["d", "c", "a", "f", "e", "b"],
      ],
      [
        [{ path: "v" }, { path: "w", direction: "desc" }],
        ["d", "a", "f", "c", "b", "e"],
      ],
      [
        [{ path: "v", direction: "desc" }, { path: "w" }],
        ["e", "b", "c", "a", "f", "d"],
      ],
      [
        [
          { path: "v", nulls: "last" },
          { path: "id", direction: "desc" },
        ],
        ["f", "c", "a", "e", "b", "d"],
      ],
    ],
  ),
  sorts("order/a-field-sorted-twice-counts-once", byValue({ a: 1, b: 2, c: null }), [
    [
      [{ path: "v" }, { path: "v", direction: "desc" }],
      ["c", "a", "b"],
    ],
    [
      [{ path: "v" }, { path: "data.v", direction: "desc" }],
      ["c", "a", "b"],
    ],
  ]),
  {
    id: "order/by-metadata-and-nested-fields",
    run: async ({ db }) => {
      await db.create({ o: { n: 2 } }, { id: "a", metadata: { rank: 3n } });
      await db.create({ o: { n: 1 } }, { id: "b", metadata: { rank: 20n } });
      await db.create({ o: 7 }, { id: "c" });
      same(idsOf(await db.search({ sort: [{ path: "o.n" }] })), ["c", "b", "a"]);
      same(idsOf(await db.search({ sort: [{ path: "metadata.rank", direction: "desc" }] })), ["b", "a", "c"]);
    },
  },
  {
    id: "order/by-the-times-of-writing",
    run: async ({ db }) => {
      for (const id of ["b", "a", "c"]) {
        await db.create({}, { id });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await db.update("b", { again: true });
      same(idsOf(await db.search({ sort: [{ path: "createdAt" }] })), ["b", "a", "c"]);
      same(idsOf(await db.search({ sort: [{ path: "createdAt", direction: "desc" }] })), ["c", "a", "b"]);
      same(idsOf(await db.search({ sort: [{ path: "updatedAt" }] })), ["a", "c", "b"]);
    },
  },
  {
    id: "order/with-a-filter-on-another-field",
    indexes,
    run: async ({ db }) => {
      await load(db, { a: { v: 3, w: 1 }, b: { v: 1, w: 1 }, c: { v: 2, w: 2 }, d: { w: 1 }, e: { v: "x", w: 1 } });
      same(idsOf(await db.search({ where: where("w", "=", 1), sort: asc })), ["d", "b", "a", "e"]);
      same(idsOf(await db.search({ where: where("w", "=", 1), sort: desc, limit: 2 })), ["e", "a"]);
    },
  },
  {
    id: "order/follows-later-writes",
    indexes,
    run: async ({ db }) => {
      await load(db, { a: { v: 1 }, b: { v: 2 }, c: { v: 3 } });
      await db.update("a", { v: 9 });
      await db.patch("c", { v: null });
      await db.delete("b");
      await db.create({ v: 5 }, { id: "d" });
      same(idsOf(await db.search({ sort: asc })), ["c", "d", "a"]);
      same(idsOf(await db.search({ where: where("v", ">", 4), sort: desc })), ["a", "d"]);
    },
  },
];
