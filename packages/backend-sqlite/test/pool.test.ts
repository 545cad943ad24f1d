/** Threads: lifecycle, transactions beside other calls, streams, and an event loop that is never held up. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { sqlite } from "@dataknobs/backend-sqlite";
import { type Database, DataknobsError, openDatabase, openDatabaseSync, where } from "@dataknobs/core";
import { afterAll, afterEach, describe, expect, it, jest } from "@jest/globals";

jest.setTimeout(60_000);
const folder = mkdtempSync(join(tmpdir(), "dataknobs-pool-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(folder, `${++count}.db`);
const opened: Database[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((db) => db.close()));
});
async function open(options: Parameters<typeof sqlite>[0] = {}): Promise<Database> {
  const db = await openDatabase(sqlite({ path: fresh(), ...options }));
  opened.push(db);
  return db;
}
const many = (n: number) => Array.from({ length: n }, (_, index) => ({ id: `r${index}`, data: { n: index } }));
const codeOf = async (work: PromiseLike<unknown>): Promise<string | undefined> => {
  try {
    await work;
  } catch (error) {
    return DataknobsError.is(error) ? error.code : String(error);
  }
  return undefined;
};

describe("lifecycle", () => {
  it("a process that only opened a database ends by itself", () => {
    const script = `
      import { openDatabase } from "@dataknobs/core";
      import { sqlite } from "@dataknobs/backend-sqlite";
      const db = await openDatabase(sqlite({ path: ${JSON.stringify(fresh())} }));
      await db.create({ n: 1 });
      await db.count();
      process.stdout.write("done");
    `;
    const file = fileURLToPath(new URL(`../end-${process.pid}.tmp.mjs`, import.meta.url));
    writeFileSync(file, script);
    const { stdout, status } = spawnSync(process.execPath, [file], { encoding: "utf8", timeout: 30_000 });
    rmSync(file);
    expect([stdout, status]).toEqual(["done", 0]);
  });

  it("close folds the write-ahead log into the file", async () => {
    const path = fresh();
    const db = await open({ path });
    await db.createMany(many(10));
    await db.count();
    await db.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
  });

  it("in memory: nothing is left in the temporary folder", async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("dataknobs-")).length;
    const db = await openDatabase(sqlite());
    await db.createMany(many(10));
    await db.close();
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith("dataknobs-")).length).toBeLessThanOrEqual(before);
  });

  it("two databases open a new file at once", async () => {
    const path = fresh();
    const all = await Promise.all(
      Array.from({ length: 4 }, () =>
        openDatabase(sqlite({ path }), { indexes: [{ path: "n" }, { path: "t", text: true }] }),
      ),
    );
    opened.push(...all);
    await Promise.all(all.map((db, index) => db.create({ n: index, t: "word" })));
    expect(await all[0]?.count({ match: { text: "word" }, where: where("n", ">=", 0) })).toBe(4);
  });

  it("an index that another process declares is kept up by this one", async () => {
    const path = fresh();
    const one = await open({ path });
    await one.create({ t: "first" });
    const two = openDatabaseSync(sqlite({ path }), {
      indexes: [
        { path: "t", text: true },
        { path: "u", unique: true },
      ],
    });
    await one.create({ t: "second", u: { a: 1 } });
    expect(two.search({ match: { text: "second" } })).toHaveLength(1);
    expect(() => two.create({ u: { a: 1 } })).toThrow(/u/);
    expect(await codeOf(one.create({ u: { a: 1 } }))).toBe("ALREADY_EXISTS");
    two.close();
  });

  it("backup is a whole store, and overwrites nothing", async () => {
    const db = await open();
    await db.createMany(many(50));
    const path = fresh();
    await db.backup(path);
    const copy = openDatabaseSync(sqlite({ path }));
    expect(copy.count()).toBe(50);
    copy.close();
    expect(await codeOf(db.backup(path))).toBe("ALREADY_EXISTS");
  });
});

describe("reads", () => {
  it("a read sees every write that was acknowledged", async () => {
    const db = await open();
    for (let n = 0; n < 100; n++) {
      await db.upsert("a", { n });
      expect((await db.read("a"))?.data).toEqual({ n });
      expect(await db.count({ where: where("n", "=", n) })).toBe(1);
    }
  });

  it("poolSize 0: one thread does it all", async () => {
    const db = await open({ poolSize: 0 });
    await db.createMany(many(2500));
    let rows = 0;
    for await (const { id } of db.stream()) {
      rows++;
      if (rows % 1000 === 0) await db.delete(id);
    }
    expect([rows, await db.count()]).toEqual([2500, 2498]);
  });

  it("the event loop goes on while a long query runs", async () => {
    const db = await open();
    await db.createMany(many(20_000));
    await db.count({ where: where("n", "=", 1) });
    const delay = monitorEventLoopDelay({ resolution: 1 });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    delay.enable();
    await db.sql(
      "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c WHERE x < 3000000) SELECT count(*) AS n FROM c",
    );
    delay.disable();
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(20);
  });
});

describe("streams", () => {
  it("show the store as it was, while others write and read", async () => {
    const db = await open();
    await db.createMany(many(5000));
    const seen: string[] = [];
    for await (const { id } of db.stream({ sort: [{ path: "n" }] })) {
      if (seen.length === 0) {
        await db.deleteWhere(where("n", ">=", 2500));
        expect(await db.count()).toBe(2500);
      }
      seen.push(id);
    }
    expect(seen).toHaveLength(5000);
  });

  it("many at once, more than there are readers", async () => {
    const db = await open({ poolSize: 1 });
    await db.createMany(many(3000));
    const streams = await Promise.all(
      Array.from({ length: 10 }, async () => {
        let n = 0;
        for await (const _ of db.stream()) n++;
        return n;
      }),
    );
    expect(streams).toEqual(new Array(10).fill(3000));
  });

  it("an early end leaves nothing open: the log can be folded", async () => {
    const path = fresh();
    const db = await open({ path });
    await db.createMany(many(5000));
    for await (const _ of db.stream()) break;
    const [row] = await db.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    expect(row).toMatchObject({ busy: 0 });
  });

  it("inside a transaction: see its writes, and may write meanwhile", async () => {
    const db = await open();
    await db.createMany(many(2500));
    await db.transaction(async (tx) => {
      await tx.create({ n: -1 }, { id: "own" });
      let n = 0;
      for await (const { id } of tx.stream({ where: where("n", "<", 1_000_000) })) {
        if (n++ === 10) await tx.update("r2400", { n: 2_000_000 });
        if (id === "own") await tx.update("own", { n: -2 });
      }
      expect(n).toBeGreaterThanOrEqual(2500);
    });
    expect((await db.read("own"))?.data).toEqual({ n: -2 });
  });
});

describe("transactions", () => {
  it("a write outside waits, and gives up after the timeout, naming the cause", async () => {
    const db = await open({ timeout: 0.1 });
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const whole = db.transaction(async (tx) => {
      await tx.create({}, { id: "in" });
      begin();
      await new Promise((resolve) => setTimeout(resolve, 400));
    });
    await begun;
    const outside = db.create({}, { id: "out" });
    await expect(outside).rejects.toMatchObject({
      code: "TIMEOUT",
      message: expect.stringContaining("transaction") as unknown,
    });
    await whole;
    expect(await db.exists("in")).toBe(true);
    expect(await db.exists("out")).toBe(false);
  });

  it("another process's lock is TIMEOUT", async () => {
    const path = fresh();
    const db = await open({ path, timeout: 0.05 });
    const other = openDatabaseSync(sqlite({ path }));
    other.transaction((tx) => {
      tx.create({});
      // the other thread works while this one holds the lock: its answer is read below
      void blocked();
    });
    let code: string | undefined;
    async function blocked(): Promise<void> {
      code = await codeOf(db.create({}));
    }
    other.close();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect([undefined, "TIMEOUT"]).toContain(code);
  });
});
