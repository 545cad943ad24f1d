/** Unique indexes: enforced where declared and supported, refused at opening where not. */
import type { Case } from "./case.js";
import { idSet, refuses, same } from "./expect.js";
import type { Session, TestDatabase } from "./session.js";

const unique = [{ path: "email", unique: true }] as const;

/** A case over a store with a unique index; without support, opening it is refused. */
function enforced(id: string, run: (db: TestDatabase, session: Session) => Promise<void>): Case {
  return {
    id: `unique/${id}`,
    requires: (capabilities) => capabilities.unique,
    run: async (session) => run(await session.open({ indexes: unique }), session),
  };
}

async function refusesDuplicate(db: TestDatabase, call: () => unknown): Promise<void> {
  const before = await db.search({ sort: [{ path: "id" }] });
  const error = await refuses("ALREADY_EXISTS", call);
  same(error.details["index"], "email:unique", "the index in the error's details");
  same(await db.search({ sort: [{ path: "id" }] }), before, "the records after a refused write");
}

export const uniqueCases: readonly Case[] = [
  enforced("create-refuses-a-second-record-with-the-value", async (db) => {
    await db.create({ email: "a@x" }, { id: "a" });
    await refusesDuplicate(db, () => db.create({ email: "a@x" }, { id: "b" }));
    await db.create({ email: "A@x" }, { id: "c" });
    same(await db.count(), 2);
  }),
  enforced("every-other-write-refuses-it-too", async (db) => {
    await db.createMany([
      { id: "a", data: { email: "a@x" } },
      { id: "b", data: { email: "b@x" } },
    ]);
    await refusesDuplicate(db, () => db.update("b", { email: "a@x" }));
    await refusesDuplicate(db, () => db.patch("b", { email: "a@x" }));
    await refusesDuplicate(db, () => db.upsert("b", { email: "a@x" }));
    await refusesDuplicate(db, () => db.upsert("c", { email: "a@x" }));
    await refusesDuplicate(db, () => db.updateMany([{ id: "b", data: { email: "a@x" } }]));
    await refusesDuplicate(db, () => db.upsertMany([{ id: "b", data: { email: "a@x" } }]));
    await refusesDuplicate(db, () => db.createMany([{ id: "d", data: { email: "a@x" } }]));
  }),
  enforced("a-record-may-keep-its-own-value", async (db) => {
    await db.create({ email: "a@x" }, { id: "a" });
    await db.update("a", { email: "a@x", n: 1 });
    await db.patch("a", { n: 2 });
    await db.upsert("a", { email: "a@x", n: 3 });
    same((await db.read("a"))?.data, { email: "a@x", n: 3 });
  }),
  enforced("null-and-missing-are-free", async (db) => {
    await db.createMany([
      { id: "a", data: {} },
      { id: "b", data: {} },
      { id: "c", data: { email: null } },
      { id: "d", data: { email: null } },
    ]);
    same(await db.count(), 4);
  }),
  enforced("values-of-different-classes-differ", async (db) => {
    await db.createMany([
      { id: "a", data: { email: 10 } },
      { id: "b", data: { email: "10" } },
      { id: "c", data: { email: 10n } },
      { id: "d", data: { email: true } },
      { id: "e", data: { email: "" } },
      { id: "f", data: { email: 0 } },
      { id: "g", data: { email: false } },
    ]);
    await refusesDuplicate(db, () => db.create({ email: 10 }));
    await refusesDuplicate(db, () => db.create({ email: 10n }));
    await refusesDuplicate(db, () => db.create({ email: "" }));
    await refusesDuplicate(db, () => db.create({ email: false }));
  }),
  enforced("a-Date-and-its-text-are-equal", async (db) => {
    await db.create({ email: new Date(0) }, { id: "a" });
    await refusesDuplicate(db, () => db.create({ email: "1970-01-01T00:00:00.000Z" }));
  }),
  enforced("a-freed-value-can-be-used-again", async (db) => {
    await db.create({ email: "a@x" }, { id: "a" });
    await db.delete("a");
    await db.create({ email: "a@x" }, { id: "b" });
    await db.update("b", { email: "b@x" });
    await db.create({ email: "a@x" }, { id: "c" });
    await db.clear();
    await db.create({ email: "a@x" }, { id: "d" });
    same(idSet(await db.search()), ["d"]);
  }),
  enforced("two-of-one-batch-collide", async (db, { capabilities }) => {
    await refuses("ALREADY_EXISTS", () =>
      db.createMany([
        { id: "a", data: { email: "x" } },
        { id: "b", data: { email: "x" } },
      ]),
    );
    same(await db.count(), capabilities.atomicBatch ? 0 : 1);
  }),
  enforced("of-ten-who-race-for-a-value-one-wins", async (db) => {
    const tries = Array.from({ length: 10 }, (_, n) => db.create({ email: "a@x" }, { id: `r${n}` }));
    const ends = await Promise.allSettled(tries);
    same(ends.filter(({ status }) => status === "fulfilled").length, 1);
    same(await db.count(), 1);
  }),
  {
    id: "unique/several-indexes-name-the-right-one",
    requires: (capabilities) => capabilities.unique,
    run: async ({ open }) => {
      const db = await open({
        indexes: [...unique, { path: "o.n", unique: true }, { path: "metadata.key", unique: true }],
      });
      await db.create({ email: "a", o: { n: 1 } }, { id: "a", metadata: { key: "k" } });
      same((await refuses("ALREADY_EXISTS", () => db.create({ o: { n: 1 } }))).details["index"], "o.n:unique");
      same(
        (await refuses("ALREADY_EXISTS", () => db.create({}, { metadata: { key: "k" } }))).details["index"],
        "metadata.key:unique",
      );
      same(await db.count(), 1);
    },
  },
];
