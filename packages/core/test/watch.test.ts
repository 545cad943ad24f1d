import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { type Change, type Database, DataknobsError, openDatabase, query, watch, where } from "../src/index.js";
import { Bare } from "./mutants/bare.js";
import { Tiny } from "./mutants/tiny.js";

const open = query().filter("state", "=", "open");

/** The next changes, so many. */
async function take(changes: AsyncIterator<Change>, count: number): Promise<string[]> {
  const seen: string[] = [];
  for (let n = 0; n < count; n++) {
    const { value } = (await changes.next()) as { value: Change };
    seen.push(`${value.kind} ${value.id}${value.kind === "removed" ? "" : ` ${JSON.stringify(value.record.data)}`}`);
  }
  return seen;
}

for (const [name, make] of [
  ["tiny", () => new Tiny()],
  ["bare", () => new Bare()],
] as const) {
  describe(`watch on ${name}`, () => {
    it("tells what comes, changes and goes, and nothing else", async () => {
      await using db: Database = await openDatabase(make());
      await db.create({ state: "open" }, { id: "a" });
      await db.create({ state: "done" }, { id: "b" });
      const watching = watch(db, open, { interval: 1, initial: true });
      assert.equal(watching.how, "polled");
      const changes = watching[Symbol.asyncIterator]();
      assert.deepEqual(await take(changes, 1), ['added a {"state":"open"}']);
      await db.patch("a", { n: 1 });
      assert.deepEqual(await take(changes, 1), ['changed a {"state":"open","n":1}']);
      await db.patch("b", { state: "open" });
      await db.create({ state: "done" }, { id: "c" });
      assert.deepEqual(await take(changes, 1), ['added b {"state":"open"}']);
      await db.patch("b", { state: "done" });
      await db.delete("a");
      assert.deepEqual((await take(changes, 2)).sort(), ["removed a", "removed b"]);
      await db.create({ state: "open" }, { id: "a" });
      assert.deepEqual(await take(changes, 1), ['added a {"state":"open"}']);
      await changes.return?.();
    });

    it("begins with what is there unless it is asked for, and ends at an abort", async () => {
      await using db: Database = await openDatabase(make());
      await db.create({ state: "open" }, { id: "a" });
      const abort = new AbortController();
      const changes = watch(db, open, { interval: 1, signal: abort.signal })[Symbol.asyncIterator]();
      const next = take(changes, 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await db.create({ state: "open" }, { id: "b" });
      assert.deepEqual(await next, ['added b {"state":"open"}']);
      const waiting = changes.next();
      abort.abort();
      await assert.rejects(waiting, (error) => DataknobsError.is(error, "ABORTED"));
    });
  });
}

describe("watch", () => {
  it("does not tell a record that was written again between the look and the read, until it is sure", async () => {
    await using db: Database = await openDatabase(new Tiny());
    const readMany = db.readMany.bind(db);
    let once = true;
    db.readMany = (async (...args: Parameters<typeof readMany>) => {
      if (once) {
        once = false;
        await db.update("a", { state: "done" });
      }
      return readMany(...args);
    }) as typeof db.readMany;
    await db.createMany(["a", "b"].map((id) => ({ id, data: { state: "open" } })));
    const changes = watch(db, open, { interval: 1, initial: true })[Symbol.asyncIterator]();
    assert.deepEqual(await take(changes, 1), ['added b {"state":"open"}']);
    await db.update("a", { state: "open", again: true });
    assert.deepEqual(await take(changes, 1), ['added a {"state":"open","again":true}']);
    await changes.return?.();
  });

  it("refuses what cannot be right, and ends with the database", async () => {
    const db: Database = await openDatabase(new Tiny());
    for (const bad of [{ limit: 1 }, { sort: [{ path: "a" }] }, { where: where("a", "~" as "=", 1) }]) {
      assert.throws(
        () => watch(db, bad),
        (error) => DataknobsError.is(error, "INVALID_QUERY"),
      );
    }
    for (const options of [{ interval: -1 }, { intervall: 1 }]) {
      assert.throws(
        () => watch(db, open, options),
        (error) => DataknobsError.is(error, "INVALID_CONFIG"),
      );
    }
    const changes = watch(db, open, { interval: 1 })[Symbol.asyncIterator]();
    const next = changes.next();
    await new Promise((resolve) => setTimeout(resolve, 10));
    await db.close();
    await assert.rejects(next, (error) => DataknobsError.is(error, "NOT_OPEN"));
  });
});
