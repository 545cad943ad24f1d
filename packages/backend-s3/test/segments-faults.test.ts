/** Damage, lost answers and unfit servers under the layout segments. */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { type Database, DataknobsError, openDatabase } from "@dataknobs/core";
import { backendOf } from "@dataknobs/core/backend";
import { describe, it } from "@jest/globals";
import { compact, type S3Options, s3, storage, vacuum } from "../src/index.js";
import type { SegmentsBackend } from "../src/segments/backend.js";
import { type Fault, FaultyProxy } from "./proxy.js";
import { bucket, place, raw, rawClient } from "./server.js";

const fresh = (options: Partial<S3Options> = {}): S3Options =>
  place({ layout: "segments", autoCompact: false, ...options });

async function keysOf(prefix: string | undefined, part: string): Promise<string[]> {
  const { Contents = [] } = await raw.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}/${part}` }));
  return Contents.map(({ Key = "" }) => Key);
}

async function bytesOf(Key: string): Promise<Buffer> {
  const { Body } = await raw.send(new GetObjectCommand({ Bucket: bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

const put = (Key: string, Body: Buffer): Promise<unknown> =>
  raw.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));

/** A store with two segments and a log. */
async function filled(options: S3Options): Promise<void> {
  await using db = await openDatabase(s3(options), { indexes: [{ path: "n", type: "integer" }] });
  await db.createMany(Array.from({ length: 5000 }, (_, n) => ({ id: `r${n}`, data: { n, text: `text ${n}` } })));
  await db.create({ n: 7 }, { id: "logged" });
}

const everything: { readonly [what: string]: (db: Database) => Promise<unknown> } = {
  search: (db) => db.search(),
  read: (db) => db.read("r1234"),
  aggregate: (db) => db.aggregate({ select: { sum: { fn: "sum", path: "n" } } }),
  stream: async (db) => {
    for await (const _ of db.stream());
  },
  createMany: (db) => db.createMany([{ id: "r1234", data: {} }]),
  update: (db) => db.update("r1234", { n: 1 }),
  compact: (db) => compact(db, { full: true }),
};

describe("a damaged object", () => {
  const damages: { readonly [how: string]: (key: string) => Promise<unknown> } = {
    "that is missing": (Key) => raw.send(new DeleteObjectCommand({ Bucket: bucket, Key })),
    "that was cut short": async (key) => put(key, (await bytesOf(key)).subarray(0, -20)),
    "that is empty": (key) => put(key, Buffer.alloc(0)),
    "with a changed byte": async (key) => {
      const bytes = await bytesOf(key);
      // within a value's text, so that all would still parse
      const at = Math.floor(bytes.length / 3);
      bytes[at] = (bytes[at] as number) ^ 1;
      return put(key, bytes);
    },
    "with a changed byte near its end": async (key) => {
      const bytes = await bytesOf(key);
      const at = bytes.length - 40;
      bytes[at] = (bytes[at] as number) ^ 1;
      return put(key, bytes);
    },
    "that is another's": async (key) =>
      put(key, Buffer.from(`{"id":"r1","data":{},"version":"1","createdAt":1,"updatedAt":1}\n`)),
  };
  for (const part of ["segments/", "logs/", "manifest.json"]) {
    for (const [how, damage] of Object.entries(damages)) {
      it(`${part} ${how} is CORRUPT, names the key and stays as it is`, async () => {
        const options = fresh({ segmentRows: 2500, cacheBytes: 0 });
        await filled(options);
        const [key] = (await keysOf(options.prefix, part)) as [string];
        await damage(key);
        const before = await keysOf(options.prefix, "");
        let found = 0;
        for (const [what, call] of Object.entries(everything)) {
          // a database that opened before has what it read then: each call has one of its own
          let thrown: unknown;
          try {
            await using db = await openDatabase(s3(options));
            await call(db);
          } catch (error) {
            thrown = error;
          }
          // what looks at one id may have no need of the segment that is damaged
          const isOfOne = what === "read" || what === "update" || what === "createMany";
          if (part === "segments/" && isOfOne && !DataknobsError.is(thrown, "CORRUPT")) continue;
          found++;
          assert.ok(DataknobsError.is(thrown, "CORRUPT"), `${what}: ${inspect(thrown)}`);
          assert.equal(thrown.details["key"], key);
          assert.ok(thrown.message.includes(key));
          assert.equal(thrown.details["backend"], "s3");
        }
        assert.ok(found >= 4);
        const after = await keysOf(options.prefix, "");
        assert.deepEqual(
          after.filter((one) => !one.includes("/logs/")),
          before.filter((one) => !one.includes("/logs/")),
        );
      });
    }
  }
});

describe("a damaged filter of ids", () => {
  it("is CORRUPT: nobody is told that a record is not there", async () => {
    const options = fresh({ cacheBytes: 0 });
    await filled(options);
    await using db = await openDatabase(s3(options));
    const [entry] = (backendOf(db) as SegmentsBackend).store.latest?.manifest.segments ?? [];
    assert.ok(entry !== undefined && entry.tail - entry.filter > 5000);
    const key = `${options.prefix}/${entry.key}`;
    const bytes = await bytesOf(key);
    bytes.fill(0, entry.filter, entry.tail);
    await put(key, bytes);
    for (const call of [everything["read"], everything["update"], everything["createMany"]]) {
      await assert.rejects(
        async () => call?.(db),
        (error) => DataknobsError.is(error, "CORRUPT") && error.details["key"] === key,
      );
    }
  });
});

describe("a lost answer", () => {
  const places: { readonly [what: string]: readonly [part: string, call: (db: Database) => Promise<unknown>] } = {
    "of a log": ["/logs/", (db) => db.create({ n: 1 }, { id: "new" })],
    "of a manifest": ["/manifest.json", (db) => db.create({ n: 1 }, { id: "new" })],
    "of a segment": [
      "/segments/",
      (db) =>
        db.createMany(
          Array.from({ length: 4999 }, (_, n) => ({ id: `s${n}`, data: {} })).concat({ id: "new", data: {} }),
        ),
    ],
    "of a compaction": ["/manifest.json", async (db) => assert.equal((await compact(db)).logs, 1)],
    "of an update": ["/manifest.json", (db) => db.update("logged", { n: 8 })],
  };
  for (const [what, [part, call]] of Object.entries(places)) {
    for (const maxAttempts of [3, 1]) {
      it(`${what} is no failure, ${maxAttempts === 1 ? "looked after" : "sent again"}`, async () => {
        const options = fresh();
        await filled(options);
        await using proxy = await FaultyProxy.start();
        await using db = await openDatabase(s3({ ...options, endpointUrl: proxy.url, maxAttempts }));
        let left = 1;
        proxy.faults = (method, url) =>
          method === "PUT" && url.includes(part) && left-- > 0 ? { lose: "answer" } : undefined;
        let thrown: unknown;
        await call(db).catch((error: unknown) => {
          thrown = error;
        });
        assert.equal(proxy.made, 1);
        // only who swaps the manifest can see by it that it was swapped
        if (maxAttempts === 3 || (part === "/manifest.json" && what !== "of a compaction"))
          assert.equal(thrown, undefined);
        else assert.ok(DataknobsError.is(thrown, "UNAVAILABLE"), inspect(thrown));
        proxy.faults = () => undefined;
        await using after = await openDatabase(s3(options));
        const records = await after.search();
        assert.equal(new Set(records.map(({ id }) => id)).size, records.length);
        assert.equal(await after.count(), records.length);
        if (thrown === undefined && what !== "of a compaction" && what !== "of an update")
          assert.ok(await after.read("new"));
        await vacuum(after, { graceSeconds: 0 });
        assert.equal((await after.search()).length, records.length);
      });
    }
  }
});

describe("a server that fails", () => {
  const faults: { readonly [what: string]: Fault } = {
    "answers 503": { answer: { status: 503, code: "SlowDown" } },
    "closes the connection": { lose: "request" },
    "sends half": { half: "lose" },
  };
  for (const [what, fault] of Object.entries(faults)) {
    for (const part of ["/segments/", "/logs/", "/manifest.json"]) {
      it(`${what} for ${part}: an error, never a shorter answer`, async () => {
        const options = fresh({ segmentRows: 2500, cacheBytes: 0 });
        await filled(options);
        await using proxy = await FaultyProxy.start();
        let isOn = false;
        proxy.faults = (method, url) => (isOn && method === "GET" && url.includes(part) ? fault : undefined);
        const behind = { ...options, endpointUrl: proxy.url, maxAttempts: 1, requestTimeout: 3000 };
        if (part === "/segments/") {
          await using db = await openDatabase(s3(behind));
          isOn = true;
          for (const call of [everything["search"], everything["aggregate"], everything["stream"]]) {
            await assert.rejects(
              async () => call?.(db),
              (error) => DataknobsError.is(error, "UNAVAILABLE"),
            );
          }
          isOn = false;
          assert.equal((await db.search()).length, 5001);
        } else {
          isOn = true;
          await assert.rejects(openDatabase(s3(behind)), (error) => DataknobsError.is(error, "UNAVAILABLE"));
        }
        assert.ok(proxy.made > 0);
      });
    }
  }
});

describe("a server without conditional writes", () => {
  it("is refused at open", async () => {
    const { endpointUrl: _, ...options } = fresh();
    const lax = rawClient();
    lax.middlewareStack.add(
      (next) => (args) => {
        const { IfMatch: __, IfNoneMatch: ___, ...input } = args.input as { IfMatch?: string; IfNoneMatch?: string };
        return next({ ...args, input });
      },
      { step: "initialize" },
    );
    await assert.rejects(openDatabase(s3({ ...options, client: lax })), (error) =>
      DataknobsError.is(error, "UNSUPPORTED"),
    );
    lax.destroy();
  });

  it("of deletes only will do: none is asked for", async () => {
    await using proxy = await FaultyProxy.start();
    proxy.faults = (method) => (method === "DELETE" ? { answer: { status: 204, code: "" } } : undefined);
    await using db = await openDatabase(s3(fresh({ endpointUrl: proxy.url })));
    await db.create({ n: 1 });
    assert.equal((await storage(db)).records, 1);
  });
});
