/** What is special to objects in a bucket: layout, damage, requests made, uploads, opening. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { type Database, DataknobsError, type ErrorCode, openDatabase, type Query, where } from "@dataknobs/core";
import { describe, it } from "@jest/globals";
import { type S3Options, s3 } from "../src/index.js";
import { bucket, fresh, place, raw, rawClient, removeBucket, serverUrl } from "./server.js";

async function fails(code: ErrorCode, call: () => unknown): Promise<DataknobsError> {
  try {
    await call();
  } catch (error) {
    assert.ok(DataknobsError.is(error, code), `expected ${code}, got ${inspect(error)}`);
    return error;
  }
  return assert.fail(`expected ${code}, got no error`);
}

const put = (key: string, body: string | Uint8Array): Promise<unknown> =>
  raw.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentLength: Buffer.byteLength(body) }));

async function bodyOf(key: string): Promise<string> {
  const { Body } = await raw.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return (await Body?.transformToString()) ?? "";
}

async function keysBelow(prefix: string | undefined): Promise<string[]> {
  const { Contents = [] } = await raw.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}/` }));
  return Contents.map(({ Key = "" }) => Key.slice(`${prefix}/`.length));
}

async function ids(found: Promise<readonly { readonly id: string }[]>): Promise<string[]> {
  return (await found).map(({ id }) => id);
}

describe("the layout", () => {
  it("is a readable object per record, and a marker", async () => {
    const options = place();
    await using db = await openDatabase(s3(options));
    await db.create({ name: "Ada", born: new Date(0) }, { id: "ada", metadata: { src: "x" } });
    assert.deepEqual(await keysBelow(options.prefix), ["!dataknobs.json", "ada!.json"]);
    const body = JSON.parse(await bodyOf(`${options.prefix}/ada!.json`)) as { [name: string]: unknown };
    assert.deepEqual(Object.keys(body), ["id", "data", "types", "metadata", "version", "createdAt", "updatedAt"]);
    assert.deepEqual(body["data"], { name: "Ada", born: "1970-01-01T00:00:00.000Z" });
    const { ContentType } = await raw.send(
      new HeadObjectCommand({ Bucket: bucket, Key: `${options.prefix}/ada!.json` }),
    );
    assert.equal(ContentType, "application/json");
  });

  it("a folder inside of another is a database of its own", async () => {
    const outer = place();
    const inner = { ...outer, prefix: `${outer.prefix}/m` };
    await using a = await openDatabase(s3(outer));
    await using b = await openDatabase(s3(inner), { batchSize: 3 });
    const many = (list: string[]) => list.map((id) => ({ id, data: {} }));
    await a.createMany(many(["a", "m", "m-", "m.", "m0", "z"]));
    await b.createMany(many(["1", "2", "3", "4", "5", "6", "7", "8"]));
    await using small = await openDatabase(s3(outer), { batchSize: 3 });
    assert.deepEqual(await ids(small.search()), ["a", "m", "m-", "m.", "m0", "z"]);
    assert.equal(await a.count(), 6);
    assert.equal(await a.clear(), 6);
    assert.equal(await b.count(), 8);
  });

  it("long ids are kept in folders, and stray objects among them are left alone", async () => {
    const options = place();
    const long = "x".repeat(200);
    const all = ["x", long, `${long}a`, `${long}${"b".repeat(200)}`, `${long}c`, "y"];
    await using db = await openDatabase(s3(options), { batchSize: 2 });
    await db.createMany(all.map((id) => ({ id, data: {} })));
    const [first = ""] = (await keysBelow(options.prefix)).filter((key) => key.includes("/"));
    const folder = first.slice(0, first.indexOf("/"));
    for (const stray of ["-", "0", "A", "zz", "zzz"]) await put(`${options.prefix}/${folder}/${stray}`, "stray");
    assert.deepEqual(await ids(db.search({ sort: [{ path: "id" }] })), all);
    assert.equal(await db.clear(), all.length);
    assert.equal((await keysBelow(options.prefix)).length, 6);
  });

  it("of another program, or a newer version, is refused and left alone", async () => {
    const python = place();
    await put(`${python.prefix}/ada.json`, "{}");
    assert.match((await fails("INVALID_CONFIG", () => openDatabase(s3(python)))).message, /ada\.json/);
    const newer = place();
    await put(`${newer.prefix}/!dataknobs.json`, '{"dataknobs":{"layout":"objects","number":2}}');
    await fails("UNSUPPORTED", () => openDatabase(s3(newer)));
    const other = place();
    await put(`${other.prefix}/!dataknobs.json`, '{"dataknobs":{"layout":"segments","number":1}}');
    await fails("INVALID_CONFIG", () => openDatabase(s3(other)));
    const damaged = place();
    for (const body of ["", "{", "null", "[]", '{"dataknobs":{}}']) {
      await put(`${damaged.prefix}/!dataknobs.json`, body);
      assert.equal(
        (await fails("CORRUPT", () => openDatabase(s3(damaged)))).details["key"],
        `${damaged.prefix}/!dataknobs.json`,
      );
      assert.equal(await bodyOf(`${damaged.prefix}/!dataknobs.json`), body);
    }
  });
});

describe("a damaged object", () => {
  const good = '{"id":"b","data":{},"version":"v","createdAt":0,"updatedAt":0}';
  const bodies: { readonly [what: string]: string | Uint8Array } = {
    empty: "",
    "cut off": good.slice(0, -5),
    "not UTF-8": Buffer.from([...Buffer.from(good.slice(0, 8)), 0xff, ...Buffer.from(good.slice(8))]),
    "another's record": good.replace('"b"', '"c"'),
    "no record": "[1]",
    "no version": good.replace('"version":"v",', ""),
    "a data that is no object": good.replace('"data":{}', '"data":[]'),
  };
  for (const [what, body] of Object.entries(bodies)) {
    it(`(${what}) is CORRUPT and names its key, and is never left out`, async () => {
      const options = place();
      await using db = await openDatabase(s3(options));
      await db.createMany(["a", "c"].map((id) => ({ id, data: {} })));
      const key = `${options.prefix}/b!.json`;
      await put(key, body);
      const calls: (() => Promise<unknown>)[] = [
        () => db.read("b"),
        () => db.readMany(["a", "b"]),
        () => db.search(),
        () => db.search({ limit: 1, offset: 1 }),
        async () => {
          for await (const _ of db.stream());
        },
        () => db.aggregate({ select: { n: { fn: "count" } }, where: where("x", "not_exists") }),
        () => db.update("b", {}),
        () => db.upsert("b", {}),
        () => db.patch("b", {}),
        () => db.create({}, { id: "b" }),
        () => db.delete("b"),
      ];
      for (const call of calls) assert.equal((await fails("CORRUPT", call)).details["key"], key, String(call));
      assert.deepEqual(
        Buffer.from(
          await (await raw.send(new GetObjectCommand({ Bucket: bucket, Key: key }))).Body!.transformToByteArray(),
        ),
        Buffer.from(body as string),
      );
      assert.equal(await db.clear(), 3);
    });
  }
});

/** Counts the requests of a database by kind. */
async function counted(options: Partial<S3Options> = {}): Promise<{
  readonly db: Database;
  readonly options: S3Options;
  asked(call: () => Promise<unknown>): Promise<{ readonly [command: string]: number }>;
  close(): Promise<void>;
}> {
  const client = rawClient();
  let counts: { [command: string]: number } = {};
  client.middlewareStack.add(
    (next, { commandName = "" }) =>
      (args) => {
        const name = commandName.replace(/Command$|ObjectsV2/g, "").replace("Object", "");
        counts[name] = (counts[name] ?? 0) + 1;
        return next(args);
      },
    { step: "initialize" },
  );
  const { endpointUrl: _, ...all } = place({ client, ...options });
  const db = await openDatabase(s3(all));
  return {
    db,
    options: all,
    async asked(call) {
      counts = {};
      await call();
      return counts;
    },
    async close() {
      await db.close();
      client.destroy();
    },
  };
}

