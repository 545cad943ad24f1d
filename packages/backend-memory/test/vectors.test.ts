import assert from "node:assert/strict";
import { memory } from "@dataknobs/backend-memory";
import { openDatabase, vectorStoreOf, where } from "@dataknobs/core";
import { testVectorBackend } from "@dataknobs/core/conformance";
import { type VectorCapabilities, vectorBackendOf } from "@dataknobs/core/vector";
import { describe, it } from "@jest/globals";

const here = memory().capabilities;
const capabilities: Partial<VectorCapabilities> = {
  pushdown: here.pushdown.filter((kind) => kind !== "after" && kind !== "tied"),
  index: "exact",
  exactSearch: true,
  complete: true,
  atomicBatch: true,
};

describe("a field of a database as a vector store", () => {
  testVectorBackend({
    describe,
    it,
    open: async () => vectorBackendOf(await openDatabase(memory()), "embedding"),
    capabilities,
  });

  it("keeps other fields of a record, and finds records that others wrote", async () => {
    await using db = await openDatabase(memory(), {
      indexes: [{ path: "deep.e", vector: { dimensions: 2, metric: "euclidean" } }],
    });
    const store = vectorStoreOf(db, "deep.e", { text: "body" });
    assert.deepEqual([store.dimensions, store.metric], [2, "euclidean"]);
    await db.create({ deep: { e: new Float32Array([1, 2]), n: 1n }, body: "hello" }, { id: "a", metadata: { x: 1 } });
    await db.create({ deep: { e: [1, 2] } }, { id: "list" });
    const include = ["metadata", "text"] as const;
    const found = { id: "a", metadata: { x: 1 }, text: "hello", score: 0.5, distance: 1 };
    assert.deepEqual(await store.search([1, 3], { k: 5, include }), [found]);
    await store.add([{ id: "a", vector: [5, 5], metadata: { x: 2 } }]);
    const record = await db.read("a");
    assert.deepEqual(record?.data, { deep: { e: new Float32Array([5, 5]), n: 1n } });
    assert.deepEqual(record?.metadata, { x: 2 });
    assert.equal(await store.count(where("x", "=", 2)), 1);
    await store.close();
    assert.equal(await db.count(), 2);
    assert.throws(() => vectorStoreOf(db, "deep.e", { dimensions: 3 }), /declared with 2/);
    assert.throws(() => vectorStoreOf(db, "metadata.e", { dimensions: 3 }), /no field of the data/);
    assert.throws(() => vectorStoreOf(db, "other"), /dimensions/);
    assert.throws(() => vectorStoreOf(db, "text", { dimensions: 3 }), /three fields/);
  });
});
