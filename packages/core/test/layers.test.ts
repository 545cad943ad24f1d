import assert from "node:assert/strict";
import diagnostics from "node:diagnostics_channel";
import { describe, it } from "@jest/globals";
import type { Backend, Call, WriteOp, WriteOutcome, WriteRequest } from "../src/backend/spi.js";
import { testBackend } from "../src/conformance/index.js";
import {
  cached,
  DataknobsError,
  type Fields,
  type OperationMessage,
  observed,
  openDatabase,
  openDatabaseSync,
  retrying,
} from "../src/index.js";
import { forward } from "../src/layers/forward.js";
import type { WireRecord } from "../src/record/json.js";
import { Bare } from "./mutants/bare.js";
import { Tiny } from "./mutants/tiny.js";

const { capabilities } = new Tiny();
const runs = 200;
const quick = { delay: 0, attempts: 50 };

/** Fails before or after every so many calls, as a network does. */
function flaky(inner: Backend, { every, lose = false }: { every: number; lose?: boolean }): Backend {
  let calls = 0;
  const fails = (): boolean => ++calls % every === 0;
  const gone = (): DataknobsError => new DataknobsError("UNAVAILABLE", "gone for a moment");
  const around = <R>(work: () => R): R => {
    const failing = fails();
    if (failing && !lose) throw gone();
    const result = work();
    if (failing) throw gone();
    return result;
  };
  const { count, aggregate, merge } = inner;
  return forward(inner, {
    read: async (ids: readonly string[], call: Call) => around(() => inner.read(ids, call)),
    write: async (ops: readonly WriteOp[], request: WriteRequest) => {
      // a lost answer to a delete cannot be made up for
      if (ops.some(({ kind }) => kind === "delete")) return inner.write(ops, request);
      return around(() => inner.write(ops, request));
    },
    count: count && (async (where, match, call) => around(() => count.call(inner, where, match, call))),
    aggregate: aggregate && (async (request) => around(() => aggregate.call(inner, request))),
    merge: merge && (async (op, call) => around(() => merge.call(inner, op, call))),
    scan: (request) => around(() => inner.scan(request)),
  });
}

function nested(depth: number): Fields {
  return depth === 0 ? {} : { a: nested(depth - 1) };
}

