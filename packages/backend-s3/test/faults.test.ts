/** What networks and servers do to requests: a proxy before the real server, and a server of its own that is killed. */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { type Database, DataknobsError, type ErrorCode, openDatabase } from "@dataknobs/core";
import { describe, it } from "@jest/globals";
import { type S3Options, s3 } from "../src/index.js";
import { type Faults, FaultyProxy } from "./proxy.js";
import { bucket, place, raw, serverUrl } from "./server.js";

async function fails(code: ErrorCode, call: () => unknown, retryable = false): Promise<DataknobsError> {
  let thrown: unknown;
  try {
    await call();
  } catch (error) {
    thrown = error;
  }
  assert.ok(DataknobsError.is(thrown, code), `expected ${code}, got ${inspect(thrown)}`);
  assert.equal(thrown.retryable, retryable);
  const { password } = new URL(serverUrl);
  assert.ok(!inspect(thrown, { depth: 20, showHidden: true }).includes(password), "an error tells a secret");
  return thrown;
}

async function all(db: Database): Promise<number> {
  let n = 0;
  for await (const _ of db.stream()) n++;
  return n;
}

interface Bench extends AsyncDisposable {
  readonly db: Database;
  readonly proxy: FaultyProxy;
  readonly options: S3Options;
}

/** A database behind a proxy that makes no faults yet. Nothing is cached, so that every read is a request. */
async function behindProxy(options: Partial<S3Options> = {}): Promise<Bench> {
  const proxy = await FaultyProxy.start();
  const all = place({ endpointUrl: proxy.url, cacheBytes: 0, maxAttempts: 1, requestTimeout: 5000, ...options });
  const db = await openDatabase(s3(all));
  return {
    db,
    proxy,
    options: all,
    async [Symbol.asyncDispose]() {
      await db.close();
      assert.ok(proxy.made > 0, "no fault was made: the test has tested nothing");
      await proxy[Symbol.asyncDispose]();
    },
  };
}

/** The first `times` requests that fit get the fault. */
function first(times: number, method: string, part: string, fault: ReturnType<Faults>): Faults {
  let left = times;
  return (asked, url) => (asked === method && url.includes(part) && left-- > 0 ? fault : undefined);
}

const slowDown = { answer: { status: 503, code: "SlowDown" } };

describe("a busy server", () => {
  it("is asked again, and an answer of the second attempt is as good", async () => {
    await using bench = await behindProxy({ maxAttempts: 3 });
    const { db, proxy } = bench;
    proxy.faults = first(2, "PUT", "a!.json", slowDown);
    await db.create({ n: 1 }, { id: "a" });
    proxy.faults = first(1, "GET", "a!.json", { answer: { status: 429, code: "TooManyRequests" } });
    assert.deepEqual((await db.read("a"))?.data, { n: 1 });
    proxy.faults = first(1, "GET", "list-type=2", { answer: { status: 500, code: "InternalError" } });
    assert.equal(await db.count(), 1);
  });

  it("is UNAVAILABLE and retryable in the end, and usable when it has recovered", async () => {
    await using bench = await behindProxy({ maxAttempts: 2 });
    const { db, proxy } = bench;
    await db.create({}, { id: "a" });
    proxy.faults = () => slowDown;
    await fails("UNAVAILABLE", () => db.create({}, { id: "b" }), true);
    await fails("UNAVAILABLE", () => db.read("a"), true);
    await fails("UNAVAILABLE", () => db.search(), true);
    await fails("UNAVAILABLE", () => db.count(), true);
    await fails("UNAVAILABLE", () => db.clear(), true);
    proxy.faults = () => undefined;
    await db.create({}, { id: "c" });
    assert.deepEqual((await db.search()).map(({ id }) => id).sort(), ["a", "c"]);
  });

  it("tells for each record of a batch what became of it", async () => {
    await using bench = await behindProxy();
    const { db, proxy } = bench;
    proxy.faults = first(1000, "PUT", "r1", slowDown);
    const ids = ["r0", "r1", "r2", "r10", "r11", "s"];
    const error = await fails("UNAVAILABLE", () => db.createMany(ids.map((id) => ({ id, data: {} }))), true);
    assert.deepEqual(
      (error.details["outcomes"] as { status: string }[]).map(({ status }) => status),
      ["written", "failed", "written", "failed", "failed", "written"],
    );
    assert.equal(error.details["position"], 1);
    proxy.faults = () => undefined;
    assert.deepEqual(
      (await db.search()).map(({ id }) => id),
      ["r0", "r2", "s"],
    );
  });
});

