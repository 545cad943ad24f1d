/** Opening, closing, using what is closed; what durable stores keep. */
import assert from "node:assert/strict";
import { backendOf } from "../backend/under.js";
import type { Query } from "../query/ast.js";
import { where } from "../query/builder.js";
import type { Case } from "./case.js";
import { collect, idSet, idsOf, refuses, same } from "./expect.js";
import type { OpenOptions, TestDatabase } from "./session.js";

const calls: { readonly [name: string]: (db: TestDatabase) => unknown } = {
  create: (db) => db.create({ n: 1 }),
  read: (db) => db.read("a"),
  readMany: (db) => db.readMany(["a"]),
  exists: (db) => db.exists("a"),
  update: (db) => db.update("a", {}),
  patch: (db) => db.patch("a", {}),
  upsert: (db) => db.upsert("a", {}),
  delete: (db) => db.delete("a"),
  createMany: (db) => db.createMany([{ data: {} }]),
  upsertMany: (db) => db.upsertMany([{ id: "a", data: {} }]),
  updateMany: (db) => db.updateMany([{ id: "a", data: {} }]),
  deleteMany: (db) => db.deleteMany(["a"]),
  updateWhere: (db) => db.updateWhere(where("n", "=", 1), {}),
  deleteWhere: (db) => db.deleteWhere(where("n", "=", 1)),
  clear: (db) => db.clear(),
  search: (db) => db.search(),
  first: (db) => db.first(),
  count: (db) => db.count(),
  page: (db) => db.page({}),
  aggregate: (db) => db.aggregate({ select: { n: { fn: "count" } } }),
  stream: async (db) => collect(db.stream()),
  explain: (db) => db.explain(),
};

const asyncCalls: typeof calls = {
  write: (db) => db.write([]),
  transaction: (db) => db.transaction(async () => 1),
  buffered: (db) => db.transaction(async () => 1, { mode: "buffered" }),
};

function closed(name: string, call: (db: TestDatabase) => unknown, asyncOnly: boolean): Case {
  return {
    id: `lifecycle/closed/${name}-is-NOT_OPEN`,
    asyncOnly,
    run: async ({ db }) => {
      await db.create({ n: 1 }, { id: "a" });
      await db.close();
      await refuses("NOT_OPEN", () => call(db));
    },
  };
}

/** Durable stores keep it; the others' twin: a fresh store knows nothing of it. */
function durable(id: string, run: Case["run"]): Case {
  return {
    id: `lifecycle/reopened/${id}`,
    requires: (capabilities) => capabilities.durable,
    run,
    unsupported: async ({ db, open }) => {
      await db.create({ n: 1 }, { id: "a" });
      same(await (await open()).search(), []);
    },
  };
}

const badSettings: { readonly [name: string]: unknown } = {
  "an-unknown-setting": { index: [] },
  "indexes-that-are-no-list": { indexes: { path: "a" } },
  "an-index-without-path": { indexes: [{}] },
  "an-index-with-an-unknown-key": { indexes: [{ path: "a", uniq: true }] },
  "an-index-of-an-unknown-type": { indexes: [{ path: "a", type: "text" }] },
  "an-index-on-id": { indexes: [{ path: "id" }] },
  "an-index-that-is-unique-and-text": { indexes: [{ path: "a", unique: true, text: true }] },
  "a-schema-that-is-none": { schema: { type: "object" } },
  "residual-of-another-word": { residual: "never" },
  "a-negative-maxBuffered": { maxBuffered: -1 },
};

