/** Opening, closing, using what is closed; what stores keep. */
import assert from "node:assert/strict";
import { where } from "../../query/builder.js";
import type { VectorStore } from "../../vector/store.js";
import { collect, idsOf, refuses, same } from "../expect.js";
import type { VectorCase } from "./case.js";
import { clustered, entriesOf } from "./vectors.js";

const vector = [1, 2, 3];

const calls: { readonly [name: string]: (store: VectorStore) => unknown } = {
  add: (store) => store.add([{ id: "a", vector }]),
  get: (store) => store.get(["a"]),
  delete: (store) => store.delete(["a"]),
  search: (store) => store.search(vector),
  searchMany: (store) => store.searchMany([vector]),
  count: (store) => store.count(),
  clear: (store) => store.clear(),
  updateMetadata: (store) => store.updateMetadata("a", {}),
  updateMetadataWhere: (store) => store.updateMetadataWhere({ and: [] }, {}),
  stream: async (store) => collect(store.stream()),
  explain: (store) => store.explain(),
  scoped: (store) => store.scoped("a"),
  buildIndex: (store) => store.buildIndex(),
  save: (store) => store.save(),
  load: (store) => store.load(),
};

const badSettings: { readonly [name: string]: object } = {
  "no-dimensions": { dimensions: undefined },
  "dimensions-of-0": { dimensions: 0 },
  "fractional-dimensions": { dimensions: 1.5 },
  "dimensions-as-a-text": { dimensions: "3" },
  "an-unknown-metric": { metric: "manhattan" },
  "an-unknown-setting": { dims: 3 },
  "an-empty-scope": { scope: "" },
  "a-scope-with-U+0000": { scope: "a\0" },
  "a-scope-that-is-no-text": { scope: 5 },
  "residual-of-another-word": { residual: "never" },
  "a-batchSize-of-0": { batchSize: 0 },
};

/** Stores that keep something; the others' twin: a fresh store knows nothing of it. */
function kept(id: string, run: VectorCase["run"], settings?: VectorCase["settings"]): VectorCase {
  return {
    id: `lifecycle/reopened/${id}`,
    ...(settings !== undefined && { settings }),
    requires: ({ persistence }) => persistence !== false,
    run,
    unsupported: async ({ store, open }) => {
      await store.add([{ id: "a", vector: new Float32Array(store.dimensions).fill(1) }]);
      same(await (await open(settings)).count(), 0);
    },
  };
}

