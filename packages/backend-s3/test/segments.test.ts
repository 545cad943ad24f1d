/** The layout segments: what it asks the server for, what it keeps of the past, and what becomes of its files. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type Database, DataknobsError, type ErrorCode, openDatabase, where } from "@dataknobs/core";
import { describe, it } from "@jest/globals";
import { compact, lifecycle, type S3Options, s3, snapshots, storage, vacuum, versions } from "../src/index.js";
import { counted } from "./counted.js";
import { FaultyProxy } from "./proxy.js";
import { bucket, place } from "./server.js";

const indexes = [{ path: "age", type: "integer" }, { path: "city" }] as const;
const cities = ["Oslo", "Rome", "Bern", "Kyiv"];
const people = (count: number): { id: string; data: { n: number; age: number; city: string; note: string } }[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `p${String(n).padStart(6, "0")}`,
    data: { n, age: n % 100, city: cities[n % 4] as string, note: `${"x".repeat(20)}${(n * 7919) % 10_007}` },
  }));

const fresh = (options: Partial<S3Options> = {}): S3Options =>
  place({ layout: "segments", autoCompact: false, ...options });

/** The same folder by a client that counts. */
function watched(
  { bucket: name, prefix = "" }: S3Options,
  options: Partial<S3Options> = {},
): { readonly options: S3Options } & ReturnType<typeof counted> {
  const counter = counted();
  return {
    ...counter,
    options: { bucket: name, prefix, layout: "segments", autoCompact: false, client: counter.client, ...options },
  };
}

const isCode =
  (code: ErrorCode) =>
  (error: unknown): boolean =>
    DataknobsError.is(error, code);

const names = (asked: { command: string }[]): string[] => asked.map(({ command }) => command).sort();

describe("requests", () => {
  it("a create is a log and a manifest; those that come together are so too", async () => {
    const { options, client, take } = watched(fresh());
    await using db = await openDatabase(s3(options));
    await db.create({ n: 1 });
    take();
    await db.create({ n: 2 });
    assert.deepEqual(names(take()), ["PutObject", "PutObject"]);
    await Promise.all(Array.from({ length: 50 }, (_, n) => db.create({ n })));
    assert.deepEqual(names(take()), ["PutObject", "PutObject"]);
    client.destroy();
  });

  it("many new records are a segment and a manifest", async () => {
    const { options, client, take } = watched(fresh());
    await using db = await openDatabase(s3(options));
    take();
    await db.createMany(people(5000));
    assert.deepEqual(names(take()), ["PutObject", "PutObject"]);
    const { segments, logs } = await storage(db);
    assert.deepEqual([segments.length, segments[0]?.rows, logs.files], [1, 5000, 0]);
    client.destroy();
  });

  it("a read by id is at most four when nothing is known, and two later", async () => {
    const written = fresh();
    await using writer = await openDatabase(s3(written));
    await writer.createMany(people(20_000));
    const { options, client, take } = watched(written);
    await using db = await openDatabase(s3(options));
    take();
    assert.equal((await db.read("p012345"))?.data["n"], 12_345);
    assert.ok(take().length <= 3);
    assert.equal((await db.read("p000001"))?.data["n"], 1);
    assert.ok(take().length <= 2);
    assert.equal(await db.read("nobody"), undefined);
    assert.deepEqual(names(take()), ["GetObject"], "the filter of ids says that it is not there");
    client.destroy();
  });

  it("a selective filter is a few, a count one, groups read their columns only", async () => {
    const written = fresh();
    await using writer = await openDatabase(s3(written), { indexes });
    await writer.createMany(people(50_000));
    const { bytes: whole } = (await storage(writer)).segments[0] as { bytes: number };
    const { options, client, take } = watched(written);
    await using db = await openDatabase(s3(options), { indexes });
    take();
    assert.equal((await db.search({ where: where("age", "=", 7) })).length, 500);
    assert.ok(take().length <= 15);
    assert.equal(await db.count(), 50_000);
    assert.deepEqual(names(take()), ["GetObject"]);
    const rows = await db.aggregate({
      groupBy: { city: "city" },
      select: { n: { fn: "count" }, mean: { fn: "avg", path: "age" } },
    });
    assert.deepEqual(
      rows.map(({ city, n }) => [city, n]),
      cities.toSorted().map((city) => [city, 12_500]),
    );
    const read = take().reduce((sum, { bytes = 0 }) => sum + bytes, 0);
    assert.ok(read > 0 && read < whole / 4, `${read} of ${whole} bytes`);
    client.destroy();
  });
});

