/** AbortSignal and timeout: an aborted call does nothing, a call under way ends, and the store stays usable. */
import assert from "node:assert/strict";
import type { CallOptions } from "../../database/session.js";
import { where } from "../../query/builder.js";
import type { VectorStore } from "../../vector/store.js";
import { collect, refuses, same } from "../expect.js";
import type { VectorCase } from "./case.js";

const vector = [1, 2, 3];

const aborted: { readonly [name: string]: (store: VectorStore, options: CallOptions) => unknown } = {
  add: (store, options) => store.add([{ id: "z", vector }], options),
  get: (store, options) => store.get(["a"], options),
  delete: (store, options) => store.delete(["a"], options),
  search: (store, options) => store.search(vector, options),
  searchMany: (store, options) => store.searchMany([vector], options),
  count: (store, options) => store.count(undefined, options),
  clear: (store, options) => store.clear(undefined, options),
  updateMetadata: (store, options) => store.updateMetadata("a", { n: 2 }, options),
  updateMetadataWhere: (store, options) => store.updateMetadataWhere(where("n", "=", 1), { n: 2 }, options),
  stream: (store, options) => collect(store.stream(undefined, options)),
  buildIndex: (store, options) => store.buildIndex(options),
};

export const abortCases: readonly VectorCase[] = [
  ...Object.entries(aborted).map(
    ([name, call]): VectorCase => ({
      id: `abort/before/${name}-does-nothing`,
      run: async ({ store }) => {
        await store.add([{ id: "a", vector, metadata: { n: 1 } }]);
        const before = await store.get(["a"]);
        const reason = new Error("why");
        const error = await refuses("ABORTED", () => call(store, { signal: AbortSignal.abort(reason) }));
        same(error.cause === reason, true, "the signal's reason is the cause");
        same(await store.get(["a"]), before);
        same(await store.count(), 1);
      },
    }),
  ),
  {
    id: "abort/a-stream-ends-and-the-store-stays-usable",
    settings: { dimensions: 3, batchSize: 50 },
    run: async ({ store }) => {
      await store.add(Array.from({ length: 1000 }, (_, n) => ({ id: `v${n}`, vector: [n + 1, 1, 1] })));
      const controller = new AbortController();
      let seen = 0;
      await refuses("ABORTED", async () => {
        for await (const _ of store.stream(undefined, { signal: controller.signal })) {
          if (++seen === 10) controller.abort();
        }
      });
      assert.ok(seen < 1000, "the stream ran to its end");
      same(await store.count(), 1000);
      await store.add([{ id: "after", vector }]);
    },
  },
  {
    id: "abort/a-signal-that-never-fires-changes-nothing",
    run: async ({ store }) => {
      const { signal } = new AbortController();
      await store.add([{ id: "a", vector }], { signal, timeout: 60_000 });
      same((await store.search(vector, { signal, timeout: 60_000 })).length, 1);
      same((await collect(store.stream(undefined, { signal }))).length, 1);
      same(await store.count(undefined, { timeout: 60_000 }), 1);
    },
  },
];
