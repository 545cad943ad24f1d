/** Streams: every row once, whatever is written meanwhile. */
import assert from "node:assert/strict";
import { where } from "../../query/builder.js";
import { collect, idSet, refuses, same } from "../expect.js";
import type { VectorCase } from "./case.js";
import { clustered, entriesOf } from "./vectors.js";

const settings = { dimensions: 4, metric: "euclidean", batchSize: 100 } as const;

function rows(seed: number, count: number): ReturnType<typeof entriesOf<{ n: number }>> {
  return entriesOf(clustered(seed, { count, dimensions: 4, clusters: 7 }), (n) => ({ n }));
}

export const streamCases: readonly VectorCase[] = [
  {
    id: "stream/gives-every-row-once",
    settings,
    run: async ({ store, seed }) => {
      const entries = rows(seed, 1250);
      await store.add(entries);
      const found = await collect(store.stream());
      same(found.length, 1250);
      const byId = new Map(found.map((row) => [row.id, row]));
      for (const entry of entries) same(byId.get(entry.id), entry);
    },
  },
  {
    id: "stream/of-nothing-ends-at-once",
    run: async ({ store }) => {
      same(await collect(store.stream()), []);
      same(await collect(store.stream(where("a", "=", 1)).batches(3)), []);
    },
  },
  {
    id: "stream/by-filter-and-by-parts",
    settings,
    run: async ({ store, seed }) => {
      await store.add(rows(seed, 500));
      const some = await collect(store.stream(where("n", "<", 250), { include: ["metadata"] }));
      same(some.length, 250);
      assert.ok(some.every((row) => (row.metadata["n"] as number) < 250 && Object.keys(row).length === 2));
      const ids = await collect(store.stream(where("n", ">=", 490), { include: [] }));
      same(
        ids.sort((a, b) => (a.id < b.id ? -1 : 1)),
        Array.from({ length: 10 }, (_, n) => ({ id: `v${490 + n}` })),
      );
    },
  },
  {
    id: "stream/in-batches",
    settings,
    run: async ({ store, seed }) => {
      await store.add(rows(seed, 330));
      const batches = await collect(store.stream().batches(100));
      same(
        batches.map(({ length }) => length),
        [100, 100, 100, 30],
      );
      same(new Set(idSet(batches.flat())).size, 330);
      const [first] = [store.stream()];
      same((await collect(first)).length, 330);
      same((await collect(first)).length, 330, "a stream may be read again");
    },
  },
  {
    id: "stream/break-ends-it",
    settings,
    run: async ({ store, seed }) => {
      await store.add(rows(seed, 900));
      let seen = 0;
      for await (const row of store.stream()) {
        assert.ok(row.id.startsWith("v"));
        if (++seen === 150) break;
      }
      same(seen, 150);
      same(await store.count(), 900);
    },
  },
  {
    id: "stream/rows-that-stay-come-once-while-others-are-written",
    settings,
    run: async ({ store, seed }) => {
      const entries = rows(seed, 800);
      await store.add(entries);
      const seen = new Map<string, number>();
      let n = 0;
      for await (const { id } of store.stream(undefined, { include: [] })) {
        seen.set(id, (seen.get(id) ?? 0) + 1);
        n++;
        if (n % 100 === 50) {
          await store.add([{ id: `new${n}`, vector: [n, 1, 1, 1] }]);
          await store.delete([`v${n}`, `v${799 - n}`]);
          await store.updateMetadata("v2", { n: -n });
        }
      }
      const gone = new Set(
        Array.from({ length: 8 }, (_, k) => k * 100 + 50).flatMap((at) => [`v${at}`, `v${799 - at}`]),
      );
      for (const { id } of entries) {
        if (!gone.has(id)) same(seen.get(id), 1, `times that ${id} came`);
        else assert.ok((seen.get(id) ?? 0) <= 1, `${id} came twice`);
      }
    },
  },
  {
    id: "stream/a-wrong-filter-is-refused-at-the-call",
    run: async ({ store }) => {
      await refuses("INVALID_QUERY", () => store.stream(where("a", "in", 1)));
      await refuses("INVALID_QUERY", () => store.stream(undefined, { include: ["vectors" as "vector"] }));
    },
  },
];
