/** Fields of vectors: what pgvector is asked, where it cannot be, and what it would get wrong. */
import { type Database, type IndexDeclaration, openDatabase, type Query, where } from "@dataknobs/core";
import { beforeAll, describe, expect, it } from "@jest/globals";
import { type PostgresOptions, postgres } from "../src/index.js";
import { makeSchema, newTable, schemaName, sql, url } from "./server.js";

beforeAll(makeSchema);

type Vector = NonNullable<IndexDeclaration["vector"]>;

async function open(table: string, vector: Vector, options: PostgresOptions = {}): Promise<Database> {
  const backend = postgres({ connectionString: url, schemaName, poolSize: 2, table, ...options });
  return (await openDatabase(backend, { indexes: [{ path: "e", vector }] })) as Database;
}

const near = (vector: readonly number[], k: number, more: Partial<Query> = {}, exact = false): Query => ({
  nearest: { path: "e", vector, k, exact },
  ...more,
});
const idsOf = (records: readonly { readonly id: string }[]): string[] => records.map(({ id }) => id);

/** Of a ring of vectors, each a little further on. */
const ring = (count: number, dimensions = 8) =>
  Array.from({ length: count }, (_, n) => {
    const e = new Float32Array(dimensions);
    e[0] = Math.cos(n / 100);
    e[1] = Math.sin(n / 100);
    for (let at = 2; at < dimensions; at++) e[at] = 0.01;
    return { id: `r${String(n).padStart(4, "0")}`, data: { n, e } };
  });

describe("an HNSW index", () => {
  it("is named by explain, used by the server, and gives k hits behind a filter of any kind", async () => {
    const table = newTable();
    await using db = await open(table, { dimensions: 8, metric: "cosine" });
    await db.createMany(ring(300));
    const asked = near([1, 0, 0, 0, 0, 0, 0, 0], 10);
    const { nearest } = db.explain(asked);
    expect([nearest.how, nearest.exact, nearest.index]).toEqual(["pushed", false, "e:vector"]);
    expect(db.explain(near([1, 0, 0, 0, 0, 0, 0, 0], 10, {}, true)).nearest).toEqual({ how: "pushed", exact: true });
    for (const test of [where("n", ">=", 288), where("n", "regex", "^x"), where("id", ">", "r0289")]) {
      const filtered = { ...asked, where: test };
      const exact = near([1, 0, 0, 0, 0, 0, 0, 0], 10, { where: test }, true);
      expect(idsOf(await db.search(filtered))).toEqual(idsOf(await db.search(exact)));
    }
    expect(await db.search({ ...asked, where: where("n", ">=", 290) })).toHaveLength(10);
  });

  it("is over 16-bit floats above 2,000 dimensions, and the scores are of whole ones", async () => {
    await using db = await open(newTable(), { dimensions: 2001, metric: "euclidean" });
    const records = ring(60, 2001);
    await db.createMany(records);
    const asked = Array.from(records[7]?.data.e as Float32Array);
    const found = await db.search(near(asked, 5));
    expect(db.explain(near(asked, 5)).nearest.exact).toBe(false);
    expect(idsOf(found)).toEqual(idsOf(await db.search(near(asked, 5, {}, true))));
    expect(found[0]).toMatchObject({ id: "r0007", score: 1 });
  });

  it("is none above 4,000 dimensions: the server measures all", async () => {
    await using db = await open(newTable(), { dimensions: 4001, metric: "dot" });
    const records = ring(5, 4001);
    await db.createMany(records);
    const asked = near(Array.from(records[3]?.data.e as Float32Array), 1);
    expect(db.explain(asked).nearest).toEqual({ how: "pushed", exact: true });
    expect(idsOf(await db.search(asked))).toEqual(["r0003"]);
  });
});

