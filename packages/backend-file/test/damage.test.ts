/** Files that were cut off or changed: an error with the position and an untouched file, or a recovered end that is told. */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DataknobsError, openDatabase } from "@dataknobs/core";
import { describe, expect, test } from "@jest/globals";
import { type FileOptions, file, type Recovery } from "../src/index.js";
import { heldName, self } from "../src/lock.js";
import { place } from "./scratch.js";

const seed = Number(process.env["DATAKNOBS_SEED"] ?? 20_240_131);

function random(from: number): () => number {
  let state = from;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const formats: readonly (readonly [name: string, options: Omit<FileOptions, "path">])[] = [
  ["a.jsonl", {}],
  ["a.jsonl.gz", {}],
  ["a.json", {}],
  ["a.json.gz", {}],
  ["a.csv", {}],
  ["a.csv.gz", {}],
  ["a.parquet", {}],
  ["b.parquet", { compression: "zstd", rowGroupSize: 10 }],
];

async function sample(name: string, options: Omit<FileOptions, "path">): Promise<string> {
  const path = place(name);
  await using db = await openDatabase(file({ ...options, path }));
  await db.createMany(
    Array.from({ length: 30 }, (_, n) => ({
      id: `r${n}`,
      data: { n, text: `text ${n} @é`, when: new Date(n * 1e10), nothing: null, list: [n, "x"] },
      metadata: { source: n },
    })),
  );
  for (let n = 30; n < 40; n++) await db.create({ n }, { id: `r${n}` });
  return path;
}

/** What came of opening a damaged file and reading all of it. */
async function outcome(
  path: string,
  options: Omit<FileOptions, "path">,
): Promise<{ error?: unknown; records?: ReadonlyMap<string, string>; recovered: Recovery[] }> {
  const recovered: Recovery[] = [];
  try {
    await using db = await openDatabase(file({ ...options, path, onRecover: (one) => recovered.push(one) }));
    const all = await db.search();
    return { records: new Map(all.map((one) => [one.id, JSON.stringify(one)])), recovered };
  } catch (error) {
    return { error, recovered };
  }
}

function hash(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

describe.each(formats)("%s %j", (name, options) => {
  test("cut at 20 random places: CORRUPT, or the end is recovered and told; never silent loss", async () => {
    const path = await sample(name, options);
    const whole = (await outcome(path, options)).records as ReadonlyMap<string, string>;
    const next = random(seed);
    const { length } = readFileSync(path);
    for (let round = 0; round < 20; round++) {
      const cut = place(name);
      copyFileSync(path, cut);
      const size = Math.floor(next() * length);
      truncateSync(cut, size);
      const before = hash(cut);
      const { error, records, recovered } = await outcome(cut, options);
      expect(hash(cut)).toBe(before);
      if (error !== undefined) {
        expect(error).toMatchObject({
          code: "CORRUPT",
          details: { path: cut, position: expect.any(Number) as unknown },
        });
        continue;
      }
      expect(recovered).toHaveLength(1);
      for (const [id, record] of records ?? []) expect(record).toBe(whole.get(id));
    }
  });

  test("bits flipped at 60 random places: CORRUPT, or nothing of it shows", async () => {
    const path = await sample(name, options);
    const whole = (await outcome(path, options)).records as ReadonlyMap<string, string>;
    const next = random(seed + 1);
    const original = readFileSync(path);
    const kinds: { [kind: string]: number } = {};
    for (let round = 0; round < 60; round++) {
      const bytes = Buffer.from(original);
      const at = Math.floor(next() * bytes.length);
      bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(next() * 8));
      const flipped = place(name);
      writeFileSync(flipped, bytes);
      const before = hash(flipped);
      const { error, records, recovered } = await outcome(flipped, options);
      expect(hash(flipped)).toBe(before);
      if (error !== undefined) {
        // a layout number that became another is a newer layout, which is as explicit
        if (!DataknobsError.is(error, "UNSUPPORTED")) {
          expect(error).toMatchObject({ code: "CORRUPT", details: { position: expect.any(Number) as unknown } });
        }
        kinds["error"] = (kinds["error"] ?? 0) + 1;
      } else if (recovered.length > 0) {
        for (const [id, record] of records ?? []) expect(record).toBe(whole.get(id));
        kinds["recovered"] = (kinds["recovered"] ?? 0) + 1;
      } else {
        expect(records).toEqual(whole);
        kinds["harmless"] = (kinds["harmless"] ?? 0) + 1;
      }
    }
    expect((kinds["error"] ?? 0) + (kinds["recovered"] ?? 0)).toBeGreaterThan(40);
  });

  test("an empty file is CORRUPT, not an empty store", async () => {
    const path = place(name);
    writeFileSync(path, "");
    const { error } = await outcome(path, options);
    expect(error).toMatchObject({ code: "CORRUPT" });
  });
});

test("a cut-off end is moved aside before the log is written again, and the rest is kept", async () => {
  const path = await sample("a.jsonl", {});
  truncateSync(path, readFileSync(path).length - 5);
  const told: Recovery[] = [];
  {
    await using db = await openDatabase(file({ path, onRecover: (one) => told.push(one) }));
    expect(await db.count()).toBe(39);
    await db.create({ again: true }, { id: "r39" });
  }
  expect(told.at(-1)).toMatchObject({ path, savedAs: `${path}.torn` });
  expect(readFileSync(`${path}.torn`, "utf8")).toContain('"id":"r39"');
  await using db = await openDatabase(file({ path }));
  expect((await db.read("r39"))?.data).toEqual({ again: true });
  expect(await db.count()).toBe(40);
});

test("a log whose last blocks were never written is recovered", async () => {
  const path = await sample("a.jsonl", {});
  writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(4096)]));
  const { records, recovered } = await outcome(path, {});
  expect(records?.size).toBe(40);
  expect(recovered[0]?.bytes).toBe(4096);
});

