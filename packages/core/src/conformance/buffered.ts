/** Buffered transactions, which every backend has: collected, then flushed; nothing when the body throws. */
import assert from "node:assert/strict";
import { count } from "../aggregate/functions.js";
import { where } from "../query/builder.js";
import type { Case } from "./case.js";
import { collect, idSet, idsOf, refuses, same } from "./expect.js";

const mode = { mode: "buffered" } as const;

function buffered(id: string, run: Case["run"]): Case {
  return { id: `buffered/${id}`, indexes: [{ path: "n" }], asyncOnly: true, run };
}

export const bufferedCases: readonly Case[] = [
  buffered("writes-at-the-end-and-gives-the-bodys-result", async ({ db }) => {
    const result = await db.transaction(async (tx) => {
      await tx.create({ n: 1 }, { id: "a", metadata: { m: 1n } });
      await tx.create({ n: 2 }, { id: "b" });
      same(await db.count(), 0);
      return 7;
    }, mode);
    same(result, 7);
    same((await db.read("a"))?.metadata, { m: 1n });
    same(idSet(await db.search()), ["a", "b"]);
  }),
  buffered("a-throw-writes-nothing-and-is-passed-on", async ({ db }) => {
    const before = await db.create({ n: 0 }, { id: "a" });
    const own = new RangeError("mine");
    await assert.rejects(
      () =>
        db.transaction(async (tx) => {
          await tx.update("a", { n: 1 });
          await tx.create({ n: 2 }, { id: "b" });
          await tx.delete("a");
          throw own;
        }, mode),
      (error) => error === own,
    );
    same(await db.search(), [before]);
  }),
  buffered("says-whether-the-flush-is-atomic", async ({ db, capabilities }) => {
    same(await db.transaction(async (tx) => tx.atomic, mode), capabilities.atomicBatch);
  }),
  buffered("reads-and-queries-see-own-writes", async ({ db }) => {
    await db.createMany([
      { id: "a", data: { n: 1 } },
      { id: "b", data: { n: 2 } },
      { id: "c", data: { n: 3 } },
    ]);
    await db.transaction(async (tx) => {
      await tx.update("a", { n: 10 });
      await tx.delete("b");
      await tx.create({ n: 5 }, { id: "d" });
      same((await tx.read("a"))?.data, { n: 10 });
      same(await tx.read("b"), undefined);
      same(idsOf(await tx.search({ sort: [{ path: "n" }] })), ["c", "d", "a"]);
      same(idsOf(await tx.search({ where: where("n", ">=", 5), sort: [{ path: "n", direction: "desc" }] })), [
        "a",
        "d",
      ]);
      same(idsOf(await tx.search({ limit: 2, offset: 1 })), ["c", "d"]);
      same(await tx.count({ where: where("n", "=", 1) }), 0);
      same(await tx.count(), 3);
      same(await tx.aggregate({ select: { n: count() } }), [{ n: 3 }]);
      same(idsOf(await collect(tx.stream({ sort: [{ path: "id" }] }))), ["a", "c", "d"]);
    }, mode);
    same(idSet(await db.search()), ["a", "c", "d"]);
  }),
  buffered("a-limit-without-order-counts-staged-records-once", async ({ db }) => {
    await db.createMany(Array.from({ length: 6 }, (_, n) => ({ id: `r${n}`, data: { n } })));
    await db.transaction(async (tx) => {
      await tx.deleteMany(["r0", "r1", "r2"]);
      await tx.create({ n: 7 }, { id: "s" });
      same((await tx.search({ limit: 3, unordered: true })).length, 3);
      same((await tx.search({ limit: 100, unordered: true })).length, 4);
      same((await tx.search({ offset: 1, limit: 100, unordered: true })).length, 3);
    }, mode);
  }),
  buffered("one-record-written-often-is-written-once", async ({ db }) => {
    await db.create({ n: 0 }, { id: "b", metadata: { m: 1 } });
    await db.transaction(async (tx) => {
      await tx.create({ n: 1 }, { id: "a" });
      await tx.update("a", { n: 2 });
      await tx.patch("a", { x: 1n });
      await tx.delete("b");
      await tx.create({ n: 9 }, { id: "b" });
      await tx.create({}, { id: "c" });
      await tx.delete("c");
    }, mode);
    same((await db.read("a"))?.data, { n: 2, x: 1n });
    same((await db.read("b"))?.data, { n: 9 });
    same((await db.read("b"))?.metadata, {});
    same(idSet(await db.search()), ["a", "b"]);
  }),
  buffered("a-record-deleted-and-made-again-is-a-new-one", async ({ db }) => {
    const old = await db.create({ n: 0 }, { id: "b" });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await db.transaction(async (tx) => {
      await tx.delete("b");
      const again = await tx.create({ n: 1 }, { id: "b" });
      assert.ok(again.createdAt.getTime() > old.createdAt.getTime());
    }, mode);
    const stored = await db.read("b");
    assert.ok((stored?.createdAt.getTime() ?? 0) > old.createdAt.getTime(), "createdAt is that of the deleted record");
  }),
  buffered("refusals-come-at-once", async ({ db }) => {
    const { version } = await db.create({ n: 0 }, { id: "a" });
    await db.transaction(async (tx) => {
      await refuses("ALREADY_EXISTS", () => tx.create({}, { id: "a" }));
      await refuses("VERSION_CONFLICT", () => tx.update("a", {}, { ifVersion: "other" }));
      await refuses("INVALID_RECORD", () => tx.create({ n: Number.NaN }));
      same(await tx.update("nobody", {}), undefined);
      await tx.update("a", { n: 1 }, { ifVersion: version });
      await refuses("VERSION_CONFLICT", () => tx.update("a", {}, { ifVersion: version }));
    }, mode);
    same((await db.read("a"))?.data, { n: 1 });
  }),
  buffered("a-record-changed-meanwhile-is-CONFLICT-and-retryable", async ({ db }) => {
    await db.create({ n: 0 }, { id: "a" });
    let meet = (): void => undefined;
    // begun out here, so that the write is no part of the transaction's body
    const other = new Promise<void>((resolve) => {
      meet = resolve;
    }).then(() => db.update("a", { n: 100 }));
    const body = (): Promise<unknown> =>
      db.transaction(async (tx) => {
        const n = (await tx.read("a"))?.data["n"] as number;
        await tx.update("a", { n: n + 1 });
        meet();
        await other;
      }, mode);
    const error = await refuses("CONFLICT", body);
    same(error.retryable, true);
    same((await db.read("a"))?.data, { n: 100 });
    await body();
    same((await db.read("a"))?.data, { n: 101 });
  }),
  buffered("a-write-to-the-database-inside-does-not-hang", async ({ db }) => {
    await db.transaction(async (tx) => {
      await tx.create({}, { id: "a" });
      await refuses("UNSUPPORTED", () => db.create({}, { id: "b" }));
    }, mode);
    same(idSet(await db.search()), ["a"]);
  }),
  buffered("many-records", async ({ db }) => {
    await db.transaction(async (tx) => {
      for (let n = 0; n < 1500; n++) await tx.create({ n }, { id: `r${n}` });
      same(await tx.count(), 1500);
    }, mode);
    same(await db.count(), 1500);
  }),
];
