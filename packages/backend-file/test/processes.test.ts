/** Several processes on one file, and writers that vanish while they hold the lock. */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DataknobsError, openDatabase, openDatabaseSync } from "@dataknobs/core";
import { expect, test } from "@jest/globals";
import { type FileOptions, file } from "../src/index.js";
import { place } from "./scratch.js";

const creator = join(dirname(fileURLToPath(import.meta.url)), "crash", "creator.mjs");

function create(options: FileOptions, name: string, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [creator, JSON.stringify({ options, name, count })], { stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`${name} ended with ${code}`))));
  });
}

test.each<[string, number, Omit<FileOptions, "path">]>([
  ["a.jsonl", 500, {}],
  ["a.jsonl.gz", 500, {}],
  ["a.json", 60, {}],
  ["a.csv", 60, {}],
  ["a.parquet", 40, {}],
  ["parts", 60, { format: "jsonl", partitionBy: "by" }],
])(
  "4 processes write %s at once: nothing is lost",
  async (name, count, given) => {
    const options = { ...given, path: place(name), lockTimeout: 60_000 };
    await Promise.all(["a", "b", "c", "d"].map((by) => create(options, by, count)));
    await using db = await openDatabase(file(options));
    expect(await db.count()).toBe(4 * count);
  },
  120_000,
);

test("a call sees what another database object wrote before", async () => {
  const path = place("a.jsonl");
  await using one = await openDatabase(file({ path }));
  await using two = await openDatabase(file({ path }));
  using three = openDatabaseSync(file({ path }));
  await one.create({ n: 1 }, { id: "x" });
  expect((await two.read("x"))?.data).toEqual({ n: 1 });
  three.update("x", { n: 2 });
  expect((await one.read("x"))?.data).toEqual({ n: 2 });
  await two.delete("x");
  expect(three.count()).toBe(0);
  await one.clear();
  await two.create({ n: 3 }, { id: "y" });
  expect(await one.count()).toBe(1);
});

test("the lock of a dead process is taken over at once", async () => {
  const path = place("a.jsonl");
  mkdirSync(`${path}.lock`);
  const gone = { pid: 2 ** 22 + 1, host: "", start: "1" };
  await using db = await openDatabase(file({ path, lockTimeout: 2000 }));
  await db.create({}, { id: "first" });
  const [ticket] = (await import("node:fs")).readdirSync(`${path}.lock`);
  const held = JSON.parse(readFileSync(join(`${path}.lock`, ticket as string), "latin1").slice(1)) as { host: string };
  writeFileSync(join(`${path}.lock`, "900"), `H${JSON.stringify({ ...gone, host: held.host })}`);
  const start = performance.now();
  await db.create({}, { id: "second" });
  expect(performance.now() - start).toBeLessThan(1000);
});

test("a lock that is held by a living process ends in UNAVAILABLE, naming it", async () => {
  const path = place("a.jsonl");
  await using db = await openDatabase(file({ path, lockTimeout: 100 }));
  await db.create({}, { id: "first" });
  const [ticket] = (await import("node:fs")).readdirSync(`${path}.lock`);
  const own = readFileSync(join(`${path}.lock`, ticket as string), "latin1").slice(1);
  writeFileSync(join(`${path}.lock`, "900"), `H${own}`);
  await expect(db.create({}, { id: "second" })).rejects.toMatchObject({
    code: "UNAVAILABLE",
    details: { pid: process.pid },
  });
  expect(await db.count()).toBe(1);
  using sync = openDatabaseSync(file({ path, lockTimeout: 60_000 }));
  // waiting would be in vain: the holder is this very process
  expect(() => sync.create({})).toThrow("of this very process");
});

test("many writes at once share the disk's work and keep their order", async () => {
  const path = place("a.jsonl");
  await using db = await openDatabase(file({ path }));
  const results = await Promise.allSettled(
    Array.from({ length: 200 }, (_, n) => db.create({ n }, { id: String(n % 150) })),
  );
  const refused = results.filter(({ status }) => status === "rejected");
  expect(refused).toHaveLength(50);
  for (const one of refused)
    expect(DataknobsError.is((one as PromiseRejectedResult).reason, "ALREADY_EXISTS")).toBe(true);
  expect((await db.read("7"))?.data).toEqual({ n: 7 });
  expect(statSync(path).size).toBeGreaterThan(0);
});