describe("a server that does not answer", () => {
  it("is TIMEOUT and retryable, and does not hang", async () => {
    await using bench = await behindProxy({ requestTimeout: 300 });
    const { db, proxy } = bench;
    await db.create({ text: "x".repeat(100_000) }, { id: "a" });
    proxy.faults = () => ({ hang: true });
    await fails("TIMEOUT", () => db.create({}, { id: "b" }), true);
    await fails("TIMEOUT", () => db.read("a"), true);
    await fails("TIMEOUT", () => db.search(), true);
    await fails("TIMEOUT", () => db.search({}, { timeout: 100 }), true);
    proxy.faults = first(1, "GET", "a!.json", { half: "hang" });
    await fails("TIMEOUT", () => db.read("a"), true);
    proxy.faults = () => undefined;
    assert.equal((await db.read("a"))?.data["text"], "x".repeat(100_000));
  });

  it("at open is TIMEOUT too", async () => {
    await using proxy = await FaultyProxy.start();
    proxy.faults = () => ({ hang: true });
    const options = place({ endpointUrl: proxy.url, requestTimeout: 200, maxAttempts: 1 });
    await fails("TIMEOUT", () => openDatabase(s3(options)), true);
  });

  it("ends with the call's signal", async () => {
    await using bench = await behindProxy();
    const { db, proxy } = bench;
    proxy.faults = () => ({ hang: true });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    await fails("ABORTED", () => db.read("a", { signal: controller.signal }));
  });
});

describe("a lost connection", () => {
  it("is UNAVAILABLE, in the middle of an answer too", async () => {
    await using bench = await behindProxy();
    const { db, proxy } = bench;
    await db.create({ text: "x".repeat(200_000) }, { id: "a" });
    proxy.faults = () => ({ lose: "request" });
    await fails("UNAVAILABLE", () => db.read("a"), true);
    await fails("UNAVAILABLE", () => db.update("a", {}), true);
    proxy.faults = first(1, "GET", "a!.json", { half: "lose" });
    await fails("UNAVAILABLE", () => db.read("a"), true);
    assert.equal((await db.read("a"))?.data["text"], "x".repeat(200_000));
  });

  it("after a write was applied does not make its repetition a conflict", async () => {
    await using bench = await behindProxy({ maxAttempts: 2, cacheBytes: 1_000_000 });
    const { db, proxy } = bench;
    const losing = (method = "PUT"): void => {
      proxy.faults = first(1, method, "a!.json", { lose: "answer" });
    };
    losing();
    const created = await db.create({ n: 0 }, { id: "a" });
    losing();
    const updated = await db.update("a", { n: 1 }, { ifVersion: created.version });
    assert.equal(updated?.createdAt.getTime(), created.createdAt.getTime());
    losing();
    assert.deepEqual((await db.patch("a", { m: 2 }))?.data, { n: 1, m: 2 });
    losing();
    const upserted = await db.upsert("a", { n: 3 });
    assert.equal((await db.read("a"))?.version, upserted.version);
    losing("DELETE");
    assert.equal(await db.delete("a", { ifVersion: upserted.version }), true);
    assert.equal(await db.read("a"), undefined);
  });
});

