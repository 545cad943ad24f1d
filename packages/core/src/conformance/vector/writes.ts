/** Adding, getting, deleting. */
import assert from "node:assert/strict";
import { where } from "../../query/builder.js";
import type { VectorEntry } from "../../vector/writes.js";
import { idsOf, same } from "../expect.js";
import type { VectorCase } from "./case.js";
import { clustered, entriesOf } from "./vectors.js";

const f32 = (...numbers: readonly number[]): Float32Array => new Float32Array(numbers);

export const writeCases: readonly VectorCase[] = [
  {
    id: "add/gives-the-ids-in-order",
    run: async ({ store }) => {
      same(
        await store.add([
          { id: "b", vector: [1, 0, 0] },
          { id: "a", vector: f32(0, 1, 0) },
        ]),
        ["b", "a"],
      );
      same(await store.count(), 2);
    },
  },
  {
    id: "add/makes-ids-where-none-are-given",
    run: async ({ store }) => {
      const ids = await store.add([{ vector: [1, 0, 0] }, { vector: [1, 0, 0] }]);
      assert.equal(new Set(ids).size, 2);
      same(
        (await store.get(ids)).map((row) => row?.id),
        ids,
      );
    },
  },
  {
    id: "add/of-nothing-is-nothing",
    run: async ({ store }) => {
      same(await store.add([]), []);
      same(await store.count(), 0);
    },
  },
  {
    id: "add/replaces-vector-metadata-and-text",
    run: async ({ store }) => {
      await store.add([{ id: "a", vector: [1, 0, 0], metadata: { n: 1, gone: true }, text: "one" }]);
      await store.add([{ id: "a", vector: [0, 1, 0], metadata: { n: 2 } }]);
      same(await store.get(["a"]), [{ id: "a", vector: f32(0, 1, 0), metadata: { n: 2 } }]);
      same(await store.count(), 1);
      same(idsOf(await store.search([1, 0, 0], { k: 5 })), ["a"]);
      same(await store.count(where("gone", "exists")), 0);
    },
  },
  {
    id: "add/the-replaced-vector-is-not-found-any-more",
    run: async ({ store }) => {
      await store.add([
        { id: "a", vector: [1, 0, 0] },
        { id: "b", vector: [0.9, 0.1, 0] },
      ]);
      await store.add([{ id: "a", vector: [0, 0, 1] }]);
      same(idsOf(await store.search([1, 0, 0], { k: 1 })), ["b"]);
      same(idsOf(await store.search([0, 0, 1], { k: 1 })), ["a"]);
    },
  },
  {
    id: "add/the-last-of-an-id-in-one-list-wins",
    run: async ({ store }) => {
      const ids = await store.add([
        { id: "a", vector: [1, 0, 0], metadata: { n: 1 }, text: "first" },
        { id: "b", vector: [0, 0, 1] },
        { id: "a", vector: [0, 1, 0], metadata: { n: 2 } },
      ]);
      same(ids, ["a", "b", "a"]);
      same(await store.count(), 2);
      same(await store.get(["a"]), [{ id: "a", vector: f32(0, 1, 0), metadata: { n: 2 } }]);
      same(idsOf(await store.search([0, 1, 0], { k: 5 })).sort(), ["a", "b"]);
    },
  },
  {
    id: "add/keeps-nothing-of-the-callers",
    run: async ({ store }) => {
      const entry = { id: "a", vector: f32(1, 0, 0), metadata: { list: [1], at: new Date(5) } };
      const adding = store.add([entry]);
      entry.vector.fill(9);
      entry.metadata.list.push(2);
      entry.metadata.at.setTime(0);
      await adding;
      const stored = { id: "a", vector: f32(1, 0, 0), metadata: { list: [1], at: new Date(5) } };
      same(await store.get(["a"]), [stored]);
      entry.vector.fill(7);
      same(await store.get(["a"]), [stored]);
      same(entry.vector, f32(7, 7, 7));
    },
  },
  {
    id: "add/thousands-at-once",
    settings: { dimensions: 8, metric: "euclidean" },
    run: async ({ store, seed }) => {
      const vectors = clustered(seed, { count: 2500, dimensions: 8, clusters: 25 });
      const ids = await store.add(entriesOf(vectors, (n) => ({ n })));
      same(ids.length, 2500);
      same(await store.count(), 2500);
      for (const at of [0, 999, 1000, 2499]) {
        same(await store.get([`v${at}`]), [{ id: `v${at}`, vector: vectors[at], metadata: { n: at } }]);
      }
      same((await store.get(ids)).filter((row) => row === undefined).length, 0);
      const gone = await store.delete(ids.slice(100));
      same([gone.length, gone.every(Boolean), await store.count()], [2400, true, 100]);
    },
  },
  {
    id: "get/is-positional",
    run: async ({ store }) => {
      await store.add([
        { id: "a", vector: [1, 0, 0] },
        { id: "b", vector: [0, 1, 0] },
      ]);
      const rows = await store.get(["x", "b", "a", "b"], { include: [] });
      same(rows, [undefined, { id: "b" }, { id: "a" }, { id: "b" }]);
      same(await store.get([]), []);
    },
  },
  ...(["cosine", "euclidean", "dot"] as const).map(
    (metric): VectorCase => ({
      id: `get/vectors-come-back-as-they-were-given/${metric}`,
      settings: { dimensions: 4, metric },
      requires: ({ metrics }) => metrics.includes(metric),
      run: async ({ store }) => {
        const vectors = [f32(0, 2, 0, 0), f32(3, -4, 0.1, 1e-7), f32(1e-3, 1 / 3, -1e5, 7)];
        await store.add(vectors.map((vector, n) => ({ id: `v${n}`, vector })));
        const rows = await store.get(["v0", "v1", "v2"], { include: ["vector"] });
        same(
          rows.map((row) => row?.vector),
          vectors,
        );
        const hits = await store.search(vectors[0] as Float32Array, { k: 3, include: ["vector"] });
        for (const hit of hits) same(hit.vector, vectors[Number(hit.id.slice(1))], "vector of a hit");
        for await (const row of store.stream())
          same(row.vector, vectors[Number(row.id.slice(1))], "vector of a stream");
      },
      unsupported: async () => undefined,
    }),
  ),
  {
    id: "get/doubles-are-rounded-to-floats-and-minus-zero-is-zero",
    settings: { dimensions: 4, metric: "euclidean" },
    run: async ({ store }) => {
      await store.add([
        { id: "a", vector: [0.1, 1 / 3, -0, 16_777_217] },
        { id: "b", vector: new Float64Array([0.1, 0, -0, 1]) },
      ]);
      const [a, b] = await store.get(["a", "b"], { include: ["vector"] });
      same(a?.vector, f32(0.1, 1 / 3, 0, 16_777_216));
      same(b?.vector, f32(0.1, 0, 0, 1));
    },
  },
  {
    id: "get/what-it-gives-is-yours",
    run: async ({ store }) => {
      const stored = (): object => ({
        id: "a",
        vector: f32(1, 2, 3),
        metadata: { at: new Date(5), bytes: new Uint8Array([1]) },
      });
      await store.add([stored() as VectorEntry]);
      const look = async (): Promise<void> => {
        for (const { vector, metadata } of await found(store.get(["a"]))) {
          vector.fill(9);
          (metadata["at"] as Date).setTime(0);
          (metadata["bytes"] as Uint8Array)[0] = 9;
        }
        for (const { vector, metadata } of await store.search([1, 2, 3], { k: 1, include: ["vector", "metadata"] })) {
          vector.fill(9);
          (metadata["at"] as Date).setTime(0);
        }
        for await (const one of store.stream()) one.vector.fill(9);
      };
      await look();
      same(await store.get(["a"]), [stored()]);
      same(idsOf(await store.search([1, 2, 3], { k: 1 })), ["a"]);
    },
  },
  {
    id: "get/only-the-parts-that-were-asked-for",
    run: async ({ store }) => {
      await store.add([
        { id: "a", vector: [1, 2, 3], metadata: { n: 1 }, text: "t" },
        { id: "b", vector: [1, 2, 3] },
      ]);
      same(await store.get(["a", "b"]), [
        { id: "a", vector: f32(1, 2, 3), metadata: { n: 1 }, text: "t" },
        { id: "b", vector: f32(1, 2, 3), metadata: {} },
      ]);
      same(await store.get(["a"], { include: ["text"] }), [{ id: "a", text: "t" }]);
      same(await store.get(["a"], { include: ["metadata"] }), [{ id: "a", metadata: { n: 1 } }]);
      same(await store.get(["b"], { include: ["text"] }), [{ id: "b" }]);
    },
  },
  {
    id: "delete/tells-which-were-there",
    run: async ({ store }) => {
      await store.add([
        { id: "a", vector: [1, 0, 0] },
        { id: "b", vector: [0, 1, 0] },
        { id: "c", vector: [0, 0, 1] },
      ]);
      same(await store.delete(["b", "x", "a", "b"]), [true, false, true, false]);
      same(await store.delete([]), []);
      same(await store.delete(["a"]), [false]);
      same(await store.count(), 1);
      same(await store.get(["a", "b"]), [undefined, undefined]);
    },
  },
  {
    id: "delete/what-is-deleted-is-not-found",
    settings: { dimensions: 8, metric: "euclidean" },
    run: async ({ store, seed }) => {
      const vectors = clustered(seed, { count: 300, dimensions: 8, clusters: 5 });
      await store.add(entriesOf(vectors, (n) => ({ n })));
      await store.delete(Array.from({ length: 150 }, (_, n) => `v${n * 2}`));
      const hits = await store.search(vectors[0] as Float32Array, { k: 300 });
      same(hits.length, 150);
      assert.ok(hits.every(({ id }) => Number(id.slice(1)) % 2 === 1));
      same(
        hits.map(({ metadata }) => metadata["n"]),
        hits.map(({ id }) => Number(id.slice(1))),
      );
      for (const { id, vector } of await found(store.get(idsOf(hits)))) {
        same(vector, vectors[Number(id.slice(1))], `the vector of ${id}`);
      }
    },
  },
  {
    id: "delete/an-id-may-be-added-again",
    run: async ({ store }) => {
      for (let round = 0; round < 5; round++) {
        await store.add([{ id: "a", vector: [round, 1, 0], metadata: { round } }]);
        same(await store.delete(["a"]), [true]);
        same(await store.search([0, 1, 0]), []);
      }
      await store.add([{ id: "a", vector: [0, 1, 0], metadata: { round: 9 } }]);
      same((await store.search([0, 1, 0])).length, 1);
      same(await store.get(["a"], { include: ["metadata"] }), [{ id: "a", metadata: { round: 9 } }]);
    },
  },
  {
    id: "clear/removes-all-and-the-store-stays-usable",
    run: async ({ store }) => {
      await store.add(Array.from({ length: 30 }, (_, n) => ({ id: `v${n}`, vector: [n + 1, 1, 0], metadata: { n } })));
      same(await store.clear(), 30);
      same(await store.count(), 0);
      same(await store.search([1, 1, 0]), []);
      same(await store.clear(), 0);
      await store.add([{ id: "v1", vector: [0, 0, 1] }]);
      same(idsOf(await store.search([1, 1, 0])), ["v1"]);
    },
  },
  {
    id: "clear/by-filter-removes-what-satisfies-it",
    run: async ({ store }) => {
      await store.add(Array.from({ length: 30 }, (_, n) => ({ id: `v${n}`, vector: [n + 1, 1, 0], metadata: { n } })));
      same(await store.clear(where("n", "<", 10)), 10);
      same(await store.clear(where("n", "in", [])), 0);
      same(await store.count(), 20);
      const hits = await store.search([1, 1, 0], { k: 50 });
      same(hits.length, 20);
      assert.ok(hits.every(({ metadata }) => (metadata["n"] as number) >= 10));
      same(await store.clear({ and: [] }), 20);
    },
  },
];

async function found<T>(rows: Promise<readonly (T | undefined)[]>): Promise<T[]> {
  return (await rows).filter((row) => row !== undefined);
}
