/** Earlier states of records, and lifecycle rules where the server has them. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { DeleteObjectCommand, GetBucketLifecycleConfigurationCommand } from "@aws-sdk/client-s3";
import { DataknobsError, type ErrorCode, openDatabase } from "@dataknobs/core";
import type { Backend } from "@dataknobs/core/backend";
import { afterAll, beforeAll, describe, it } from "@jest/globals";
import {
  type Lifecycle,
  lifecycle,
  readVersion,
  restore,
  type S3Options,
  s3,
  setLifecycle,
  setVersioning,
  versioning,
  versions,
} from "../src/index.js";
import { fresh, raw, removeBucket, serverUrl } from "./server.js";

async function fails(code: ErrorCode, call: () => unknown): Promise<DataknobsError> {
  try {
    await call();
  } catch (error) {
    assert.ok(DataknobsError.is(error, code), String(error));
    return error;
  }
  return assert.fail(`expected ${code}, got no error`);
}

const kept = `dataknobs-${randomUUID()}`;
let folders = 0;
const place = (): S3Options => ({ bucket: kept, prefix: `f${++folders}`, endpointUrl: serverUrl });

beforeAll(async () => {
  await using db = await openDatabase(s3({ bucket: kept, endpointUrl: serverUrl, createBucket: true }));
  assert.equal(await versioning(db), "off");
  await setVersioning(db, "on");
  assert.equal(await versioning(db), "on");
});

afterAll(() => removeBucket(kept));

describe("a bucket with versioning", () => {
  it("has every state of a record, the newest first", async () => {
    await using db = await openDatabase(s3(place()));
    assert.deepEqual(await versions(db, "a"), []);
    const first = await db.create({ n: 1, at: new Date(0), big: 1n }, { id: "a", metadata: { src: "x" } });
    await db.update("a", { n: 2 });
    await db.patch("a", { m: 3 });
    await db.create({}, { id: "ab" });
    const all = await versions(db, "a");
    assert.deepEqual(
      all.map(({ isLatest, isDeletion }) => [isLatest, isDeletion]),
      [
        [true, false],
        [false, false],
        [false, false],
      ],
    );
    const read = await Promise.all(all.map(({ versionId }) => readVersion(db, "a", versionId)));
    assert.deepEqual(
      read.map((record) => record?.data),
      [{ n: 2, m: 3 }, { n: 2 }, { n: 1, at: new Date(0), big: 1n }],
    );
    assert.deepEqual(read[2], first);
    assert.ok(all.every(({ at, bytes }) => Math.abs(at.getTime() - Date.now()) < 600_000 && bytes > 50));
  });

  it("restores a state as a write like any other", async () => {
    await using db = await openDatabase(s3(place()));
    const first = await db.create({ n: 1n }, { id: "a", metadata: { src: "x" } });
    await db.update("a", { n: 2n }, { metadata: {} });
    const [, before] = await versions(db, "a");
    const restored = await restore(db, "a", before?.versionId ?? "");
    assert.deepEqual([restored.data, restored.metadata], [{ n: 1n }, { src: "x" }]);
    assert.notEqual(restored.version, first.version);
    assert.deepEqual(restored.createdAt, first.createdAt);
    assert.deepEqual(await db.read("a"), restored);
    assert.equal((await versions(db, "a")).length, 3);
  });

  it("tells deletions, and brings back what was deleted", async () => {
    const options = place();
    await using db = await openDatabase(s3(options));
    await db.createMany(["a", "b", "c"].map((id) => ({ id, data: { id } })));
    await db.delete("a");
    await db.deleteWhere({ path: "id", op: "starts_with", value: "b" });
    await raw.send(new DeleteObjectCommand({ Bucket: kept, Key: `${options.prefix}/c!.json` }));
    assert.equal(await db.count(), 0);
    for (const id of ["a", "b", "c"]) {
      const all = await versions(db, id);
      assert.deepEqual(
        all.map(({ isDeletion }) => isDeletion),
        [true, false],
        id,
      );
      const [deletion, state] = all.map(({ versionId }) => versionId) as [string, string];
      if (id === "a") {
        assert.equal(await readVersion(db, id, deletion), undefined);
        await fails("NOT_FOUND", () => restore(db, id, deletion));
      }
      assert.deepEqual((await restore(db, id, state)).data, { id });
    }
    assert.equal(await db.count(), 3);
    assert.equal(await db.delete("a"), true);
    await db.create({ again: true }, { id: "a" });
    assert.deepEqual((await db.read("a"))?.data, { again: true });
  });

  it("makes no update of what was deleted", async () => {
    const options = place();
    await using a = await openDatabase(s3(options));
    await using b = await openDatabase(s3(options));
    const { version } = await a.create({}, { id: "x" });
    assert.equal(await b.delete("x"), true);
    await fails("VERSION_CONFLICT", () => a.update("x", {}, { ifVersion: version }));
    assert.equal(await a.patch("x", {}), undefined);
    assert.equal(await a.delete("x"), false);
  });

  it("says NOT_FOUND for a version that it does not have", async () => {
    await using db = await openDatabase(s3(place()));
    await db.create({}, { id: "a" });
    await db.create({}, { id: "b" });
    const [other] = await versions(db, "b");
    for (const unknown of ["nope", "", other?.versionId ?? ""]) {
      await fails("NOT_FOUND", () => readVersion(db, "a", unknown));
      await fails("NOT_FOUND", () => restore(db, "a", unknown));
    }
  });
});

describe("a bucket without versioning", () => {
  it("is UNSUPPORTED, and so is another backend", async () => {
    await using db = await openDatabase(fresh());
    await db.create({}, { id: "a" });
    assert.equal(await versioning(db), "off");
    await fails("UNSUPPORTED", () => versions(db, "a"));
    await fails("UNSUPPORTED", () => readVersion(db, "a", "x"));
    await fails("UNSUPPORTED", () => restore(db, "a", "x"));
    await db.close();
    await fails("NOT_OPEN", () => versions(db, "a"));
    const { capabilities } = fresh();
    const other: Backend = {
      name: "other",
      ownership: "keep",
      capabilities,
      read: () => [],
      write: () => [],
      scan: () => [],
    };
    await using elsewhere = await openDatabase(other);
    await fails("UNSUPPORTED", () => versions(elsewhere, "a"));
  });
});

describe("lifecycle rules", () => {
  const rule: Lifecycle = {
    expireAfterDays: 365,
    expireVersionsAfterDays: 30,
    transitions: [{ afterDays: 90, storageClass: "STANDARD_IA" }],
    abortUploadsAfterDays: 2,
  };

  it("are one per folder where the server has them, else UNSUPPORTED", async () => {
    await using a = await openDatabase(s3(place()));
    await using b = await openDatabase(s3(place()));
    const has = await raw.send(new GetBucketLifecycleConfigurationCommand({ Bucket: kept })).then(
      () => true,
      (error: { name: string }) => error.name !== "NotImplemented",
    );
    if (!has) {
      await fails("UNSUPPORTED", () => lifecycle(a));
      await fails("UNSUPPORTED", () => setLifecycle(a, rule));
      return;
    }
    assert.equal(await lifecycle(a), undefined);
    await setLifecycle(a, rule);
    await setLifecycle(b, { abortUploadsAfterDays: 1 });
    assert.deepEqual(await lifecycle(a), rule);
    await setLifecycle(a, { expireAfterDays: 1 });
    assert.deepEqual(await lifecycle(a), { expireAfterDays: 1 });
    await setLifecycle(a, undefined);
    assert.equal(await lifecycle(a), undefined);
    assert.deepEqual(await lifecycle(b), { abortUploadsAfterDays: 1 });
    await setLifecycle(b, undefined);
    assert.equal(await lifecycle(b), undefined);
  });

  it("that cannot be are INVALID_CONFIG", async () => {
    await using db = await openDatabase(s3(place()));
    const bad: readonly object[] = [
      {},
      { expireAfterDays: 0 },
      { expireAfterDays: 1.5 },
      { expireAfterDays: "1" },
      { expireDays: 1 },
      { transitions: [{ afterDays: 1, storageClass: "GLACIER" }] },
      { transitions: [{ afterDays: -1, storageClass: "STANDARD_IA" }] },
    ];
    for (const one of bad) await fails("INVALID_CONFIG", () => setLifecycle(db, one as Lifecycle));
  });
});