describe("another database's writes", () => {
  it("are seen by the next write, which refuses nothing by what it knew before", async () => {
    const options = fresh();
    await using one = await openDatabase(s3(options));
    await using two = await openDatabase(s3(options));
    const first = await one.create({ n: 1 }, { id: "a" });
    assert.equal(await two.delete("a"), true);
    assert.equal((await one.create({ n: 2 }, { id: "a" })).data["n"], 2);
    const changed = await two.update("a", { n: 3 });
    assert.equal((await one.update("a", { n: 4 }, { ifVersion: changed?.version as string }))?.data["n"], 4);
    await assert.rejects(two.update("a", { n: 5 }, { ifVersion: first.version }), isCode("VERSION_CONFLICT"));
    assert.deepEqual((await two.read("a"))?.data, { n: 4 });
    assert.equal(await two.update("nobody", { n: 1 }), undefined);
  });
});

describe("explain", () => {
  it("tells the segments and bytes that statistics rule out", async () => {
    const options = fresh({ segmentRows: 1000 });
    await using db = await openDatabase(s3(options), { indexes: [{ path: "n", type: "integer" }] });
    await db.createMany(people(5000));
    interface Native {
      readonly segments: { readonly read: number; readonly of: number };
      readonly bytes: { readonly read: number; readonly of: number };
    }
    const narrow = db.explain({ where: where("n", "between", [2000, 2500]) }).native as Native;
    assert.deepEqual(narrow.segments, { read: 1, of: 5 });
    assert.ok(narrow.bytes.read < narrow.bytes.of / 4);
    const whole = db.explain().native as Native;
    assert.deepEqual(whole.segments, { read: 5, of: 5 });
    const clause = db.explain({ where: where("n", "=", 3) }).clauses?.[0];
    assert.match(JSON.stringify(clause), /statistics of n/);
  });
});

describe("overlapping segments and logs", () => {
  it("give each record once, in the order of ids, and pages stop early", async () => {
    const options = fresh({ segmentRows: 5000 });
    await using db = await openDatabase(s3(options));
    const all = people(20_000);
    await db.createMany(all.filter(({ data }) => data.n % 2 === 0));
    await db.createMany(all.filter(({ data }) => data.n % 2 === 1));
    await db.updateMany(all.slice(0, 300).map(({ id, data }) => ({ id, data: { ...data, n: -1 } })));
    await db.deleteMany(all.slice(300, 310).map(({ id }) => id));
    await db.createMany([
      { id: "a-first", data: { n: 0 } },
      { id: "z-last", data: { n: 0 } },
    ]);
    const expected = ["a-first", ...all.map(({ id }) => id).filter((_, n) => n < 300 || n >= 310), "z-last"];
    const check = async (): Promise<void> => {
      assert.deepEqual(
        (await db.search({ sort: [{ path: "id" }] })).map(({ id }) => id),
        expected,
      );
      assert.deepEqual(
        (await db.search({ limit: 5, offset: 298 })).map(({ id }) => id),
        expected.slice(298, 303),
      );
      assert.equal(await db.count({ where: where("n", "=", -1) }), 300);
      assert.equal(await db.count(), expected.length);
    };
    await check();
    await compact(db);
    await check();
    await compact(db, { full: true });
    await check();
    const { segments, logs, records } = await storage(db);
    assert.deepEqual([logs.files, records], [0, expected.length]);
    assert.equal(
      segments.reduce((sum, { rows }) => sum + rows, 0),
      expected.length,
    );
  });

  it("many updates of what is in segments, and of what was deleted, are found at their newest", async () => {
    await using db = await openDatabase(s3(fresh({ segmentRows: 2000 })));
    const all = people(6000);
    await db.createMany(all);
    await db.deleteMany(all.slice(0, 4500).map(({ id }) => id));
    // the ids are in segments still, and deleted by a log: none of them may go into a new segment
    await db.createMany(all.slice(0, 4500).map(({ id }) => ({ id, data: { again: true } })));
    await db.upsertMany(all.slice(4000).map(({ id }) => ({ id, data: { upserted: true } })));
    const check = async (): Promise<void> => {
      assert.equal(await db.count({ where: where("again", "=", true) }), 4000);
      assert.equal(await db.count({ where: where("upserted", "=", true) }), 2000);
      assert.equal(await db.count(), 6000);
      assert.equal((await db.search()).length, 6000);
    };
    await check();
    await compact(db);
    await check();
  });
});

