/** Fields of vectors: what is indexed of them, and what Elasticsearch would measure wrongly or not take. */
import { type ElasticsearchOptions, elasticsearch, nativeOf } from "@dataknobs/backend-elasticsearch";
import { type Database, type IndexDeclaration, openDatabase, type Query, where } from "@dataknobs/core";
import { afterAll, describe, expect, it, jest } from "@jest/globals";
import { freshName, removeAll, request, serverUrl } from "./server.js";

const hosts = serverUrl();
jest.setTimeout(120_000);
afterAll(removeAll);

type Vector = NonNullable<IndexDeclaration["vector"]>;

async function open(vector: Vector, options: ElasticsearchOptions = {}): Promise<Database> {
  const backend = elasticsearch({ hosts, index: freshName(), replicas: 0, ...options });
  return (await openDatabase(backend, { indexes: [{ path: "e", vector }] })) as Database;
}

const near = (vector: readonly number[], k: number, exact = false): Query => ({
  nearest: { path: "e", vector, k, exact },
});
const idsOf = (records: readonly { readonly id: string }[]): string[] => records.map(({ id }) => id);

describe("vectors that Elasticsearch measures wrongly", () => {
  const long = { huge: [1e30, 1e30], other: [-1e30, 1e30] };
  it.each([
    ["dot", { ...long, a: [1, 1], b: [2, 1] }, ["huge", "b", "a"]],
    ["euclidean", { ...long, a: [1, 1], b: [2, 1] }, ["a", "b", "huge"]],
    ["cosine", { tiny: [1e-30, 2e-30], huge: [1e30, 1e30], a: [1, 0], b: [-1, 0] }, ["huge", "tiny", "a"]],
  ] as const)("are found all the same by %s, and come back as they were", async (metric, vectors, expected) => {
    await using db = await open({ dimensions: 2, metric });
    for (const [id, e] of Object.entries(vectors)) await db.create({ e: new Float32Array(e) }, { id });
    const asked = metric === "cosine" ? [1, 1] : [1, 0.5];
    for (const exact of [false, true]) {
      const found = await db.search(near(asked, 10, exact));
      expect(found).toHaveLength(4);
      expect(idsOf(found).slice(0, 3)).toEqual(expected);
      expect(found.find(({ id }) => id === "huge")?.data["e"]).toEqual(new Float32Array([1e30, 1e30]));
    }
  });

  it("a question beyond it is left to core", async () => {
    await using db = await open({ dimensions: 2, metric: "dot" });
    await db.create({ e: new Float32Array([1, 0]) }, { id: "a" });
    expect(db.explain(near([1e30, 0], 1)).nearest.how).toBe("emulated");
    expect(idsOf(await db.search(near([1e30, 0], 1)))).toEqual(["a"]);
  });
});

describe("declarations", () => {
  it("explain names the graph; without one every candidate is measured", async () => {
    await using db = await open({ dimensions: 2, metric: "cosine" });
    expect(db.explain(near([1, 0], 3)).nearest).toEqual({ how: "pushed", exact: false, index: "e:vector" });
    expect(db.explain(near([1, 0], 3, true)).nearest).toEqual({ how: "pushed", exact: true });
    await using flat = await open({ dimensions: 2, metric: "cosine", index: "none" });
    await flat.create({ e: new Float32Array([1, 0]) }, { id: "a" });
    expect(flat.explain(near([1, 0], 3)).nearest).toEqual({ how: "pushed", exact: true });
    expect(idsOf(await flat.search(near([1, 0], 3)))).toEqual(["a"]);
  });

  it("beyond 4096 dimensions core measures, and says so", async () => {
    await using db = await open({ dimensions: 4097, metric: "dot" });
    const e = new Float32Array(4097).fill(0.1);
    await db.create({ e }, { id: "a" });
    expect(db.explain(near([...e], 1)).nearest.how).toBe("emulated");
    expect((await db.search(near([...e], 1)))[0]?.data["e"]).toEqual(e);
  });

  it("another for the same field replaces the first", async () => {
    const index = freshName();
    await (await open({ dimensions: 2, metric: "cosine" }, { index })).close();
    await using db = await open({ dimensions: 3, metric: "dot" }, { index });
    const { create, keep } = await db.indexes.plan();
    expect(create).toEqual([]);
    expect(keep.map(({ name, spec }) => [name, spec?.vector])).toEqual([
      ["e:vector", { dimensions: 3, metric: "dot" }],
    ]);
    await db.create({ e: new Float32Array([1, 2, 3]) }, { id: "a" });
    expect(idsOf(await db.search(near([1, 0, 0], 1)))).toEqual(["a"]);
  });

  it("no element of a vector is indexed by itself, and conditions on them are still answered", async () => {
    await using db = await open({ dimensions: 2, metric: "cosine" });
    await db.create({ e: new Float32Array([0.5, 2]) }, { id: "a" });
    await db.create({ e: [0.5] }, { id: "list" });
    const contains = { where: where("e", "contains", 0.5) };
    expect(idsOf(await db.search(contains)).sort()).toEqual(["a", "list"]);
    expect(db.explain(contains).clauses[0]?.how).toBe("emulated");
    const { index, field } = nativeOf(db);
    expect(field("e")).toMatchObject({ key: undefined, vector: expect.stringMatching(/^side\.v\./) });
    await db.settle();
    const { body } = await request("POST", `/${index}/_count`, { query: { prefix: { "side.terms": "d/e:e" } } });
    expect(body).toMatchObject({ count: 0 });
  });
});
