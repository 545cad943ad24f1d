/** The thread beside: it does the work, answers of one moment come from it, and several live side by side. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { openVectorStore, where } from "@dataknobs/core";
import { faiss } from "@dataknobs/vector-faiss";
import { describe, it } from "@jest/globals";
import { clustered, entriesOf } from "./clusters.js";

const dimensions = 16;
const entries = entriesOf(clustered(2000, dimensions));
const query = entries[5]?.vector as Float32Array;

describe("the thread of a store", () => {
  it("lives beside others and beside a store on this thread, all opened at once", async () => {
    // faiss-node has one constructor for the whole process, and another thread's ends it
    const stores = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        openVectorStore(faiss({ indexType: n % 2 === 0 ? "HNSW8" : "IVF4,Flat", thread: n !== 3 }), { dimensions }),
      ),
    );
    await Promise.all(stores.map((store) => store.add(entries)));
    await Promise.all(stores.map((store) => store.buildIndex()));
    for (const store of stores) assert.equal((await store.search(query, { k: 1 }))[0]?.id, "v5");
    await Promise.all(stores.map((store) => store.close()));
  });

  it("answers as the store was when it was asked", async () => {
    const store = await openVectorStore(faiss({ indexType: "HNSW8" }), { dimensions });
    await store.add(entries);
    const asked = store.search(query, { k: 3, filter: where("n", "=", 5) });
    const changed = store.updateMetadata("v5", { n: -1 });
    const deleted = store.delete(["v6"]);
    const hits = await asked;
    assert.deepEqual(
      hits.map(({ id, metadata }) => [id, metadata]),
      [["v5", { n: 5 }]],
    );
    await Promise.all([changed, deleted]);
    assert.deepEqual(await store.search(query, { k: 3, filter: where("n", "in", [5, 6]) }), []);
    await store.close();
  });

  it("finds every row, before or after, of one that is replaced again and again", async () => {
    const store = await openVectorStore(faiss({ indexType: "HNSW8" }), { dimensions });
    await store.add(entries.slice(0, 500));
    const row = { id: "v5", vector: query };
    for (let round = 0; round < 30; round++) {
      const writing = store.add([{ ...row, metadata: { n: round } }]);
      const found = await Promise.all(Array.from({ length: 5 }, () => store.search(query, { k: 1 })));
      for (const [hit] of found) assert.equal(hit?.id, "v5");
      await writing;
    }
    await store.close();
  });

  it("does not keep a process alive that has nothing to do", () => {
    const script = `
      import { openVectorStore } from "@dataknobs/core";
      import { faiss } from "@dataknobs/vector-faiss";
      const store = await openVectorStore(faiss(), { dimensions: 2 });
      await store.add([{ id: "a", vector: [1, 2] }]);
      console.log((await store.search([1, 2]))[0].id);
    `;
    const { stdout, status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      timeout: 60_000,
    });
    assert.deepEqual([stdout, status, stderr], ["a\n", 0, ""]);
  });
});
