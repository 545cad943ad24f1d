import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "@jest/globals";
import type { WriteOp, WriteOutcome, WriteRequest } from "../src/backend/spi.js";
import {
  type CheckpointStore,
  contentHash,
  type Database,
  DataknobsError,
  type ErrorCode,
  type Fields,
  type MigrateOptions,
  type MigrationReport,
  migrate,
  openDatabase,
  retrying,
  type StoredRecord,
  where,
} from "../src/index.js";
import { Tiny } from "./mutants/tiny.js";

/** Every type of value, hostile ids and names. */
function inputs(count: number): { id: string; data: Fields; metadata: Fields }[] {
  return Array.from({ length: count }, (_, n) => ({
    id: n % 50 === 7 ? `../é/${n}'"` : `r${String(n).padStart(5, "0")}`,
    data: {
      n,
      at: new Date(1_700_000_000_000 + n),
      big: BigInt(n) * 10n ** 20n,
      bytes: Uint8Array.of(n % 256, 0, 255),
      vector: Float32Array.of(n, 0.1),
      none: null,
      "a.b": { $date: "2024", __proto: [1, "x", [n]] },
    },
    metadata: { source: "test", when: new Date(n) },
  }));
}

async function filled(count = 100): Promise<Database> {
  const db = await openDatabase(new Tiny());
  await db.createMany(inputs(count));
  return db;
}

/** What is in a database but for versions and times, by id. */
async function contents(db: Database): Promise<unknown[]> {
  const records = await db.search({ sort: [{ path: "id" }] });
  return records.map(({ id, data, metadata }) => ({ id, data, metadata }));
}

class MemoryCheckpoint implements CheckpointStore {
  text: string | undefined;
  async read(): Promise<string | undefined> {
    return this.text;
  }
  async write(text: string): Promise<void> {
    this.text = text;
  }
}

function addsUp({ read, written, skipped, dropped, failed }: MigrationReport): void {
  assert.equal(read, written + skipped + dropped + failed);
}

async function fails(code: ErrorCode, work: Promise<unknown>): Promise<DataknobsError & { report: MigrationReport }> {
  let thrown: unknown;
  await work.catch((error: unknown) => {
    thrown = error;
  });
  assert.ok(DataknobsError.is(thrown, code), `${code} expected, got ${String(thrown)}`);
  return Object.assign(thrown, { report: thrown.details["report"] as MigrationReport });
}

