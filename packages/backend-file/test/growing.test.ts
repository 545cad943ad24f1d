/** Parquet files that grow and change piece by piece: what is copied, what is encoded anew, what other readers find. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Database, openDatabase } from "@dataknobs/core";
import { describe, expect, test } from "@jest/globals";
import { type FileMetaData, parquetMetadata, parquetReadObjects } from "hyparquet";
import { type Piece, planPieces } from "../src/formats/parquet-pieces.js";
import { hashOf, IdSet } from "../src/id-set.js";
import { type FileOptions, file } from "../src/index.js";
import { RecentGroups } from "../src/recent-groups.js";
import { place } from "./scratch.js";

const seed = Number(process.env["DATAKNOBS_SEED"] ?? 20_240_131);

function random(from: number): (below: number) => number {
  let state = from;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function footerOf(path: string): FileMetaData {
  return parquetMetadata(new Uint8Array(readFileSync(path)));
}

function rowsOf(path: string): readonly number[] {
  return footerOf(path).row_groups.map(({ num_rows }) => Number(num_rows));
}

/** The bytes of a row group, whose chunks lie one after the other. */
function bytesOf(path: string, group: number): Buffer {
  const { columns } = footerOf(path).row_groups[group] as FileMetaData["row_groups"][number];
  const start = Number(columns[0]?.file_offset);
  const length = columns.reduce((sum, { meta_data }) => sum + Number(meta_data?.total_compressed_size), 0);
  return readFileSync(path).subarray(start, start + length);
}

function typeOf(path: string, name: string): string | undefined {
  return footerOf(path).schema.find((element) => element.name === name)?.type;
}

/** As any other program reads it. */
async function read(path: string): Promise<readonly { readonly [name: string]: unknown }[]> {
  const bytes = readFileSync(path);
  return parquetReadObjects({ file: new Uint8Array(bytes).buffer });
}

const numbered = (from: number, count: number): { id: string; data: { n: number } }[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `r${String(from + index).padStart(6, "0")}`,
    data: { n: from + index },
  }));

async function opened(options: Partial<FileOptions> = {}): Promise<{ path: string; db: Database }> {
  const path = place("a.parquet");
  return { path, db: await openDatabase(file({ path, rowGroupSize: 100, fsync: false, ...options })) };
}

describe("the plan", () => {
  const plan = (rows: readonly number[], touched: readonly number[], added: number): readonly Piece[] =>
    planPieces(
      rows.map((count, index) => ({ rows: count, touched: touched.includes(index) })),
      added,
      100,
    );

  test("full groups are kept, whatever comes", () => {
    expect(plan([100, 100], [], 500)).toEqual([{ keep: 0 }, { keep: 1 }, { encode: ["new"] }]);
  });

  test("a group that is not full is taken in by what is no smaller", () => {
    expect(plan([100, 30], [], 30)).toEqual([{ keep: 0 }, { encode: [1, "new"] }]);
    expect(plan([100, 30], [], 29)).toEqual([{ keep: 0 }, { keep: 1 }, { encode: ["new"] }]);
  });

  test("groups taken in make what takes in larger", () => {
    expect(plan([4, 2, 1], [], 1)).toEqual([{ encode: [0, 1, 2, "new"] }]);
  });

  test("a changed group is encoded where it is", () => {
    expect(plan([100, 99, 100], [1], 0)).toEqual([{ keep: 0 }, { encode: [1] }, { keep: 2 }]);
  });

  test("changed neighbours become one, and an empty group goes", () => {
    expect(plan([60, 50, 0, 100], [0, 1, 2], 0)).toEqual([{ encode: [0, 1] }, { keep: 3 }]);
    expect(plan([0], [0], 0)).toEqual([]);
  });

  test("a group that shrank takes in the small one behind it", () => {
    expect(plan([40, 10, 100], [0], 0)).toEqual([{ encode: [0, 1] }, { keep: 2 }]);
  });
});

describe("a set of ids", () => {
  test("has every id that was put in, and few others", () => {
    const ids = Array.from({ length: 5000 }, (_, n) => `person-${n}`);
    const set = new IdSet(ids);
    expect(ids.every((id) => set.mayHave(hashOf(id)))).toBe(true);
    const others = Array.from({ length: 100_000 }, (_, n) => `other-${n}`);
    expect(others.filter((id) => set.mayHave(hashOf(id))).length).toBeLessThan(5);
  });

  test("of no ids has none", () => {
    expect(new IdSet([]).mayHave(hashOf("x"))).toBe(false);
  });
});

