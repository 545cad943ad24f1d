/** Indexes: made when they are due, used, told of; and filtered searches that give k. */
import { openVectorStore, type SearchOptions, type VectorStore, where } from "@dataknobs/core";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import driver from "postgres";
import type { PgvectorOptions } from "../src/index.js";
import { clustered } from "./clusters.js";
import { failure } from "./failure.js";
import { makeSchema, newTable, open, schemaName, sql, url } from "./server.js";

jest.setTimeout(120_000);
beforeAll(makeSchema);

const stores: VectorStore[] = [];
afterAll(async () => {
  for (const store of stores) await store.close();
  await eager.end();
});

/** Sessions that take an index wherever there is one, and that give up an iterative scan soon. */
const eager = driver(url, {
  max: 3,
  onnotice: () => undefined,
  connection: { enable_seqscan: "off", enable_sort: "off", "hnsw.max_scan_tuples": "300" },
});

async function openStore(
  options: PgvectorOptions,
  { dimensions = 32, metric = "cosine" }: { dimensions?: number; metric?: "cosine" | "euclidean" | "dot" } = {},
): Promise<VectorStore> {
  const store = await openVectorStore(open(options), { dimensions, metric });
  stores.push(store);
  return store;
}

interface Native {
  readonly sql: string;
  readonly params: readonly string[];
}

/** What PostgreSQL does of a search's own statement. */
async function planOf(client: driver.Sql, store: VectorStore, query: Float32Array, exact = false): Promise<string> {
  const { sql: text, params } = store.explain({ exact }).native as Native;
  const given = [`[${query.join(",")}]`, ...params.slice(1)];
  const rows = await client.unsafe(`EXPLAIN ${text}`, given).values();
  return rows.map(([line]) => line as string).join("\n");
}

const idsOf = (hits: readonly { readonly id: string }[]): string[] => hits.map(({ id }) => id);

describe("HNSW over 5,000 vectors in clusters", () => {
  const vectors = clustered(5000, 32, 100);
  const questions = clustered(20, 32, 100, 1).map((vector) => vector.map((at) => at + 0.01));
  const table = newTable();
  let store: VectorStore;
  let steady: VectorStore;

  beforeAll(async () => {
    store = await openStore({ table, indexType: "hnsw", buildAt: 0 });
    await store.add(
      vectors.map((vector, n) => ({ id: `v${n}`, vector, metadata: { hundredth: n % 97, cluster: n % 100 } })),
    );
    expect(store.explain()).toMatchObject({ search: "exact", why: expect.stringMatching(/not made yet.*buildIndex/) });
    expect(await store.buildIndex()).toBe(true);
    steady = await openStore({ table, indexType: "hnsw", buildAt: 0, sql: eager });
  });

  it("is told of by explain, and is what PostgreSQL takes by itself", async () => {
    const { search, index, completion, native } = store.explain();
    expect([search, completion]).toEqual(["approximate", "engine"]);
    expect(index).toMatch(/^dk_vectors_/);
    expect(native).toMatchObject({ "hnsw.ef_search": 100 });
    expect(await planOf(sql, store, questions[0] as Float32Array)).toMatch(new RegExp(`Index Scan using ${index}`));
    const exact = store.explain({ exact: true });
    expect(exact).toMatchObject({ search: "exact", why: "an exact search was asked for" });
    expect(await planOf(eager, store, questions[0] as Float32Array, true)).not.toMatch(/dk_vectors_/);
  });

  it("finds nearly all of the nearest", async () => {
    expect(await recallOf(store, {})).toBeGreaterThanOrEqual(0.95);
  });

  it("finds 10 of the 1 % that satisfy a filter, nearly all of them the nearest", async () => {
    for (const tuning of [{}, { efSearch: 25 }]) {
      const filter = where("hundredth", "=", 7);
      const recall = [await recallOf(store, { filter, tuning }), await recallOf(steady, { filter, tuning })];
      expect(Math.min(...recall)).toBeGreaterThanOrEqual(0.95);
    }
  });

  it("finds 10 where those that satisfy the filter are far from the query, beyond where the scan gives up", async () => {
    const filter = where("cluster", "=", 50);
    const { index } = steady.explain();
    expect(await planOf(eager, steady, vectors[1] as Float32Array)).toMatch(new RegExp(`Index Scan using ${index}`));
    const hits = await steady.search(vectors[1] as Float32Array, { k: 10, filter });
    expect(hits.length).toBe(10);
    expect(idsOf(hits)).toEqual(idsOf(await steady.search(vectors[1] as Float32Array, { k: 10, filter, exact: true })));
  });

  it("gives more hits than it has candidates, and many searches at once their own", async () => {
    const hits = await steady.search(vectors[3] as Float32Array, { k: 500, tuning: { efSearch: 1 } });
    expect(new Set(idsOf(hits)).size).toBe(500);
    expect((await steady.search(vectors[3] as Float32Array, { k: 1500 })).length).toBe(1500);
    const many = await store.searchMany(vectors.slice(0, 30), { k: 1 });
    expect(many.map(([hit]) => hit?.id)).toEqual(vectors.slice(0, 30).map((_, n) => `v${n}`));
  });

  it("takes tuning for one search, and a client that was given is not closed", async () => {
    const one = driver(url, { max: 1, onnotice: () => undefined });
    const tuned = await openStore({ table, indexType: "hnsw", sql: one, poolSize: 1 });
    await tuned.search(vectors[0] as Float32Array, { tuning: { efSearch: 777 } });
    expect(tuned.explain({ tuning: { efSearch: 777 } }).native).toMatchObject({ "hnsw.ef_search": 777 });
    for (const tuning of [{ efSearch: 0 }, { efSearch: 1.5 }, { efsearch: 10 }]) {
      expect((await failure(() => tuned.search(vectors[0] as Float32Array, { tuning }))).code).toBe("INVALID_QUERY");
    }
    await tuned.close();
    expect((await one`SELECT 1 AS one`)[0]).toEqual({ one: 1 });
    await one.end();
  });

  it("is made anew beside the old one, while a stream is open", async () => {
    const stream = store.stream(undefined, { include: [] })[Symbol.asyncIterator]();
    await stream.next();
    const before = store.explain().index;
    expect(await store.buildIndex()).toBe(true);
    await stream.return?.();
    expect(await store.buildIndex()).toBe(true);
    expect(store.explain().index).toMatch(/^dk_vectors_/);
    expect(before).toMatch(/^dk_vectors_/);
    const left =
      await sql`SELECT 1 FROM pg_indexes WHERE schemaname = ${schemaName} AND tablename = ${table} AND indexdef LIKE '%hnsw%'`;
    expect(left.length).toBeLessThanOrEqual(2);
    expect(await recallOf(store, {})).toBeGreaterThanOrEqual(0.95);
  });

  async function recallOf(
    one: VectorStore,
    options: { filter?: ReturnType<typeof where>; tuning?: object },
  ): Promise<number> {
    let found = 0;
    for (const question of questions) {
      const hits = await one.search(question, { k: 10, ...(options as SearchOptions) });
      expect(hits.length).toBe(10);
      const truth = new Set(idsOf(await one.search(question, { k: 10, exact: true, filter: options.filter })));
      found += idsOf(hits).filter((id) => truth.has(id)).length;
    }
    return found / (10 * questions.length);
  }
});

