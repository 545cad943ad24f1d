/**
 * What Faiss refuses ends the process: nothing of that may be reached. The binary of the tests is compiled as the
 * published one; the first part shows that it does end the process, the second that the store never lets it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { DataknobsError, openVectorStore, where } from "@dataknobs/core";
import { type FaissOptions, faiss } from "@dataknobs/vector-faiss";
import { describe, it } from "@jest/globals";

const driver = createRequire(import.meta.url).resolve("faiss-node");

function ends(code: string): string | number | null {
  const script = `const { Index } = require(${JSON.stringify(driver)}); ${code}`;
  const { status, signal } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
  return signal ?? status;
}

describe("the binary", () => {
  const traps: { readonly [name: string]: string } = {
    "removing from HNSW": "const i = Index.fromFactory(2, 'HNSW8', 1); i.add([1, 2]); i.removeIds([0]);",
    "adding to an untrained IVF": "Index.fromFactory(2, 'IVF2,Flat', 1).add([1, 2]);",
    "training with fewer vectors than lists": "Index.fromFactory(2, 'IVF8,Flat', 1).train([1, 2]);",
    "adding to an IDMap": "Index.fromFactory(2, 'IDMap,Flat', 1).add([1, 2]);",
    "writing to a folder that is not there": "Index.fromFactory(2, 'Flat', 1).write('/nowhere/at/all');",
  };
  for (const [name, code] of Object.entries(traps)) {
    it(`ends the process: ${name}`, () => assert.equal(ends(code), "SIGABRT"));
  }

  it("works where nothing is wrong", () => {
    assert.equal(ends("const i = Index.fromFactory(2, 'HNSW8', 1); i.add([1, 2]); i.search([1, 2], 1);"), 0);
  });
});

const code = (expected: string) => (error: unknown) => DataknobsError.is(error) && error.code === expected;

describe("the store", () => {
  const refused: { readonly [name: string]: FaissOptions } = {
    "an unknown index": { indexType: "IVF" + "F" },
    "an index with ids of its own": { indexType: "IDMap,Flat" },
    "no storage": { indexType: "IVF10," },
    "an empty text": { indexType: "" },
    "a transform": { indexType: "PCA16,Flat" },
    "HNSW over PQ, which has no inner product": { indexType: "HNSW16,PQ8" },
    "no lists": { indexType: "IVF0,Flat" },
    "too many lists": { indexType: "IVF9999999,Flat" },
    "one link": { indexType: "HNSW1" },
    "hostile text": { indexType: "Flat\n; rm" },
    "nprobe of HNSW": { indexType: "HNSW32", nprobe: 4 },
    "efSearch of IVF": { indexType: "IVF8,Flat", efSearch: 4 },
    "more probes than lists": { indexType: "IVF8,Flat", nprobe: 9 },
    "training with too few": { indexType: "IVF8,Flat", trainAt: 7 },
    "training of what is not trained": { indexType: "Flat", trainAt: 7 },
    "no probes": { indexType: "IVF8,Flat", nprobe: 0 },
  };
  for (const [name, options] of Object.entries(refused)) {
    it(`refuses ${name}`, () => assert.throws(() => faiss(options), code("INVALID_CONFIG")));
  }

  it("refuses pieces that do not divide the dimensions", async () => {
    await assert.rejects(openVectorStore(faiss({ indexType: "PQ3" }), { dimensions: 8 }), code("INVALID_CONFIG"));
  });

  it("reads index types in any case, and the short names", () => {
    // without PQ: its training takes a minute with the libfaiss that tests are compiled against
    for (const indexType of ["flat", "hnsw", "IVFFlat", "ivf16,flat", "HNSW32,Flat", "ivf16_hnsw8,sq8", "sqfp16"]) {
      assert.equal(faiss({ indexType }).name, "faiss");
    }
  });

  for (const indexType of ["Flat", "HNSW8", "HNSW8,SQ8", "IVF4,Flat", "IVF4_HNSW8,Flat", "IVF4,SQ8", "SQ8", "SQfp16"]) {
    for (const metric of ["cosine", "euclidean", "dot"] as const) {
      it(`lives through a whole life of ${indexType}, ${metric}`, async () => {
        const trained = !/^(Flat|HNSW8)$/.test(indexType);
        const store = await openVectorStore(faiss({ indexType, thread: false, ...(trained && { trainAt: 4 }) }), {
          dimensions: 4,
          metric,
        });
        const rows = (from: number, to: number): { id: string; vector: number[]; metadata: { n: number } }[] =>
          Array.from({ length: to - from }, (_, n) => ({
            id: `${from + n}`,
            vector: [Math.sin(from + n), Math.cos((from + n) * 2), 1, (from + n) % 5],
            metadata: { n: from + n },
          }));
        await store.add(rows(0, 3));
        assert.equal((await store.search([1, 1, 1, 1], { k: 1000 })).length, 3);
        await store.add(rows(3, 300));
        assert.equal((await store.search([1, 1, 1, 1], { k: 1000 })).length, 300);
        assert.equal(store.explain().index !== undefined, true, "no index");
        await store.add(rows(0, 200));
        await store.delete(["0", "1", "299", "none"]);
        assert.equal((await store.search([1, 1, 1, 1], { k: 297 })).length, 297);
        assert.equal((await store.search([1, 1, 1, 1], { k: 9, filter: where("n", "<", 20) })).length, 9);
        assert.equal(await store.clear(where("n", ">=", 10)), 289);
        assert.equal((await store.search([1, 1, 1, 1], { k: 50 })).length, 8);
        assert.equal(await store.clear(), 8);
        assert.deepEqual(await store.search([1, 1, 1, 1]), []);
        assert.equal(await store.buildIndex(), false);
        await store.add(rows(0, 300));
        assert.equal((await store.search([1, 1, 1, 1], { k: 300 })).length, 300);
        await store.close();
      });
    }
  }

  for (const metric of ["euclidean", "dot"] as const) {
    it(`finds what 32-bit squares do not hold, ${metric}`, async () => {
      const store = await openVectorStore(faiss({ indexType: "Flat", thread: false }), { dimensions: 2, metric });
      await store.add([
        { id: "tiny", vector: [1e-30, 0] },
        { id: "small", vector: [3e-30, 0] },
        { id: "vast", vector: [1e30, 0] },
      ]);
      const nearest = await store.search([1.1e-30, 0], { k: 3 });
      assert.deepEqual(
        nearest.map(({ id }) => id),
        metric === "dot" ? ["vast", "small", "tiny"] : ["tiny", "small", "vast"],
      );
      assert.match(store.explain().why ?? "", /32-bit/);
      await store.delete(["tiny", "small", "vast"]);
      await store.add([{ id: "one", vector: [1, 0] }]);
      assert.equal(store.explain().index, "Flat");
      await store.close();
    });
  }
});
