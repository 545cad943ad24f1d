/**
 * kill -9 of a writer, a compactor and a collector at each step: before its request reaches the server, and after the server
 * has done it and before the answer came back. What was acknowledged is there, what was not is there as a whole or not at
 * all, no record is there twice, and a collection leaves no file that nobody names.
 */
import "./realm.js";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { type Database, openDatabase } from "@dataknobs/core";
import { describe, it } from "@jest/globals";
import { compact, type S3Options, s3, storage, vacuum } from "../src/index.js";
import { FaultyProxy } from "./proxy.js";
import { bucket, place, raw } from "./server.js";

const script = fileURLToPath(new URL("crash/segments.mjs", import.meta.url));

interface Step {
  readonly what: "create" | "update" | "createMany" | "compact" | "vacuum";
  readonly step: string;
  readonly method: string;
  readonly part: string;
  /** Which of the requests that fit. */
  readonly nth: number;
}

const put = (what: Step["what"], step: string, part: string, nth = 1): Step => ({
  what,
  step,
  method: "PUT",
  part,
  nth,
});

const steps: readonly Step[] = [
  put("create", "log put", "/logs/"),
  put("create", "manifest swap", "/manifest.json"),
  put("update", "log put", "/logs/"),
  put("update", "manifest swap", "/manifest.json"),
  put("createMany", "segment put", "/segments/"),
  put("createMany", "manifest swap", "/manifest.json"),
  put("compact", "segment put", "/segments/"),
  put("compact", "second segment put", "/segments/", 2),
  put("compact", "manifest swap", "/manifest.json"),
  put("vacuum", "fence", "/manifest.json"),
  { what: "vacuum", step: "delete", method: "POST", part: "?delete", nth: 1 },
  put("vacuum", "forgetting", "/manifest.json", 2),
];

/** Until it is killed at the step. */
async function killAt({ what, method, part, nth }: Step, when: "before" | "after", options: S3Options): Promise<void> {
  await using proxy = await FaultyProxy.start();
  const child = spawn(
    process.execPath,
    [script, JSON.stringify({ ...options, endpointUrl: proxy.url }), JSON.stringify(what)],
    {
      stdio: ["ignore", "inherit", "inherit"],
    },
  );
  let seen = 0;
  const kill = (): boolean => child.kill("SIGKILL");
  proxy.faults = (asked, url) => {
    if (asked !== method || !url.includes(part) || ++seen !== nth) return undefined;
    if (when === "after") return { answered: kill };
    kill();
    return { lose: "request" };
  };
  const [, signal] = await once(child, "exit");
  assert.equal(signal, "SIGKILL", "it ended before it came to the step");
}

async function contents(db: Database): Promise<Map<string, unknown>> {
  const records = await db.search();
  const byId = new Map<string, unknown>(records.map(({ id, data }) => [id, data]));
  assert.equal(byId.size, records.length, "a record is there twice");
  assert.equal(await db.count(), records.length);
  return byId;
}

async function files(prefix: string): Promise<string[]> {
  const { Contents = [] } = await raw.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}/` }));
  return Contents.map(({ Key = "" }) => Key).filter((key) => /\/(logs|segments)\//.test(key));
}

describe("kill -9", () => {
  for (const step of steps) {
    for (const when of ["before", "after"] as const) {
      it(`of ${step.what} ${when} its ${step.step}`, async () => {
        const options = place({ layout: "segments", autoCompact: false, segmentRows: 3000 });
        await using db = await openDatabase(s3(options));
        const ids = Array.from({ length: 5000 }, (_, n) => `r${String(n).padStart(4, "0")}`);
        await db.createMany(ids.map((id, n) => ({ id, data: { n } })));
        await db.delete("r0002");
        await db.update("r0003", { n: -3 });
        await compact(db);
        await db.update("r0004", { n: -4 });
        const expected = await contents(db);

        await killAt(step, when, options);

        await using after = await openDatabase(s3({ ...options, cacheBytes: 0 }));
        const there = await contents(after);
        const isDone = when === "after" && step.step === "manifest swap";
        if (step.what === "create" && isDone) expected.set("victim", { by: "the victim" });
        if (step.what === "update" && isDone) expected.set("r0001", { by: "the victim" });
        if (step.what === "createMany" && isDone) for (let n = 0; n < 5000; n++) expected.set(`v${n}`, { n });
        assert.deepEqual(new Map([...there].sort()), new Map([...expected].sort()));

        await after.create({ late: true }, { id: "after" });
        await compact(after);
        await vacuum(after, { graceSeconds: 0 });
        assert.equal(await after.count(), expected.size + 1);
        const { segments, logs, replaced } = await storage(after);
        assert.deepEqual({ logs: logs.files, replaced }, { logs: 0, replaced: 0 });
        assert.deepEqual(await files(options.prefix as string), segments.map(({ key }) => key).sort());
        assert.equal((await contents(after)).size, expected.size + 1);
      }, 120_000);
    }
  }
});