describe("a listing or reading that fails", () => {
  const twelve = Array.from({ length: 12 }, (_, n) => ({ id: `r${String(n).padStart(2, "0")}`, data: { n } }));

  it("is never a shorter answer", async () => {
    await using bench = await behindProxy();
    const { db, proxy } = bench;
    await db.createMany(twelve);
    proxy.faults = first(1000, "GET", "r07!.json", { answer: { status: 500, code: "InternalError" } });
    await fails("UNAVAILABLE", () => db.search(), true);
    await fails("UNAVAILABLE", () => db.readMany(twelve.map(({ id }) => id)), true);
    await fails("UNAVAILABLE", () => db.aggregate({ select: { n: { fn: "sum", path: "n" } } }), true);
    proxy.faults = first(1000, "GET", "r07!.json", { answer: { status: 403, code: "AccessDenied" } });
    await fails("PERMISSION_DENIED", () => db.search());
    // the second page of a listing
    proxy.faults = (_, url) => (/start-after=.*r0/.test(url) ? slowDown : undefined);
    await using small = await openDatabase(s3({ ...bench.options }), { batchSize: 5 });
    await fails("UNAVAILABLE", () => small.search(), true);
    await fails("UNAVAILABLE", () => all(small), true);
  });

  it("ahead of a slow reader is told when the reader comes to it", async () => {
    await using bench = await behindProxy();
    const { db, proxy, options } = bench;
    await db.createMany(twelve);
    await using small = await openDatabase(s3(options), { batchSize: 5 });
    proxy.faults = first(1000, "GET", "r07!.json", { answer: { status: 500, code: "InternalError" } });
    let unhandled = 0;
    const count = (): void => void unhandled++;
    process.on("unhandledRejection", count);
    let seen = 0;
    const reading = async (): Promise<void> => {
      for await (const _ of small.stream()) if (++seen === 1) await new Promise((resolve) => setTimeout(resolve, 300));
    };
    await fails("UNAVAILABLE", reading, true);
    process.off("unhandledRejection", count);
    assert.deepEqual([seen, unhandled], [5, 0]);
  });

  it("but an object that goes between listing and reading is a deleted record", async () => {
    await using bench = await behindProxy();
    const { db, proxy, options } = bench;
    await db.createMany(twelve);
    await using other = await openDatabase(s3({ ...options, endpointUrl: serverUrl }));
    proxy.faults = first(1, "GET", "r03!.json", { before: () => other.delete("r03") });
    const found = await db.search();
    assert.equal(found.length, 11);
    assert.ok(found.every(({ id }) => id !== "r03"));
    proxy.faults = first(1, "GET", "r05!.json", { before: () => other.delete("r05") });
    const five = await db.search({ limit: 5, offset: 2 });
    assert.deepEqual(
      five.map(({ id }) => id),
      ["r02", "r04", "r06", "r07", "r08"],
    );
  });
});

describe("clear", () => {
  it("tells the records that could not be deleted", async () => {
    await using bench = await behindProxy();
    const { db, proxy, options } = bench;
    await db.createMany([
      { id: "a", data: {} },
      { id: "b", data: {} },
    ]);
    const undeleted = [{ key: `${options.prefix}/a!.json`, code: "AccessDenied" }];
    proxy.faults = (method) => (method === "POST" ? { undeleted } : undefined);
    const error = await fails("PERMISSION_DENIED", () => db.clear());
    assert.deepEqual(error.details["failed"], [{ key: `${options.prefix}/a!.json`, code: "PERMISSION_DENIED" }]);
    assert.equal(error.details["deleted"], 1);
  });
});

