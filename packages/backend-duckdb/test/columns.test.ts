/** Declared fields as columns: what goes where, and that nothing depends on it. */
import { type Database, openDatabase, type StoredRecord } from "@dataknobs/core";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { duckdb } from "../src/index.js";
import { place } from "./scratch.js";

const typed = [
  { path: "age", type: "number" },
  { path: "name", type: "string" },
  { path: "born", type: "date" },
  { path: "ok", type: "boolean" },
  { path: "big", type: "bigint" },
  { path: "raw", type: "bytes" },
  { path: "address.city", type: "string" },
] as const;

const everyClass: readonly unknown[] = [
  null,
  undefined,
  true,
  false,
  0,
  5e-324,
  1e308,
  2 ** 60,
  -1.5,
  "30",
  "",
  "\uFEFFx",
  "2024-01-31T00:00:00.000Z",
  new Date("2024-01-31T00:00:00.000Z"),
  new Date(253_402_300_800_000),
  new Date(-62_167_219_200_001),
  new Date(8.64e15),
  10n,
  -(10n ** 40n),
  new Uint8Array([0, 255]),
  ["a", 1n],
  { a: null, b: [new Date(0)] },
  new Float32Array([1.5]),
];

const idsOf = (records: readonly { readonly id: string }[]): string[] => records.map(({ id }) => id);

async function filled(indexes: Parameters<typeof openDatabase>[1], path = ":memory:"): Promise<Database> {
  const db = await openDatabase(duckdb({ path }), indexes);
  await db.createMany(
    everyClass.flatMap((value, index) =>
      ["age", "name", "born", "ok", "big", "raw"].map((field) => ({
        id: `${field}-${index}`,
        data: { before: 1, [field]: value, after: [2] } as never,
      })),
    ),
  );
  return db;
}

