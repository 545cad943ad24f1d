import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, it } from "@jest/globals";
import {
  type CheckpointStore,
  DataknobsError,
  type ErrorCode,
  type MigrateVectorsOptions,
  type MigrationReport,
  migrateVectors,
  openVectorStore,
  type VectorEntry,
  type VectorStore,
  vectorContentHash,
  where,
} from "../../src/index.js";
import type { UpsertRequest, VectorBackend } from "../../src/vector/spi.js";
import { BareVectors } from "./bare.js";
import { TinyVectors } from "./tiny.js";

const folder = mkdtempSync(join(tmpdir(), "dataknobs-move-vectors-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dimensions = 3;

/** Vectors of awkward bits, metadata of every type, hostile ids. */
function entries(count: number): VectorEntry[] {
  return Array.from({ length: count }, (_, n) => ({
    id: n % 10 === 7 ? `../é/${n}'"` : `v${n}`,
    vector: Float32Array.of(n + 0.1, -1e-40, 3e38),
    metadata: { n, at: new Date(n), big: BigInt(n) * 10n ** 20n, bytes: Uint8Array.of(n, 0), none: null, "a.b": [n] },
    ...(n % 3 !== 0 && { text: `text ${n}` }),
  }));
}

function open(backend: VectorBackend = new TinyVectors(), settings: object = {}): Promise<VectorStore> {
  return openVectorStore(backend, { dimensions, metric: "euclidean", ...settings });
}

async function filled(count = 50): Promise<VectorStore> {
  const store = await open();
  await store.add(entries(count));
  return store;
}

async function contents(store: VectorStore): Promise<unknown[]> {
  const rows: { id: string }[] = [];
  for await (const row of store.stream()) rows.push(row);
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function counts({ read, written, skipped, dropped, failed }: MigrationReport): number[] {
  assert.equal(read, written + skipped + dropped + failed);
  return [read, written, skipped, dropped, failed];
}

async function fails(code: ErrorCode, work: () => Promise<unknown>): Promise<MigrationReport> {
  let thrown: unknown;
  await work().catch((error: unknown) => {
    thrown = error;
  });
  assert.ok(DataknobsError.is(thrown, code), `${code} expected, got ${String(thrown)}`);
  return thrown.details["report"] as MigrationReport;
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

describe("migrateVectors", () => {
  for (const [name, target] of [
    ["tiny", () => new TinyVectors()],
    ["bare", () => new BareVectors()],
  ] as const) {
    it(`copies every bit, metadata with its types, and texts, into ${name}`, async () => {
      await using from = await filled();
      await using to = await open(target());
      const report = await migrateVectors(from, to, { verify: "content", batchSize: 7 });
      assert.deepEqual(counts(report), [50, 50, 0, 0, 0]);
      assert.deepEqual(await contents(to), await contents(from));
      assert.equal(report.verification?.ok, true);
      assert.equal(report.verification?.sourceHash, report.verification?.targetHash);
      assert.deepEqual(await vectorContentHash(to), await vectorContentHash(from));
      assert.deepEqual(JSON.parse(JSON.stringify(report)), report);
    });
  }

  it("the hash tells the last bit of a vector, a type, and a text that is empty from none", async () => {
    const entry = { id: "a", vector: [1, 2, 3], metadata: { m: 1n }, text: "" };
    const hashes = new Set<string>();
    for (const other of [
      entry,
      { ...entry, id: "b" },
      { ...entry, vector: [1, 2, 3 + 2 ** -22] },
      { ...entry, metadata: { m: "1" } },
      { ...entry, text: "x" },
      { id: "a", vector: [1, 2, 3], metadata: { m: 1n } },
    ]) {
      await using store = await open();
      await store.add([other]);
      hashes.add((await vectorContentHash(store)).hash);
    }
    assert.equal(hashes.size, 6);
  });

  it("takes what a filter selects, transforms it, and drops what becomes null", async () => {
    await using from = await filled();
    await using to = await open();
    const report = await migrateVectors(from, to, {
      filter: where("n", "<", 10),
      transform: ({ id, vector, metadata }) =>
        (metadata["n"] as number) % 2 === 0 ? null : { id: `new-${id}`, vector: vector.map((x) => -x), metadata: {} },
      verify: "content",
    });
    assert.deepEqual(counts(report), [10, 5, 0, 5, 0]);
    assert.deepEqual((await to.get(["new-v1"]))[0], {
      id: "new-v1",
      vector: Float32Array.of(-1.1, 1e-40, -3e38),
      metadata: {},
    });
    assert.deepEqual(
      (await from.get(["v1"]))[0]?.vector,
      Float32Array.of(1.1, -1e-40, 3e38),
      "the source is only read",
    );
  });

  for (const [onConflict, expected, kept] of [
    ["skip", [50, 49, 1, 0, 0], true],
    ["replace", [50, 50, 0, 0, 0], false],
  ] as const) {
    it(`${onConflict}: as told, for ids that the target has`, async () => {
      await using from = await filled();
      await using to = await open();
      await to.add([
        { id: "v3", vector: [9, 9, 9] },
        { id: "other", vector: [9, 9, 9] },
      ]);
      const report = await migrateVectors(from, to, { onConflict, verify: "count", batchSize: 8 });
      assert.deepEqual(counts(report), expected);
      assert.deepEqual(report.verification, {
        mode: "count",
        ok: true,
        expected: 51,
        found: 51,
        missing: 0,
        different: 0,
        changedMeanwhile: 0,
        examples: [],
      });
      assert.equal((await to.get(["v3"]))[0]?.vector[0] === 9, kept);
      if (!kept) return;
      const again = await migrateVectors(from, to, { onConflict, verify: "content" });
      assert.deepEqual([again.verification?.different, again.verification?.examples], [1, ["v3"]]);
    });
  }

  it("fail: stops at the first, with the report; onError goes on", async () => {
    await using from = await filled();
    await using to = await open();
    await to.add([{ id: "v3", vector: [9, 9, 9] }]);
    const report = await fails("ALREADY_EXISTS", () => migrateVectors(from, to, { batchSize: 2 }));
    assert.deepEqual(
      report.errors.map(({ id, code }) => [id, code]),
      [["v3", "ALREADY_EXISTS"]],
    );
    assert.equal(report.failed + report.written, report.read);
    assert.equal(await to.count(), report.written + 1);
    const seen: string[] = [];
    const other = await filled();
    const through = await migrateVectors(from, other, {
      onError: (_, { id }) => seen.push(id) > 0,
      transform: ({ id, vector }) => ({ id: id === "v5" ? "fresh" : id, vector }),
    });
    assert.deepEqual(counts(through), [50, 1, 0, 0, 49]);
    assert.equal(seen.length, 49);
    await other.close();
  });

  it("refuses one by one what the target cannot keep", async () => {
    await using from = await open();
    await from.add([
      { id: "zero", vector: [0, 0, 0] },
      { id: "good", vector: [0, 0, 1] },
    ]);
    await using to = await open(new TinyVectors(), { metric: "cosine" });
    const report = await migrateVectors(from, to, { onError: () => true });
    assert.deepEqual(counts(report), [2, 1, 0, 0, 1]);
    assert.deepEqual(
      report.errors.map(({ id, code }) => [id, code]),
      [["zero", "INVALID_RECORD"]],
    );
    assert.equal(await to.count(), 1);
  });

  it("keeps scopes apart, each into its own", async () => {
    await using from = await filled(10);
    for (const tenant of ["a", "b", "c"])
      await from.scoped(tenant).add([{ id: "v1", vector: [tenant.charCodeAt(0), 0, 0] }]);
    await using to = await open();
    const report = await migrateVectors(from, to, { scopes: [undefined, "a", "b"], verify: "content" });
    assert.deepEqual(counts(report), [12, 12, 0, 0, 0]);
    assert.equal(await to.count(), 10);
    assert.deepEqual((await to.scoped("b").get(["v1"]))[0]?.vector, Float32Array.of(98, 0, 0));
    assert.equal(await to.scoped("c").count(), 0);
    assert.equal((await migrateVectors(from.scoped("c"), to.scoped("d"))).written, 1);
    assert.equal((await migrateVectors(from.scoped("c"), from.scoped("d"))).written, 1);
    await using scoped = await open(new TinyVectors(), { scope: "a" });
    await fails("INVALID_CONFIG", () => migrateVectors(from, scoped, { scopes: ["a"] }));
  });

  it("a dry run tells what would be, and writes nothing", async () => {
    await using from = await filled();
    await using to = await open();
    await to.add([{ id: "v3", vector: [9, 9, 9] }]);
    const report = await migrateVectors(from, to, { dryRun: true, onConflict: "skip" });
    assert.deepEqual(counts(report), [50, 49, 1, 0, 0]);
    assert.equal(await to.count(), 1);
  });

  it("tells progress, and ends at an abort with the report", async () => {
    await using from = await filled();
    await using to = await open();
    const abort = new AbortController();
    const seen: number[] = [];
    const report = await fails("ABORTED", () =>
      migrateVectors(from, to, {
        batchSize: 5,
        signal: abort.signal,
        onProgress: ({ written, total }) => {
          assert.equal(total, 50);
          if (seen.push(written) === 3) abort.abort();
        },
      }),
    );
    assert.deepEqual(seen, [5, 10, 15]);
    assert.equal(report.written, await to.count());
    assert.ok(report.written < 50);
  });

  it("finds by content what went wrong on the way", async () => {
    await using from = await filled();
    class Lossy extends TinyVectors {
      override async upsert(request: UpsertRequest): Promise<void> {
        const rows = request.rows.flatMap((row) =>
          row.id === "v2" ? [] : row.id === "v4" ? [{ ...row, text: "other" }] : [row],
        );
        await super.upsert({ ...request, rows });
      }
    }
    await using to = await open(new Lossy());
    const { verification } = await fails("CONFLICT", () => migrateVectors(from, to, { verify: "content" }));
    assert.deepEqual(
      [verification?.missing, verification?.different, [...(verification?.examples ?? [])].sort()],
      [1, 1, ["v2", "v4"]],
    );
    await using again = await open(new Lossy());
    await fails("CONFLICT", () => migrateVectors(from, again, { verify: "count" }));
  });

  for (const onConflict of ["fail", "skip", "replace"] as const) {
    it(`${onConflict}: a run that died after any write is taken up, nothing lost or counted twice`, async () => {
      await using from = await filled(40);
      for (let deadAt = 1; deadAt <= 9; deadAt++) {
        let writes = 0;
        class Dying extends TinyVectors {
          override async upsert(request: UpsertRequest): Promise<void> {
            if (writes++ === deadAt) throw new DataknobsError("UNAVAILABLE", "killed");
            // the last one before: half of it is written
            await super.upsert(writes === deadAt ? { ...request, rows: request.rows.slice(0, 2) } : request);
            if (writes === deadAt) throw new DataknobsError("UNAVAILABLE", "killed");
          }
        }
        await using to = await open(new Dying());
        const checkpoint = new MemoryCheckpoint();
        const options: MigrateVectorsOptions = { checkpoint, batchSize: 4, onConflict, verify: "count" };
        await fails("UNAVAILABLE", () => migrateVectors(from, to, options));
        writes = 100;
        const report = await migrateVectors(from, to, options);
        assert.deepEqual(counts(report), [40, 40, 0, 0, 0], `dead at ${deadAt}`);
        assert.equal(report.resumed, true);
        assert.equal(report.verification?.ok, true);
        assert.deepEqual(await contents(to), await contents(from));
        const done = await migrateVectors(from, to, options);
        assert.deepEqual([done.written, done.resumed], [40, true]);
      }
    });
  }

  it("refuses what cannot be right before anything is read", async () => {
    await using from = await filled(3);
    await using to = await open();
    await using wide = await openVectorStore(new TinyVectors(), { dimensions: 4 });
    const checkpoint = join(folder, "job.json");
    for (const [target, options] of [
      [wide, {}],
      [from, {}],
      [to, { onConflict: "maybe" }],
      [to, { batchSize: 0 }],
      [to, { scopes: [] }],
      [to, { scopes: ["a", "a"] }],
      [to, { dryRun: true, checkpoint }],
      [to, { dryRun: true, verify: "count" }],
      [to, { filtre: where("a", "exists") }],
    ] as const) {
      await fails("INVALID_CONFIG", () => migrateVectors(from, target, options as MigrateVectorsOptions));
    }
    await fails("INVALID_QUERY", () => migrateVectors(from, to, { filter: { path: "a", op: "~" as "=" } }));
    await assert.rejects(async () => migrateVectors(from, {} as VectorStore), TypeError);
    await migrateVectors(from, to, { checkpoint });
    await fails("INVALID_CONFIG", () => migrateVectors(from, to, { checkpoint, onConflict: "skip" }));
    assert.equal(await to.count(), 3);
  });
});
