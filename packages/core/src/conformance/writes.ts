/** create, read, update, patch, upsert, delete, clear: one record at a time. */
import assert from "node:assert/strict";
import { where } from "../query/builder.js";
import type { Case } from "./case.js";
import { idSet, refuses, refusesWith, same } from "./expect.js";

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

export const writeCases: readonly Case[] = [
  {
    id: "write/create/gives-the-whole-record",
    run: async ({ db }) => {
      const before = Date.now();
      const created = await db.create({ name: "Ada" }, { id: "ada", metadata: { source: "import" } });
      same(created.id, "ada");
      same(created.data, { name: "Ada" });
      same(created.metadata, { source: "import" });
      assert.ok(typeof created.version === "string" && created.version !== "");
      assert.ok(created.createdAt.getTime() >= before && created.createdAt.getTime() <= Date.now());
      same(created.updatedAt, created.createdAt);
      same(await db.read("ada"), created);
      same(await db.search(), [created]);
    },
  },
  {
    id: "write/create/metadata-not-given-is-empty",
    run: async ({ db }) => {
      same((await db.create({ a: 1 }, { id: "a" })).metadata, {});
      same((await db.read("a"))?.metadata, {});
    },
  },
  {
    id: "write/create/rejects-an-existing-id",
    run: async ({ db }) => {
      const first = await db.create({ n: 1 }, { id: "a", metadata: { m: 1 } });
      await refusesWith("ALREADY_EXISTS", { id: "a" }, () => db.create({ n: 2 }, { id: "a" }));
      same(await db.read("a"), first);
      assert.equal(await db.count(), 1);
    },
  },
  {
    id: "write/create/after-delete-is-a-new-record",
    run: async ({ db }) => {
      const first = await db.create({ n: 1 }, { id: "a", metadata: { m: 1 } });
      await db.delete("a");
      await pause();
      const second = await db.create({ n: 2 }, { id: "a" });
      same(second.data, { n: 2 });
      same(second.metadata, {});
      assert.ok(second.createdAt.getTime() > first.createdAt.getTime());
    },
  },
  {
    id: "write/read/a-missing-record-is-undefined",
    run: async ({ db }) => {
      same(await db.read("nobody"), undefined);
      same(await db.exists("nobody"), false);
      same(await db.readMany(["nobody"]), [undefined]);
    },
  },
  {
    id: "write/read/many-are-positional",
    run: async ({ db }) => {
      const a = await db.create({ n: 1 }, { id: "a" });
      const b = await db.create({ n: 2 }, { id: "b" });
      same(await db.readMany(["b", "x", "a", "b"]), [b, undefined, a, b]);
      same(await db.readMany([]), []);
    },
  },
  {
    id: "write/update/replaces-all-data",
    run: async ({ db }) => {
      await db.create({ a: 1, b: { c: 1 } }, { id: "x" });
      const updated = await db.update("x", { b: { d: 2 } });
      same(updated?.data, { b: { d: 2 } });
      same(await db.read("x"), updated);
      same(await db.search(), [updated]);
    },
  },
  {
    id: "write/update/never-inserts",
    run: async ({ db }) => {
      same(await db.update("nobody", { n: 1 }), undefined);
      assert.equal(await db.count(), 0);
      await db.create({}, { id: "a" });
      await db.delete("a");
      same(await db.update("a", { n: 1 }), undefined);
      assert.equal(await db.exists("a"), false);
    },
  },
  {
    id: "write/update/metadata-stays-when-not-given",
    run: async ({ db }) => {
      await db.create({ n: 1 }, { id: "a", metadata: { m: new Date(5) } });
      const updated = await db.update("a", { n: 2 });
      same(updated?.metadata, { m: new Date(5) });
      same((await db.read("a"))?.metadata, { m: new Date(5) });
    },
  },
  {
    id: "write/update/metadata-is-replaced-when-given",
    run: async ({ db }) => {
      await db.create({ n: 1 }, { id: "a", metadata: { m: 1, k: 1n } });
      await db.update("a", { n: 2 }, { metadata: { k: "1" } });
      same((await db.read("a"))?.metadata, { k: "1" });
      await db.update("a", { n: 3 }, { metadata: {} });
      same((await db.read("a"))?.metadata, {});
    },
  },
  {
    id: "write/update/changes-only-its-record",
    run: async ({ db }) => {
      const others = await db.createMany([
        { id: "a", data: { n: 1 } },
        { id: "c", data: { n: 3 } },
      ]);
      await db.create({ n: 2 }, { id: "b" });
      await db.update("b", { n: 9 });
      same(await db.readMany(["a", "c"]), others);
    },
  },
  {
    id: "write/times/createdAt-stays-and-updatedAt-moves",
    run: async ({ db }) => {
      const { createdAt } = await db.create({ n: 1 }, { id: "a" });
      let last = createdAt;
      const writes = [
        () => db.update("a", { n: 2 }),
        () => db.patch("a", { n: 3 }),
        () => db.upsert("a", { n: 4 }),
        async () => (await db.upsertMany([{ id: "a", data: { n: 5 } }]))[0],
        async () => (await db.updateMany([{ id: "a", data: { n: 6 } }]))[0],
        async () => ((await db.updateWhere(where("n", "=", 6), { n: 7 })) === 1 ? db.read("a") : undefined),
      ];
      for (const write of writes) {
        await pause();
        const written = await write();
        same(written?.createdAt, createdAt);
        assert.ok((written?.updatedAt.getTime() ?? 0) > last.getTime(), "updatedAt did not move");
        same(await db.read("a"), written);
        last = written?.updatedAt ?? last;
      }
    },
  },
  {
    id: "write/patch/merges-top-level-fields",
    run: async ({ db }) => {
      await db.create({ a: 1, b: { c: 1, d: 2 }, e: [1] }, { id: "x", metadata: { m: 1 } });
      const patched = await db.patch("x", { b: { c: 9 }, f: "new" });
      same(patched?.data, { a: 1, b: { c: 9 }, e: [1], f: "new" });
      same(patched?.metadata, { m: 1 });
      same(await db.read("x"), patched);
    },
  },
  {
    id: "write/patch/undefined-leaves-a-field-and-null-sets-it",
    run: async ({ db }) => {
      await db.create({ a: 1, b: 2 }, { id: "x" });
      await db.patch("x", { a: undefined, b: null });
      same((await db.read("x"))?.data, { a: 1, b: null });
    },
  },
  {
    id: "write/patch/of-nothing-changes-only-the-version",
    run: async ({ db }) => {
      const before = await db.create({ a: 1 }, { id: "x" });
      const after = await db.patch("x", {});
      same(after?.data, { a: 1 });
      assert.notEqual(after?.version, before.version);
    },
  },
  {
    id: "write/patch/never-inserts",
    run: async ({ db }) => {
      same(await db.patch("nobody", { n: 1 }), undefined);
      assert.equal(await db.count(), 0);
    },
  },
  {
    id: "write/upsert/inserts",
    run: async ({ db }) => {
      const record = await db.upsert("a", { n: 1 }, { metadata: { m: 1 } });
      same(record.data, { n: 1 });
      same(record.metadata, { m: 1 });
      same(record.createdAt, record.updatedAt);
      same(await db.read("a"), record);
    },
  },
  {
    id: "write/upsert/replaces-the-whole-record",
    run: async ({ db }) => {
      await db.create({ a: 1, b: 1n }, { id: "x", metadata: { m: 1n } });
      const record = await db.upsert("x", { b: "1" });
      same(record.data, { b: "1" });
      same(record.metadata, {});
      same(await db.read("x"), record);
      assert.equal(await db.count(), 1);
    },
  },
  {
    id: "write/upsert/createdAt-stays",
    run: async ({ db }) => {
      const created = await db.create({ n: 1 }, { id: "a" });
      await pause();
      const upserted = await db.upsert("a", { n: 2 });
      same(upserted.createdAt, created.createdAt);
      same((await db.read("a"))?.createdAt, created.createdAt);
      assert.ok(upserted.updatedAt.getTime() > created.updatedAt.getTime());
    },
  },
  {
    id: "write/delete/says-whether-the-record-was-there",
    run: async ({ db }) => {
      await db.createMany([
        { id: "a", data: {} },
        { id: "b", data: {} },
      ]);
      same(await db.delete("a"), true);
      same(await db.delete("a"), false);
      same(await db.delete("nobody"), false);
      same(await db.read("a"), undefined);
      same(idSet(await db.search()), ["b"]);
    },
  },
  {
    id: "write/clear/removes-every-record-and-counts",
    indexes: [{ path: "n" }],
    run: async ({ db }) => {
      await db.createMany(Array.from({ length: 25 }, (_, n) => ({ data: { n } })));
      same(await db.clear(), 25);
      same(await db.count(), 0);
      same(await db.search(), []);
      same(await db.search({ where: where("n", ">=", 0), sort: [{ path: "n" }] }), []);
      same(await db.clear(), 0);
      await db.create({ n: 1 }, { id: "again" });
      same(idSet(await db.search({ where: where("n", "=", 1) })), ["again"]);
    },
  },
  {
    id: "write/queries-see-every-acknowledged-write",
    indexes: [{ path: "v" }],
    run: async ({ db }) => {
      const found = async (v: unknown): Promise<string[]> => idSet(await db.search({ where: where("v", "=", v) }));
      await db.create({ v: 1 }, { id: "a" });
      same(await found(1), ["a"]);
      await db.update("a", { v: 2 });
      same([await found(1), await found(2)], [[], ["a"]]);
      await db.patch("a", { v: "2" });
      same([await found(2), await found("2")], [[], ["a"]]);
      await db.upsert("a", { v: [2] });
      same([await found("2"), await found([2])], [[], ["a"]]);
      await db.update("a", {});
      same([await found([2]), await found(null)], [[], ["a"]]);
      await db.patch("a", { v: 2n });
      same([await found(2), await found("2"), await found(2n)], [[], [], ["a"]]);
      await db.delete("a");
      same([await found(2n), await found(null)], [[], []]);
      same(await db.count({ where: where("v", "exists") }), 0);
    },
  },
  {
    id: "write/options-that-do-not-exist-are-refused",
    run: async ({ db }) => {
      const misspelt = { ifVersoin: "x", metdata: {} } as object;
      await assert.rejects(async () => db.update("a", {}, misspelt), TypeErrorLike);
      await assert.rejects(async () => db.create({}, misspelt), TypeErrorLike);
      assert.equal(await db.count(), 0);
    },
  },
  {
    id: "write/ifVersion-must-be-a-version",
    run: async ({ db }) => {
      const before = await db.create({ n: 1 }, { id: "a" });
      for (const bad of ["", 1, null] as readonly unknown[]) {
        await refuses("INVALID_RECORD", () => db.update("a", { n: 2 }, { ifVersion: bad as string }));
        await refuses("INVALID_RECORD", () => db.delete("a", { ifVersion: bad as string }));
      }
      same(await db.read("a"), before);
    },
  },
];

/** A TypeError of whatever realm. */
function TypeErrorLike(error: unknown): boolean {
  return (error as Error).name === "TypeError";
}