describe("upkeep by the way", () => {
  it("folds logs, so that there are never many", async () => {
    const options = place({ layout: "segments" });
    {
      await using db = await openDatabase(s3(options));
      for (let n = 0; n < 80; n++) await db.upsert(`r${n % 50}`, { n });
    }
    await using db = await openDatabase(s3(options));
    const { logs, records, upkeepError } = await storage(db);
    assert.ok(logs.files < 40, `${logs.files} logs`);
    assert.equal(upkeepError, undefined);
    assert.equal(records, 50);
    assert.deepEqual(
      (await db.search({ sort: [{ path: "n" }] })).map(({ data }) => data["n"]),
      Array.from({ length: 50 }, (_, n) => n + 30),
    );
  });

  it("merges them into segments when they are large", async () => {
    const options = place({ layout: "segments" });
    {
      await using db = await openDatabase(s3(options));
      await db.createMany(people(3000).map(({ id, data }) => ({ id, data: { ...data, text: "y".repeat(3000) } })));
    }
    await using db = await openDatabase(s3(options));
    const { logs, segments } = await storage(db);
    assert.deepEqual([logs.files, segments.length], [0, 1]);
    assert.equal(await db.count({ where: where("age", "<", 50) }), 1500);
  });
});

describe("the past", () => {
  it("can be opened until its files are collected", async () => {
    const options = fresh();
    await using db = await openDatabase(s3(options));
    const states: { sequence: number; there: string[] }[] = [];
    const note = async (): Promise<void> => {
      const { sequence } = await storage(db);
      states.push({ sequence, there: (await db.search()).map(({ id, data }) => `${id}:${data["n"]}`).sort() });
    };
    await note();
    await db.create({ n: 1 }, { id: "a" });
    await note();
    await db.update("a", { n: 2 });
    await db.create({ n: 1 }, { id: "b" });
    await note();
    await compact(db);
    await note();
    await db.delete("a");
    await note();
    await db.createMany(people(5000));
    await note();
    await compact(db, { full: true });
    await db.clear();
    await note();
    for (const { sequence, there } of states) {
      await using past = await openDatabase(s3({ ...options, asOf: sequence }));
      assert.deepEqual(
        (await past.search()).map(({ id, data }) => `${id}:${data["n"]}`).sort(),
        there,
        `state ${sequence}`,
      );
      assert.equal(await past.count(), there.length);
      await assert.rejects(past.create({ n: 1 }), isCode("UNSUPPORTED"));
      await assert.rejects(past.clear(), isCode("UNSUPPORTED"));
      await assert.rejects(compact(past), isCode("UNSUPPORTED"));
    }
    const kept = (await snapshots(db)).map(({ sequence }) => sequence);
    for (const { sequence } of states) assert.ok(kept.includes(sequence), `state ${sequence}`);
    const last = states.at(-1)?.sequence as number;
    await using past = await openDatabase(s3({ ...options, asOf: states[1]?.sequence as number, cacheBytes: 0 }));
    const { kept: none } = await vacuum(db, { graceSeconds: 0 });
    assert.equal(none, 0);
    assert.deepEqual(
      (await snapshots(db)).filter(({ sequence }) => sequence < last),
      [],
    );
    await assert.rejects(openDatabase(s3({ ...options, asOf: 1 })), isCode("NOT_FOUND"));
    await assert.rejects(openDatabase(s3({ ...options, asOf: 10_000 })), isCode("NOT_FOUND"));
    assert.deepEqual((await past.read("a"))?.data, { n: 1 }, "logs were read when it was opened");
  });

  it("is gone for who has it open when its segments are collected", async () => {
    const options = fresh();
    await using db = await openDatabase(s3(options));
    await db.createMany(people(5000));
    const { sequence } = await storage(db);
    await db.clear();
    await using past = await openDatabase(s3({ ...options, asOf: sequence, cacheBytes: 0 }));
    assert.equal((await past.search()).length, 5000);
    await vacuum(db, { graceSeconds: 0 });
    await assert.rejects(past.search(), isCode("NOT_FOUND"));
    await assert.rejects(past.read("p000001"), isCode("NOT_FOUND"));
  });

  it("stays for the grace time, by the server's clock", async () => {
    const options = fresh();
    await using db = await openDatabase(s3(options));
    await db.createMany(people(5000));
    const { sequence } = await storage(db);
    await db.clear();
    const now = Date.now;
    try {
      // a machine whose clock is a year ahead
      Date.now = () => now() + 365 * 24 * 3600 * 1000;
      assert.deepEqual(await vacuum(db, { graceSeconds: 3600 }), { deleted: 0, orphans: 0, kept: 1 });
    } finally {
      Date.now = now;
    }
    await using past = await openDatabase(s3({ ...options, asOf: sequence }));
    assert.equal((await past.search()).length, 5000);
  });
});

