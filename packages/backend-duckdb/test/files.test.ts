/** Files queried where they are. */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { openDatabase } from "@dataknobs/core";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "@jest/globals";
import { duckdb } from "../src/index.js";
import { place } from "./scratch.js";

async function write(format: string, path: string, select: string): Promise<void> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(`COPY (${select}) TO '${path}' (FORMAT ${format})`);
  connection.closeSync();
  instance.closeSync();
}

const people = `SELECT * FROM (VALUES
  ('ada', 'Ada', 36, TRUE, TIMESTAMP '1815-12-10 00:00:00', ['maths', 'poetry']),
  ('bob', 'Bob', NULL, FALSE, TIMESTAMP '1990-05-05 12:00:00', []),
  ('eve', 'Ève', 51, TRUE, NULL, NULL)) AS people(key, name, age, active, born, tags)`;

describe("files in place", () => {
  it.each([
    ["parquet", "parquet"],
    ["json", "json"],
  ])("%s: every column is a field, lists and all", async (format, ending) => {
    const path = place(`people.${ending}`);
    await write(format, path, people);
    await using db = await openDatabase(duckdb({ from: path, idColumn: "key" }));
    expect((await db.read("ada"))?.data).toMatchObject({
      name: "Ada",
      age: 36,
      active: true,
      born: new Date("1815-12-10"),
      tags: ["maths", "poetry"],
    });
    expect((await db.read("eve"))?.data).not.toHaveProperty("born");
    expect(await db.count({ where: { path: "age", op: ">", value: 40 } })).toBe(1);
    expect(await db.count({ where: { path: "tags", op: "contains", value: "poetry" } })).toBe(1);
    expect((await db.search({ sort: [{ path: "name", direction: "desc" }] })).map(({ id }) => id)).toEqual([
      "eve",
      "bob",
      "ada",
    ]);
    expect(await db.aggregate({ groupBy: { active: "active" }, select: { n: { fn: "count" } } })).toEqual([
      { active: false, n: 1 },
      { active: true, n: 2 },
    ]);
    expect(await db.sql("SELECT count(*)::INT AS n FROM records WHERE active")).toEqual([{ n: 2 }]);
  });

  it("CSV: types are inferred, and the ids are the places of the rows", async () => {
    const path = place("people.csv");
    writeFileSync(path, 'name,age,note\nAda,36,"a, ""b""\nc"\nBob,,=1+1\n');
    await using db = await openDatabase(duckdb({ from: path }));
    const records = await db.search({ sort: [{ path: "id" }] });
    expect(records.map(({ id, data }) => [id, data])).toEqual([
      ["000000000000", { name: "Ada", age: 36, note: 'a, "b"\nc' }],
      ["000000000001", { name: "Bob", note: "=1+1" }],
    ]);
  });

  it("several files are one store, and every row has an id of its own", async () => {
    const first = place("part-1.parquet");
    await write("parquet", first, "SELECT i AS n FROM range(3) r(i)");
    await write("parquet", join(dirname(first), "part-2.parquet"), "SELECT i AS n, 'x' AS extra FROM range(3, 5) r(i)");
    await using db = await openDatabase(duckdb({ from: join(dirname(first), "*.parquet") }));
    const records = await db.search({ sort: [{ path: "id" }] });
    expect(records.map(({ data }) => data["n"])).toEqual([0, 1, 2, 3, 4]);
    expect(new Set(records.map(({ id }) => id)).size).toBe(5);
    expect((await db.read(records[4]?.id ?? ""))?.data).toEqual({ n: 4, extra: "x" });
  });

  it("are only read: writes are refused, and so is a unique index", async () => {
    const path = place("people.parquet");
    await write("parquet", path, people);
    await using db = await openDatabase(duckdb({ from: path }));
    await expect(db.create({ a: 1 })).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    await expect(db.clear()).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    await expect(db.transaction(async () => 1)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect(await db.count()).toBe(3);
    await expect(
      openDatabase(duckdb({ from: path }), { indexes: [{ path: "name", unique: true }] }),
    ).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  it("what JSON cannot hold is missing", async () => {
    const path = place("odd.parquet");
    await write(
      "parquet",
      path,
      "SELECT 'nan'::DOUBLE AS a, 'inf'::DOUBLE AS b, TIMESTAMP 'infinity' AS c, 1.5::DECIMAL(9,2) AS d, 7::UTINYINT AS e, '\\x00\\xff'::BLOB AS f",
    );
    await using db = await openDatabase(duckdb({ from: path }));
    expect((await db.search({}))[0]?.data).toEqual({ d: 1.5, e: 7, f: new Uint8Array([0, 255]) });
  });

  it("a file that is not there, and one that is not what it says, are named errors", async () => {
    await expect(openDatabase(duckdb({ from: place("none.parquet") }))).rejects.toMatchObject({ code: "NOT_FOUND" });
    const path = place("wrong.parquet");
    writeFileSync(path, "this is no Parquet file, whatever its name says");
    await expect(openDatabase(duckdb({ from: path }))).rejects.toMatchObject({ code: "CORRUPT" });
    expect(() => duckdb({ from: "data.xyz" })).toThrow(/format/);
    expect(() => duckdb({ from: [] })).toThrow(/"from"/);
  });

  it("names of files and columns are never SQL", async () => {
    const path = place("it's; DROP.parquet");
    await write("parquet", path.replaceAll("'", "''"), `SELECT 1 AS "a""b'; DROP TABLE x", 2 AS "select"`);
    await using db = await openDatabase(duckdb({ from: path }));
    expect((await db.search({}))[0]?.data).toEqual({ "a\"b'; DROP TABLE x": 1, select: 2 });
    expect(await db.count({ where: { path: ["select"], op: "=", value: 2 } })).toBe(1);
  });
});
