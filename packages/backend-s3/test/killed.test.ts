/** A server of its own that is killed at the worst moment and started again. */
import "./realm.js";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DataknobsError, openDatabase } from "@dataknobs/core";
import { afterAll, beforeAll, describe, it } from "@jest/globals";
import { type S3Options, s3 } from "../src/index.js";

const run = promisify(execFile);
const services = fileURLToPath(new URL("../../../tooling/services/run.mjs", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "dataknobs-s3-"));
const { DATAKNOBS_S3_URL: _, ...environment } = process.env;
const env = { ...environment, DATAKNOBS_SERVICES_HOME: home };

async function service(...words: string[]): Promise<string> {
  return (await run(process.execPath, [services, ...words], { env })).stdout;
}

async function start(): Promise<string> {
  const url = (await service("start", "s3")).match(/^DATAKNOBS_S3_URL=(.+)$/m)?.[1];
  assert.ok(url !== undefined, "the service did not tell its address");
  return url;
}

/** As a power failure would; in a container, as the engine stops it. */
async function kill(): Promise<void> {
  const [{ pid }] = JSON.parse(await service("status", "s3", "--json")) as [{ pid?: number }];
  if (pid === undefined) await service("stop", "s3", "--keep");
  else process.kill(pid, "SIGKILL");
}

let options: S3Options;

beforeAll(async () => {
  options = { bucket: "records", createBucket: true, endpointUrl: await start(), maxAttempts: 2, cacheBytes: 0 };
}, 600_000);

afterAll(async () => {
  await service("stop", "s3");
  rmSync(home, { recursive: true, force: true });
}, 60_000);

const isUnavailable = (error: unknown): boolean => DataknobsError.is(error, "UNAVAILABLE") && error.retryable;

describe("a server that is killed", () => {
  it("before open is UNAVAILABLE and retryable", async () => {
    await kill();
    await assert.rejects(() => openDatabase(s3({ ...options, prefix: "a" })), isUnavailable);
    await start();
    await using db = await openDatabase(s3({ ...options, prefix: "a" }));
    assert.equal(await db.count(), 0);
  }, 120_000);

  it("in the middle of a batch: what was told as written is there, and the database works on", async () => {
    await using db = await openDatabase(s3({ ...options, prefix: "b" }));
    const ids = Array.from({ length: 1000 }, (_, n) => `r${String(n).padStart(4, "0")}`);
    const batch = db.createMany(ids.map((id) => ({ id, data: { id } })));
    const ended = batch.then(
      () => undefined,
      (error: unknown) => error,
    );
    while ((await db.count()) < 50);
    await kill();
    const error = await ended;
    assert.ok(isUnavailable(error), String(error));
    const { outcomes } = (error as DataknobsError).details as { outcomes: { id: string; status: string }[] };
    assert.deepEqual(
      outcomes.map(({ id }) => id),
      ids,
    );
    await start();
    const there = new Set((await db.search()).map(({ id }) => id));
    const written = outcomes.filter(({ status }) => status === "written");
    assert.ok(written.length > 0 && written.length < ids.length, `${written.length} of ${ids.length} were written`);
    assert.deepEqual(
      written.filter(({ id }) => !there.has(id)),
      [],
    );
    await db.createMany([{ id: "after", data: {} }]);
    assert.equal(await db.clear(), there.size + 1);
  }, 240_000);

  it("in the middle of a stream: an error, not an end", async () => {
    await using db = await openDatabase(s3({ ...options, prefix: "c" }), { batchSize: 50 });
    await db.createMany(Array.from({ length: 400 }, (_, n) => ({ data: { n } })));
    let seen = 0;
    await assert.rejects(async () => {
      for await (const _ of db.stream()) if (++seen === 10) await kill();
    }, isUnavailable);
    assert.ok(seen < 400);
    await start();
    seen = 0;
    for await (const _ of db.stream()) seen++;
    assert.equal(seen, 400);
  }, 240_000);
});
