/** What a backend declares is plain, frozen, and true. */
import assert from "node:assert/strict";
import { percentile } from "../aggregate/functions.js";
import { valueClasses } from "../query/lowered.js";
import { openDatabaseSync } from "../sync/open.js";
import type { Case } from "./case.js";
import { refuses, same } from "./expect.js";

export const capabilityCases: readonly Case[] = [
  {
    id: "capabilities/are-plain-frozen-data",
    run: async ({ db, backend }) => {
      same(JSON.parse(JSON.stringify(db.capabilities)), db.capabilities);
      assert.ok(Object.isFrozen(db.capabilities));
      const before = (await backend()).capabilities;
      same(JSON.parse(JSON.stringify(before)), before);
    },
  },
  {
    id: "capabilities/pushdown-lists-the-compilers-handlers",
    modes: ["plain"],
    run: async ({ db, backend }) => {
      const { compiler } = await backend();
      const handlers = Object.keys(compiler?.leaf ?? {}).sort();
      same([...db.capabilities.pushdown].sort(), handlers);
      assert.ok(valueClasses.length === 8);
    },
  },
  {
    id: "capabilities/interactive-transactions-have-begin",
    run: async ({ backend, capabilities }) => {
      const { begin } = await backend();
      same(typeof begin, capabilities.transactions === "interactive" ? "function" : typeof begin);
    },
  },
  {
    id: "capabilities/synchronous-backends-open-synchronously",
    requires: (capabilities) => capabilities.synchronous,
    run: async ({ backend }) => {
      const db = openDatabaseSync(await backend());
      try {
        same(db.create({ n: 1n }, { id: "a" }).data, { n: 1n });
        same(db.read("a")?.data, { n: 1n });
        same([...db.stream()].length, 1);
      } finally {
        db.close();
      }
    },
    unsupported: async ({ backend }) => {
      const one = await backend();
      // an asynchronous backend may have a synchronous twin
      if (one.toSync === undefined) await refuses("UNSUPPORTED", () => openDatabaseSync(one));
    },
  },
  {
    id: "capabilities/percentiles-are-exact",
    requires: (capabilities) => capabilities.percentile === "exact",
    run: async ({ db }) => {
      await db.createMany(Array.from({ length: 101 }, (_, v) => ({ data: { v } })));
      same(await db.aggregate({ select: { p: percentile("v", 0.95) } }), [{ p: 95 }]);
    },
    unsupported: async ({ db }) => {
      await db.createMany(Array.from({ length: 101 }, (_, v) => ({ data: { v } })));
      const [row] = await db.aggregate({ select: { p: percentile("v", 0.95) } });
      assert.ok(Math.abs((row?.["p"] as number) - 95) < 3);
    },
  },
];
