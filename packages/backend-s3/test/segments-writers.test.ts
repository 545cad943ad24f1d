/** Eight writers and two compactors in databases of their own, and readers between them. */
import "./realm.js";
import assert from "node:assert/strict";
import { type Database, DataknobsError, openDatabase } from "@dataknobs/core";
import { describe, it } from "@jest/globals";
import { compact, s3, storage, vacuum } from "../src/index.js";
import { place } from "./server.js";

const writers = 8;
const rounds = 12;

interface Counter {
  readonly n: number;
}

async function increment(db: Database, id: string): Promise<void> {
  for (;;) {
    const record = await db.read(id);
    assert.ok(record !== undefined);
    const { n } = record.data as unknown as Counter;
    try {
      await db.update(id, { n: n + 1 }, { ifVersion: record.version });
      return;
    } catch (error) {
      if (!DataknobsError.is(error, "VERSION_CONFLICT")) throw error;
    }
  }
}

describe("eight writers, two compactors and a collector", () => {
  it("lose nothing, and compare-and-set is exact", async () => {
    const options = place({ layout: "segments", segmentRows: 50, autoCompact: false });
    const open = (): Promise<Database> => openDatabase(s3(options));
    await using first = await open();
    await first.create({ n: 0 }, { id: "counter" });
    let working = writers;
    const wins: string[] = [];
    const write = async (writer: number): Promise<void> => {
      await using db = await open();
      for (let round = 0; round < rounds; round++) {
        const id = `w${writer}-${round}`;
        await db.createMany([
          { id, data: { writer, round } },
          { id: `${id}-twin`, data: { writer, round } },
        ]);
        // one of eight can make it
        await db.create({ writer }, { id: `race-${round}` }).then(
          () => wins.push(`race-${round}`),
          (error) => assert.ok(DataknobsError.is(error, "ALREADY_EXISTS"), String(error)),
        );
        await increment(db, "counter");
        if (round % 3 === 2) assert.equal(await db.delete(`w${writer}-${round - 1}-twin`), true);
        assert.deepEqual((await db.read(id))?.data, { writer, round });
      }
      working--;
    };
    const tend = async (work: (db: Database) => Promise<unknown>): Promise<number> => {
      await using db = await open();
      let n = 0;
      for (; working > 0; n++) await work(db);
      return n;
    };
    const read = async (db: Database): Promise<void> => {
      // twins are made together: a query that saw one without the other saw half a write
      const ids = new Set((await db.search()).map(({ id }) => id));
      for (const id of ids) if (id.endsWith("-twin")) assert.ok(ids.has(id.replace("-twin", "")), id);
    };
    const done = await Promise.all([
      tend((db) => compact(db)),
      tend((db) => compact(db, { full: true })),
      // no grace: readers that are overtaken begin anew, or say so
      tend((db) => vacuum(db, { graceSeconds: 5 })),
      tend(read),
      ...Array.from({ length: writers }, (_, writer) => write(writer)),
    ]);
    assert.ok(done.slice(0, 4).every((times) => times !== undefined && times > 0));

    await using last = await open();
    assert.equal((await last.read("counter"))?.data["n"], writers * rounds);
    assert.deepEqual(wins.sort(), Array.from({ length: rounds }, (_, round) => `race-${round}`).sort());
    const expected = 1 + rounds + writers * (2 * rounds - rounds / 3);
    assert.equal(await last.count(), expected);
    const ids = (await last.search()).map(({ id }) => id);
    assert.equal(new Set(ids).size, expected);
    assert.equal(ids.length, expected);
    await compact(last, { full: true });
    await vacuum(last, { graceSeconds: 0 });
    assert.equal((await last.search()).length, expected);
    assert.equal((await storage(last)).records, expected);
  }, 240_000);
});
