/** The indexes themselves: that they are used, found again after deletes, and set to what the options say. */
import assert from "node:assert/strict";
import { openVectorStore, type VectorStore, where } from "@dataknobs/core";
import { type FaissOptions, faiss } from "@dataknobs/vector-faiss";
import { describe, it } from "@jest/globals";
import { clustered, entriesOf } from "./clusters.js";

const dimensions = 16;
const vectors = clustered(4000, dimensions);
const entries = entriesOf(vectors);
const questions = clustered(4000, dimensions, 50, 7)
  .slice(0, 40)
  .map((vector) => vector.map((at, index) => at + 0.05 * Math.sin(index)));

async function open(options: FaissOptions): Promise<VectorStore> {
  return openVectorStore(faiss({ thread: false, ...options }), { dimensions, metric: "euclidean" });
}

/** Of the true ten nearest, the share that is found. */
async function recall(
  store: VectorStore,
  options: { readonly filter?: ReturnType<typeof where> } = {},
): Promise<number> {
  const found = await store.searchMany(questions, { ...options, include: [] });
  const right = await store.searchMany(questions, { ...options, include: [], exact: true });
  let hits = 0;
  for (const [at, exact] of right.entries()) {
    const ids = new Set(exact.map(({ id }) => id));
    hits += (found[at] ?? []).filter(({ id }) => ids.has(id)).length;
  }
  return hits / right.reduce((sum, { length }) => sum + length, 0);
}

describe("parameters, which faiss-node cannot set", () => {
  it("nprobe decides how much an IVF finds", async () => {
    const found: number[] = [];
    for (const nprobe of [1, 64]) {
      const store = await open({ indexType: "IVF64,Flat", trainAt: 2000, nprobe });
      await store.add(entries);
      found.push(await recall(store));
      await store.close();
    }
    assert.equal(found[1], 1);
    assert.ok((found[0] as number) < 0.999, `all was found by one probe: ${found[0]}`);
  });

  it("efSearch decides how much HNSW finds", async () => {
    const found: number[] = [];
    for (const efSearch of [1, 400]) {
      const store = await open({ indexType: "HNSW4", efSearch, efConstruction: 8 });
      await store.add(entries);
      found.push(await recall(store));
      await store.close();
    }
    assert.ok((found[1] as number) > (found[0] as number) + 0.02, String(found));
  });

  it("efConstruction decides how good HNSW is", async () => {
    const found: number[] = [];
    for (const efConstruction of [4, 200]) {
      const store = await open({ indexType: "HNSW4", efConstruction });
      await store.add(entries);
      found.push(await recall(store));
      await store.close();
    }
    assert.ok((found[1] as number) > (found[0] as number), String(found));
  });
});

describe("training", () => {
  it("waits for enough vectors, searches exactly until then, and says so", async () => {
    const store = await open({ indexType: "IVF16,Flat" });
    await store.add(entries.slice(0, 600));
    const { search, why = "" } = store.explain();
    assert.equal(search, "exact");
    assert.match(why, /trained with 624 vectors, and there are 600/);
    assert.equal(await recall(store), 1);
    await store.add(entries.slice(600, 700));
    assert.equal(store.explain().search, "approximate");
    assert.equal(store.explain().index, "IVF16,Flat");
    await store.close();
  });

  it("is done when asked for, from one vector for each list on", async () => {
    const store = await open({ indexType: "IVF16,Flat" });
    await store.add(entries.slice(0, 15));
    assert.equal(await store.buildIndex(), false);
    await store.add(entries.slice(15, 16));
    assert.equal(await store.buildIndex(), true);
    assert.equal(store.explain().search, "approximate");
    await store.close();
  });
});

describe("deletes and updates", () => {
  for (const options of [
    { indexType: "Flat" },
    { indexType: "HNSW16", efSearch: 64 },
    { indexType: "IVF16,Flat", nprobe: 8 },
  ] satisfies FaissOptions[]) {
    it(`of ${options.indexType}: what is gone never comes back, what is moved is found where it is`, async () => {
      const store = await open(options);
      await store.add(entries);
      // enough that the index is made anew on the way
      for (let round = 0; round < 4; round++) {
        const gone = entries.slice(round * 500, round * 500 + 400).map(({ id }) => id);
        assert.ok((await store.delete(gone)).every(Boolean));
        const moved = entries
          .slice(round * 500 + 400, round * 500 + 500)
          .map((entry, n) => ({ ...entry, vector: vectors[(n * 7 + round) % 4000] as Float32Array }));
        await store.add(moved);
        for (const { id, vector } of moved.slice(0, 5)) {
          const hits = await store.search(vector, { k: 20 });
          assert.ok(
            hits.some((hit) => hit.id === id && hit.distance < 1e-3),
            `${id} is not where it was put`,
          );
        }
        const hits = (await store.searchMany(questions, { k: 50, include: [] })).flat();
        const missing = new Set(gone);
        assert.ok(!hits.some(({ id }) => missing.has(id)), "a deleted row was found");
        assert.equal(hits.length, questions.length * 50);
      }
      assert.equal(await store.count(), 2400);
      assert.ok((await recall(store)) > 0.95, String(await recall(store)));
      await store.close();
    });
  }
});

describe("filters", () => {
  for (const options of [
    { indexType: "HNSW8", efSearch: 32 },
    { indexType: "IVF16,Flat", nprobe: 2 },
  ] satisfies FaissOptions[]) {
    // by the index with many more hits than asked for, by measuring the rows that match, and between
    for (const most of [4000, 3500, 2000, 400, 40, 4]) {
      it(`of ${options.indexType}: ten hits where ${most} rows match`, async () => {
        const store = await open(options);
        await store.add(entries);
        const filter = where("n", "<", most);
        const answers = await store.searchMany(questions, { filter });
        for (const hits of answers) {
          assert.equal(hits.length, Math.min(10, most));
          assert.ok(hits.every(({ metadata }) => (metadata["n"] as number) < most));
        }
        assert.ok((await recall(store, { filter })) > 0.9);
        await store.close();
      });
    }
  }

  it("give k hits where the rows that match are far from the query", async () => {
    // the nearest lists and the nearest nodes have none of them
    const store = await open({ indexType: "IVF16,Flat", nprobe: 1 });
    const far = vectors.map((vector, n) => (n % 100 === 0 ? vector.map((at) => at + 50) : vector));
    await store.add(entriesOf(far).map((entry, n) => ({ ...entry, metadata: { n, far: n % 100 === 0 } })));
    for (const hits of await store.searchMany(questions, { filter: where("far", "=", true), k: 40 })) {
      assert.equal(hits.length, 40);
    }
    for (const hits of await store.searchMany(questions, { k: 3000 })) assert.equal(hits.length, 3000);
    await store.close();
  });
});
