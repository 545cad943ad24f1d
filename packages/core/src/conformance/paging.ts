/** limit, offset, first, count, and pages by cursor. */
import assert from "node:assert/strict";
import type { Query } from "../query/ast.js";
import { where } from "../query/builder.js";
import type { Value } from "../record/values.js";
import type { Case } from "./case.js";
import { idsOf, refuses, same } from "./expect.js";
import type { TestDatabase } from "./session.js";

const indexes = [{ path: "n" }, { path: "v" }] as const;

async function loadTen(db: TestDatabase): Promise<void> {
  // inserted in another order than any that is asked for
  for (const n of [3, 9, 1, 7, 5, 0, 8, 2, 6, 4]) await db.create({ n, even: n % 2 === 0 }, { id: `r${n}` });
}

/** All pages of a query, one list of ids per page. */
async function pages(db: TestDatabase, query: Query): Promise<string[][]> {
  const all: string[][] = [];
  let after: string | undefined;
  do {
    const page: { readonly records: readonly { readonly id: string }[]; readonly next: string | undefined } =
      await db.page(query, after === undefined ? {} : { after });
    all.push(idsOf(page.records));
    after = page.next;
    assert.ok(all.length < 100, "paging does not end");
  } while (after !== undefined);
  return all;
}

const mixed: readonly Value[] = [
  null,
  undefined,
  true,
  false,
  2,
  2,
  10,
  -1,
  5n,
  2n,
  "b",
  "",
  "b",
  "😀",
  "\uFFFD",
  new Date(0),
  new Uint8Array([1]),
  new Uint8Array([1]),
  [1],
  [2],
  {},
  { a: 1 },
  null,
  "10",
];

const r = (...numbers: readonly number[]): string[] => numbers.map((n) => `r${n}`);