describe("migrate", () => {
  it("copies ids, data, types and metadata, and leaves the source as it was", async () => {
    await using source = await filled();
    await using target = await openDatabase(new Tiny());
    const before = await source.search();
    const report = await migrate(source, target, { verify: "content", batchSize: 7 });
    assert.deepEqual(await contents(target), await contents(source));
    assert.deepEqual(await source.search(), before);
    addsUp(report);
    assert.equal(report.written, 100);
    assert.equal(report.verification?.ok, true);
    assert.equal(report.verification?.sourceHash, report.verification?.targetHash);
    assert.deepEqual(JSON.parse(JSON.stringify(report)), report);
  });

  it("what it wrote is not shared with the source", async () => {
    await using source = await filled(3);
    await using target = await openDatabase(new Tiny());
    await migrate(source, target);
    const [record] = await target.search();
    const { bytes } = (record as StoredRecord).data as { bytes: Uint8Array };
    bytes[0] = 99;
    assert.deepEqual(await contents(target), await contents(source));
  });

  it("takes the records that a query selects, in its order and number", async () => {
    await using source = await filled();
    await using target = await openDatabase(new Tiny());
    const query = { where: where("n", ">=", 90), sort: [{ path: "n" }], limit: 5 };
    const seen: number[] = [];
    const report = await migrate(source, target, {
      query,
      onProgress: ({ total }) => seen.push(total),
    });
    assert.equal(report.written, 5);
    assert.deepEqual(seen, [5]);
    assert.equal(await target.count({ where: where("n", ">=", 95) }), 0);
  });

  it("transforms, and drops what becomes null", async () => {
    await using source = await filled(20);
    await using target = await openDatabase(new Tiny());
    const report = await migrate(source, target, {
      verify: "content",
      transform: ({ id, data }) =>
        (data["n"] as number) % 2 === 0 ? null : { id: `new-${id}`, data: { n: data["n"] } },
    });
    addsUp(report);
    assert.deepEqual([report.written, report.dropped], [10, 10]);
    assert.deepEqual((await target.read("new-r00001"))?.data, { n: 1 });
  });

  for (const [onConflict, expected] of [
    ["skip", { written: 8, skipped: 2, failed: 0 }],
    ["replace", { written: 10, skipped: 0, failed: 0 }],
  ] as const) {
    it(`${onConflict}: as told, for ids that the target has`, async () => {
      await using source = await filled(10);
      await using target = await openDatabase(new Tiny());
      await target.createMany([
        { id: "r00003", data: { own: true } },
        { id: "r00004", data: { own: true } },
        { id: "other", data: { own: true } },
      ]);
      const report = await migrate(source, target, { onConflict, verify: "count" });
      const { written, skipped, failed } = report;
      assert.deepEqual({ written, skipped, failed }, expected);
      assert.equal(await target.count({ where: where("own", "=", true) }), onConflict === "skip" ? 3 : 1);
      addsUp(report);
    });
  }

  it("fail: stops at the first conflict with the report; goes on where onError says so", async () => {
    await using source = await filled(30);
    await using target = await openDatabase(new Tiny());
    await target.create({}, { id: "r00003" });
    const { report } = await fails("ALREADY_EXISTS", migrate(source, target, { batchSize: 10, concurrency: 1 }));
    addsUp(report);
    assert.deepEqual([report.failed, report.errors[0]?.id, report.errors[0]?.code], [1, "r00003", "ALREADY_EXISTS"]);
    assert.equal(await target.count(), 1 + report.written);
    await target.clear();
    await target.create({}, { id: "r00003" });
    const all = await migrate(source, target, { onError: (error) => DataknobsError.is(error, "ALREADY_EXISTS") });
    addsUp(all);
    assert.deepEqual([all.read, all.written, all.failed], [30, 29, 1]);
  });

  it("a transform that throws on record 777 is told by id, and all else adds up", async () => {
    await using source = await filled(1000);
    await using target = await openDatabase(new Tiny());
    const transform = ({ data }: StoredRecord): { data: object } => {
      if (data["n"] === 777) throw new RangeError("not this one");
      return { data };
    };
    const { report, message } = await fails("UNEXPECTED", migrate(source, target, { transform, batchSize: 100 }));
    assert.match(message, /r00777.*not this one/);
    addsUp(report);
    assert.equal(await target.count(), report.written);
    await target.clear();
    const rest = await migrate(source, target, { transform, batchSize: 100, onError: () => true });
    assert.deepEqual([rest.written, rest.failed, rest.errors.length], [999, 1, 1]);
  });

  it("a transform that gives no record is told", async () => {
    await using source = await filled(2);
    await using target = await openDatabase(new Tiny());
    const transform = (() => undefined) as unknown as () => null;
    const { message } = await fails("INVALID_RECORD", migrate(source, target, { transform }));
    assert.match(message, /null to drop it/);
  });

  it("a dry run tells what would be, and writes nothing", async () => {
    await using source = await filled(10);
    await using target = await openDatabase(new Tiny());
    await target.create({ own: true }, { id: "r00003" });
    const { report } = await fails("ALREADY_EXISTS", migrate(source, target, { dryRun: true }));
    addsUp(report);
    const skipping = await migrate(source, target, { dryRun: true, onConflict: "skip" });
    assert.deepEqual([skipping.written, skipping.skipped, skipping.dryRun], [9, 1, true]);
    assert.equal(await target.count(), 1);
  });

  it("tells a target that another changed", async () => {
    await using source = await filled(10);
    class Forgetful extends Tiny {
      override write(ops: readonly WriteOp[], request: WriteRequest): WriteOutcome[] {
        const outcomes = super.write(ops, request);
        const kept = new Map(this.records);
        kept.delete("r00005");
        this.records = kept;
        return outcomes;
      }
    }
    await using target = await openDatabase(new Forgetful());
    const counted = await fails("CONFLICT", migrate(source, target, { verify: "count" }));
    assert.equal(counted.report.verification?.ok, false);
    await target.clear();
    const { report } = await fails("CONFLICT", migrate(source, target, { verify: "content" }));
    assert.deepEqual(report.verification?.examples, ["r00005"]);
    assert.equal(report.verification?.missing, 1);
    assert.notEqual(report.verification?.sourceHash, report.verification?.targetHash);
  });

  const wrong: readonly (readonly [string, ErrorCode, object])[] = [
    ["an unknown option", "INVALID_CONFIG", { onConflicts: "skip" }],
    ["an unknown policy", "INVALID_CONFIG", { onConflict: "merge" }],
    ["a batch of none", "INVALID_CONFIG", { batchSize: 0 }],
    ["half a writer", "INVALID_CONFIG", { concurrency: 0.5 }],
    ["incremental without a checkpoint", "INVALID_CONFIG", { incremental: true }],
    [
      "incremental that fails",
      "INVALID_CONFIG",
      { incremental: true, checkpoint: new MemoryCheckpoint(), onConflict: "fail" },
    ],
    ["a dry run with a checkpoint", "INVALID_CONFIG", { dryRun: true, checkpoint: new MemoryCheckpoint() }],
    ["a wrong query", "INVALID_QUERY", { query: { limit: -1 } }],
    [
      "a sort beside a checkpoint",
      "INVALID_QUERY",
      { query: { sort: [{ path: "n" }] }, checkpoint: new MemoryCheckpoint() },
    ],
  ];
  for (const [what, code, options] of wrong) {
    it(`refuses ${what} before it reads`, async () => {
      await using source = await filled(1);
      await using target = await openDatabase(new Tiny());
      await fails(code, migrate(source, target, options as MigrateOptions));
      assert.equal(await target.count(), 0);
    });
  }

  it("refuses one database as both, a closed one, and what is none", async () => {
    const source = await filled(1);
    await fails("INVALID_CONFIG", migrate(source, source));
    await source.close();
    await using target = await openDatabase(new Tiny());
    await assert.rejects(
      async () => migrate(source, target),
      (error) => DataknobsError.is(error, "NOT_OPEN"),
    );
    await assert.rejects(async () => migrate({} as unknown as Database, target), TypeError);
  });

  it("ends at an abort, with the report", async () => {
    await using source = await filled(200);
    await using target = await openDatabase(new Tiny());
    const abort = new AbortController();
    const work = migrate(source, target, {
      signal: abort.signal,
      batchSize: 10,
      onProgress: ({ written }) => written >= 50 && abort.abort(),
    });
    const { report } = await fails("ABORTED", work);
    addsUp(report);
    assert.ok(report.written >= 50 && report.written < 200);
    assert.equal(await target.count(), report.written);
  });
});