test("row groups kept in memory are bounded by their size, the last used staying", () => {
  const recent = new RecentGroups();
  const records = (size: number): never => [{ data: { text: "x".repeat(size) }, metadata: {} }] as never;
  const groups = Array.from({ length: 4 }, () => ({}));
  for (const group of groups.slice(0, 3)) recent.put(group, records(600_000));
  expect(recent.get(groups[0] as object)).toBeDefined();
  recent.put(groups[3] as object, records(600_000));
  expect(groups.map((group) => recent.get(group) !== undefined)).toEqual([true, false, true, true]);
  const huge = {};
  recent.put(huge, records(3_000_000));
  expect(recent.get(huge)).toBeUndefined();
});

describe("a file", () => {
  test("keeps row groups byte for byte when records are added", async () => {
    const { path, db } = await opened();
    await using _ = db;
    await db.createMany(numbered(0, 200));
    const before = [bytesOf(path, 0), bytesOf(path, 1)];
    await db.createMany(numbered(200, 150));
    expect(rowsOf(path)).toEqual([100, 100, 100, 50]);
    expect([bytesOf(path, 0), bytesOf(path, 1)]).toEqual(before);
  });

  test("encodes only the row group of a record that changes", async () => {
    const { path, db } = await opened();
    await using _ = db;
    await db.createMany(numbered(0, 300));
    const before = [bytesOf(path, 0), bytesOf(path, 2)];
    await db.update("r000150", { n: -1 });
    await db.delete("r000199");
    expect(rowsOf(path)).toEqual([100, 99, 100]);
    expect([bytesOf(path, 0), bytesOf(path, 2)]).toEqual(before);
    const rows = await read(path);
    expect(rows).toHaveLength(299);
    expect(rows[150]).toMatchObject({ id: "r000150", n: -1n });
  });

  test("written record by record has few row groups", async () => {
    const { path, db } = await opened();
    await using _ = db;
    for (const { id, data } of numbered(0, 300)) await db.create(data, { id });
    expect(rowsOf(path).length).toBeLessThan(12);
    expect((await read(path)).map(({ n }) => Number(n))).toEqual(Array.from({ length: 300 }, (_, n) => n));
  });

  test("is found whole by other readers after every write", async () => {
    const { path, db } = await opened();
    await using _ = db;
    for (let round = 0; round < 12; round++) {
      await db.createMany(numbered(round * 37, 37));
      if (round % 3 === 2) await db.patch(`r${String(round).padStart(6, "0")}`, { [`field${round}`]: "later" });
      const rows = await read(path);
      expect(rows.map(({ id }) => id).sort()).toEqual(numbered(0, (round + 1) * 37).map(({ id }) => id));
    }
  });

  test("gets a column for a field that comes later, without encoding what is there", async () => {
    const { path, db } = await opened();
    await using _ = db;
    await db.createMany(numbered(0, 100));
    await db.create({ n: 100, later: null, list: [1] }, { id: "odd" });
    await db.createMany(numbered(200, 100).map(({ id, data }) => ({ id, data: { ...data, later: `text ${id}` } })));
    expect(typeOf(path, "later")).toBe("BYTE_ARRAY");
    expect((await read(path)).filter(({ later }) => later !== null)).toHaveLength(100);
    expect(await db.count({ where: { path: "later", op: "exists" } })).toBe(100);
    expect((await db.read("odd"))?.data).toEqual({ n: 100, later: null, list: [1] });
    await db.create({ list: "plain" }, { id: "plain" });
    expect(await db.count({ where: { path: "list", op: "contains", value: 1 } })).toBe(1);
    await using again = await openDatabase(file({ path }));
    expect((await again.search({ where: { path: "list", op: "exists" }, sort: [{ path: "id" }] })).length).toBe(2);
  });

  test("gives whole numbers a column of fractions once there are some", async () => {
    const { path, db } = await opened();
    await using _ = db;
    await db.createMany(numbered(0, 150));
    expect(typeOf(path, "n")).toBe("INT64");
    await db.create({ n: 0.5 }, { id: "half" });
    expect(typeOf(path, "n")).toBe("DOUBLE");
    expect(await db.count({ where: { path: "n", op: "<", value: 1 } })).toBe(2);
  });

  test("chooses a column's kind anew when most of what comes is of another", async () => {
    const { path, db } = await opened();
    await using _ = db;
    await db.createMany(numbered(0, 10));
    for (let n = 10; n < 20; n++) await db.create({ n: `text ${n}` }, { id: `t${n}` });
    expect(typeOf(path, "n")).toBe("INT64");
    await db.create({ n: "one more" }, { id: "t20" });
    expect(typeOf(path, "n")).toBe("BYTE_ARRAY");
    expect(await db.count({ where: { path: "n", op: "=", value: 3 } })).toBe(1);
  });

  test("gets columns for fields that are declared later", async () => {
    const { path, db } = await opened();
    await db.createMany(numbered(0, 150).map(({ id, data }) => ({ id, data: { at: { ...data } } })));
    await db.close();
    await using again = await openDatabase(file({ path, rowGroupSize: 100 }), { indexes: [{ path: "at.n" }] });
    await again.create({ at: { n: -1 } }, { id: "x" });
    expect(typeOf(path, "at.n")).toBe("INT64");
    expect(await again.count({ where: { path: "at.n", op: "<", value: 5 } })).toBe(6);
    const before = bytesOf(path, 0);
    await again.create({ at: { n: -2 } }, { id: "y" });
    expect(bytesOf(path, 0)).toEqual(before);
  });

  test("keeps bytes, and finds them, when their row group is copied", async () => {
    const { path, db } = await opened();
    await using _ = db;
    const blob = (n: number): Uint8Array => new Uint8Array([0xff, 0xc0, n]);
    await db.createMany(numbered(0, 100).map(({ id, data: { n } }) => ({ id, data: { blob: blob(n) } })));
    await db.createMany(numbered(100, 100));
    expect((await db.read("r000042"))?.data).toEqual({ blob: blob(42) });
    expect((await read(path)).length).toBe(200);
  });

  test("that another process changed meanwhile is looked at again", async () => {
    const { path, db } = await opened();
    await using _ = db;
    await db.createMany(numbered(0, 150));
    {
      await using other = await openDatabase(file({ path, rowGroupSize: 100 }));
      await other.delete("r000000");
      await other.create({ n: 150 }, { id: "r000150" });
    }
    await expect(db.create({}, { id: "r000150" })).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    await db.create({ n: 0 }, { id: "r000000" });
    expect(await db.count()).toBe(151);
  });

  test("tells how many records clear removed, and is written on", async () => {
    const { path, db } = await opened();
    await using _ = db;
    await db.createMany(numbered(0, 250));
    expect(await db.clear()).toBe(250);
    await db.create({ n: 1 }, { id: "x" });
    expect(await read(path)).toHaveLength(1);
  });
});

