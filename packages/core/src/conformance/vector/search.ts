/** Searching: distances and scores by one formula, order, ties, k, the least score. */
import assert from "node:assert/strict";
import { where } from "../../query/builder.js";
import type { Metric } from "../../vector/metric.js";
import { idsOf, same } from "../expect.js";
import type { VectorCase } from "./case.js";
import { clustered, distancesFrom, entriesOf, near } from "./vectors.js";

interface Figure {
  readonly id: string;
  readonly distance: number;
  readonly score: number;
}

/** From [1, 2, 2], by hand. */
const figures: { readonly [M in Metric]: readonly Figure[] } = {
  cosine: [
    { id: "twice", distance: 0, score: 1 },
    { id: "near", distance: 1 - 8 / 9, score: 8 / 9 },
    { id: "across", distance: 1, score: 0 },
    { id: "back", distance: 2, score: -1 },
  ],
  euclidean: [
    { id: "near", distance: Math.SQRT2, score: 1 / (1 + Math.SQRT2) },
    { id: "twice", distance: 3, score: 0.25 },
    { id: "across", distance: Math.sqrt(18), score: 1 / (1 + Math.sqrt(18)) },
    { id: "back", distance: 6, score: 1 / 7 },
  ],
  dot: [
    { id: "twice", distance: -18, score: 18 },
    { id: "near", distance: -8, score: 8 },
    { id: "across", distance: 0, score: 0 },
    { id: "back", distance: 9, score: -9 },
  ],
};

const byHand = [
  { id: "twice", vector: [2, 4, 4] },
  { id: "near", vector: [2, 1, 2] },
  { id: "across", vector: [2, -2, 1] },
  { id: "back", vector: [-1, -2, -2] },
];

function metricCase(metric: Metric, id: string, run: VectorCase["run"], dimensions = 3): VectorCase {
  return {
    id: `search/${metric}/${id}`,
    settings: { dimensions, metric },
    requires: ({ metrics }) => metrics.includes(metric),
    run,
    unsupported: async () => undefined,
  };
}

function ofMetric(metric: Metric): VectorCase[] {
  return [
    metricCase(metric, "distances-and-scores-by-hand", async ({ store }) => {
      await store.add(byHand);
      const hits = await store.search([1, 2, 2], { k: 10 });
      same(
        idsOf(hits),
        figures[metric].map(({ id }) => id),
      );
      for (const [at, { id, distance, score }] of figures[metric].entries()) {
        near(hits[at]?.distance as number, distance, `the distance of ${id}`);
        near(hits[at]?.score as number, score, `the score of ${id}`);
      }
    }),
    metricCase(metric, "the-same-by-a-scan-of-core", async ({ store }) => {
      await store.add(byHand);
      const hits = await store.search([1, 2, 2], { k: 10, exact: true });
      for (const [at, { id, distance }] of figures[metric].entries()) {
        same(hits[at]?.id, id);
        near(hits[at]?.distance as number, distance, `the distance of ${id}`);
      }
    }),
    metricCase(
      metric,
      "the-nearest-of-clusters",
      async ({ store, seed, recall }) => {
        const vectors = clustered(seed, { count: 800, dimensions: 16, clusters: 20 });
        const entries = entriesOf(vectors, (n) => ({ n }));
        await store.add(entries);
        const queries = clustered(seed, { count: 20, dimensions: 16, clusters: 20 });
        let found = 0;
        for (const query of queries) {
          const truth = distancesFrom(query, entries, metric);
          const best = [...truth.values()].sort((a, b) => a - b).slice(0, 10);
          const hits = await store.search(query, { k: 10 });
          same(hits.length, 10);
          same(new Set(idsOf(hits)).size, 10);
          for (const [at, { id, distance }] of hits.entries()) {
            near(distance, truth.get(id) as number, `the distance of ${id}`);
            if (at > 0) assert.ok(distance >= (hits[at - 1]?.distance as number), "hits come nearest first");
            if (distance <= (best[9] as number) * (1 + 1e-4 * Math.sign(best[9] as number)) + 1e-6) found++;
          }
        }
        assert.ok(found / 200 >= recall, `found ${found / 200} of the true nearest`);
      },
      16,
    ),
  ];
}