describe("cached", () => {
  testBackend({ describe, it, open: () => cached(new Tiny()), capabilities, modes: ["plain"], runs });
  testBackend({
    describe,
    it,
    open: () => cached(new Tiny(), { maxEntries: 2 }),
    capabilities,
    sync: true,
    modes: ["indexed"],
    runs,
  });
  testBackend({ describe, it, open: () => cached(new Bare()), modes: ["plain"], runs });
  testBackend({
    describe,
    it,
    open: () => cached(new Tiny(), { store: new Tiny() }),
    capabilities: { ...capabilities, synchronous: false },
    modes: ["plain"],
    runs,
  });
  testBackend({ describe, it, open: () => cached(new Bare(), { store: new Bare() }), modes: ["plain"], runs });

  it("reads a record once, and again after a write", async () => {
    const tiny = new Tiny();
    let reads = 0;
    const read = tiny.read.bind(tiny);
    tiny.read = (ids) => {
      reads += ids.length;
      return read(ids);
    };
    const backend = cached(tiny);
    await using db = await openDatabase(backend);
    await db.create({ n: 1 }, { id: "a" });
    for (let time = 0; time < 5; time++) assert.deepEqual((await db.read("a"))?.data, { n: 1 });
    assert.equal(reads, 1);
    // reads the record too, to merge into it
    await db.patch("a", { n: 2 });
    const before = reads;
    assert.deepEqual((await db.read("a"))?.data, { n: 2 });
    assert.equal(reads, before + 1);
    assert.deepEqual(backend.cacheCounts(), { hits: 5, misses: 2, entries: 1 });
  });

  it("asks once for many that ask at the same time, and gives none of them what was changed meanwhile", async () => {
    const tiny = new Tiny();
    let reads = 0;
    let answer: () => void = () => undefined;
    const backend = cached(
      forward(tiny, {
        read: (ids) => {
          reads++;
          const rows = tiny.read(ids);
          return new Promise<(WireRecord | undefined)[]>((resolve) => {
            answer = () => resolve(rows);
          });
        },
      }),
    );
    await using db = await openDatabase(backend);
    await db.create({ n: 1 }, { id: "a" });
    const asked = [db.read("a"), db.read("a"), db.read("a")];
    await Promise.resolve();
    assert.equal(reads, 1);
    await db.update("a", { n: 2 });
    answer();
    await Promise.all(asked);
    const later = db.read("a");
    answer();
    assert.deepEqual((await later)?.data, { n: 2 });
  });

  it("keeps so many, the least lately read leaves", async () => {
    const backend = cached(new Tiny(), { maxEntries: 2 });
    using db = openDatabaseSync(backend);
    db.createMany(["a", "b", "c"].map((id) => ({ id, data: {} })));
    for (const id of ["a", "b", "a", "c", "a"]) db.read(id);
    assert.deepEqual(backend.cacheCounts(), { hits: 2, misses: 3, entries: 2 });
  });

  it("sees what others wrote when the time is up", async () => {
    const tiny = new Tiny();
    await using other = await openDatabase(tiny);
    await using db = await openDatabase(cached(tiny, { ttl: 20 }));
    await other.create({ n: 1 }, { id: "a" });
    await db.read("a");
    await other.update("a", { n: 2 });
    await new Promise((resolve) => setTimeout(resolve, 40));
    assert.deepEqual((await db.read("a"))?.data, { n: 2 });
  });

  it("a stale read costs a conflict, not an update", async () => {
    const tiny = new Tiny();
    await using other = await openDatabase(tiny);
    await using db = await openDatabase(cached(tiny));
    const { version } = await other.create({ n: 1 }, { id: "a" });
    await db.read("a");
    await other.update("a", { n: 2 });
    assert.equal((await db.read("a"))?.version, version);
    await assert.rejects(
      async () => db.update("a", { n: 3 }, { ifVersion: version }),
      (error) => DataknobsError.is(error, "VERSION_CONFLICT"),
    );
    assert.deepEqual((await db.read("a"))?.data, { n: 2 });
  });

  it("sees what a transaction wrote", async () => {
    await using db = await openDatabase(cached(new Tiny()));
    await db.create({ n: 1 }, { id: "a" });
    await db.read("a");
    await db.transaction(async (tx) => {
      await tx.patch("a", { n: 2 });
      assert.deepEqual((await tx.read("a"))?.data, { n: 2 });
    });
    assert.deepEqual((await db.read("a"))?.data, { n: 2 });
  });

  it("keeps records in a store of another kind, whole, and for as long as told", async () => {
    const [tiny, store] = [new Tiny(), new Bare()];
    const backend = cached(tiny, { store, ttl: 30 });
    await using other = await openDatabase(tiny);
    await using db = await openDatabase(backend);
    const data = { at: new Date(5), big: 2n ** 70n, vector: Float32Array.of(0.1), none: null, deep: nested(60) };
    await db.create(data, { id: "a", metadata: { m: Uint8Array.of(1) } });
    const first = await db.read("a");
    assert.deepEqual(await db.read("a"), first);
    assert.deepEqual([first?.data, first?.metadata], [data, { m: Uint8Array.of(1) }]);
    assert.deepEqual(backend.cacheCounts(), { hits: 1, misses: 1 });
    await other.update("a", { n: 2 });
    assert.deepEqual((await db.read("a"))?.data, data);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual((await db.read("a"))?.data, { n: 2 });
    await db.updateWhere({ and: [] }, { n: 3 });
    assert.deepEqual((await db.read("a"))?.data, { n: 3 });
    await db.transaction((tx) => tx.patch("a", { n: 4 }));
    assert.deepEqual((await db.readMany(["a", "b"]))[0]?.data, { n: 4 });
    await db.clear();
    assert.equal(await db.read("a"), undefined);
  });

  it("what a read that was under way brings into the store is not kept after a write", async () => {
    const [tiny, store] = [new Tiny(), new Tiny()];
    let answer: () => void = () => undefined;
    let slow = false;
    const backend = cached(
      forward(tiny, {
        read: (ids) => {
          const rows = tiny.read(ids);
          if (!slow) return rows;
          return new Promise<(WireRecord | undefined)[]>((resolve) => {
            answer = () => resolve(rows);
          });
        },
      }),
      { store },
    );
    await using db = await openDatabase(backend);
    await db.create({ n: 1 }, { id: "a" });
    slow = true;
    const asked = db.read("a");
    await new Promise((resolve) => setImmediate(resolve));
    slow = false;
    await db.update("a", { n: 2 });
    answer();
    assert.deepEqual((await asked)?.data, { n: 1 });
    assert.deepEqual((await db.read("a"))?.data, { n: 2 });
    assert.deepEqual((await db.read("a"))?.data, { n: 2 });
    assert.equal(store.records.size, 1);
  });

  it("refuses options that it does not have", () => {
    const store = new Tiny();
    for (const options of [
      { store, maxEntries: 5 },
      { store: {} as Backend },
      { maxEntry: 1 },
      { maxEntries: 0 },
      { ttl: -1 },
    ]) {
      assert.throws(
        () => cached(new Tiny(), options),
        (error) => DataknobsError.is(error, "INVALID_CONFIG"),
      );
    }
  });
});

