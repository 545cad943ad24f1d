import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { openVectorStore, where } from "../../src/index.js";
import { TinyVectors } from "./tiny.js";

describe("a vector store", () => {
  it("adds, searches, filters and deletes", async () => {
    await using store = await openVectorStore(new TinyVectors(), { dimensions: 2 });
    await store.add([
      { id: "a", vector: [1, 0], metadata: { lang: "en", at: new Date(0) }, text: "one" },
      { id: "b", vector: [0, 1], metadata: { lang: "de" } },
      { id: "c", vector: new Float32Array([1, 1]) },
    ]);
    const hits = await store.search([1, 0], { k: 2 });
    assert.deepEqual(
      hits.map(({ id }) => id),
      ["a", "c"],
    );
    assert.deepEqual(hits[0], {
      id: "a",
      metadata: { lang: "en", at: new Date(0) },
      text: "one",
      score: 1,
      distance: 0,
    });
    assert.deepEqual(
      (await store.search([1, 0], { filter: where("lang", "=", "de"), include: [] })).map(({ id }) => id),
      ["b"],
    );
    assert.equal(await store.count(where("id", "in", ["a", "c"])), 2);
    assert.deepEqual(await store.delete(["a", "x"]), [true, false]);
    assert.equal(await store.updateMetadataWhere(where("lang", "exists"), { n: 1 }), 1);
    const all = [];
    for await (const one of store.stream()) all.push(one);
    assert.equal(all.length, 2);
  });
});