/** A target whose process dies in a write: some of it is done, and nobody hears of it. */
class Dying extends Tiny {
  left = Number.POSITIVE_INFINITY;
  part = 0;

  override write(ops: readonly WriteOp[], request: WriteRequest): WriteOutcome[] {
    if (this.left-- > 0) return super.write(ops, request);
    super.write(ops.slice(0, Math.floor(ops.length * this.part)), request);
    throw new DataknobsError("UNAVAILABLE", "died");
  }
}

describe("migrate with a checkpoint", () => {
  for (const onConflict of ["fail", "skip", "replace"] as const) {
    it(`${onConflict}: killed at 20 moments and resumed, nothing is lost or doubled`, async () => {
      await using source = await filled(400);
      const wanted = await contents(source);
      for (let moment = 0; moment < 20; moment++) {
        const dying = new Dying();
        await using target = await openDatabase(dying);
        const checkpoint = new MemoryCheckpoint();
        const options = { onConflict, checkpoint, batchSize: 30, concurrency: 1 + (moment % 3) };
        let kills = 0;
        for (;;) {
          dying.left = kills < 3 ? (moment * 7 + kills * 3) % 6 : Number.POSITIVE_INFINITY;
          dying.part = (moment % 5) / 4;
          try {
            const report = await migrate(source, target, { ...options, verify: "content" });
            addsUp(report);
            assert.equal(report.resumed, kills > 0);
            assert.deepEqual([report.read, report.written], [400, 400]);
            break;
          } catch (error) {
            assert.ok(DataknobsError.is(error, "UNAVAILABLE"), String(error));
            assert.ok(++kills < 10);
          }
        }
        assert.deepEqual(await contents(target), wanted, `moment ${moment}`);
      }
    });
  }

  it("killed between the write and the checkpoint, it finds its own records", async () => {
    await using source = await filled(50);
    await using target = await openDatabase(new Tiny());
    const checkpoint = new MemoryCheckpoint();
    const { write } = checkpoint;
    let count = 0;
    checkpoint.write = async (text) => {
      if (++count === 3) throw new DataknobsError("UNAVAILABLE", "died");
      await write.call(checkpoint, text);
    };
    await fails("UNAVAILABLE", migrate(source, target, { checkpoint, batchSize: 10 }));
    checkpoint.write = write;
    const report = await migrate(source, target, { checkpoint, batchSize: 10, verify: "count" });
    assert.deepEqual([report.written, report.failed, report.resumed], [50, 0, true]);
  });

  it("a foreign record in the way is still a conflict after a resume", async () => {
    await using source = await filled(50);
    await using target = await openDatabase(new Tiny());
    await target.create({ foreign: true }, { id: "r00030" });
    const checkpoint = new MemoryCheckpoint();
    await fails("ALREADY_EXISTS", migrate(source, target, { checkpoint, batchSize: 10 }));
    await fails("ALREADY_EXISTS", migrate(source, target, { checkpoint, batchSize: 10 }));
    assert.deepEqual((await target.read("r00030"))?.data, { foreign: true });
    await target.delete("r00030");
    const report = await migrate(source, target, { checkpoint, batchSize: 10, verify: "content" });
    assert.deepEqual([report.written, report.failed], [50, 0]);
  });

  it("a job that is done is told again, and nothing is read", async () => {
    await using source = await filled(5);
    await using target = await openDatabase(new Tiny());
    const checkpoint = new MemoryCheckpoint();
    await migrate(source, target, { checkpoint });
    await source.create({ late: true });
    const report = await migrate(source, target, { checkpoint });
    assert.deepEqual([report.resumed, report.written, await target.count()], [true, 5, 5]);
  });

  it("refuses the checkpoint of another job, a corrupt one, and one of a newer layout", async () => {
    await using source = await filled(5);
    await using target = await openDatabase(new Tiny());
    const checkpoint = new MemoryCheckpoint();
    await migrate(source, target, { checkpoint });
    const good = checkpoint.text as string;
    await fails("INVALID_CONFIG", migrate(source, target, { checkpoint, onConflict: "skip" }));
    await fails("INVALID_CONFIG", migrate(source, target, { checkpoint, query: { where: where("n", ">", 1) } }));
    for (const text of ["", "{", good.slice(0, 60), '{"a":1}', good.replace('"after"', '"before"')]) {
      checkpoint.text = text;
      await fails("CORRUPT", migrate(source, target, { checkpoint }));
    }
    checkpoint.text = good.replace('"checkpoint": 1', '"checkpoint": 2');
    await fails("UNSUPPORTED", migrate(source, target, { checkpoint }));
    assert.equal(await target.count(), 5);
  });

  it("refuses the checkpoint of the same job between other stores", async () => {
    const at = (location: string): Tiny => Object.defineProperty(new Tiny(), "location", { value: location });
    await using source = await openDatabase(at("a"));
    await using target = await openDatabase(at("b"));
    await using other = await openDatabase(at("c"));
    await source.createMany([{ id: "1", data: { n: 1 } }]);
    const checkpoint = new MemoryCheckpoint();
    await migrate(source, target, { checkpoint });
    await fails("INVALID_CONFIG", migrate(source, other, { checkpoint }));
    await fails("INVALID_CONFIG", migrate(other, target, { checkpoint }));
    assert.equal(await other.count(), 0);
    // through a layer it is the same store
    await using layered = await openDatabase(retrying(at("a")));
    assert.equal((await migrate(layered, target, { checkpoint })).resumed, true);
  });

  it("is a file where a path is given", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dataknobs-migrate-"));
    try {
      const path = join(folder, "job.json");
      await using source = await filled(5);
      await using target = await openDatabase(new Tiny());
      await migrate(source, target, { checkpoint: path });
      assert.equal(JSON.parse(readFileSync(path, "utf8")).checkpoint.state, "done");
      assert.equal((await migrate(source, target, { checkpoint: path })).resumed, true);
      writeFileSync(path, "no");
      await fails("CORRUPT", migrate(source, target, { checkpoint: path }));
      const nowhere = join(folder, "no", "such", "folder", "job.json");
      await fails("UNAVAILABLE", migrate(source, target, { checkpoint: nowhere }));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("incremental migration", () => {
  it("brings over what was written since, also within the same millisecond and late", async () => {
    await using source = await filled(50);
    await using target = await openDatabase(new Tiny());
    const options = { checkpoint: new MemoryCheckpoint(), incremental: true, batchSize: 10 };
    const first = await migrate(source, target, options);
    assert.equal(first.written, 50);
    // in the same millisecond as the first run's start, or even before it, by another writer's clock
    await source.patch("r00001", { n: -1 });
    await source.create({ n: -2 }, { id: "new" });
    const second = await migrate(source, target, options);
    addsUp(second);
    assert.deepEqual([second.written, second.failed, second.resumed], [2, 0, false]);
    assert.deepEqual(await contents(target), await contents(source));
    const third = await migrate(source, target, options);
    assert.deepEqual([third.written, third.failed], [0, 0]);
  });

  it("looks no further back than the overlap", async () => {
    await using source = await filled(50);
    await using target = await openDatabase(new Tiny());
    const options = { checkpoint: new MemoryCheckpoint(), incremental: true, overlap: 0 };
    await migrate(source, target, options);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await source.create({}, { id: "new" });
    const report = await migrate(source, target, options);
    assert.deepEqual([report.read, report.written], [1, 1]);
  });
});

describe("contentHash", () => {
  it("is the same for the same content in another order, and another for any change", async () => {
    await using a = await filled(30);
    await using b = await openDatabase(new Tiny());
    await b.createMany(inputs(30).reverse());
    const { hash } = await contentHash(a);
    assert.equal((await contentHash(b)).hash, hash);
    const changes: ((db: Database) => Promise<unknown>)[] = [
      (db) => db.patch("r00001", { n: "1" }),
      (db) => db.patch("r00001", { at: new Date(1_700_000_000_001).toISOString() }),
      (db) => db.delete("r00002"),
      (db) => db.create({}),
    ];
    for (const change of changes) {
      const before = (await contentHash(b)).hash;
      await change(b);
      assert.notEqual((await contentHash(b)).hash, before);
    }
  });
});