export const lifecycleCases: readonly VectorCase[] = [
  ...Object.entries(calls).map(
    ([name, call]): VectorCase => ({
      id: `lifecycle/closed/${name}-is-NOT_OPEN`,
      modes: ["plain"],
      run: async ({ store }) => {
        const scope = store.scoped("s");
        await store.close();
        await refuses("NOT_OPEN", () => call(store));
        await refuses("NOT_OPEN", () => scope.count());
      },
    }),
  ),
  {
    id: "lifecycle/close-twice-and-at-once",
    run: async ({ store, open }) => {
      await Promise.all([store.close(), store.close()]);
      await store.close();
      same(store.status, "closed");
      const other = await open();
      await other[Symbol.asyncDispose]();
      await refuses("NOT_OPEN", () => other.count());
    },
  },
  {
    id: "lifecycle/close-waits-for-what-is-under-way",
    run: async ({ store }) => {
      const writes = Array.from({ length: 20 }, (_, n) => store.add([{ id: `v${n}`, vector: [n + 1, 1, 1] }]));
      const closing = store.close({ save: false });
      const ends = await Promise.allSettled([...writes, store.search(vector)]);
      await closing;
      for (const end of ends) {
        if (end.status === "rejected") same((end.reason as { code?: unknown }).code, "NOT_OPEN");
      }
    },
  },
  {
    id: "lifecycle/close-ends-open-streams",
    settings: { dimensions: 3, batchSize: 50 },
    run: async ({ store }) => {
      await store.add(Array.from({ length: 500 }, (_, n) => ({ id: `v${n}`, vector: [n + 1, 1, 1] })));
      const iterator = store.stream()[Symbol.asyncIterator]();
      await iterator.next();
      await store.close({ save: false });
      await assert.rejects(async () => {
        for (;;) if ((await iterator.next()).done === true) throw new Error("ended");
      });
    },
  },
  {
    id: "lifecycle/two-stores-know-nothing-of-each-other",
    run: async ({ store, open }) => {
      const other = await open();
      await store.add([{ id: "a", vector }]);
      same(await other.count(), 0);
      await other.add([{ id: "a", vector: [3, 2, 1] }]);
      await other.clear();
      same((await store.get(["a"]))[0]?.vector, new Float32Array(vector));
    },
  },
  {
    id: "lifecycle/opening/tells-what-it-was-asked-for",
    settings: { dimensions: 5, metric: "euclidean" },
    run: async ({ store }) => {
      same([store.dimensions, store.metric, store.scope, store.status], [5, "euclidean", undefined, "open"]);
    },
  },
  ...Object.entries(badSettings).map(
    ([name, settings]): VectorCase => ({
      id: `lifecycle/opening/refuses-${name}`,
      modes: ["plain"],
      run: async ({ open }) => {
        await refuses("INVALID_CONFIG", () => open(settings));
      },
    }),
  ),
  {
    id: "lifecycle/opening/dimensions-beyond-the-limit",
    modes: ["plain"],
    run: async ({ open, capabilities }) => {
      const { dimensions } = capabilities.limits;
      if (dimensions !== undefined) await refuses("LIMIT_EXCEEDED", () => open({ dimensions: dimensions + 1 }));
    },
  },
  {
    id: "lifecycle/opening/an-aborted-signal",
    modes: ["plain"],
    run: async ({ open }) => {
      await refuses("ABORTED", () => open({ signal: AbortSignal.abort() }));
    },
  },
  kept("vectors-metadata-and-texts-survive", async ({ store, reopen, capabilities }) => {
    const metadata = { n: 1, big: 2n ** 70n, at: new Date(5), bytes: new Uint8Array([1]), o: { l: [3n, null] } };
    await store.add([
      { id: "a", vector: [0.1, -2, 1e-7], metadata, text: "é😀" },
      { id: "b", vector },
      { id: "c", vector: [3, 2, 1] },
    ]);
    await store.scoped("s").add([{ id: "a", vector: [9, 9, 9] }]);
    await store.delete(["c"]);
    const before = await store.get(["a", "b", "c"]);
    if (capabilities.persistence === "save") await store.save();
    const again = await reopen(store);
    same(await again.get(["a", "b", "c"]), before);
    same([await again.count(), await again.scoped("s").count()], [2, 1]);
    same(idsOf(await again.search(vector, { k: 1 })), ["b"]);
    same(idsOf(await again.search(vector, { filter: where("big", "=", 2n ** 70n) })), ["a"]);
    await again.add([{ id: "d", vector: [1, 2, 3.1] }]);
    same(idsOf(await again.search(vector, { k: 2 })), ["b", "d"]);
  }),
  kept(
    "searches-find-the-same",
    async ({ store, reopen, seed, capabilities }) => {
      const vectors = clustered(seed, { count: 500, dimensions: 8, clusters: 10 });
      await store.add(entriesOf(vectors, (n) => ({ n })));
      await store.clear(where("n", "<", 100));
      const query = vectors[250] as Float32Array;
      const before = await store.search(query, { k: 20, exact: true });
      if (capabilities.persistence === "save") await store.save();
      const again = await reopen(store);
      same(idsOf(await again.search(query, { k: 20, exact: true })), idsOf(before));
      same((await again.search(query, { k: 500 })).length, 400);
      same(await again.clear(), 400);
      if (capabilities.persistence === "save") await again.save();
      same(await (await reopen(again)).count(), 0);
    },
    { dimensions: 8, metric: "euclidean" },
  ),
  kept("other-dimensions-or-another-metric-are-refused", async ({ store, reopen, again, capabilities }) => {
    await store.add([{ id: "a", vector }]);
    if (capabilities.persistence === "save") await store.save();
    await refuses("INVALID_CONFIG", () => again(store, { dimensions: 4 }));
    const other = capabilities.metrics.find((metric) => metric !== "cosine");
    if (other !== undefined) await refuses("INVALID_CONFIG", () => again(store, { metric: other }));
    const reopened = await reopen(store);
    same(await reopened.get(["a"], { include: ["vector"] }), [{ id: "a", vector: new Float32Array(vector) }]);
  }),
  {
    id: "lifecycle/acknowledged-writes-are-seen-by-who-opens-the-same",
    requires: ({ persistence }) => persistence === "always",
    run: async ({ store, again }) => {
      const other = await again(store);
      await store.add([{ id: "a", vector, metadata: { n: 1 } }]);
      same(await other.count(where("n", "=", 1)), 1);
      same(idsOf(await other.search(vector)), ["a"]);
      await other.updateMetadata("a", { n: 2 });
      same((await store.get(["a"]))[0]?.metadata, { n: 2 });
      await other.delete(["a"]);
      same(await store.search(vector), []);
    },
    unsupported: async () => undefined,
  },
];
