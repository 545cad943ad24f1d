/** Several processes on one file, and writers that vanish while they hold the lock. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DataknobsError, openDatabase, openDatabaseSync } from "@dataknobs/core";
import { expect, test } from "@jest/globals";
import { type FileOptions, file } from "../src/index.js";
import { acquireLock, type Holder, heldName, self } from "../src/lock.js";
import { runNow } from "../src/steps.js";
import { place } from "./scratch.js";

const creator = join(dirname(fileURLToPath(import.meta.url)), "crash", "creator.mjs");

function create(options: FileOptions, name: string, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [creator, JSON.stringify({ options, name, count })], {
      stdio: ["ignore", "ignore", "inherit"],
    });
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

test("writers that are killed while others wait for them hold nobody up, and lose nothing", async () => {
  const options = { path: place("a.jsonl"), lockTimeout: 60_000 };
  const writers = ["a", "b", "c"].map((by) => create(options, by, 300));
  let acknowledged = 0;
  for (let round = 0; round < 4; round++) {
    const child = spawn(process.execPath, [creator, JSON.stringify({ options, name: `k${round}`, count: 100_000 })], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = 0;
    await new Promise((resolve) => {
      child.stdout.on("data", (dots: Buffer) => {
        said += dots.length;
        if (said >= 20 + 7 * round) child.kill("SIGKILL");
      });
      child.on("close", resolve);
    });
    acknowledged += said;
  }
  await Promise.all(writers);
  await using db = await openDatabase(file({ ...options, onRecover: () => undefined }));
  for (const by of ["a", "b", "c"]) expect(await db.count({ where: { path: "by", op: "=", value: by } })).toBe(300);
  const killed = (await db.count()) - 900;
  expect(killed).toBeGreaterThanOrEqual(acknowledged);
  // of each killed writer the last write may have come through without its word
  expect(killed).toBeLessThanOrEqual(acknowledged + 4);
}, 120_000);

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

/** Makes the lock of a file look held by somebody. */
function holdAs(path: string, holder: Partial<Holder>): string {
  const name = heldName({ ...self(), ...holder });
  renameSync(join(`${path}.lock`, "free"), join(`${path}.lock`, name));
  return name;
}

const nobody = 2 ** 22 + 1;

test.each<[string, Partial<Holder>]>([
  ["a dead process", { pid: nobody }],
  ["a process whose id another one has by now", { pid: process.ppid, start: "1" }],
])("the lock of %s is taken over at once", async (_, holder) => {
  const path = place("a.jsonl");
  await using db = await openDatabase(file({ path, lockTimeout: 0 }));
  await db.create({}, { id: "first" });
  holdAs(path, holder);
  await db.create({}, { id: "second" });
  expect(readdirSync(`${path}.lock`)).toEqual(["free"]);
});

const hasProc = existsSync("/proc/self/stat");

// elsewhere there is nothing to tell it by
(hasProc ? test : test.skip)("the lock of a child that this very process has not buried yet is taken over", () => {
  const path = place("a.jsonl");
  using db = openDatabaseSync(file({ path, lockTimeout: 0 }));
  db.create({}, { id: "first" });
  const { pid = 0 } = spawn(process.execPath, ["-e", "process.kill(process.pid, 'SIGKILL')"]);
  let fields: string[] = [];
  // without an await, nobody is told of its end
  for (const end = Date.now() + 20_000; fields[0] !== "Z" && Date.now() < end; ) {
    fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  }
  holdAs(path, { pid, start: fields[19] as string });
  db.create({}, { id: "second" });
  expect(db.count()).toBe(2);
});

test("a lock that is held by a living process ends in UNAVAILABLE, naming it", async () => {
  const path = place("a.jsonl");
  await using db = await openDatabase(file({ path, lockTimeout: 100 }));
  await db.create({}, { id: "first" });
  const name = holdAs(path, {});
  await expect(db.create({}, { id: "second" })).rejects.toMatchObject({
    code: "UNAVAILABLE",
    details: { pid: process.pid },
  });
  expect(await db.count()).toBe(1);
  expect(readdirSync(`${path}.lock`)).toEqual([name]);
  using sync = openDatabaseSync(file({ path, lockTimeout: 60_000 }));
  // waiting would be in vain: the holder is this very thread
  expect(() => sync.create({})).toThrow("of this very process");
});

test("a lock held on another machine is waited for, and given up after a minute", async () => {
  const path = place("a.jsonl");
  await using db = await openDatabase(file({ path, lockTimeout: 20 }));
  await db.create({}, { id: "first" });
  const name = holdAs(path, { place: "0123456789abcdef", host: "elsewhere", pid: nobody });
  await expect(db.create({})).rejects.toThrow(`process ${nobody} on elsewhere`);
  const [, , , , , time] = name.split(".") as [string, string, string, string, string, string];
  const old = name.replace(time, String(Number(time) - 61_000));
  renameSync(join(`${path}.lock`, name), join(`${path}.lock`, old));
  await db.create({});
  expect(await db.count()).toBe(2);
});

test("who lost the lock meanwhile writes nothing", async () => {
  const path = place("a.jsonl");
  await using db = await openDatabase(file({ path, lockTimeout: 20 }));
  await db.create({}, { id: "first" });
  const lock = runNow(acquireLock(path, { timeout: 0 }));
  lock.check();
  const [name] = readdirSync(`${path}.lock`) as [string];
  renameSync(join(`${path}.lock`, name), join(`${path}.lock`, heldName(self())));
  expect(() => lock.check()).toThrow(expect.objectContaining({ code: "CONFLICT" }) as unknown as Error);
  lock.release();
  // the other one has it still
  await expect(db.create({})).rejects.toMatchObject({ code: "UNAVAILABLE" });
});

test.each([
  ["removed", (folder: string) => rmSync(folder, { recursive: true })],
  ["emptied", (folder: string) => rmSync(join(folder, "free"))],
])("a lock that was %s by hand is made anew", async (_, harm) => {
  const path = place("a.jsonl");
  await using db = await openDatabase(file({ path, lockTimeout: 1000 }));
  await db.create({});
  harm(`${path}.lock`);
  await db.create({});
  expect(readdirSync(`${path}.lock`)).toEqual(["free"]);
  expect(readdirSync(dirname(path)).sort()).toEqual(["a.jsonl", "a.jsonl.lock"]);
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