export const searchCases: readonly VectorCase[] = [
  ...ofMetric("cosine"),
  ...ofMetric("euclidean"),
  ...ofMetric("dot"),
  ...(["cosine", "euclidean"] as const).map((metric) =>
    metricCase(
      metric,
      "a-stored-vector-finds-itself-first",
      async ({ store, seed }) => {
        const vectors = clustered(seed + 1, { count: 200, dimensions: 8, clusters: 10 });
        await store.add(entriesOf(vectors, () => ({})));
        for (const n of [0, 20, 100, 199]) {
          const [hit] = await store.search(vectors[n] as Float32Array, { k: 1, exact: true });
          same(hit?.id, `v${n}`);
          near(hit?.distance as number, 0, "the distance to itself");
        }
      },
      8,
    ),
  ),
  metricCase("cosine", "length-does-not-matter", async ({ store }) => {
    await store.add([
      { id: "a", vector: [1, 1, 0] },
      { id: "b", vector: [1e6, 1e6, 1] },
      { id: "c", vector: [1e-6, 0, 0] },
    ]);
    for (const scale of [1e-6, 1, 1e6]) {
      const hits = await store.search([scale, scale, 0], { k: 3 });
      same(idsOf(hits).slice(2), ["c"]);
      near(hits[0]?.distance as number, 0, "the distance of the same direction");
      near(hits[2]?.score as number, Math.SQRT1_2, "the cosine of 45°");
    }
  }),
  metricCase("cosine", "the-distance-stays-within-0-and-2", async ({ store }) => {
    const vectors = [
      [0.1, 0.7, 0.3],
      [-0.1, -0.7, -0.3],
      [1 / 3, 1 / 7, 1 / 11],
    ];
    await store.add(vectors.map((vector, n) => ({ id: `v${n}`, vector })));
    for (const vector of vectors) {
      for (const { distance, score } of await store.search(vector, { k: 3 })) {
        assert.ok(distance >= 0 && distance <= 2 && score >= -1 && score <= 1, `${distance} ${score}`);
      }
    }
  }),
  {
    id: "search/k/ten-when-not-given",
    run: async ({ store }) => {
      await store.add(Array.from({ length: 25 }, (_, n) => ({ id: `v${n}`, vector: [n + 1, 1, 1] })));
      same((await store.search([1, 1, 1])).length, 10);
    },
  },
  {
    id: "search/k/more-than-there-are-gives-all",
    settings: { dimensions: 8, metric: "euclidean" },
    run: async ({ store, seed }) => {
      const vectors = clustered(seed, { count: 700, dimensions: 8, clusters: 3 });
      await store.add(entriesOf(vectors, () => ({})));
      for (const k of [1, 2, 699, 700, 701, 5000]) {
        const hits = await store.search(vectors[5] as Float32Array, { k, include: [] });
        same([k, hits.length, new Set(idsOf(hits)).size], [k, Math.min(k, 700), Math.min(k, 700)]);
      }
    },
  },
  {
    id: "search/an-empty-store-gives-nothing",
    run: async ({ store }) => {
      same(await store.search([1, 0, 0]), []);
      same(await store.search([1, 0, 0], { k: 1000, filter: where("a", "=", 1), exact: true }), []);
      same(await store.searchMany([]), []);
    },
  },
  {
    id: "search/ties-come-by-id",
    settings: { dimensions: 3, metric: "euclidean" },
    run: async ({ store }) => {
      const ids = ["b", "a", "10", "9", "é", "😀", "\uFFFD", "Z"];
      await store.add(ids.map((id) => ({ id, vector: [1, 1, 1] })));
      await store.add([{ id: "nearer", vector: [1, 1, 0.5] }]);
      same(idsOf(await store.search([1, 1, 0], { k: 20 })), ["nearer", "10", "9", "Z", "a", "b", "é", "\uFFFD", "😀"]);
    },
  },
  {
    id: "search/ties-are-cut-by-id",
    settings: { dimensions: 3, metric: "euclidean" },
    run: async ({ store }) => {
      const ids = Array.from({ length: 60 }, (_, n) => `r${(n * 37) % 100}`);
      await store.add(ids.map((id) => ({ id, vector: [1, 0, 0], metadata: { odd: Number(id.slice(1)) % 2 === 1 } })));
      await store.add([{ id: "zz", vector: [1, 0, 0.1] }]);
      const sorted = [...ids].sort();
      for (const k of [1, 2, 7, 59, 60]) {
        same(idsOf(await store.search([1, 0, 1], { k })), ["zz", ...sorted].slice(0, k), `k = ${k}`);
      }
      const odd = sorted.filter((id) => Number(id.slice(1)) % 2 === 1);
      same(idsOf(await store.search([1, 0, 1], { k: 5, filter: where("odd", "=", true) })), odd.slice(0, 5));
    },
  },
  {
    id: "search/minScore-is-included-and-cuts",
    run: async ({ store }) => {
      await store.add([
        { id: "same", vector: [1, 0, 0] },
        { id: "half", vector: [1, Math.sqrt(3), 0] },
        { id: "none", vector: [0, 1, 0] },
        { id: "back", vector: [-1, 0, 0] },
      ]);
      same(idsOf(await store.search([2, 0, 0], { minScore: 0.999 })), ["same"]);
      same(idsOf(await store.search([2, 0, 0], { minScore: 0.49 })), ["same", "half"]);
      same(idsOf(await store.search([2, 0, 0], { minScore: 0, k: 3 })), ["same", "half", "none"]);
      same(idsOf(await store.search([2, 0, 0], { minScore: -1.5 })), ["same", "half", "none", "back"]);
      same(await store.search([2, 0, 0], { minScore: 1.5 }), []);
    },
  },
  {
    id: "search/gives-the-parts-that-were-asked-for",
    run: async ({ store }) => {
      await store.add([{ id: "a", vector: [1, 0, 0], metadata: { n: 1 }, text: "t" }]);
      const keys = async (include?: readonly ("vector" | "metadata" | "text")[]): Promise<string[]> => {
        const [hit] = await store.search([1, 0, 0], include === undefined ? {} : { include });
        return Object.keys(hit ?? {}).sort();
      };
      same(await keys(), ["distance", "id", "metadata", "score", "text"]);
      same(await keys([]), ["distance", "id", "score"]);
      same(await keys(["vector"]), ["distance", "id", "score", "vector"]);
      same(await keys(["text", "vector", "metadata"]), ["distance", "id", "metadata", "score", "text", "vector"]);
      const [hit] = await store.search([1, 0, 0], { include: [], filter: where("n", "=", 1) });
      same(Object.keys(hit ?? {}).sort(), ["distance", "id", "score"], "what the filter needed is not given");
    },
  },
  {
    id: "search/many-at-once-are-answered-each-by-itself",
    settings: { dimensions: 8, metric: "euclidean" },
    run: async ({ store, seed }) => {
      const vectors = clustered(seed, { count: 400, dimensions: 8, clusters: 8 });
      await store.add(entriesOf(vectors, (n) => ({ rare: n % 100 === 7 })));
      const queries = vectors.slice(0, 12);
      for (const options of [{ k: 5 }, { k: 4, filter: where("rare", "=", true) }, { k: 3, minScore: 0.2 }]) {
        const all = await store.searchMany(queries, { ...options, exact: true });
        same(all.length, queries.length);
        for (const [at, query] of queries.entries()) {
          same(idsOf(all[at] ?? []), idsOf(await store.search(query, { ...options, exact: true })));
        }
      }
    },
  },
  {
    id: "search/leaves-the-query-alone",
    run: async ({ store }) => {
      await store.add([{ id: "a", vector: [1, 2, 3] }]);
      const query = new Float32Array([3, 4, 0]);
      const searching = store.search(query);
      query.fill(0);
      const [hit] = await searching;
      near(hit?.score as number, 11 / (5 * Math.sqrt(14)), "the score of the query as it was passed");
      same(query, new Float32Array(3));
    },
  },
  {
    id: "search/exact-finds-the-nearest-for-certain",
    settings: { dimensions: 16, metric: "euclidean" },
    run: async ({ store, seed }) => {
      const vectors = clustered(seed + 2, { count: 1000, dimensions: 16, clusters: 40 });
      const entries = entriesOf(vectors, (n) => ({ n }));
      await store.add(entries);
      for (const query of clustered(seed + 3, { count: 10, dimensions: 16, clusters: 5 })) {
        const truth = [...distancesFrom(query, entries, "euclidean").values()].sort((a, b) => a - b);
        const hits = await store.search(query, { k: 20, exact: true });
        for (const [at, { distance }] of hits.entries()) near(distance, truth[at] as number, `distance ${at}`);
        same(hits.length, 20);
      }
    },
  },
  {
    id: "search/sees-every-acknowledged-write-at-once",
    run: async ({ store }) => {
      for (let n = 0; n < 15; n++) {
        await store.add([{ id: `v${n}`, vector: [1, n, 0], metadata: { n } }]);
        same((await store.search([1, n, 0], { k: 100 })).length, n + 1);
        same(await store.count(where("n", "=", n)), 1);
        if (n % 3 === 2) {
          await store.updateMetadata(`v${n}`, { n: -1 });
          same(await store.count(where("n", "=", n)), 0);
        }
      }
    },
  },
  {
    id: "search/after-the-index-is-built-anew",
    settings: { dimensions: 8, metric: "euclidean" },
    run: async ({ store, seed }) => {
      const vectors = clustered(seed, { count: 600, dimensions: 8, clusters: 6 });
      await store.add(entriesOf(vectors, (n) => ({ n })));
      await store.delete(["v3", "v4"]);
      same(typeof (await store.buildIndex()), "boolean");
      await store.add([{ id: "new", vector: vectors[3] as Float32Array }]);
      const hits = await store.search(vectors[3] as Float32Array, { k: 600, include: [] });
      same(hits.length, 599);
      same(hits[0]?.id, "new");
      same(
        hits.some(({ id }) => id === "v3" || id === "v4"),
        false,
      );
    },
  },
];
