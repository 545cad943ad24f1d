/** updateWhere and deleteWhere: just the records that the condition selects, and how many. */

import type { Condition } from "../query/ast.js";
import { and, not, where } from "../query/builder.js";
import type { Case } from "./case.js";
import { idSet, refuses, same } from "./expect.js";
import type { TestDatabase } from "./session.js";

const indexes = [{ path: "n" }] as const;

async function load(db: TestDatabase): Promise<void> {
  await db.createMany([
    { id: "a", data: { n: 1, keep: { x: 1n } }, metadata: { m: 1 } },
    { id: "b", data: { n: 2 } },
    { id: "c", data: { n: "1" } },
    { id: "d", data: { n: null } },
    { id: "e", data: {} },
  ]);
}

export const whereWriteCases: readonly Case[] = [
  {
    id: "where-writes/updateWhere/patches-what-matches-and-counts",
    indexes,
    run: async ({ db }) => {
      await load(db);
      const untouched = await db.readMany(["c", "d", "e"]);
      same(await db.updateWhere(where("n", ">=", 1), { minor: true, at: new Date(5) }), 2);
      same((await db.read("a"))?.data, { n: 1, keep: { x: 1n }, minor: true, at: new Date(5) });
      same((await db.read("a"))?.metadata, { m: 1 });
      same((await db.read("b"))?.data, { n: 2, minor: true, at: new Date(5) });
      same(await db.readMany(["c", "d", "e"]), untouched);
    },
  },
  {
    id: "where-writes/updateWhere/that-matches-nothing-changes-nothing",
    indexes,
    run: async ({ db }) => {
      await load(db);
      const before = await db.search({ sort: [{ path: "id" }] });
      same(await db.updateWhere(where("n", "=", 99), { x: 1 }), 0);
      same(await db.search({ sort: [{ path: "id" }] }), before);
    },
  },
  {
    id: "where-writes/updateWhere/of-the-field-asked-for-meets-each-record-once",
    indexes,
    run: async ({ db }) => {
      await db.createMany(Array.from({ length: 30 }, (_, n) => ({ id: `r${n}`, data: { n } })));
      const before = await db.readMany(["r0", "r29"]);
      same(await db.updateWhere(where("n", "<", 1000), { n: 500 }), 30);
      same(await db.count({ where: where("n", "=", 500) }), 30);
      const after = await db.readMany(["r0", "r29"]);
      same(
        after.map((record) => record?.createdAt),
        before.map((record) => record?.createdAt),
      );
    },
  },
  {
    id: "where-writes/updateWhere/moves-versions-so-that-old-ones-are-stale",
    run: async ({ db }) => {
      const { version } = await db.create({ n: 1 }, { id: "a" });
      await db.updateWhere(where("n", "=", 1), { n: 2 });
      await refuses("VERSION_CONFLICT", () => db.update("a", {}, { ifVersion: version }));
    },
  },
  {
    id: "where-writes/deleteWhere/deletes-what-matches-and-counts",
    indexes,
    run: async ({ db }) => {
      await load(db);
      same(await db.deleteWhere(where("n", "=", 1)), 1);
      same(idSet(await db.search()), ["b", "c", "d", "e"]);
      same(await db.deleteWhere(not(where("n", "exists"))), 2);
      same(idSet(await db.search()), ["b", "c"]);
      same(await db.deleteWhere(where("n", "in", [])), 0);
      same(idSet(await db.search()), ["b", "c"]);
    },
  },
  {
    id: "where-writes/deleteWhere/everything-when-the-condition-is-true",
    run: async ({ db }) => {
      await load(db);
      same(await db.deleteWhere(and()), 5);
      same(await db.count(), 0);
    },
  },
  {
    id: "where-writes/deleteWhere/without-a-condition-is-refused",
    run: async ({ db }) => {
      await load(db);
      for (const bad of [undefined, null, {}, "n"] as readonly unknown[]) {
        await refuses("INVALID_QUERY", () => db.deleteWhere(bad as Condition));
        await refuses("INVALID_QUERY", () => db.updateWhere(bad as Condition, { x: 1 }));
      }
      same(await db.count(), 5);
    },
  },
  {
    id: "where-writes/deleteWhere/of-many-records",
    indexes,
    run: async ({ db }) => {
      await db.createMany(Array.from({ length: 2200 }, (_, n) => ({ data: { n } })));
      same(await db.deleteWhere(where("n", ">=", 100)), 2100);
      same(await db.count(), 100);
      same(await db.updateWhere(where("n", "<", 50), { low: true }), 50);
      same(await db.count({ where: where("low", "=", true) }), 50);
    },
  },
  {
    id: "where-writes/by-text-and-metadata",
    run: async ({ db }) => {
      await load(db);
      same(await db.updateWhere(where("metadata.m", "=", 1), { found: true }), 1);
      same(idSet(await db.search({ where: where("found", "=", true) })), ["a"]);
      same(await db.deleteWhere(where("n", "regex", "^\\d$")), 1);
      same(idSet(await db.search()), ["a", "b", "d", "e"]);
    },
  },
];