describe("retrying", () => {
  testBackend({
    describe,
    it,
    open: () => retrying(flaky(new Tiny(), { every: 3 }), quick),
    capabilities: { ...capabilities, synchronous: false },
    modes: ["indexed"],
    runs,
  });

  for (const lose of [false, true]) {
    it(`writes everything once where ${lose ? "answers" : "calls"} are lost`, async () => {
      const tiny = new Tiny();
      let retries = 0;
      const backend = retrying(flaky(tiny, { every: 3, lose }), { ...quick, onRetry: () => retries++ });
      await using db = await openDatabase(backend);
      for (let n = 0; n < 20; n++) await db.create({ n }, { id: `r${n}` });
      await db.createMany(Array.from({ length: 50 }, (_, n) => ({ id: `m${n}`, data: { n } })));
      await db.upsert("r1", { n: -1 });
      assert.equal((await db.patch("r2", { n: -2 }))?.data["n"], -2);
      await db.update("r3", { n: -3 });
      assert.equal(await db.count(), 70);
      assert.equal(await db.count({ where: { path: "n", op: "<", value: 0 } }), 3);
      assert.ok(retries > 10, String(retries));
      await assert.rejects(
        async () => db.create({}, { id: "r1" }),
        (error) => DataknobsError.is(error, "ALREADY_EXISTS"),
      );
    });
  }

  it("gives up after so many tries, and never repeats what will not pass", async () => {
    const seen: string[] = [];
    const failing = (code: "UNAVAILABLE" | "PERMISSION_DENIED"): Backend =>
      forward(new Tiny(), {
        read: () => {
          seen.push(code);
          throw new DataknobsError(code, "no");
        },
      });
    for (const code of ["UNAVAILABLE", "PERMISSION_DENIED"] as const) {
      await using db = await openDatabase(retrying(failing(code), { attempts: 3, delay: 0 }));
      await assert.rejects(
        async () => db.read("a"),
        (error) => DataknobsError.is(error, code),
      );
    }
    assert.deepEqual(seen, ["UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE", "PERMISSION_DENIED"]);
  });

  it("does not repeat a delete, of which nothing would tell whether it was done", async () => {
    const tiny = new Tiny();
    let writes = 0;
    const write = (ops: readonly WriteOp[], request: WriteRequest): WriteOutcome[] => {
      writes++;
      const outcomes = tiny.write(ops, request);
      if (ops[0]?.kind === "delete") throw new DataknobsError("UNAVAILABLE", "lost");
      return outcomes;
    };
    await using db = await openDatabase(retrying(forward(tiny, { write }), quick));
    await db.create({}, { id: "a" });
    await assert.rejects(
      async () => db.delete("a"),
      (error) => DataknobsError.is(error, "UNAVAILABLE"),
    );
    assert.equal(writes, 2);
  });

  it("ends its wait at an abort", async () => {
    const down = forward(new Tiny(), {
      read: () => {
        throw new DataknobsError("UNAVAILABLE", "down");
      },
    });
    await using db = await openDatabase(retrying(down, { delay: 60_000, maxDelay: 60_000 }));
    const started = Date.now();
    await assert.rejects(
      async () => db.read("a", { timeout: 30 }),
      (error) => DataknobsError.is(error, "TIMEOUT"),
    );
    assert.ok(Date.now() - started < 30_000);
  });
});