describe("a reader that is overtaken by a collection", () => {
  it("by id and by query begins anew; a stream under way says so", async () => {
    const options = fresh({ segmentRows: 1000, cacheBytes: 0 });
    await using db = await openDatabase(s3(options));
    const text = (): string => randomBytes(600).toString("base64");
    await db.createMany(people(20_000).map(({ id, data }) => ({ id, data: { ...data, text: text() } })));
    await using proxy = await FaultyProxy.start();
    await using reader = await openDatabase(s3({ ...options, endpointUrl: proxy.url }));
    let left = 1;
    const rewrite = async (): Promise<void> => {
      await compact(db, { full: true });
      await vacuum(db, { graceSeconds: 0 });
    };
    proxy.faults = (method, url) =>
      method === "GET" && url.includes("/segments/") && left-- > 0 ? { before: rewrite } : undefined;
    assert.equal((await reader.read("p000007"))?.data["n"], 7);
    left = 1;
    assert.equal((await reader.search({ where: where("n", "<", 3) })).length, 3);
    assert.equal(proxy.made, 2);
    const stream = reader.stream()[Symbol.asyncIterator]();
    await stream.next();
    await rewrite();
    await assert.rejects(async () => {
      while ((await stream.next()).done !== true);
    }, isCode("CONFLICT"));
  });

  it("a stream shows the store as it was when it began", async () => {
    await using db = await openDatabase(s3(fresh({ segmentRows: 1000 })));
    await db.createMany(people(6000));
    const seen: string[] = [];
    for await (const { id } of db.stream()) {
      if (seen.push(id) === 1) {
        await db.clear();
        await db.create({ n: 1 }, { id: "zzz" });
      }
    }
    assert.equal(seen.length, 6000);
  });
});

describe("a writer that is overtaken by a collection", () => {
  it("between its log and its manifest writes the log anew", async () => {
    const options = fresh();
    await using other = await openDatabase(s3(options));
    await using proxy = await FaultyProxy.start();
    await using db = await openDatabase(s3({ ...options, endpointUrl: proxy.url }));
    await db.create({ n: 1 }, { id: "a" });
    let left = 1;
    proxy.faults = (method, url) =>
      method === "PUT" && url.includes("/manifest.json") && left-- > 0
        ? { before: async () => assert.equal((await vacuum(other, { graceSeconds: 0 })).orphans, 1) }
        : undefined;
    await db.create({ n: 2 }, { id: "b" });
    assert.equal(proxy.made, 1);
    await using fresher = await openDatabase(s3(options));
    assert.equal((await fresher.search()).length, 2);
  });

  it("so does a compaction", async () => {
    const options = fresh();
    await using other = await openDatabase(s3(options));
    await using proxy = await FaultyProxy.start();
    await using db = await openDatabase(s3({ ...options, endpointUrl: proxy.url }));
    await db.create({ n: 1 }, { id: "a" });
    let left = 1;
    proxy.faults = (method, url) =>
      method === "PUT" && url.includes("/manifest.json") && left-- > 0
        ? { before: () => vacuum(other, { graceSeconds: 0 }) }
        : undefined;
    assert.equal((await compact(db)).written, 1);
    await using fresher = await openDatabase(s3(options));
    assert.equal((await fresher.search()).length, 1);
  });
});

describe("layouts", () => {
  it("are not mistaken for each other", async () => {
    const options = fresh();
    await using db = await openDatabase(s3(options));
    await db.create({ n: 1 });
    const { autoCompact: _, layout: __, ...plain } = options;
    await assert.rejects(openDatabase(s3(plain)), isCode("INVALID_CONFIG"));
    const objects = place();
    await using other = await openDatabase(s3(objects));
    await assert.rejects(openDatabase(s3({ ...objects, layout: "segments" })), isCode("INVALID_CONFIG"));
    await assert.rejects(versions(db, "a"), isCode("UNSUPPORTED"));
    await assert.rejects(lifecycle(db), isCode("UNSUPPORTED"));
    for (const call of [compact, vacuum, storage, snapshots]) {
      await assert.rejects(async () => call(other as Database), isCode("UNSUPPORTED"));
    }
  });

  it("have options of their own", () => {
    assert.throws(() => s3({ bucket, asOf: 3 }), isCode("INVALID_CONFIG"));
    assert.throws(() => s3({ bucket, layout: "segments", unsafe: true }), isCode("INVALID_CONFIG"));
    assert.throws(() => s3({ bucket, layout: "segmented" as "segments" }), isCode("INVALID_CONFIG"));
  });
});