describe("requests", () => {
  const hundred = Array.from({ length: 100 }, (_, n) => ({ id: `r${String(n).padStart(2, "0")}`, data: { n } }));

  it("of a query on ids are those for its records", async () => {
    const { db, asked, close } = await counted({ cacheBytes: 0 });
    assert.deepEqual(await asked(() => db.createMany(hundred)), { Put: 100 });
    const queries: readonly (readonly [Query, object])[] = [
      [{ where: where("id", "=", "r07") }, { Get: 1 }],
      [{ where: where("id", "in", ["r01", "r02", "none"]) }, { Get: 3 }],
      [{ where: where("id", "starts_with", "r4") }, { List: 1, Get: 10 }],
      [{ where: where("id", "between", ["r10", "r14"]) }, { List: 1, Get: 5 }],
      [{ where: where("id", ">", "r96") }, { List: 1, Get: 3 }],
      [{ where: where("id", "=", 7) }, {}],
      [
        { sort: [{ path: "id" }], limit: 3 },
        { List: 1, Get: 3 },
      ],
      [
        { limit: 2, offset: 90 },
        { List: 1, Get: 2 },
      ],
      [{}, { List: 1, Get: 100 }],
    ];
    for (const [query, requests] of queries) {
      assert.deepEqual(await asked(() => db.search(query)), requests, JSON.stringify(query));
    }
    assert.deepEqual(await asked(() => db.count()), { List: 1 });
    assert.deepEqual(await asked(() => db.count({ where: where("id", ">=", "r50") })), { List: 1 });
    assert.deepEqual(await asked(() => db.deleteWhere(where("id", "<", "r10"))), { List: 1, Deletes: 1 });
    assert.deepEqual(await asked(() => db.clear()), { List: 1, Deletes: 1 });
    await close();
  });

  it("are spared by the cache, and its answers are current", async () => {
    const { db, options, asked, close } = await counted();
    await db.createMany(hundred);
    assert.deepEqual(await asked(() => db.search()), { List: 1 });
    assert.deepEqual(await asked(() => db.patch("r01", { x: 1 })), { Put: 1 });
    assert.deepEqual(await asked(() => db.update("r02", { x: 1 })), { Put: 1 });
    await using other = await openDatabase(s3({ bucket, prefix: options.prefix as string, endpointUrl: serverUrl }));
    await other.update("r03", { n: -3 });
    await other.delete("r04");
    await other.create({ n: 1000 }, { id: "s" });
    assert.deepEqual((await db.read("r03"))?.data, { n: -3 });
    assert.equal(await db.read("r04"), undefined);
    assert.equal((await db.search({ where: where("n", "=", 1000) }))[0]?.id, "s");
    await other.update("r05", { n: -5 });
    assert.deepEqual(await asked(async () => assert.equal(await db.count({ where: where("n", "<", 0) }), 2)), {
      List: 1,
      Get: 1,
    });
    await other.update("r06", { n: 6, m: 6 });
    assert.deepEqual((await db.patch("r06", { x: 1 }))?.data, { n: 6, m: 6, x: 1 });
    await close();
  });

  it("beyond the cache's bytes are made again", async () => {
    const { db, asked, close } = await counted({ cacheBytes: 3000 });
    await db.createMany(hundred);
    const { Get = 0, List } = await asked(() => db.search());
    assert.ok(Get > 80 && Get <= 100, `${Get} gets`);
    assert.equal(List, 1);
    await close();
  });

  it("are never more at once than allowed", async () => {
    const client = rawClient();
    let [now, most] = [0, 0];
    client.middlewareStack.add(
      (next) => async (args) => {
        most = Math.max(most, ++now);
        return next(args).finally(() => now--);
      },
      { step: "initialize" },
    );
    const { endpointUrl: _, ...options } = place({ client, concurrency: 5 });
    await using db = await openDatabase(s3(options));
    await Promise.all([db.createMany(hundred), db.createMany(hundred.map(({ data }) => ({ data }))), db.search()]);
    assert.equal(most, 5);
    await db.close();
    // a client that was given is not closed
    await client.send(new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 }));
    client.destroy();
  });
});

