/** Bad input is refused with a code, before anything is written, and the store stays usable. */
import { where } from "../../query/builder.js";
import type { VectorStore } from "../../vector/store.js";
import type { VectorEntry } from "../../vector/writes.js";
import { idsOf, refuses, same } from "../expect.js";
import type { VectorCase } from "./case.js";

const good = [1, 2, 3];

/** Of a store of 3 dimensions. */
const badVectors: { readonly [name: string]: unknown } = {
  "too-few-dimensions": [1, 2],
  "too-many-dimensions": [1, 2, 3, 4],
  "no-dimensions": [],
  NaN: [1, Number.NaN, 3],
  infinity: new Float32Array([1, Number.NEGATIVE_INFINITY, 3]),
  "beyond-32-bit-floats": [1, 1e39, 3],
  "a-text-for-a-number": [1, "2", 3],
  "null-for-a-number": [1, null, 3],
  "a-bigint": [1, 2n, 3],
  "a-hole": [1, undefined, 3],
  nothing: undefined,
  "a-text": "1,2,3",
  "an-object": { 0: 1, 1: 2, 2: 3, length: 3 },
  bytes: new Uint8Array([1, 2, 3]),
};

const badEntries: { readonly [name: string]: unknown } = {
  "an-empty-id": { id: "", vector: good },
  "an-id-with-U+0000": { id: "a\0", vector: good },
  "an-id-that-is-a-number": { id: 1, vector: good },
  "an-unknown-key": { id: "z", vector: good, meta: {} },
  "metadata-that-is-a-list": { id: "z", vector: good, metadata: [1] },
  "metadata-with-NaN": { id: "z", vector: good, metadata: { x: Number.NaN } },
  "metadata-with-a-function": { id: "z", vector: good, metadata: { x: () => 1 } },
  "metadata-with-U+0000": { id: "z", vector: good, metadata: { x: ["\0"] } },
  "metadata-with-a-lone-surrogate": { id: "z", vector: good, metadata: { "\ud800": 1 } },
  "text-that-is-a-number": { id: "z", vector: good, text: 5 },
  "text-with-U+0000": { id: "z", vector: good, text: "\0" },
  null: null,
  "a-vector-by-itself": good,
};

const badSearches: { readonly [name: string]: object } = {
  "k-of-0": { k: 0 },
  "a-negative-k": { k: -1 },
  "a-fractional-k": { k: 1.5 },
  "k-of-NaN": { k: Number.NaN },
  "k-as-a-text": { k: "5" },
  "an-unknown-option": { limit: 5 },
  "a-part-that-is-none": { include: ["embedding"] },
  "include-that-is-no-list": { include: "vector" },
  "minScore-of-NaN": { minScore: Number.NaN },
  "exact-that-is-no-boolean": { exact: 1 },
  "an-unknown-tuning": { tuning: { noSuchKnob: 1 } },
  "an-unknown-operator": { filter: { path: "a", op: "==", value: 1 } },
  "a-scalar-for-in": { filter: where("a", "in", 5) },
  "a-filter-that-is-none": { filter: { lang: "en" } },
  "a-lone-backslash": { filter: where("a", "like", "x\\") },
};

async function leavesTheStore(store: VectorStore, run: () => Promise<unknown>): Promise<void> {
  await store.add([{ id: "a", vector: good, metadata: { n: 1 } }]);
  await run();
  same(await store.get(["a"]), [{ id: "a", vector: new Float32Array(good), metadata: { n: 1 } }]);
  same(await store.count(), 1);
  same(idsOf(await store.search(good)), ["a"]);
}

function refusedEntry(name: string, entry: unknown): VectorCase {
  return {
    id: `bad-input/add/${name}`,
    run: async ({ store }) => {
      await leavesTheStore(store, async () => {
        const one = entry as VectorEntry;
        await refuses("INVALID_RECORD", () => store.add([one]));
        await refuses("INVALID_RECORD", () =>
          store.add([{ id: "b", vector: good }, { id: "a", vector: [9, 9, 9] }, one]),
        );
      });
    },
  };
}

