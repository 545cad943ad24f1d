/** Races: a row is whole at every moment, and no change undoes another. */
import { where } from "../../query/builder.js";
import { idsOf, same } from "../expect.js";
import type { VectorCase } from "./case.js";

const ten = Array.from({ length: 10 }, (_, n) => n);

export const concurrencyCases: readonly VectorCase[] = [
  {
    id: "concurrency/ten-adds-of-one-id-leave-one-whole-row",
    settings: { dimensions: 3, metric: "euclidean" },
    run: async ({ store }) => {
      await Promise.all(ten.map((n) => store.add([{ id: "a", vector: [n, n, n], metadata: { n }, text: `${n}` }])));
      const [row] = await store.get(["a"]);
      const n = row?.metadata["n"] as number;
      same(row, { id: "a", vector: new Float32Array([n, n, n]), metadata: { n }, text: `${n}` });
      same(await store.count(), 1);
      same(idsOf(await store.search([n, n, n], { k: 50 })), ["a"]);
    },
  },
  {
    id: "concurrency/adds-of-many-lists-all-stay",
    run: async ({ store }) => {
      await Promise.all(
        ten.map((n) => store.add(ten.map((m) => ({ id: `${n}-${m}`, vector: [n + 1, m + 1, 1], metadata: { n } })))),
      );
      same(await store.count(), 100);
      same((await store.search([1, 1, 1], { k: 200 })).length, 100);
    },
  },
  {
    id: "concurrency/merges-of-different-fields-all-stay",
    run: async ({ store }) => {
      await store.add(ten.map((n) => ({ id: `v${n}`, vector: [n + 1, 1, 1], metadata: { n } })));
      await Promise.all(ten.map((n) => store.updateMetadataWhere(where("n", "exists"), { [`f${n}`]: n })));
      const all = Object.fromEntries(ten.map((n) => [`f${n}`, n]));
      for (const n of ten) same((await store.get([`v${n}`]))[0]?.metadata, { n, ...all });
    },
  },
  {
    id: "concurrency/a-merge-beside-adds-loses-neither",
    run: async ({ store }) => {
      await store.add(ten.map((n) => ({ id: `v${n}`, vector: [n + 1, 1, 1], metadata: { n } })));
      await Promise.all([
        store.updateMetadataWhere({ and: [] }, { seen: true }),
        ...ten.map((n) => store.add([{ id: `v${n}`, vector: [1, n + 1, 1], metadata: { n, replaced: true } }])),
        ...ten.map((n) => store.add([{ id: `new${n}`, vector: [1, 1, n + 1] }])),
      ]);
      same(await store.count(), 20);
      same(await store.count(where("replaced", "=", true)), 10, "an add was undone by the merge");
      const rows = await store.get(ten.map((n) => `v${n}`));
      same(
        rows.map((row) => row?.vector),
        ten.map((n) => new Float32Array([1, n + 1, 1])),
      );
    },
  },
  {
    id: "concurrency/one-of-ten-deletes-says-true",
    run: async ({ store }) => {
      await store.add([{ id: "a", vector: [1, 2, 3] }]);
      const gone = await Promise.all(ten.map(() => store.delete(["a"])));
      same(gone.flat().filter(Boolean).length, 1);
    },
  },
  {
    id: "concurrency/searches-beside-writes-see-whole-rows",
    settings: { dimensions: 3, metric: "euclidean" },
    run: async ({ store }) => {
      await store.add(ten.map((n) => ({ id: `v${n}`, vector: [n, n, n], metadata: { n } })));
      const work = Array.from({ length: 60 }, (_, k) => async () => {
        if (k % 3 === 0) await store.add([{ id: `v${k % 10}`, vector: [k, k, k], metadata: { n: k } }]);
        else if (k % 3 === 1) {
          const hits = await store.search([5, 5, 5], { k: 20, include: ["vector", "metadata"] });
          same(new Set(idsOf(hits)).size, hits.length);
          for (const { vector, metadata } of hits) same(vector[0], metadata["n"]);
        } else same((await store.get([`v${k % 10}`]))[0]?.id, `v${k % 10}`);
      });
      await Promise.all(work.map((call) => call()));
      same(await store.count(), 10);
    },
  },
];
