/** Versions: opaque, fresh at every write, never reused; a stale `ifVersion` writes nothing. */
import assert from "node:assert/strict";
import { where } from "../query/builder.js";
import type { Case } from "./case.js";
import { refuses, refusesWith, same } from "./expect.js";
import type { TestDatabase } from "./session.js";

type Change = (db: TestDatabase, id: string, ifVersion: string) => Promise<unknown>;

const changes: { readonly [name: string]: Change } = {
  update: (db, id, ifVersion) => db.update(id, { n: 2 }, { ifVersion }),
  patch: (db, id, ifVersion) => db.patch(id, { n: 2 }, { ifVersion }),
  upsert: (db, id, ifVersion) => db.upsert(id, { n: 2 }, { ifVersion }),
  delete: (db, id, ifVersion) => db.delete(id, { ifVersion }),
  updateMany: (db, id, ifVersion) => db.updateMany([{ id, data: { n: 2 }, ifVersion }]),
  upsertMany: (db, id, ifVersion) => db.upsertMany([{ id, data: { n: 2 }, ifVersion }]),
};

export const versionCases: readonly Case[] = [
  ...Object.entries(changes).flatMap(([name, change]): Case[] => [
    {
      id: `versions/${name}/with-the-current-version-works`,
      run: async ({ db }) => {
        const { version } = await db.create({ n: 1 }, { id: "a" });
        await change(db, "a", version);
        if (name === "delete") same(await db.exists("a"), false);
        else same((await db.read("a"))?.data, { n: 2 });
      },
    },
    {
      id: `versions/${name}/a-stale-version-is-a-conflict-and-writes-nothing`,
      run: async ({ db }) => {
        const old = await db.create({ n: 0 }, { id: "a" });
        const current = await db.update("a", { n: 1 }, { metadata: { m: 1 } });
        const details = { id: "a", expected: old.version, actual: current?.version };
        await refusesWith("VERSION_CONFLICT", details, () => change(db, "a", old.version));
        same(await db.read("a"), current);
      },
    },
    {
      id: `versions/${name}/on-a-missing-record-is-a-conflict`,
      run: async ({ db }) => {
        const { version } = await db.create({ n: 0 }, { id: "a" });
        await db.delete("a");
        const details = { id: "a", expected: version, actual: null };
        await refusesWith("VERSION_CONFLICT", details, () => change(db, "a", version));
        await refusesWith("VERSION_CONFLICT", { actual: null }, () => change(db, "never", "v"));
        same(await db.count(), 0);
      },
    },
  ]),
  {
    id: "versions/every-write-makes-a-fresh-one",
    run: async ({ db }) => {
      const seen = new Set<string>();
      const note = (record: { readonly version: string } | undefined): void => {
        assert.ok(record !== undefined && !seen.has(record.version), "a version was used twice");
        seen.add(record.version);
      };
      note(await db.create({ n: 1 }, { id: "a" }));
      note(await db.update("a", { n: 1 }));
      note(await db.update("a", { n: 1 }));
      note(await db.patch("a", { n: 1 }));
      note(await db.upsert("a", { n: 1 }));
      await db.updateWhere(where("n", "=", 1), { n: 1 });
      note(await db.read("a"));
      for (const record of await db.createMany([{ data: { n: 1 } }, { data: { n: 1 } }])) note(record);
      for (const record of await db.upsertMany([{ id: "a", data: { n: 1 } }])) note(record);
    },
  },
  {
    id: "versions/are-not-reused-after-delete-and-create",
    run: async ({ db }) => {
      const first = await db.create({ n: 1 }, { id: "a" });
      await db.delete("a");
      const second = await db.create({ n: 1 }, { id: "a" });
      assert.notEqual(second.version, first.version);
      await refuses("VERSION_CONFLICT", () => db.update("a", { n: 2 }, { ifVersion: first.version }));
      same(await db.read("a"), second);
    },
  },
  {
    id: "versions/are-not-reused-after-clear",
    run: async ({ db }) => {
      const first = await db.create({ n: 1 }, { id: "a" });
      await db.clear();
      assert.notEqual((await db.create({ n: 1 }, { id: "a" })).version, first.version);
    },
  },
  {
    id: "versions/reads-and-queries-give-the-stored-one",
    run: async ({ db }) => {
      const { version } = await db.create({ n: 1 }, { id: "a" });
      same((await db.read("a"))?.version, version);
      same((await db.search())[0]?.version, version);
      same((await db.search({ select: ["n"] }))[0]?.version, version);
      same((await db.first({ where: where("n", "=", 1) }))?.version, version);
    },
  },
  {
    id: "versions/a-refused-write-keeps-it",
    run: async ({ db }) => {
      const { version } = await db.create({ n: 1 }, { id: "a" });
      await refuses("ALREADY_EXISTS", () => db.create({ n: 2 }, { id: "a" }));
      await refuses("INVALID_RECORD", () => db.update("a", { n: Number.NaN }));
      same((await db.read("a"))?.version, version);
    },
  },
  {
    id: "versions/of-ten-who-hold-one-version-one-wins",
    run: async ({ db }) => {
      const { version } = await db.create({ n: 0 }, { id: "a" });
      const tries = Array.from({ length: 10 }, (_, n) => db.update("a", { n }, { ifVersion: version }));
      const ends = await Promise.allSettled(tries);
      same(ends.filter(({ status }) => status === "fulfilled").length, 1);
      const winner = ends.findIndex(({ status }) => status === "fulfilled");
      same((await db.read("a"))?.data, { n: winner });
    },
  },
];
