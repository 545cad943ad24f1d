/** Files, processes, transactions, streams. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { type DataknobsError, openDatabase } from "@dataknobs/core";
import { describe, expect, it } from "@jest/globals";
import { duckdb } from "../src/index.js";
import { place } from "./scratch.js";

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "none",
    (error: DataknobsError) => error.code,
  );

describe("files", () => {
  it("one file is one instance: two databases of a process see each other's writes", async () => {
    const path = place("two.duckdb");
    await using a = await openDatabase(duckdb({ path }), { indexes: [{ path: "n", type: "number" }] });
    await using b = await openDatabase(duckdb({ path }));
    await a.create({ n: 1 }, { id: "x" });
    expect((await b.read("x"))?.data).toEqual({ n: 1 });
    await b.create({ n: "text" }, { id: "y" });
    expect((await a.search({ sort: [{ path: "n" }] })).map(({ id }) => id)).toEqual(["x", "y"]);
  });

  it("a second process is told UNAVAILABLE, and what to do", async () => {
    const path = place("busy.duckdb");
    await using db = await openDatabase(duckdb({ path }));
    await db.create({ a: 1 });
    const script =
      'import { openDatabase } from "@dataknobs/core"; import { duckdb } from "@dataknobs/backend-duckdb";' +
      `await openDatabase(duckdb({ path: ${JSON.stringify(path)} })).catch((error) => console.log(error.code, error.message));`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      cwd: process.cwd(),
    });
    expect(stdout).toMatch(/^UNAVAILABLE Another process has the DuckDB file/);
    expect(await db.count()).toBe(1);
  });

  it("a file of a newer DuckDB is refused by its version", async () => {
    const path = place("newer.duckdb");
    await (await openDatabase(duckdb({ path }))).close();
    const bytes = readFileSync(path);
    bytes.writeBigUInt64LE(69n, 12);
    writeFileSync(path, bytes);
    await expect(openDatabase(duckdb({ path }))).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("storage version 69"),
    });
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it("cut and flipped files are CORRUPT and stay as they are", async () => {
    const path = place("whole.duckdb");
    {
      await using db = await openDatabase(duckdb({ path }), { indexes: [{ path: "n", type: "number" }] });
      await db.createMany(Array.from({ length: 20_000 }, (_, n) => ({ data: { n, text: `some text ${n}` } })));
      await db.sql("CHECKPOINT");
    }
    const whole = readFileSync(path);
    const damaged = [0, 7, 100, 4096, 9000, whole.length >> 1].map((length) => whole.subarray(0, length));
    const flipped = Buffer.from(whole);
    for (let at = 0; at < flipped.length; at += 997) flipped[at] = (flipped[at] as number) ^ 0xff;
    for (const bytes of [...damaged, flipped, Buffer.from("no database")]) {
      const broken = place("broken.duckdb");
      writeFileSync(broken, bytes);
      const code = await codeOf(
        (async () => {
          await using db = await openDatabase(duckdb({ path: broken }));
          for await (const _ of db.stream());
        })(),
      );
      expect(code).toBe("CORRUPT");
      expect(readFileSync(broken).equals(bytes)).toBe(true);
    }
  });

  it("readOnly opens what is there, writes nothing, and makes nothing", async () => {
    const path = place("read.duckdb");
    expect(await codeOf(openDatabase(duckdb({ path, readOnly: true })))).toBe("NOT_FOUND");
    {
      await using db = await openDatabase(duckdb({ path }), { indexes: [{ path: "a", type: "number" }] });
      await db.create({ a: 1 });
    }
    await using db = await openDatabase(duckdb({ path, readOnly: true }), { indexes: [{ path: "a", type: "number" }] });
    expect(await db.count({ where: { path: "a", op: "=", value: 1 } })).toBe(1);
    expect(await codeOf(db.create({ a: 2 }))).toBe("PERMISSION_DENIED");
    expect(await codeOf(db.indexes.apply())).not.toBe("UNEXPECTED");
  });

  it("tables of others are left alone", async () => {
    const path = place("other.duckdb");
    {
      await using db = await openDatabase(duckdb({ path }));
      await db.sql("CREATE TABLE mine (id INTEGER)");
    }
    await expect(openDatabase(duckdb({ path, table: "mine" }))).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    await using db = await openDatabase(duckdb({ path, table: "a\"b'; DROP TABLE records; --" }));
    await db.create({ x: 1 });
    expect(await db.count()).toBe(1);
  });

  it("a backup is a whole store, and never overwrites", async () => {
    const path = place("backup.duckdb");
    await using db = await openDatabase(duckdb(), { indexes: [{ path: "a", type: "number" }] });
    await db.create({ a: 1 }, { id: "x" });
    await db.backup(path);
    expect(await codeOf(db.backup(path))).toBe("ALREADY_EXISTS");
    await using copy = await openDatabase(duckdb({ path }), { indexes: [{ path: "a", type: "number" }] });
    expect((await copy.read("x"))?.data).toEqual({ a: 1 });
    expect(await codeOf(copy.create({ a: 2 }, { id: "x" }))).toBe("ALREADY_EXISTS");
  });
});

describe("options", () => {
  it.each([
    { path: "" },
    { threads: 0 },
    { memoryLimit: "lots" },
    { memoryLimit: "1GB'; DROP" },
    { path: ":memory:", readOnly: true },
    { from: "a.csv", path: "b.duckdb" },
    { from: "a.csv", table: "t" },
    { format: "csv" },
    { table: "dataknobs" },
    { nope: 1 },
  ])("%j is refused", (options) => {
    expect(() => duckdb(options as never)).toThrow(expect.objectContaining({ code: "INVALID_CONFIG" }));
  });

  it("threads and memoryLimit reach DuckDB", async () => {
    await using db = await openDatabase(duckdb({ threads: 1, memoryLimit: "200MB" }));
    expect(
      await db.sql("SELECT current_setting('threads')::INT AS threads, current_setting('memory_limit') AS memory"),
    ).toEqual([{ threads: 1, memory: "190.7 MiB" }]);
  });
});

describe("transactions", () => {
  it("two that change one record: the second has CONFLICT, and retries help", async () => {
    await using db = await openDatabase(duckdb());
    await db.create({ n: 0 }, { id: "a" });
    const add = (): Promise<unknown> =>
      db.transaction(
        async (tx) => {
          const before = await tx.read("a");
          await new Promise((resolve) => setTimeout(resolve, 5));
          await tx.update("a", { n: (before?.data["n"] as number) + 1 });
        },
        { retries: 50 },
      );
    await Promise.all(Array.from({ length: 8 }, add));
    expect((await db.read("a"))?.data).toEqual({ n: 8 });
    const both = await Promise.all(
      [1, 2].map((n) =>
        codeOf(
          db.transaction(async (tx) => {
            await tx.patch("a", { n });
            await new Promise((resolve) => setTimeout(resolve, 20));
          }),
        ),
      ),
    );
    expect(both.sort()).toEqual(["CONFLICT", "none"]);
  });

  it("a unique value is given once, whoever commits first", async () => {
    await using db = await openDatabase(duckdb({ timeout: 0 }), { indexes: [{ path: "mail", unique: true }] });
    const claim = (id: string): Promise<string> =>
      codeOf(
        db.transaction(async (tx) => {
          await tx.create({ mail: "m" }, { id });
          await new Promise((resolve) => setTimeout(resolve, 10));
        }),
      );
    const codes = await Promise.all(["a", "b", "c"].map(claim));
    expect(codes.filter((code) => code === "none")).toHaveLength(1);
    expect(await db.count()).toBe(1);
  });

  it("one that is open while another database declares a field has CONFLICT, and changes nothing", async () => {
    const path = place("declared.duckdb");
    await using a = await openDatabase(duckdb({ path, timeout: 0 }));
    await a.createMany(Array.from({ length: 100 }, (_, n) => ({ id: `r${n}`, data: { n } })));
    const query = { where: { path: "n", op: ">=", value: 90 } } as const;
    const code = await codeOf(
      a.transaction(async (tx) => {
        expect(await tx.count(query)).toBe(10);
        await using b = await openDatabase(duckdb({ path, timeout: 0 }), { indexes: [{ path: "n", type: "number" }] });
        expect(await b.count(query)).toBe(10);
        expect(await codeOf(tx.count(query))).toBe("CONFLICT");
        await tx.update("r5", { n: 500 });
      }),
    );
    expect(code).toBe("CONFLICT");
    expect((await a.read("r5"))?.data).toEqual({ n: 5 });
    expect(await a.count(query)).toBe(10);
  });

  it("one whose statement was interrupted is not taken for committed", async () => {
    await using db = await openDatabase(duckdb());
    const long = "SELECT count(*) FROM range(1000000) a, range(10000000) b";
    const code = await codeOf(
      db.transaction(async (tx) => {
        await tx.create({ n: 1 });
        expect(await codeOf(tx.sql(long, [], { signal: AbortSignal.timeout(100) }))).toMatch(/ABORTED|TIMEOUT/);
      }),
    );
    expect(code).toBe("ABORTED");
    expect(await db.count()).toBe(0);
  });

  it("one with a statement that is no SQL goes on", async () => {
    await using db = await openDatabase(duckdb());
    await db.transaction(async (tx) => {
      await tx.create({ n: 1 });
      expect(await codeOf(tx.sql("SELEC 1"))).toBe("INVALID_QUERY");
      await tx.create({ n: 2 });
    });
    expect(await db.count()).toBe(2);
  });

  it("a write inside while a stream of the transaction is open gives way, and loses no row", async () => {
    await using db = await openDatabase(duckdb());
    await db.createMany(Array.from({ length: 10_000 }, (_, n) => ({ data: { n } })));
    await db.transaction(async (tx) => {
      let count = 0;
      for await (const { id } of tx.stream()) if (++count % 1000 === 0) await tx.patch(id, { seen: true });
      expect(count).toBe(10_000);
    });
    expect(await db.count({ where: { path: "seen", op: "=", value: true } })).toBe(10);
  });
});

describe("streams and statements", () => {
  it("a stream left early gives its connection back", async () => {
    await using db = await openDatabase(duckdb());
    await db.createMany(Array.from({ length: 20_000 }, (_, n) => ({ data: { n } })));
    for (let round = 0; round < 50; round++) {
      for await (const { data } of db.stream()) if (data["n"] !== undefined) break;
    }
    expect(await db.count()).toBe(20_000);
  });

  it("an abort ends the engine's work", async () => {
    await using db = await openDatabase(duckdb());
    const signal = AbortSignal.timeout(100);
    const start = Date.now();
    expect(await codeOf(db.sql("SELECT count(*) FROM range(1000000) a, range(10000000) b", [], { signal }))).toMatch(
      /ABORTED|TIMEOUT/,
    );
    expect(Date.now() - start).toBeLessThan(5000);
    expect(await db.count()).toBe(0);
  });

  it("close waits for what an abort left under way, and nothing of it comes after", async () => {
    const path = place("under-way.duckdb");
    const batch = Array.from({ length: 40_000 }, (_, n) => ({ data: { n, text: `text ${n}` } }));
    for (const ms of [0, 5, 20, 60]) {
      const db = await openDatabase(duckdb({ path }), { indexes: [{ path: "n", type: "number" }] });
      const stop = new AbortController();
      const work = codeOf(db.upsertMany(batch, { signal: stop.signal }));
      const query = codeOf(
        db.sql("SELECT count(*) FROM range(1000000) a, range(10000000) b", [], { signal: stop.signal }),
      );
      await new Promise((resolve) => setTimeout(resolve, ms));
      stop.abort();
      await db.close();
      expect(await query).toBe("ABORTED");
      expect(["none", "ABORTED"]).toContain(await work);
      await using again = await openDatabase(duckdb({ path }));
      expect([0, 40_000]).toContain(await again.count());
      await again.clear();
    }
  }, 60_000);

  it("an abort amid a batch: all of it is there, or nothing", async () => {
    await using db = await openDatabase(duckdb(), { indexes: [{ path: "n", type: "number" }] });
    const batch = Array.from({ length: 40_000 }, (_, n) => ({ data: { n, text: `text ${n}` } }));
    for (const ms of [30, 100, 300]) {
      await db.clear();
      const code = await codeOf(db.createMany(batch, { signal: AbortSignal.timeout(ms) }));
      expect(["none", "ABORTED", "TIMEOUT"]).toContain(code);
      // what was aborted may still be on its way back
      await db.create({ n: -1 });
      const count = (await db.count()) - 1;
      expect([0, 40_000]).toContain(count);
      if (code === "none") expect(count).toBe(40_000);
    }
  }, 60_000);

  it("sql: windows, joins and parameters; what is wrong is INVALID_QUERY without the driver's words", async () => {
    await using db = await openDatabase(duckdb(), {
      indexes: [
        { path: "team", type: "string" },
        { path: "points", type: "number" },
      ],
    });
    await db.createMany([
      { data: { team: "a", points: 3 } },
      { data: { team: "a", points: 5 } },
      { data: { team: "b", points: 4 } },
    ]);
    const ranked = await db.sql(
      "SELECT team, points, rank() OVER (PARTITION BY team ORDER BY points DESC)::INT AS place FROM records WHERE points > $1 ORDER BY team, place",
      [3],
    );
    expect(ranked).toEqual([
      { team: "a", points: 5, place: 1 },
      { team: "b", points: 4, place: 1 },
    ]);
    expect(
      await db.sql("SELECT $1 AS a, $2 AS b, $3 AS c, len($4)::INT AS d", ["x", 2n ** 70n, new Date(0), [1, 2]]),
    ).toEqual([{ a: "x", b: 2n ** 70n, c: new Date(0), d: 2 }]);
    await expect(db.sql("SELEC 1")).rejects.toMatchObject({
      code: "INVALID_QUERY",
      message: expect.not.stringContaining("SELEC"),
    });
    await expect(db.sql("SELECT $1", [Symbol("x")])).rejects.toMatchObject({ code: "INVALID_QUERY" });
  });

  it("values that look like SQL are values", async () => {
    await using db = await openDatabase(duckdb(), { indexes: [{ path: "name", type: "string" }] });
    const hostile = ["'; DROP TABLE records; --", '"; DROP', "$1", "\\", "%", "odd", "{}", "null", "\uFEFF"];
    await db.createMany(hostile.map((name) => ({ id: name, data: { name, other: name } })));
    for (const name of hostile) {
      for (const path of ["name", "other"]) {
        expect((await db.search({ where: { path, op: "=", value: name } })).map(({ id }) => id)).toEqual([name]);
        expect((await db.search({ where: { path, op: "in", value: [name, "x"] } })).map(({ id }) => id)).toEqual([
          name,
        ]);
        expect((await db.search({ where: { path, op: "starts_with", value: name } })).map(({ id }) => id)).toContain(
          name,
        );
      }
    }
    const groups = await db.aggregate({ groupBy: { name: "name" }, select: { n: { fn: "count" } } });
    expect(groups.map(({ name }) => name).sort()).toEqual([...hostile].sort());
  });

  it("a set of 100,000 values finds what is in it", async () => {
    await using db = await openDatabase(duckdb(), { indexes: [{ path: "n", type: "number" }] });
    await db.createMany(Array.from({ length: 1000 }, (_, n) => ({ data: { n, text: `t${n}` } })));
    const numbers = Array.from({ length: 100_000 }, (_, n) => n * 2);
    expect(await db.count({ where: { path: "n", op: "in", value: numbers } })).toBe(500);
    expect(await db.count({ where: { path: "text", op: "not_in", value: numbers.map((n) => `t${n}`) } })).toBe(500);
  });
});