describe.each<readonly [string, Omit<FileOptions, "path">, readonly object[]]>([
  ["one file", { format: "parquet", rowGroupSize: 10 }, []],
  ["one file with a unique index", { format: "parquet", rowGroupSize: 10 }, [{ path: "key", unique: true }]],
  ["parts of a size", { format: "parquet", rowGroupSize: 10, maxPartBytes: 6000 }, []],
  ["parts by value", { format: "parquet", rowGroupSize: 10, partitionBy: "part" }, []],
])("%s", (_, options, indexes) => {
  test(`random writes give what a map gives (seed ${seed})`, async () => {
    const path = place("store.parquet");
    const next = random(seed);
    const open = (): Promise<Database> =>
      openDatabase(file({ ...options, path, fsync: false }), { indexes: indexes as never });
    let db = await open();
    const expected = new Map<string, object>();
    let made = 0;
    const value = (): object => {
      const kinds = [{ a: next(5) }, { a: next(9) / 2 }, { a: "text" }, { b: null }, { b: [1] }, { c: { d: next(3) } }];
      return { key: made++, part: `p${next(3)}`, ...kinds[next(kinds.length)], ...kinds[next(kinds.length)] };
    };
    const some = (): string => `id-${next(120)}`;
    for (let round = 0; round < 120; round++) {
      const many = Array.from({ length: 1 + next(30) }, some);
      switch (next(6)) {
        case 0: {
          const items = [...new Set(many)].filter((id) => !expected.has(id)).map((id) => ({ id, data: value() }));
          await db.createMany(items as never);
          for (const { id, data } of items) expected.set(id, data);
          break;
        }
        case 1: {
          const items = many.map((id) => ({ id, data: value() }));
          await db.upsertMany(items as never);
          for (const { id, data } of items) expected.set(id, data);
          break;
        }
        case 2: {
          await db.deleteMany(many);
          for (const id of many) expected.delete(id);
          break;
        }
        case 3: {
          const [id] = many as [string];
          const data = value();
          if ((await db.update(id, data as never)) !== undefined) expected.set(id, data);
          break;
        }
        case 4: {
          const [id] = many as [string];
          const patched = await db.patch(id, { a: round } as never);
          expect(patched !== undefined).toBe(expected.has(id));
          if (patched !== undefined) expected.set(id, { ...expected.get(id), a: round });
          break;
        }
        default: {
          await db.close();
          db = await open();
        }
      }
      if (round % 10 !== 9) continue;
      const found = new Map((await db.search()).map(({ id, data }) => [id, data]));
      expect(found).toEqual(expected);
      const ids = many.slice(0, 5);
      expect((await db.readMany(ids)).map((record) => record?.data)).toEqual(ids.map((id) => expected.get(id)));
    }
    await db.close();
    const files = "partitionBy" in options || "maxPartBytes" in options ? readdirSync(path) : undefined;
    const parts = files?.filter((name) => name.endsWith(".parquet")).map((name) => join(path, name)) ?? [path];
    const foreign = (await Promise.all(parts.map(read))).flat();
    expect(foreign.map(({ id }) => id).sort()).toEqual([...expected.keys()].sort());
  });
});