describe("large records", () => {
  it("go in parts, under the same conditions", async () => {
    const options = place({ multipartThreshold: 5_000_000, partSize: 5 * 1024 * 1024 });
    await using db = await openDatabase(s3(options));
    const text = "é".repeat(6_000_000);
    const first = await db.create({ text }, { id: "a" });
    const etag = async (): Promise<string | undefined> =>
      (await raw.send(new HeadObjectCommand({ Bucket: bucket, Key: `${options.prefix}/a!.json` }))).ETag;
    assert.match((await etag()) ?? "", /-3"$/);
    await fails("ALREADY_EXISTS", () => db.create({ text }, { id: "a" }));
    await db.patch("a", { n: 1 });
    await fails("VERSION_CONFLICT", () => db.update("a", { text }, { ifVersion: first.version }));
    const [record] = await db.search({ where: where("n", "=", 1) });
    assert.equal(record?.data["text"], text);
    await db.update("a", { text: "short" });
    assert.doesNotMatch((await etag()) ?? "", /-/);
  }, 30_000);
});

describe("deleting", () => {
  it("what a delete was not able to finish is no record, and no hindrance", async () => {
    const options = place();
    await using db = await openDatabase(s3(options));
    await db.createMany(["a", "b", "c"].map((id) => ({ id, data: {} })));
    for (const id of ["b", "d"]) await put(`${options.prefix}/${id}!.json`, '{"deleted":true}');
    assert.deepEqual(await ids(db.search()), ["a", "c"]);
    assert.deepEqual(await ids(db.search({ offset: 1, limit: 1 })), ["c"]);
    assert.equal(await db.count(), 2);
    assert.equal(await db.read("b"), undefined);
    assert.equal(await db.delete("b"), false);
    assert.equal(await db.update("b", {}), undefined);
    await fails("VERSION_CONFLICT", () => db.update("b", {}, { ifVersion: "x" }));
    await db.create({ n: 1 }, { id: "b" });
    await db.upsert("d", { n: 1 });
    assert.equal(await db.count(), 4);
    await put(`${options.prefix}/a!.json`, '{"deleted":true}');
    assert.equal(await db.clear(), 3);
    assert.deepEqual(await keysBelow(options.prefix), ["!dataknobs.json"]);
  });

  it("leaves nothing behind", async () => {
    const options = place();
    await using db = await openDatabase(s3(options));
    await db.create({}, { id: "a" });
    assert.equal(await db.delete("a"), true);
    assert.deepEqual(await keysBelow(options.prefix), ["!dataknobs.json"]);
  });
});

describe("64 writers at once", () => {
  it("lose no update, through one database and through several", async () => {
    const options = place();
    await using a = await openDatabase(s3(options));
    await using b = await openDatabase(s3({ ...options, cacheBytes: 0 }));
    await a.create({ n: 0 }, { id: "x" });
    const increment = async (db: Database): Promise<void> => {
      for (;;) {
        const record = await db.read("x");
        const n = record?.data["n"] as number;
        try {
          await db.update("x", { n: n + 1 }, { ifVersion: record?.version });
          return;
        } catch (error) {
          if (!DataknobsError.is(error, "VERSION_CONFLICT")) throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: 64 }, (_, k) => increment(k % 2 === 0 ? a : b)));
    assert.deepEqual((await a.read("x"))?.data, { n: 64 });
    await Promise.all(Array.from({ length: 64 }, (_, k) => (k % 2 === 0 ? a : b).patch("x", { [`f${k}`]: k })));
    assert.equal(Object.keys((await b.read("x"))?.data ?? {}).length, 65);
  }, 60_000);

  it("of a delete and of a create with one id have one winner each", async () => {
    const options = place();
    await using a = await openDatabase(s3(options));
    await using b = await openDatabase(s3({ ...options, cacheBytes: 0 }));
    const dbs = Array.from({ length: 64 }, (_, k) => (k % 2 === 0 ? a : b));
    const made = await Promise.allSettled(dbs.map((db, n) => db.create({ n }, { id: "x" })));
    assert.equal(made.filter(({ status }) => status === "fulfilled").length, 1);
    const gone = await Promise.all(dbs.map((db) => db.delete("x")));
    assert.equal(gone.filter(Boolean).length, 1);
  }, 60_000);
});

describe("opening", () => {
  it("a missing bucket is NOT_FOUND, and made where that is asked for", async () => {
    const name = `dataknobs-${randomUUID()}`;
    const options: S3Options = { bucket: name, endpointUrl: serverUrl };
    assert.match((await fails("NOT_FOUND", () => openDatabase(s3(options)))).message, /createBucket/);
    await using one = await openDatabase(s3({ ...options, createBucket: true }));
    await one.create({}, { id: "a" });
    await using two = await openDatabase(s3({ ...options, createBucket: true }));
    assert.equal(await two.count(), 1);
    await removeBucket(name);
    await fails("NOT_FOUND", () => one.read("a"));
    await fails("NOT_FOUND", () => one.search());
    await fails("NOT_FOUND", () => one.create({}));
    await fails("NOT_FOUND", () => one.delete("a"));
  });

  it("of a new folder by many at once is one folder", async () => {
    const name = `dataknobs-${randomUUID()}`;
    const options: S3Options = { bucket: name, prefix: "new", endpointUrl: serverUrl, createBucket: true };
    const dbs = await Promise.all(Array.from({ length: 8 }, () => openDatabase(s3(options))));
    await Promise.all(dbs.map((db, n) => db.create({ n })));
    assert.deepEqual(await Promise.all(dbs.map((db) => db.count())), new Array(8).fill(8));
    await Promise.all(dbs.map((db) => db.close()));
    await removeBucket(name);
  });

  it("a wrong secret or key is PERMISSION_DENIED, a wrong region INVALID_CONFIG; no secret is told", async () => {
    const { origin, username, password } = new URL(serverUrl);
    const { endpointUrl: _, ...rest } = place();
    const options = { ...rest, endpointUrl: origin, accessKeyId: username, secretAccessKey: password };
    const wrong = "not-the-secret-at-all";
    const told: unknown[] = [
      await fails("PERMISSION_DENIED", () => openDatabase(s3({ ...options, secretAccessKey: wrong }))),
      await fails("PERMISSION_DENIED", () => openDatabase(s3({ ...options, accessKeyId: "nobody" }))),
      await fails("INVALID_CONFIG", () => openDatabase(s3({ ...options, region: "mars-1" }))),
    ];
    await using db = await openDatabase(s3(options));
    told.push(db, s3(options), s3(place()));
    for (const one of told) {
      const text = inspect(one, { depth: 30, showHidden: true }) + JSON.stringify(one);
      assert.ok(!text.includes(wrong) && !text.includes(password), "a secret is told");
    }
  });

  it("by URL and by configuration", async () => {
    const { origin, username, password } = new URL(serverUrl);
    const prefix = `url/${randomUUID()}`;
    const query = new URLSearchParams({ endpoint_url: origin, access_key_id: username, secret_access_key: password });
    await using db = await openDatabase(`s3://${bucket}/${prefix}?${query}`);
    await db.create({ n: 1 }, { id: "a" });
    await using same = await openDatabase({ backend: "s3", bucket, prefix, endpoint_url: serverUrl });
    assert.equal(await same.count(), 1);
  });

  it("storage class and encryption are the server's or refused, never ignored", async () => {
    for (const options of [place({ storageClass: "STANDARD_IA" }), place({ serverSideEncryption: "AES256" })]) {
      let db: Database;
      try {
        db = await openDatabase(s3(options));
      } catch (error) {
        assert.ok(DataknobsError.is(error, "UNSUPPORTED"), inspect(error));
        continue;
      }
      await db.create({}, { id: "a" });
      const head = await raw.send(new HeadObjectCommand({ Bucket: bucket, Key: `${options.prefix}/a!.json` }));
      const { storageClass = "STANDARD", serverSideEncryption } = options;
      assert.equal(head.StorageClass ?? "STANDARD", storageClass);
      if (serverSideEncryption !== undefined) assert.equal(head.ServerSideEncryption, serverSideEncryption);
      await db.close();
    }
  });

  it("a server that lists in no order is UNSUPPORTED, as are directory buckets", async () => {
    const client = rawClient();
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        (result.output as { Contents?: unknown[] }).Contents?.reverse();
        return result;
      },
      { step: "initialize" },
    );
    const { endpointUrl: _, ...options } = place({ client });
    await using db = await openDatabase(s3(options));
    await db.createMany(["a", "b"].map((id) => ({ id, data: {} })));
    await fails("UNSUPPORTED", () => db.search());
    await fails("UNSUPPORTED", () => db.count());
    await db.close();
    client.destroy();
    await fails("UNSUPPORTED", () => s3({ bucket: "people--usw2-az1--x-s3" }));
  });

  it("with checksums only where they are required works, too", async () => {
    await using db = await openDatabase(fresh({ requestChecksumCalculation: "WHEN_REQUIRED" }));
    await db.create({ n: 1 }, { id: "a" });
    assert.equal(await db.clear(), 1);
  });

  it("refuses what cannot be right, without a request", async () => {
    const good: S3Options = { bucket: "people", endpointUrl: "http://127.0.0.1:9" };
    const client = rawClient();
    const bad: readonly object[] = [
      { ...good, bucket: undefined },
      { ...good, bucket: "" },
      { ...good, bucket: "UPPER" },
      { ...good, bucket: "a/b" },
      { ...good, prefix: "a/../b" },
      { ...good, prefix: "a//b" },
      { ...good, prefix: "./a" },
      { ...good, prefix: "a\u0000b" },
      { ...good, prefix: "\ud800" },
      { ...good, prefix: "p".repeat(160) },
      { ...good, endpointUrl: "localhost:9000" },
      { ...good, endpointUrl: "ftp://localhost" },
      { ...good, endpointUrl: "http://localhost/?regoin=x" },
      { ...good, accessKeyId: "a" },
      { ...good, sessionToken: "a" },
      { ...good, concurrency: 0 },
      { ...good, partSize: 1000 },
      { ...good, storageClass: "GLACIER" },
      { ...good, sseKmsKeyId: "k" },
      { ...good, layout: "rows" },
      { ...good, buckte: "x" },
      { ...good, client },
      { bucket: "people", client: {} },
    ];
    for (const options of bad) {
      const error = await fails("INVALID_CONFIG", () => s3(options as S3Options));
      assert.doesNotMatch(error.message, /localhost/);
    }
    client.destroy();
  });
});