describe("observed", () => {
  testBackend({ describe, it, open: () => observed(new Tiny()), capabilities, modes: ["plain"], runs });

  /** What a tracer and a meter were told. */
  function recorder() {
    const spans: { name: string; attributes: Record<string, unknown>; status?: number; ended: boolean }[] = [];
    const measured: { seconds: number; attributes: Record<string, unknown> }[] = [];
    const tracer = {
      startSpan(name: string, { attributes }: { attributes: Record<string, unknown> }) {
        const span: (typeof spans)[number] = { name, attributes: { ...attributes }, ended: false };
        spans.push(span);
        return {
          setAttribute: (key: string, value: unknown) => {
            span.attributes[key] = value;
          },
          setStatus: ({ code }: { code: number }) => {
            span.status = code;
          },
          end: () => {
            span.ended = true;
          },
        };
      },
    };
    const meter = {
      createHistogram: (name: string, { unit }: { unit: string }) => {
        assert.deepEqual([name, unit], ["db.client.operation.duration", "s"]);
        return {
          record: (seconds: number, attributes: Record<string, unknown>) => measured.push({ seconds, attributes }),
        };
      },
    };
    return { spans, measured, tracer, meter };
  }

  it("tells a tracer and a meter of every operation, by the conventions for databases, and nothing of the data", async () => {
    const { spans, measured, tracer, meter } = recorder();
    const backend = observed(new Tiny(), { tracer, meter, attributes: { "db.collection.name": "people" } });
    await using db = await openDatabase(backend);
    await db.createMany([{ id: "secret-id", data: { name: "secret-name" } }, { data: {} }]);
    await db.search({ where: { path: "name", op: "=", value: "secret-name" } });
    await db.count();
    assert.deepEqual(
      spans.map(({ name }) => name),
      ["insert tiny", "scan tiny", "count tiny"],
    );
    assert.deepEqual(spans[0]?.attributes, {
      "db.system.name": "tiny",
      "db.collection.name": "people",
      "db.operation.name": "insert",
      "db.operation.batch.size": 2,
    });
    assert.ok(spans.every(({ ended, status }) => ended && status === undefined));
    assert.equal(measured.length, 3);
    assert.ok(measured.every(({ seconds }) => seconds >= 0 && seconds < 60));
    assert.ok(!JSON.stringify([spans, measured]).includes("secret"));
  });

  it("tells failures by their code, and a stream that is left early as ended", async () => {
    const { spans, tracer } = recorder();
    const down = forward(new Tiny(), {
      read: () => {
        throw new DataknobsError("UNAVAILABLE", "down");
      },
    });
    await using db = await openDatabase(observed(down, { tracer }));
    await assert.rejects(async () => db.read("a"));
    assert.equal(spans[0]?.attributes["error.type"], "UNAVAILABLE");
    assert.equal(spans[0]?.status, 2);
    await db.createMany([{ data: {} }, { data: {} }]);
    for await (const _ of db.stream()) break;
    assert.ok(spans.every(({ ended }) => ended));
  });

  it("publishes on a diagnostics channel", async () => {
    const messages: OperationMessage[] = [];
    const listen = (message: unknown): unknown => messages.push(message as OperationMessage);
    diagnostics.subscribe("dataknobs:operation", listen);
    try {
      await using db = await openDatabase(observed(new Tiny()));
      await db.create({});
      await db.count();
    } finally {
      diagnostics.unsubscribe("dataknobs:operation", listen);
    }
    assert.deepEqual(
      messages.map(({ backend, operation, records, error }) => ({ backend, operation, records, error })),
      [
        { backend: "tiny", operation: "insert", records: 1, error: undefined },
        { backend: "tiny", operation: "count", records: undefined, error: undefined },
      ],
    );
  });
});