describe("vectors that pgvector measures wrongly", () => {
  const long = { huge: [1e30, 1e30], other: [-1e30, 1e30] };
  it.each([
    ["dot", { ...long, a: [1, 1], b: [2, 1] }, ["huge", "b", "a", "other"]],
    ["euclidean", { ...long, a: [1, 1], b: [2, 1] }, ["a", "b", "huge", "other"]],
    ["cosine", { tiny: [1e-30, 2e-30], huge: [1e30, 1e30], a: [1, 0], b: [-1, 0] }, ["huge", "tiny", "a", "b"]],
  ] as const)("are found all the same by %s", async (metric, vectors, expected) => {
    await using db = await open(newTable(), { dimensions: 2, metric });
    for (const [id, e] of Object.entries(vectors)) await db.create({ e: new Float32Array(e) }, { id });
    const asked = metric === "cosine" ? [1, 1] : [1, 0.5];
    for (const exact of [false, true]) {
      expect(idsOf(await db.search(near(asked, 10, {}, exact))).slice(0, expected.length - 1)).toEqual(
        expected.slice(0, -1),
      );
      expect(await db.count(near(asked, 10, {}, exact))).toBe(4);
    }
  });

  it("a question beyond it is left to core", async () => {
    await using db = await open(newTable(), { dimensions: 2, metric: "dot" });
    await db.create({ e: new Float32Array([1, 0]) }, { id: "a" });
    expect(db.explain(near([1e30, 0], 1)).nearest.how).toBe("emulated");
    expect(idsOf(await db.search(near([1e30, 0], 1)))).toEqual(["a"]);
  });
});

describe("declarations", () => {
  it("ivfflat is made once there are rows to learn from", async () => {
    const table = newTable();
    const vector = { dimensions: 8, metric: "cosine", index: "ivfflat" } as const;
    const asked = near([1, 0, 0, 0, 0, 0, 0, 0], 3);
    {
      await using db = await open(table, vector);
      await db.createMany(ring(1200));
      expect(db.explain(asked).nearest).toEqual({ how: "pushed", exact: true });
    }
    await using db = await open(table, vector);
    expect(db.explain(asked).nearest).toEqual({ how: "pushed", exact: false, index: "e:vector" });
    expect(idsOf(await db.search(asked))).toEqual(["r0000", "r0628", "r0629"]);
  });

  it("are listed, replaced by another for the same field, and dropped with their column", async () => {
    const table = newTable();
    const columns = async (): Promise<number> => {
      const [row] = await sql`
        SELECT count(*)::int AS n FROM information_schema.columns
        WHERE table_schema = ${schemaName} AND table_name = ${table} AND column_name LIKE 'vector%'`;
      return row?.["n"] as number;
    };
    await (await open(table, { dimensions: 2, metric: "cosine" })).close();
    await using db = await open(table, { dimensions: 3, metric: "dot" });
    expect(await columns()).toBe(1);
    const plan = await db.indexes.plan();
    expect(plan.create).toEqual([]);
    expect(plan.keep.map(({ name, spec }) => [name, spec?.vector])).toEqual([
      ["e:vector", { dimensions: 3, metric: "dot" }],
    ]);
    await using without = await openDatabase(postgres({ connectionString: url, schemaName, table }));
    await without.indexes.apply({ drop: true });
    expect(await columns()).toBe(0);
    expect((await without.indexes.plan()).drop).toEqual([]);
  });
});

describe("without pgvector", () => {
  it("core measures, and says so; the extension is made where that is allowed", async () => {
    const name = `${schemaName}_bare`;
    await sql.unsafe(`CREATE DATABASE ${name}`);
    await sql.unsafe(`CREATE ROLE ${name} LOGIN PASSWORD 'bare'`);
    const at = new URL(url);
    at.pathname = `/${name}`;
    const own = new URL(at);
    [own.username, own.password] = [name, "bare"];
    try {
      const admin = await openDatabase(postgres({ connectionString: at.href }));
      await admin.sql(`CREATE SCHEMA own AUTHORIZATION ${name}`);
      const vector = { dimensions: 2, metric: "cosine" } as const;
      const table = newTable();
      {
        await using db = await open(table, vector, { connectionString: own.href, schemaName: "own" });
        await db.create({ e: new Float32Array([1, 0]) }, { id: "a" });
        expect(db.capabilities.nearest).toBeUndefined();
        expect(db.explain(near([1, 0], 1)).nearest).toMatchObject({ how: "emulated", exact: true });
        expect(idsOf(await db.search(near([1, 0], 1)))).toEqual(["a"]);
        expect((await db.indexes.plan()).create).toEqual([]);
      }
      {
        await using db = await open(table, vector, { connectionString: at.href, schemaName: "own" });
        expect(db.explain(near([1, 0], 1)).nearest.how).toBe("pushed");
        expect(idsOf(await db.search(near([1, 0], 1)))).toEqual(["a"]);
      }
      await admin.close();
    } finally {
      await sql.unsafe(`DROP DATABASE ${name} WITH (FORCE)`);
      await sql.unsafe(`DROP ROLE ${name}`);
    }
  });
});
