/** createMany, upsertMany, updateMany, deleteMany: order, atomicity, duplicates, size. */
import assert from "node:assert/strict";
import type { Case } from "./case.js";
import { idSet, idsOf, refuses, refusesWith, same } from "./expect.js";

export const batchCases: readonly Case[] = [
  {
    id: "batches/createMany/gives-records-in-input-order",
    run: async ({ db }) => {
      const created = await db.createMany([
        { id: "c", data: { n: 1 }, metadata: { m: 1 } },
        { data: { n: 2 } },
        { id: "a", data: { n: 3n } },
      ]);
      same(
        created.map(({ data }) => data),
        [{ n: 1 }, { n: 2 }, { n: 3n }],
      );
      same(created[0]?.metadata, { m: 1 });
      same([created[0]?.id, created[2]?.id], ["c", "a"]);
      same(await db.readMany(idsOf(created)), created);
    },
  },
  {
    id: "batches/empty-ones-do-nothing",
    run: async ({ db }) => {
      same(await db.createMany([]), []);
      same(await db.upsertMany([]), []);
      same(await db.updateMany([]), []);
      same(await db.deleteMany([]), []);
      same(await db.readMany([]), []);
      same(await db.count(), 0);
    },
  },
  {
    id: "batches/createMany/a-duplicate-id-is-refused-before-writing",
    run: async ({ db }) => {
      const records = [
        { id: "a", data: { n: 1 } },
        { id: "b", data: {} },
        { id: "a", data: { n: 2 } },
      ];
      await refusesWith("ALREADY_EXISTS", { id: "a" }, () => db.createMany(records));
      same(await db.count(), 0);
    },
  },
  {
    id: "batches/createMany/an-existing-id-undoes-all",
    requires: ({ atomicBatch }) => atomicBatch,
    run: async ({ db }) => {
      const kept = await db.create({ n: 0 }, { id: "b" });
      const records = [
        { id: "a", data: { n: 1 } },
        { id: "b", data: { n: 2 } },
        { id: "c", data: { n: 3 } },
      ];
      await refusesWith("ALREADY_EXISTS", { id: "b" }, () => db.createMany(records));
      same(await db.search(), [kept]);
    },
    unsupported: async ({ db }) => {
      await db.create({ n: 0 }, { id: "b" });
      const records = [
        { id: "a", data: { n: 1 } },
        { id: "b", data: { n: 2 } },
        { id: "c", data: { n: 3 } },
      ];
      const error = await refuses("ALREADY_EXISTS", () => db.createMany(records));
      const outcomes = error.details["outcomes"] as readonly { readonly id: string; readonly status: string }[];
      same(
        outcomes.map(({ id }) => id),
        ["a", "b", "c"],
        "per-record outcomes in the details",
      );
      same(outcomes[1]?.status, "exists");
      const written = outcomes.filter(({ status }) => status === "written").map(({ id }) => id);
      same(idSet(await db.search()), [...written, "b"].sort());
      same((await db.read("b"))?.data, { n: 0 });
    },
  },
  {
    id: "batches/updateMany/a-stale-version-undoes-all",
    requires: ({ atomicBatch }) => atomicBatch,
    run: async ({ db }) => {
      const before = await db.createMany([
        { id: "a", data: { n: 0 } },
        { id: "b", data: { n: 0 } },
        { id: "c", data: { n: 0 } },
      ]);
      const changes = [
        { id: "a", data: { n: 1 } },
        { id: "b", data: { n: 1 }, ifVersion: "stale" },
        { id: "c", data: { n: 1 } },
      ];
      await refusesWith("VERSION_CONFLICT", { id: "b" }, () => db.updateMany(changes));
      same(await db.readMany(["a", "b", "c"]), before);
    },
    unsupported: async ({ db }) => {
      await db.createMany([
        { id: "a", data: { n: 0 } },
        { id: "b", data: { n: 0 } },
      ]);
      const changes = [
        { id: "a", data: { n: 1 } },
        { id: "b", data: { n: 1 }, ifVersion: "stale" },
      ];
      const error = await refuses("VERSION_CONFLICT", () => db.updateMany(changes));
      same(
        (error.details["outcomes"] as readonly { readonly id: string }[]).map(({ id }) => id),
        ["a", "b"],
      );
      same((await db.read("b"))?.data, { n: 0 });
    },
  },
  {
    id: "batches/upsertMany/a-stale-version-undoes-all",
    requires: ({ atomicBatch }) => atomicBatch,
    run: async ({ db }) => {
      const [before] = await db.createMany([{ id: "b", data: { n: 0 } }]);
      const changes = [
        { id: "a", data: { n: 1 } },
        { id: "b", data: { n: 1 }, ifVersion: "stale" },
      ];
      await refusesWith("VERSION_CONFLICT", { id: "b" }, () => db.upsertMany(changes));
      same(await db.search(), [before]);
    },
    unsupported: async ({ db }) => {
      await db.createMany([{ id: "b", data: { n: 0 } }]);
      const changes = [
        { id: "a", data: { n: 1 } },
        { id: "b", data: { n: 1 }, ifVersion: "stale" },
      ];
      await refuses("VERSION_CONFLICT", () => db.upsertMany(changes));
      same((await db.read("b"))?.data, { n: 0 });
    },
  },
  {
    id: "batches/one-bad-record-is-refused-before-writing",
    run: async ({ db }) => {
      await refuses("INVALID_RECORD", () =>
        db.createMany([
          { id: "a", data: {} },
          { id: "b", data: { n: Number.NaN } },
        ]),
      );
      await refuses("INVALID_RECORD", () =>
        db.upsertMany([
          { id: "a", data: {} },
          { id: "", data: {} },
        ]),
      );
      same(await db.count(), 0);
    },
  },
  {
    id: "batches/upsertMany/inserts-and-replaces",
    run: async ({ db }) => {
      const old = await db.create({ n: 0, x: 1 }, { id: "b", metadata: { m: 1 } });
      const records = await db.upsertMany([
        { id: "a", data: { n: 1 } },
        { id: "b", data: { n: 2 } },
      ]);
      same(
        records.map(({ id, data }) => [id, data]),
        [
          ["a", { n: 1 }],
          ["b", { n: 2 }],
        ],
      );
      same(records[1]?.metadata, {});
      same(records[1]?.createdAt, old.createdAt);
      same(await db.readMany(["a", "b"]), records);
    },
  },
  {
    id: "batches/upsertMany/the-last-of-an-id-wins",
    run: async ({ db }) => {
      const records = await db.upsertMany([
        { id: "a", data: { n: 1 } },
        { id: "b", data: { n: 2 } },
        { id: "a", data: { n: 3 } },
      ]);
      same(idsOf(records), ["a", "b", "a"]);
      same((await db.read("a"))?.data, { n: 3 });
      same(await db.count(), 2);
    },
  },
  {
    id: "batches/updateMany/is-positional-and-never-inserts",
    run: async ({ db }) => {
      await db.createMany([
        { id: "a", data: { n: 0 }, metadata: { m: 1 } },
        { id: "c", data: { n: 0 } },
      ]);
      const updated = await db.updateMany([
        { id: "c", data: { n: 1 }, metadata: { k: 1 } },
        { id: "x", data: { n: 1 } },
        { id: "a", data: { n: 2 } },
      ]);
      same(
        updated.map((record) => record?.id),
        ["c", undefined, "a"],
      );
      same(
        updated.map((record) => record?.metadata),
        [{ k: 1 }, undefined, { m: 1 }],
      );
      same(await db.readMany(["c", "x", "a"]), updated);
    },
  },
  {
    id: "batches/deleteMany/is-positional",
    run: async ({ db }) => {
      await db.createMany(["a", "b", "c"].map((id) => ({ id, data: {} })));
      same(await db.deleteMany(["c", "x", "a"]), [true, false, true]);
      same(idSet(await db.search()), ["b"]);
      same(await db.deleteMany(["b", "b"]), [true, false]);
    },
  },
  {
    id: "batches/any-size-works",
    indexes: [{ path: "n" }],
    run: async ({ db }) => {
      const size = 2500;
      const ids = Array.from({ length: size }, (_, n) => `r${String(n).padStart(5, "0")}`);
      const created = await db.createMany(ids.map((id, n) => ({ id, data: { n } })));
      same(idsOf(created), ids);
      same(await db.count(), size);
      same((await db.readMany(ids)).filter((record) => record === undefined).length, 0);
      const updated = await db.updateMany(ids.map((id, n) => ({ id, data: { n: n + 1 } })));
      same(updated.at(-1)?.data, { n: size });
      same(idsOf(await db.upsertMany(ids.map((id) => ({ id, data: { n: 0 } })))), ids);
      same(await db.count({ where: { path: "n", op: "=", value: 0 } }), size);
      same(
        (await db.deleteMany(ids)).every((gone) => gone),
        true,
      );
      same(await db.count(), 0);
    },
  },
  {
    id: "batches/records-of-one-batch-have-different-versions",
    run: async ({ db }) => {
      const records = await db.createMany(Array.from({ length: 50 }, () => ({ data: {} })));
      assert.equal(new Set(records.map(({ version }) => version)).size, 50);
    },
  },
  {
    id: "batches/upsertMany/without-an-id-makes-one",
    run: async ({ db }) => {
      const [record] = await db.upsertMany([{ data: { n: 1 } }]);
      assert.ok(record !== undefined && record.id !== "");
      same((await db.read(record.id))?.data, { n: 1 });
    },
  },
];