describe("a server without conditional writes", () => {
  /** A client whose conditions never reach the server. */
  function unconditional(): S3Client {
    const { origin, username, password } = new URL(serverUrl);
    const client = new S3Client({
      endpoint: origin,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: username, secretAccessKey: password },
    });
    client.middlewareStack.add(
      (next) => (args) => {
        const { IfMatch: _, IfNoneMatch: __, ...input } = args.input as { IfMatch?: string; IfNoneMatch?: string };
        return next({ ...args, input });
      },
      { step: "initialize" },
    );
    return client;
  }

  it("is refused at open, unless `unsafe: true` says that it may be", async () => {
    const { endpointUrl: _, ...options } = place();
    const client = unconditional();
    try {
      const error = await fails("UNSUPPORTED", () => openDatabase(s3({ ...options, client })));
      assert.deepEqual(error.details["ignored"], ["If-None-Match when writing", "If-Match when writing"]);
      await using db = await openDatabase(s3({ ...options, client, unsafe: true }));
      await db.create({ n: 1 }, { id: "a" });
      await fails("ALREADY_EXISTS", () => db.create({ n: 2 }, { id: "a" }));
      assert.equal(await db.delete("a"), true);
      assert.equal(await db.delete("a"), false);
      assert.equal(await db.count(), 0);
    } finally {
      client.destroy();
    }
  });

  it("of deletes only is refused, too", async () => {
    await using proxy = await FaultyProxy.start();
    proxy.faults = (method) => (method === "DELETE" ? { answer: { status: 204, code: "" } } : undefined);
    const error = await fails("UNSUPPORTED", () => openDatabase(s3(place({ endpointUrl: proxy.url }))));
    assert.deepEqual(error.details["ignored"], ["If-Match when deleting"]);
  });
});

describe("without the right to write", () => {
  it("everything can be read, and every write is PERMISSION_DENIED", async () => {
    await using bench = await behindProxy();
    const { db, proxy, options } = bench;
    await db.create({ n: 1 }, { id: "a" });
    const denied = { answer: { status: 403, code: "AccessDenied" } };
    proxy.faults = (method) => (method === "GET" || method === "HEAD" ? undefined : denied);
    await using reader = await openDatabase(s3({ ...options, prefix: options.prefix as string }));
    assert.equal((await reader.search()).length, 1);
    assert.equal(await reader.count(), 1);
    const writes: (() => Promise<unknown>)[] = [
      () => reader.create({}),
      () => reader.update("a", {}),
      () => reader.patch("a", {}),
      () => reader.upsert("b", {}),
      () => reader.delete("a"),
      () => reader.createMany([{ data: {} }, { data: {} }]),
      () => reader.clear(),
    ];
    for (const write of writes) await fails("PERMISSION_DENIED", write);
    assert.deepEqual(
      (await db.search()).map(({ data }) => data),
      [{ n: 1 }],
    );
    proxy.faults = () => denied;
    await fails("PERMISSION_DENIED", () => reader.read("a"));
    await fails("PERMISSION_DENIED", () => reader.search());
    await fails("PERMISSION_DENIED", () => openDatabase(s3(options)));
  });
});

describe("an object that somebody wrote beside us", () => {
  it("while we write is a conflict that is decided anew", async () => {
    await using bench = await behindProxy({ cacheBytes: 1_000_000 });
    const { db, proxy, options } = bench;
    const { version } = await db.create({ n: 0 }, { id: "a" });
    await using other = await openDatabase(s3({ ...options, endpointUrl: serverUrl }));
    proxy.faults = first(1, "PUT", "a!.json", { before: () => other.update("a", { n: 1 }) });
    await fails("VERSION_CONFLICT", () => db.update("a", { n: 2 }, { ifVersion: version }), true);
    assert.deepEqual((await db.read("a"))?.data, { n: 1 });
    proxy.faults = first(1, "PUT", "a!.json", { before: () => other.delete("a") });
    assert.equal(await db.update("a", { n: 3 }), undefined);
    proxy.faults = first(1, "PUT", "b!.json", {
      before: () =>
        raw.send(new PutObjectCommand({ Bucket: bucket, Key: `${options.prefix}/b!.json`, Body: "not ours" })),
    });
    const error = await fails("CORRUPT", () => db.create({}, { id: "b" }));
    assert.equal(error.details["key"], `${options.prefix}/b!.json`);
  });
});