describe("IVFFlat", () => {
  it("is made of what is there when it is due, with as many lists as suit", async () => {
    const vectors = clustered(4000, 16, 40);
    const store = await openStore({ indexType: "ivfflat", buildAt: 4000 }, { dimensions: 16 });
    await store.add(vectors.slice(0, 3999).map((vector, n) => ({ id: `v${n}`, vector })));
    expect(store.explain().why).toMatch(/number 4000/);
    await store.add([{ id: "v3999", vector: vectors[3999] as Float32Array }]);
    expect(store.explain()).toMatchObject({ search: "approximate", native: { "ivfflat.probes": 4 } });
    const [row] =
      await sql`SELECT indexdef FROM pg_indexes WHERE schemaname = ${schemaName} AND indexname = ${store.explain().index as string}`;
    expect(row?.["indexdef"]).toMatch(/ivfflat.*vector_cosine_ops.*lists='?4/);
    expect(await planOf(sql, store, vectors[0] as Float32Array)).toMatch(/Index Scan using dk_vectors_/);
    const [hit] = await store.search(vectors[7] as Float32Array, { k: 1, tuning: { probes: 1 } });
    expect(hit?.id).toBe("v7");
  });

  it("counts a row that is replaced once", async () => {
    const store = await openStore({ indexType: "ivfflat", buildAt: 3 }, { dimensions: 2 });
    for (let n = 0; n < 5; n++) await store.add([{ id: "a", vector: [1, n] }]);
    expect(store.explain().search).toBe("exact");
    await Promise.all([
      store.add([{ id: "b", vector: [1, 2] }]),
      store.add([{ id: "c", vector: [1, 2] }]),
      store.add([{ id: "d", vector: [1, 2] }]),
    ]);
    expect(store.explain().search).toBe("approximate");
  });
});

describe("more than 2,000 dimensions", () => {
  it.each(["cosine", "euclidean", "dot"] as const)(
    "are indexed in 16-bit floats, and measured whole: %s",
    async (metric) => {
      const dimensions = 2100;
      const vectors = clustered(120, dimensions, 12);
      const store = await openStore({ indexType: "hnsw", buildAt: 0, sql: eager }, { dimensions, metric });
      await store.add(vectors.map((vector, n) => ({ id: `v${n}`, vector })));
      await store.buildIndex();
      expect(await planOf(eager, store, vectors[0] as Float32Array)).toMatch(/Index Scan using dk_vectors_/);
      const near = await store.search(vectors[5] as Float32Array, { k: 8, include: ["vector"] });
      const exact = await store.search(vectors[5] as Float32Array, { k: 8, exact: true });
      expect(idsOf(near)).toEqual(idsOf(exact));
      expect(near.map(({ distance }) => distance)).toEqual(exact.map(({ distance }) => distance));
      for (const { id, vector } of near) expect(vector).toEqual(vectors[Number(id.slice(1))]);
    },
  );

  it("come in the order of their whole vectors, which 16-bit floats do not tell apart", async () => {
    const dimensions = 2001;
    const store = await openStore({ indexType: "hnsw", buildAt: 1, sql: eager }, { dimensions, metric: "euclidean" });
    const ones = new Float32Array(dimensions).fill(1);
    // in an order that has nothing to do with that of their ids or their coming
    const entries = Array.from({ length: 20 }, (_, n) => ({
      id: `v${n}`,
      vector: ones.with(n, 1 + ((n * 7) % 20) * 1e-5),
    }));
    await store.add(entries);
    expect(await planOf(eager, store, ones)).toMatch(/Index Scan using dk_vectors_/);
    expect(idsOf(await store.search(ones, { k: 4 }))).toEqual(["v0", "v3", "v6", "v9"]);
  });

  it("refuse what 16-bit floats do not hold, and search exactly for it", async () => {
    const dimensions = 2001;
    const store = await openStore({ indexType: "hnsw", buildAt: 1, sql: eager }, { dimensions, metric: "dot" });
    const of = (number: number): Float32Array => new Float32Array(dimensions).fill(number);
    await store.add([{ id: "a", vector: of(1) }]);
    expect((await failure(() => store.add([{ id: "b", vector: of(70_000) }]))).code).toBe("INVALID_RECORD");
    expect(await store.count()).toBe(1);
    expect(idsOf(await store.search(of(70_000)))).toEqual(["a"]);
  });

  it("an index that cannot be made: the vectors are written, and the error says so", async () => {
    const table = newTable();
    const settings = { dimensions: 2001, metric: "dot" } as const;
    const of = (number: number): Float32Array => new Float32Array(2001).fill(number);
    await (await openStore({ table }, settings)).add([{ id: "a", vector: of(70_000) }]);
    const store = await openStore({ table, indexType: "hnsw", buildAt: 1 }, settings);
    const error = await failure(() => store.add([{ id: "b", vector: of(1) }]));
    expect([error.code, error.details["written"]]).toEqual(["INVALID_RECORD", 1]);
    expect(await store.count()).toBe(2);
    expect(idsOf(await store.search(of(1), { k: 2 }))).toEqual(["a", "b"]);
  });

  it("beyond 4,000 have no index: refused, with the way out", async () => {
    const error = await failure(() => openStore({ indexType: "hnsw" }, { dimensions: 4001 }));
    expect([error.code, error.message]).toEqual(["INVALID_CONFIG", expect.stringMatching(/4000.*indexType: "none"/)]);
    const store = await openStore({}, { dimensions: 5000 });
    await store.add([{ id: "a", vector: new Float32Array(5000).fill(0.5) }]);
    expect((await store.search(new Float32Array(5000).fill(0.5)))[0]?.score).toBeCloseTo(1);
    expect((await failure(() => openStore({}, { dimensions: 16_001 }))).code).toBe("LIMIT_EXCEEDED");
  });
});

describe("lengths that 32-bit floats cannot square", () => {
  it("are refused, and scaled away in a query under cosine", async () => {
    const cosine = await openStore({}, { dimensions: 2 });
    await cosine.add([{ id: "a", vector: [1, 1] }]);
    for (const vector of [
      [1e-20, 0],
      [1e20, 1e20],
    ]) {
      expect((await failure(() => cosine.add([{ id: "b", vector }]))).code).toBe("INVALID_RECORD");
      expect((await cosine.search([...vector].map((at) => at + 0)))[0]?.id).toBe("a");
    }
    expect((await cosine.search([1e-30, 1e-30]))[0]?.score).toBeCloseTo(1);
    const euclidean = await openStore({}, { dimensions: 2, metric: "euclidean" });
    await euclidean.add([{ id: "tiny", vector: [1e-30, 0] }]);
    expect((await failure(() => euclidean.add([{ id: "b", vector: [1e20, 0] }]))).code).toBe("INVALID_RECORD");
    expect((await failure(() => euclidean.search([1e20, 0]))).code).toBe("INVALID_QUERY");
    expect(await euclidean.get(["tiny"])).toMatchObject([{ vector: new Float32Array([1e-30, 0]) }]);
  });
});