export const pagingCases: readonly Case[] = [
  {
    id: "paging/a-limit-without-sort-is-in-id-order",
    indexes,
    run: async ({ db }) => {
      await loadTen(db);
      same(idsOf(await db.search({ limit: 3 })), r(0, 1, 2));
      same(idsOf(await db.search({ limit: 3, offset: 3 })), r(3, 4, 5));
      same(idsOf(await db.search({ where: where("even", "=", true), limit: 2 })), r(0, 2));
      same(idsOf(await db.search({ where: where("n", ">", 4), limit: 2 })), r(5, 6));
    },
  },
  {
    id: "paging/unordered-gives-so-many-of-any",
    indexes,
    run: async ({ db }) => {
      await loadTen(db);
      const some = await db.search({ where: where("n", ">", 4), limit: 3, unordered: true });
      same(new Set(idsOf(some)).size, 3);
      assert.ok(some.every(({ data }) => (data["n"] as number) > 4));
    },
  },
  {
    id: "paging/limit-0-is-empty",
    indexes,
    run: async ({ db }) => {
      await loadTen(db);
      same(await db.search({ limit: 0 }), []);
      same(await db.search({ limit: 0, offset: 2, sort: [{ path: "n" }] }), []);
      same(await db.search({ limit: 0, where: where("n", "=", 1) }), []);
      same(await db.search({ limit: 0, unordered: true }), []);
      same(await db.first({ limit: 0 }), undefined);
    },
  },
  {
    id: "paging/an-offset-without-limit-works",
    indexes,
    run: async ({ db }) => {
      await loadTen(db);
      same(idsOf(await db.search({ offset: 7 })), r(7, 8, 9));
      same(idsOf(await db.search({ offset: 7, sort: [{ path: "n", direction: "desc" }] })), r(2, 1, 0));
      same(idsOf(await db.search({ offset: 0, sort: [{ path: "n" }] })), r(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    },
  },
  {
    id: "paging/an-offset-past-the-end-is-empty",
    indexes,
    run: async ({ db }) => {
      await loadTen(db);
      same(await db.search({ offset: 10 }), []);
      same(await db.search({ offset: 1000, limit: 5, sort: [{ path: "n" }] }), []);
      same(await db.search({ offset: Number.MAX_SAFE_INTEGER, limit: Number.MAX_SAFE_INTEGER }), []);
      same((await db.search({ limit: Number.MAX_SAFE_INTEGER })).length, 10);
    },
  },
  {
    id: "paging/limit-and-offset-come-after-the-filter",
    indexes,
    run: async ({ db }) => {
      await loadTen(db);
      const query = { where: where("even", "=", true), sort: [{ path: "n" }], limit: 2, offset: 1 } as const;
      same(idsOf(await db.search(query)), r(2, 4));
      same(idsOf(await db.search({ ...query, where: where("n", "regex", "x") })), []);
    },
  },
  {
    id: "paging/every-window-of-a-sorted-answer",
    indexes,
    run: async ({ db }) => {
      await loadTen(db);
      const all = r(9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
      for (let offset = 0; offset <= 11; offset++) {
        for (const limit of [1, 2, 3, 9, 10, 11]) {
          const found = await db.search({ sort: [{ path: "n", direction: "desc" }], limit, offset });
          same(idsOf(found), all.slice(offset, offset + limit), `limit ${limit} offset ${offset}`);
        }
      }
    },
  },
  {
    id: "paging/first-is-the-first-or-undefined",
    indexes,
    run: async ({ db }) => {
      same(await db.first(), undefined);
      await loadTen(db);
      same((await db.first())?.id, "r0");
      same((await db.first({ sort: [{ path: "n", direction: "desc" }] }))?.id, "r9");
      same((await db.first({ where: where("n", ">", 4), sort: [{ path: "n" }], offset: 1 }))?.id, "r6");
      same(await db.first({ where: where("n", ">", 9) }), undefined);
    },
  },
  {
    id: "paging/count-ignores-sort-limit-and-offset",
    indexes,
    run: async ({ db }) => {
      await loadTen(db);
      same(await db.count({ limit: 1 }), 10);
      same(await db.count({ where: where("n", ">=", 5), limit: 2, offset: 4, sort: [{ path: "n" }] }), 5);
      same(await db.count({ limit: 0 }), 10);
      same(await db.count({ where: where("even", "=", true), select: ["n"] }), 5);
    },
  },
  {
    id: "paging/pages-are-the-sorted-answer-cut-up",
    indexes,
    run: async ({ db }) => {
      await loadTen(db);
      same(await pages(db, { sort: [{ path: "n" }], limit: 4 }), [r(0, 1, 2, 3), r(4, 5, 6, 7), r(8, 9)]);
      same(await pages(db, { sort: [{ path: "n", direction: "desc" }], limit: 5 }), [
        r(9, 8, 7, 6, 5),
        r(4, 3, 2, 1, 0),
      ]);
      same(await pages(db, { where: where("even", "=", true), sort: [{ path: "n" }], limit: 2 }), [
        r(0, 2),
        r(4, 6),
        r(8),
      ]);
      same(await pages(db, { limit: 6 }), [r(0, 1, 2, 3, 4, 5), r(6, 7, 8, 9)]);
      same(await pages(db, { where: where("n", ">", 100), limit: 6 }), [[]]);
    },
  },
  {
    id: "paging/pages-over-every-class-nulls-and-ties",
    indexes,
    run: async ({ db }) => {
      await db.createMany(mixed.map((v, n) => ({ id: `m${String(n).padStart(2, "0")}`, data: { v, n: n % 3 } })));
      const sorts: readonly Query["sort"][] = [
        [{ path: "v" }],
        [{ path: "v", direction: "desc" }],
        [{ path: "v", nulls: "last" }],
        [{ path: "v", direction: "desc", nulls: "first" }],
        [{ path: "n" }, { path: "v", direction: "desc" }],
        [{ path: "n", direction: "desc" }, { path: "v" }],
        [{ path: "v" }, { path: "id", direction: "desc" }],
        [{ path: "createdAt", direction: "desc" }, { path: "v" }],
      ];
      for (const sort of sorts) {
        const whole = idsOf(await db.search({ sort: sort ?? [] }));
        for (const limit of [1, 3, 7]) {
          same((await pages(db, { sort: sort ?? [], limit })).flat(), whole, `${JSON.stringify(sort)}, ${limit} each`);
        }
      }
    },
  },
  {
    id: "paging/a-page-follows-the-last-row-not-its-number",
    indexes,
    run: async ({ db }) => {
      await loadTen(db);
      const query: Query = { sort: [{ path: "n" }], limit: 3 };
      const first = await db.page(query);
      await db.deleteMany(["r0", "r1", "r2"]);
      await db.create({ n: -1 }, { id: "early" });
      const second = await db.page(query, { after: first.next ?? "" });
      same(idsOf(second.records), r(3, 4, 5));
    },
  },
  {
    id: "paging/a-page-may-select",
    indexes,
    run: async ({ db }) => {
      await loadTen(db);
      const query: Query = { sort: [{ path: "n" }], limit: 4, select: ["even"] };
      const first = await db.page(query);
      same(first.records[0]?.data, { even: true });
      same(idsOf((await db.page(query, { after: first.next ?? "" })).records), r(4, 5, 6, 7));
    },
  },
  {
    id: "paging/after-in-a-query-continues-it",
    indexes,
    run: async ({ db }) => {
      await loadTen(db);
      const query: Query = { where: where("n", "<", 8), sort: [{ path: "n", direction: "desc" }], limit: 3 };
      const { next } = await db.page(query);
      same(idsOf(await db.search({ ...query, after: next ?? "" })), r(4, 3, 2));
      const { limit: _, ...all } = query;
      same(idsOf(await db.search({ ...all, after: next ?? "" })), r(4, 3, 2, 1, 0));
    },
  },
  {
    id: "paging/a-cursor-of-another-query-is-refused",
    indexes,
    run: async ({ db }) => {
      await loadTen(db);
      const query: Query = { where: where("n", ">=", 0), sort: [{ path: "n" }], limit: 3 };
      const after = (await db.page(query)).next ?? "";
      const others: readonly Query[] = [
        { ...query, where: where("n", ">=", 1) },
        { ...query, sort: [{ path: "n", direction: "desc" }] },
        { ...query, sort: [{ path: "even" }] },
        { where: where("n", ">=", 0), limit: 3 },
        { ...query, where: where("n", ">=", new Date(0)) },
      ];
      for (const other of others) await refuses("INVALID_QUERY", () => db.page(other, { after }));
      for (const bad of ["", "x", "AAAA", `${after}A`, after.slice(1), "W10", "bnVsbA"]) {
        await refuses("INVALID_QUERY", () => db.page(query, { after: bad }));
      }
      same(idsOf((await db.page({ ...query, limit: 1 }, { after })).records), r(3));
    },
  },
  {
    id: "paging/a-match-without-sort-cannot-be-paged",
    run: async ({ db }) => {
      await db.create({ t: "a b" });
      await refuses("INVALID_QUERY", () => db.page({ match: { text: "a", fields: ["t"] }, limit: 1 }));
      same(
        (await db.page({ match: { text: "a", fields: ["t"] }, sort: [{ path: "id" }], limit: 1 })).records.length,
        1,
      );
    },
  },
];