describe("declared fields", () => {
  it("are columns of their types, and the JSON is the rest", async () => {
    await using db = await openDatabase(duckdb(), { indexes: typed });
    const data = {
      age: 30,
      name: "Ada",
      born: new Date("1815-12-10"),
      ok: true,
      big: 12n,
      raw: new Uint8Array([1]),
      address: { city: "London", zip: "W1" },
    };
    await db.create(data, { id: "ada" });
    const [row] = await db.sql('SELECT age, name, born, ok, "address.city" AS city, data, odd FROM records');
    expect(row).toEqual({
      age: 30,
      name: "Ada",
      born: new Date("1815-12-10"),
      ok: true,
      city: "London",
      data: '{"address":{"zip":"W1"}}',
      odd: null,
    });
    const read = await db.read("ada");
    expect(read?.data).toEqual(data);
  });

  it("stay in the JSON where they are null, so that null is not missing", async () => {
    await using db = await openDatabase(duckdb(), { indexes: typed });
    await db.createMany([
      { id: "null", data: { age: null, address: { city: null } }, metadata: {} },
      { id: "missing", data: { address: {} } },
      { id: "whole", data: { address: { city: "London" } } },
    ]);
    expect((await db.read("null"))?.data).toEqual({ age: null, address: { city: null } });
    expect((await db.read("missing"))?.data).toEqual({ address: {} });
    expect((await db.read("whole"))?.data).toEqual({ address: { city: "London" } });
    const address = { path: "address", op: "=", value: { city: "London" } } as const;
    expect(idsOf(await db.search({ where: address }))).toEqual(["whole"]);
  });

  it("keep whatever texts, numbers and Dates a batch has, nulls and gaps between them", async () => {
    const text = fc.string({ unit: "grapheme", maxLength: 20 }).filter((one) => !one.includes("\0"));
    const often = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | string | null | undefined> =>
      fc.oneof({ weight: 6, arbitrary: value }, fc.constantFrom(null, undefined, "", "."));
    const data = fc.record({
      name: often(text),
      age: often(fc.double({ noNaN: true, noDefaultInfinity: true })),
      born: often(fc.date({ noInvalidDate: true })),
      ok: often(fc.boolean()),
      big: often(fc.bigInt()),
      raw: often(fc.uint8Array({ maxLength: 5 })),
      address: fc.record({ city: often(text), zip: text }),
      other: text,
    });
    await using db = await openDatabase(duckdb(), { indexes: typed });
    await using plain = await openDatabase(duckdb());
    await fc.assert(
      fc.asyncProperty(fc.array(data, { minLength: 1, maxLength: 12 }), fc.boolean(), async (list, again) => {
        await Promise.all([db.clear(), plain.clear()]);
        const records = list.map((one, index) => ({ id: `${index}`, data: one, metadata: { owner: one.other } }));
        for (const store of [db, plain]) {
          await store.createMany(records);
          if (again) await store.updateMany(records.map(({ id, data }) => ({ id, data: { ...data, again } })));
        }
        const query = { sort: [{ path: "name" }, { path: "id" }] };
        const dataOf = ({ data, metadata }: StoredRecord): unknown => ({ data, metadata });
        expect((await db.search(query)).map(dataOf)).toEqual((await plain.search(query)).map(dataOf));
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it.each(["typed", "untyped", "none"])("keep every value in every field (%s)", async (kind) => {
    const indexes =
      kind === "none" ? [] : typed.map(({ path, type }) => (kind === "typed" ? { path, type } : { path }));
    await using db = await filled({ indexes });
    for (const [index, value] of everyClass.entries()) {
      for (const field of ["age", "name", "born", "ok", "big", "raw"]) {
        const record = await db.read(`${field}-${index}`);
        const data = value === undefined ? { before: 1, after: [2] } : { before: 1, [field]: value, after: [2] };
        expect(record?.data).toEqual(data);
      }
    }
  });

  it("give the same order, filters and groups with and without columns, mixed classes and all", async () => {
    await using plain = await filled({});
    await using columns = await filled({ indexes: typed });
    await using loose = await filled({ indexes: typed.map(({ path }) => ({ path })) });
    for (const field of ["age", "name", "born", "ok", "big", "raw"]) {
      const questions = [
        ...[false, true].map((descending) => ({
          sort: [{ path: field, direction: descending ? "desc" : "asc" } as const],
        })),
        ...[5, "30", "2", true, new Date(0), 10n, new Uint8Array([0, 255])].flatMap((value) =>
          (["=", "<", ">=", "!="] as const).map((op) => ({ where: { path: field, op, value } as never })),
        ),
        { where: { path: field, op: "exists" } as never },
        { where: { not: { path: field, op: "like", value: "%0%" } } as never },
      ];
      for (const question of questions) {
        const sorted = { sort: [{ path: "id" }], ...question };
        const wanted = idsOf(await plain.search(sorted));
        expect(idsOf(await columns.search(sorted))).toEqual(wanted);
        expect(idsOf(await loose.search(sorted))).toEqual(wanted);
      }
      const groups = {
        groupBy: { key: field },
        select: {
          n: { fn: "count" },
          min: { fn: "min", path: field },
          max: { fn: "max", path: field },
          kinds: { fn: "countDistinct", path: field },
        },
      } as const;
      const wanted = await plain.aggregate(groups);
      expect(await columns.aggregate(groups)).toEqual(wanted);
      expect(await loose.aggregate(groups)).toEqual(wanted);
    }
  }, 60_000);

  it("of one class are read from the column alone", async () => {
    await using db = await openDatabase(duckdb(), { indexes: typed });
    await db.createMany([{ data: { age: 1, name: "a" } }, { data: { age: null } }, { data: {} }]);
    const where = { path: "age", op: ">", value: 0 } as const;
    const native = (): string => (db.explain({ where }).native as { sql: string }).sql;
    expect(native()).not.toContain("json_type");
    await db.create({ name: 5 }, { id: "odd" });
    expect(native()).toContain('"age" > $1');
    expect((db.explain({ where: { path: "name", op: "=", value: 5 } }).native as { sql: string }).sql).toContain("odd");
    expect(idsOf(await db.search({ where: { path: "name", op: "=", value: 5 } }))).toEqual(["odd"]);
  });

  it("may have names that SQL knows, that differ only by case, or that are ours", async () => {
    const names = ["id", "ID", "version", "odd", "Select", 'a"b', "x'y", "ORDER BY", "", "naïve", "*", "data.age"];
    const indexes = names.map((name) => ({ path: ["data", name], type: "number" }) as const);
    await using db = await openDatabase(duckdb(), { indexes });
    const data = Object.fromEntries(names.map((name, index) => [name, index]));
    await db.create(data, { id: "one" });
    expect((await db.read("one"))?.data).toEqual(data);
    for (const [index, name] of names.entries()) {
      expect(await db.count({ where: { path: ["data", name], op: "=", value: index } })).toBe(1);
      expect(await db.count({ where: { path: ["data", name], op: "=", value: index + 1 } })).toBe(0);
    }
  });
});

describe("indexes declared later", () => {
  it("move what is there into columns, and back when they are dropped", async () => {
    const path = place("later.duckdb");
    const before = await filled({}, path);
    const wanted = (await before.search({ sort: [{ path: "id" }] })).map(({ id, data, version, createdAt }) => ({
      id,
      data,
      version,
      createdAt,
    }));
    await before.close();
    {
      await using db = await openDatabase(duckdb({ path }), { indexes: typed });
      expect(
        (await db.search({ sort: [{ path: "id" }] })).map(({ id, data, version, createdAt }) => ({
          id,
          data,
          version,
          createdAt,
        })),
      ).toEqual(wanted);
      expect(await db.sql("SELECT count(age)::INT AS n FROM records")).toEqual([{ n: 5 }]);
      expect((await db.indexes.plan()).create).toEqual([]);
    }
    await using db = await openDatabase(duckdb({ path }), { indexes: [{ path: "age", type: "number" }] });
    await db.indexes.apply({ drop: true });
    expect(
      (await db.search({ sort: [{ path: "id" }] })).map(({ id, data, version, createdAt }) => ({
        id,
        data,
        version,
        createdAt,
      })),
    ).toEqual(wanted);
    await expect(db.sql("SELECT name FROM records")).rejects.toMatchObject({ code: "INVALID_QUERY" });
  });

  it("are refused as unique where two records agree, and nothing changes", async () => {
    const path = place("unique.duckdb");
    {
      await using db = await openDatabase(duckdb({ path }));
      await db.createMany([{ data: { mail: "a" } }, { data: { mail: "a" } }]);
    }
    await expect(openDatabase(duckdb({ path }), { indexes: [{ path: "mail", unique: true }] })).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
    await using db = await openDatabase(duckdb({ path }));
    expect(await db.count()).toBe(2);
  });
});