export const lifecycleCases: readonly Case[] = [
  ...Object.entries(calls).map(([name, call]) => closed(name, call, false)),
  ...Object.entries(asyncCalls).map(([name, call]) => closed(name, call, true)),
  {
    id: "lifecycle/close-twice-is-nothing",
    run: async ({ db }) => {
      await db.close();
      await db.close();
      await refuses("NOT_OPEN", () => db.count());
    },
  },
  {
    id: "lifecycle/two-closes-at-once",
    run: async ({ db }) => {
      await Promise.all([db.close(), db.close()]);
    },
  },
  {
    id: "lifecycle/dispose-closes",
    run: async ({ open }) => {
      const db = await open();
      await db[Symbol.asyncDispose]();
      await refuses("NOT_OPEN", () => db.count());
    },
  },
  {
    id: "lifecycle/close-waits-for-writes-under-way",
    asyncOnly: true,
    run: async ({ db }) => {
      const writes = Array.from({ length: 20 }, (_, n) => db.create({ n }));
      const closing = db.close();
      const ends = await Promise.allSettled(writes);
      await closing;
      for (const end of ends) {
        if (end.status === "rejected") same((end.reason as { code?: unknown }).code, "NOT_OPEN");
      }
    },
  },
  {
    id: "lifecycle/close-ends-open-streams",
    asyncOnly: true,
    run: async ({ db }) => {
      await db.createMany(Array.from({ length: 2500 }, (_, n) => ({ data: { n } })));
      const iterator = db.stream()[Symbol.asyncIterator]();
      await iterator.next();
      await db.close();
      await assert.rejects(async () => {
        for (;;) if ((await iterator.next()).done === true) throw new Error("ended");
      });
    },
  },
  {
    id: "lifecycle/two-stores-know-nothing-of-each-other",
    run: async ({ db, open }) => {
      const other = await open();
      await db.create({ n: 1 }, { id: "a" });
      same(await other.count(), 0);
      await other.create({ n: 2 }, { id: "a" });
      await other.clear();
      same((await db.read("a"))?.data, { n: 1 });
      await other.close();
      same(await db.count(), 1);
    },
  },
  ...Object.entries(badSettings).map(
    ([name, settings]): Case => ({
      id: `lifecycle/opening/refuses-${name}`,
      run: async ({ open }) => {
        await refuses("INVALID_CONFIG", () => open(settings as OpenOptions));
      },
    }),
  ),
  {
    id: "lifecycle/opening/a-unique-index-needs-the-capability",
    requires: (capabilities) => capabilities.unique,
    run: async ({ open }) => {
      await open({ indexes: [{ path: "a", unique: true }] });
    },
  },
  durable("data-types-versions-and-times-survive", async ({ db, reopen }) => {
    const data = {
      n: 1,
      big: 2n ** 70n,
      at: new Date(5),
      bytes: new Uint8Array([1, 2]),
      v: new Float32Array([0.5]),
      o: { l: [3n] },
    };
    const a = await db.create(data, { id: "a", metadata: { m: new Date(7) } });
    const b = await db.create({}, { id: "b" });
    const again = await reopen(db);
    same(await again.readMany(["a", "b"]), [a, b]);
    same(idsOf(await again.search({ where: where("big", "=", 2n ** 70n) })), ["a"]);
    await again.update("a", { n: 2 }, { ifVersion: a.version });
  }),
  durable("deletions-and-changes-survive", async ({ db, reopen }) => {
    await db.createMany(Array.from({ length: 50 }, (_, n) => ({ id: `r${n}`, data: { n } })));
    await db.deleteWhere(where("n", ">=", 25));
    await db.updateWhere(where("n", "<", 5), { n: 100 });
    const again = await reopen(db);
    same(await again.count(), 25);
    same(await again.count({ where: where("n", "=", 100) }), 5);
    await again.clear();
    const third = await reopen(again);
    same(await third.count(), 0);
  }),
  durable("indexes-may-be-declared-later", async ({ db, reopen }) => {
    await db.createMany([
      { id: "a", data: { n: 1, t: "red fox" } },
      { id: "b", data: { n: "1", t: "blue" } },
      { id: "c", data: { n: 1n } },
    ]);
    const again = await reopen(db, { indexes: [{ path: "n" }, { path: "t", text: true }] });
    const queries: readonly (readonly [Query, readonly string[]])[] = [
      [{ where: where("n", "=", 1) }, ["a"]],
      [{ where: where("n", "=", 1n) }, ["c"]],
      [{ match: { text: "red", fields: ["t"] } }, ["a"]],
    ];
    for (const [query, ids] of queries) same(idSet(await again.search(query)), ids);
    await again.create({ n: 1, t: "red" }, { id: "d" });
    const third = await reopen(again);
    same(idSet(await third.search({ where: where("n", "=", 1) })), ["a", "d"]);
    same(idSet(await third.search({ match: { text: "red", fields: ["t"] } })), ["a", "d"]);
  }),
  durable("versions-are-not-reused", async ({ db, reopen }) => {
    const a = await db.create({ n: 1 }, { id: "a" });
    const again = await reopen(db);
    const b = await again.upsert("a", { n: 1 });
    assert.notEqual(a.version, b.version);
    await refuses("VERSION_CONFLICT", () => again.update("a", {}, { ifVersion: a.version }));
  }),
  {
    ...durable("its-location-is-its-own", async ({ db, open, reopen }) => {
      const { location } = backendOf(db);
      const elsewhere = backendOf(await open()).location;
      if (location === undefined) assert.equal(elsewhere, undefined);
      else assert.notEqual(elsewhere, location);
      assert.equal(backendOf(await reopen(db)).location, location);
    }),
    asyncOnly: true,
  },
];