test("a newer layout is refused as such", async () => {
  const path = place("a.json");
  writeFileSync(path, '{"dataknobs":{"format":"json","layout":2,"records":0},\n"records":[\n\n]}\n');
  const { error } = await outcome(path, { verify: false });
  expect(error).toMatchObject({ code: "UNSUPPORTED" });
});

test("a file that was changed by hand opens with verify: false", async () => {
  const path = await sample("a.json", {});
  writeFileSync(path, readFileSync(path, "utf8").replace("text 7 @é", "edited"));
  expect((await outcome(path, {})).error).toMatchObject({ code: "CORRUPT" });
  const { records } = await outcome(path, { verify: false });
  expect(records?.get("r7")).toContain("edited");
});

test("a log that was changed by hand opens with verify: false, and goes on where it ended", async () => {
  const path = await sample("a.jsonl", {});
  writeFileSync(path, readFileSync(path, "utf8").replace("text 7 @é", "edited"));
  expect((await outcome(path, {})).error).toMatchObject({ code: "CORRUPT" });
  {
    await using db = await openDatabase(file({ path, verify: false }));
    await db.create({ n: 40 }, { id: "r40" });
  }
  const { records, recovered } = await outcome(path, { verify: false });
  expect(records?.get("r7")).toContain("edited");
  expect(records?.size).toBe(41);
  expect(recovered).toEqual([]);
});

test("a line that was broken in two by hand is CORRUPT at its place, with verify: false too", async () => {
  const path = await sample("a.jsonl", {});
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replace('"id":"r7",', '"id":"r7",\n'));
  const position = Buffer.byteLength(text.slice(0, text.indexOf('{"id":"r7"')));
  const { error } = await outcome(path, { verify: false });
  expect(error).toMatchObject({ code: "CORRUPT", details: { position } });
});

test("a crashed writer's temporary file is removed by the next", async () => {
  const path = await sample("a.json", {});
  renameSync(join(`${path}.lock`, "free"), join(`${path}.lock`, heldName({ ...self(), pid: 2 ** 22 + 1 })));
  const left = join(dirname(path), ".a.json.123-abc.tmp");
  writeFileSync(left, "half");
  await using db = await openDatabase(file({ path }));
  await db.create({});
  expect(existsSync(left)).toBe(false);
});