export const badInputCases: readonly VectorCase[] = [
  ...Object.entries(badVectors).map(([name, vector]) => refusedEntry(name, { id: "z", vector })),
  ...Object.entries(badEntries).map(([name, entry]) => refusedEntry(name, entry)),
  ...Object.entries(badVectors).map(
    ([name, vector]): VectorCase => ({
      id: `bad-input/search/${name}`,
      run: async ({ store }) => {
        await leavesTheStore(store, async () => {
          await refuses("INVALID_QUERY", () => store.search(vector as number[]));
          await refuses("INVALID_QUERY", () => store.search(vector as number[], { exact: true, filter: { or: [] } }));
          await refuses("INVALID_QUERY", () => store.searchMany([good, vector as number[]]));
        });
      },
    }),
  ),
  ...Object.entries(badSearches).map(
    ([name, options]): VectorCase => ({
      id: `bad-input/search/${name}`,
      run: async ({ store }) => {
        await leavesTheStore(store, async () => {
          await refuses("INVALID_QUERY", () => store.search(good, options));
          await refuses("INVALID_QUERY", () => store.explain(options));
        });
      },
    }),
  ),
  {
    id: "bad-input/cosine-refuses-vectors-of-zeros",
    requires: ({ metrics }) => metrics.includes("cosine"),
    unsupported: async () => undefined,
    run: async ({ store }) => {
      await leavesTheStore(store, async () => {
        await refuses("INVALID_RECORD", () =>
          store.add([
            { id: "b", vector: good },
            { id: "z", vector: [0, 0, 0] },
          ]),
        );
        await refuses("INVALID_RECORD", () => store.add([{ id: "z", vector: [0, -0, 1e-50] }]));
        await refuses("INVALID_QUERY", () => store.search([0, 0, 0]));
      });
    },
  },
  ...(["euclidean", "dot"] as const).map(
    (metric): VectorCase => ({
      id: `bad-input/${metric}-takes-vectors-of-zeros`,
      settings: { dimensions: 3, metric },
      requires: ({ metrics }) => metrics.includes(metric),
      unsupported: async () => undefined,
      run: async ({ store }) => {
        await store.add([
          { id: "zero", vector: [0, 0, 0] },
          { id: "one", vector: [1, 0, 0] },
        ]);
        same(idsOf(await store.search([0, 0, 0])), metric === "dot" ? ["one", "zero"] : ["zero", "one"]);
        same((await store.get(["zero"]))[0]?.vector, new Float32Array(3));
      },
    }),
  ),
  {
    id: "bad-input/ids-of-get-and-delete",
    run: async ({ store }) => {
      await leavesTheStore(store, async () => {
        for (const ids of [[""], ["a", 1], ["\ud800"], "a", undefined]) {
          await refuses("INVALID_QUERY", () => store.get(ids as string[]));
          await refuses("INVALID_QUERY", () => store.delete(ids as string[]));
        }
        await refuses("LIMIT_EXCEEDED", () => store.delete(["x".repeat(513)]));
        await refuses("INVALID_QUERY", () => store.updateMetadata("", { n: 2 }));
      });
    },
  },
  {
    id: "bad-input/too-long-and-too-deep",
    run: async ({ store }) => {
      let deep: object = {};
      for (let level = 0; level < 70; level++) deep = { deep };
      await leavesTheStore(store, async () => {
        await refuses("LIMIT_EXCEEDED", () => store.add([{ id: "x".repeat(513), vector: good }]));
        await refuses("LIMIT_EXCEEDED", () => store.add([{ vector: good, metadata: { deep: deep as never } }]));
        await refuses("LIMIT_EXCEEDED", () => store.add([{ vector: good, metadata: { ["n".repeat(1025)]: 1 } }]));
        await refuses("LIMIT_EXCEEDED", () => store.updateMetadata("a", { deep: deep as never }));
        await refuses("LIMIT_EXCEEDED", () => store.updateMetadataWhere({ and: [] }, { deep: deep as never }));
      });
    },
  },
  {
    id: "bad-input/metadata-of-updates",
    run: async ({ store }) => {
      await leavesTheStore(store, async () => {
        for (const metadata of [{ x: Number.NaN }, { x: Symbol("s") }, [1], 5, { "\0": 1 }] as never[]) {
          await refuses("INVALID_RECORD", () => store.updateMetadata("a", metadata));
          await refuses("INVALID_RECORD", () => store.updateMetadataWhere({ and: [] }, metadata));
        }
        for (const filter of [{ lang: "en" }, { path: "n" }, [], "n = 1"] as never[]) {
          await refuses("INVALID_QUERY", () => store.updateMetadataWhere(filter, { n: 2 }));
          await refuses("INVALID_QUERY", () => store.clear(filter));
          await refuses("INVALID_QUERY", () => store.count(filter));
        }
      });
    },
  },
  {
    id: "bad-input/searchMany-that-is-no-list",
    run: async ({ store }) => {
      await leavesTheStore(store, async () => {
        for (const vectors of [undefined, 5, new Float32Array(good), { length: 1 }, good] as never[]) {
          await refuses("INVALID_QUERY", () => store.searchMany(vectors));
        }
      });
    },
  },
  {
    id: "bad-input/options-that-a-call-does-not-have",
    run: async ({ store }) => {
      await leavesTheStore(store, async () => {
        const options = { includes: ["vector"] } as object;
        await refuses("INVALID_QUERY", () => store.get(["a"], options));
        await refuses("INVALID_QUERY", () => store.add([{ id: "b", vector: good }], options));
        await refuses("INVALID_QUERY", () => store.delete(["a"], options));
        await refuses("INVALID_QUERY", () => store.count(undefined, options));
        await refuses("INVALID_QUERY", () => store.clear(undefined, options));
        await refuses("INVALID_QUERY", () => store.stream(undefined, options));
        await refuses("INVALID_QUERY", () => store.updateMetadata("a", {}, options));
        await refuses("INVALID_QUERY", () => store.updateMetadataWhere({ and: [] }, {}, options));
        await refuses("INVALID_QUERY", () => store.search(good, options));
      });
    },
  },
  {
    id: "bad-input/add-that-is-no-list",
    run: async ({ store }) => {
      await leavesTheStore(store, async () => {
        for (const entries of [undefined, { id: "b", vector: good }, "x", new Set()] as never[]) {
          await refuses("INVALID_RECORD", () => store.add(entries));
        }
      });
    },
  },
];
