/** `nearest` over vectors in records, alone and fused with `match`: which records, in which order, with which scores. */
import assert from "node:assert/strict";
import type { Capabilities } from "../backend/spi.js";
import type { IndexDeclaration } from "../database/indexes.js";
import type { Query } from "../query/ast.js";
import { query, where } from "../query/builder.js";
import type { Fields } from "../record/values.js";
import { type Metric, metrics } from "../vector/metric.js";
import type { Case } from "./case.js";
import { load } from "./conditions.js";
import { collect, idsOf, refuses, same } from "./expect.js";
import type { Steps, TestDatabase } from "./session.js";

export const vector = (...numbers: readonly number[]): Float32Array => new Float32Array(numbers);

export function indexed(metric: Metric, dimensions = 2, path: string | readonly string[] = "e"): IndexDeclaration {
  return { path, vector: { dimensions, metric } };
}

/** Both where the field is declared and where it is not. */
function near(numbers: readonly number[], k: number, more: Partial<Query["nearest"]> & { metric: Metric }): Query {
  return { nearest: { path: "e", vector: numbers, k, ...more } };
}

/** By angle from (1, 0): a 0°, b 45°, c 90°, d 180°; by length too: b is farthest. */
export const compass: { readonly [id: string]: Fields } = {
  a: { e: vector(2, 0), side: "east", t: "red fox" },
  b: { e: vector(8, 8), side: "east", t: "red hen" },
  c: { e: vector(0, 3), side: "north", t: "blue fox" },
  d: { e: vector(-1, 0), side: "west", t: "red red fox" },
};

const answers: { readonly [K in Metric]: readonly (readonly [id: string, score: number])[] } = {
  cosine: [
    ["a", 1],
    ["b", Math.SQRT1_2],
    ["c", 0],
    ["d", -1],
  ],
  euclidean: [
    ["a", 1 / 2],
    ["d", 1 / 3],
    ["c", 1 / (1 + Math.sqrt(10))],
    ["b", 1 / (1 + Math.sqrt(113))],
  ],
  dot: [
    ["b", 8],
    ["a", 2],
    ["c", 0],
    ["d", -1],
  ],
};

export async function gives(db: TestDatabase, asked: Query, expected: readonly string[]): Promise<void> {
  const what = JSON.stringify(asked).slice(0, 400);
  same(idsOf(await db.search(asked)), expected, what);
  same(await db.count(asked), expected.length, `count of ${what}`);
}

const byMetric = metrics.map(
  (metric): Case => ({
    id: `nearest/${metric}-orders-and-scores`,
    indexes: [indexed(metric)],
    run: async ({ db }) => {
      await load(db, compass);
      const found = await db.search(near([1, 0], 10, { metric }));
      same(
        idsOf(found),
        answers[metric].map(([id]) => id),
      );
      for (const [index, [id, score]] of answers[metric].entries()) {
        const got = found[index]?.score ?? Number.NaN;
        assert.ok(Math.abs(got - score) < 1e-6, `the score of "${id}" is ${got}, not ${score}`);
      }
      same(found[0]?.data["e"], compass[answers[metric][0]?.[0] as string]?.["e"], "the vector as it was given");
      const best = answers[metric].slice(0, 2).map(([id]) => id);
      await gives(db, near([1, 0], 2, { metric }), best);
      const least = ((answers[metric][1]?.[1] as number) + (answers[metric][2]?.[1] as number)) / 2;
      await gives(db, near([1, 0], 10, { metric, minScore: least }), best);
    },
  }),
);

const cosine = [indexed("cosine")];
const metric = "cosine";

export const nearestCases: readonly Case[] = [
  ...byMetric,
  {
    id: "nearest/a-filter-never-costs-a-hit",
    indexes: [indexed("euclidean"), { path: "n", type: "number" }],
    run: async ({ db }) => {
      // what the filter selects is far off: behind 300 nearer ones
      const records = Array.from({ length: 320 }, (_, n) => ({ id: `r${n}`, data: { e: vector(n, 1), n } }));
      await db.createMany(records);
      const asked = near([0, 1], 5, { metric: "euclidean" });
      await gives(db, { ...asked, where: where("n", ">=", 310) }, ["r310", "r311", "r312", "r313", "r314"]);
      await gives(db, { ...asked, where: where("n", ">=", 318) }, ["r318", "r319"]);
      await gives(db, { ...asked, where: where("n", "<", 0) }, []);
      await gives(db, { ...asked, where: { not: where("n", "<", 317) } }, ["r317", "r318", "r319"]);
      // a filter that engines leave to core
      await gives(db, { ...asked, where: where("n", "in", [311, 5, 319]) }, ["r5", "r311", "r319"]);
    },
  },
  {
    id: "nearest/other-values-in-the-field-are-not-found",
    indexes: cosine,
    run: async ({ db }) => {
      await load(db, {
        ...compass,
        list: { e: [1, 0] },
        text: { e: "near" },
        none: { e: null },
        missing: {},
        object: { e: { "0": 1, "1": 0 } },
        inside: { x: { e: vector(1, 0) } },
      });
      await gives(db, near([1, 0], 10, { metric }), ["a", "b", "c", "d"]);
      same(await db.count(), 10);
      same((await db.read("list"))?.data["e"], [1, 0]);
      await gives(db, { where: where("e", "=", [1, 0]) }, ["list"]);
    },
  },
  {
    id: "nearest/without-a-declaration-lengths-and-zeros-differ",
    run: async ({ db }) => {
      await load(db, { a: { e: vector(1, 1) }, long: { e: vector(1, 1, 1) }, zero: { e: vector(0, 0) } });
      await gives(db, near([1, 1], 10, { metric }), ["a"]);
      await gives(db, near([1, 1], 10, { metric: "euclidean" }), ["a", "zero"]);
      await gives(db, near([1, 1, 1], 10, { metric: "dot" }), ["long"]);
    },
  },
  {
    id: "nearest/ties-are-broken-by-id",
    indexes: cosine,
    run: async ({ db }) => {
      const ids = ["é", "b", "a", "𝒳", "ﬀ", "B"];
      await db.createMany(ids.map((id) => ({ id, data: { e: vector(3, 4) } })));
      await gives(db, near([3, 4], 10, { metric }), ["B", "a", "b", "é", "ﬀ", "𝒳"]);
      await gives(db, near([3, 4], 3, { metric }), ["B", "a", "b"]);
    },
  },
  {
    id: "nearest/limit-offset-select-and-sort",
    indexes: cosine,
    run: async ({ db }) => {
      await load(db, compass);
      const asked = near([1, 0], 3, { metric });
      await gives(db, asked, ["a", "b", "c"]);
      same(idsOf(await db.search({ ...asked, limit: 2 })), ["a", "b"]);
      same(idsOf(await db.search({ ...asked, offset: 1, limit: 5 })), ["b", "c"]);
      same(idsOf(await db.search({ ...asked, offset: 3 })), []);
      same((await db.first(asked))?.id, "a");
      const narrow = await db.search({ ...asked, select: ["side"] });
      same(
        narrow.map(({ data }) => data),
        [{ side: "east" }, { side: "east" }, { side: "north" }],
      );
      assert.ok(Math.abs((narrow[1]?.score ?? 0) - Math.SQRT1_2) < 1e-6);
      // sorted is what was found, not what there is
      const sorted = await db.search({ ...asked, sort: [{ path: "side", direction: "desc" }], select: ["t"] });
      same(idsOf(sorted), ["c", "a", "b"]);
      same(idsOf(await collect(db.stream(asked))), ["a", "b", "c"]);
      same(await db.count({ ...asked, limit: 1 }), 3);
    },
  },
  {
    id: "nearest/every-write-is-found-at-once",
    indexes: cosine,
    run: async ({ db }) => {
      const asked = near([1, 0], 10, { metric });
      await db.create({ e: vector(1, 0) }, { id: "a" });
      await gives(db, asked, ["a"]);
      await db.createMany([{ id: "b", data: { e: vector(1, 1) } }]);
      await db.upsert("c", { e: vector(1, 2) });
      await gives(db, asked, ["a", "b", "c"]);
      await db.update("a", { e: vector(-1, 0) });
      await gives(db, asked, ["b", "c", "a"]);
      await db.patch("b", { e: vector(0, 1) });
      await gives(db, asked, ["c", "b", "a"]);
      await db.patch("c", { other: 1 });
      await db.patch("b", { e: null });
      await gives(db, asked, ["c", "a"]);
      await db.upsertMany([
        { id: "a", data: { e: vector(5, 0) } },
        { id: "d", data: { e: vector(1, 3) } },
      ]);
      await db.updateMany([{ id: "d", data: { e: [1, 0] } }]);
      await gives(db, asked, ["a", "c"]);
      await db.updateWhere(where("other", "=", 1), { e: vector(9, 0.5) });
      await gives(db, asked, ["a", "c"]);
      await db.updateWhere(where("id", "=", "c"), { e: "gone" });
      await gives(db, asked, ["a"]);
      await db.delete("a");
      await gives(db, asked, []);
      await db.upsert("a", { e: vector(1, 0) });
      await db.deleteWhere(where("e", "exists"));
      await gives(db, asked, []);
      await db.upsert("a", { e: vector(1, 0) });
      await db.clear();
      await gives(db, asked, []);
    },
  },
  ...(["interactive", "buffered"] as const).map(
    (kind): Case => ({
      id: `nearest/a-transaction-sees-its-own/${kind}`,
      indexes: cosine,
      ...(kind === "buffered"
        ? { asyncOnly: true }
        : {
            requires: ({ transactions }: Capabilities) => transactions === "interactive",
            unsupported: async ({ db, transact }) => {
              await refuses("UNSUPPORTED", () =>
                transact(db, function* (tx) {
                  yield tx.count();
                }),
              );
            },
          }),
      run: async ({ db, transact }) => {
        const options = kind === "buffered" ? ({ mode: "buffered" } as const) : {};
        await load(db, compass);
        const asked = near([1, 0], 3, { metric });
        const body: Steps<void> = function* (tx) {
          yield tx.delete("a");
          yield tx.update("d", { e: vector(7, 0) });
          yield tx.create({ e: vector(5, 1) }, { id: "new" });
          same(idsOf((yield tx.search(asked)) as never), ["d", "new", "b"]);
        };
        await transact(db, body, options);
        await gives(db, asked, ["d", "new", "b"]);
        const failure = new Error("no");
        const failing: Steps<void> = function* (tx) {
          yield tx.delete("d");
          same(idsOf((yield tx.search(asked)) as never), ["new", "b", "c"]);
          throw failure;
        };
        await assert.rejects(transact(db, failing, options), (error) => error === failure);
        await gives(db, asked, ["d", "new", "b"]);
      },
    }),
  ),
  {
    id: "nearest/rounding-changes-no-places",
    indexes: [indexed("euclidean")],
    run: async ({ db }) => {
      // nearer than 32-bit floats tell apart at this distance, and in another order than their ids
      const id = (n: number): string => `r${100 - n}`;
      await db.createMany(Array.from({ length: 60 }, (_, n) => ({ id: id(n), data: { e: vector(1000, n / 1000) } })));
      const asked = near([0, 0], 5, { metric: "euclidean", exact: true });
      await gives(db, asked, [0, 1, 2, 3, 4].map(id));
    },
  },
  {
    id: "nearest/any-path",
    run: async ({ db, open }) => {
      const paths = ["my-field", ["a.b"], "deep.er.e", ['x"y'], ["$v"], "metadata.e", ["__proto__", "e"]];
      for (const path of paths) {
        const segments = (typeof path === "string" ? path.split(".") : path).filter((one) => one !== "metadata");
        const nest = (value: unknown): Fields =>
          segments.reduceRight<unknown>((inner, key) => Object.fromEntries([[key, inner]]), value) as Fields;
        const inMetadata = path === "metadata.e";
        const put = (id: string, value: Float32Array): object =>
          inMetadata ? { id, data: {}, metadata: nest(value) } : { id, data: nest(value) };
        const declaredDb = await open({ indexes: [indexed("euclidean", 2, path)] });
        for (const one of [declaredDb, db]) {
          await one.clear();
          await one.createMany([put("a", vector(1, 2)), put("b", vector(1, 0))] as never);
          const asked = { nearest: { path, vector: [1, 0], k: 5, metric: "euclidean" } } as const;
          await gives(one, asked, ["b", "a"]);
        }
      }
    },
  },
  {
    id: "nearest/other-metrics-than-the-declared-one",
    indexes: cosine,
    run: async ({ db }) => {
      await load(db, compass);
      for (const other of metrics) {
        await gives(
          db,
          near([1, 0], 10, { metric: other }),
          answers[other].map(([id]) => id),
        );
        await gives(
          db,
          near([1, 0], 10, { metric: other, exact: true }),
          answers[other].map(([id]) => id),
        );
      }
    },
  },
  {
    id: "nearest/declared-later-finds-what-was-there",
    requires: ({ durable, nearest }) => durable && nearest !== undefined,
    unsupported: async () => undefined,
    run: async ({ open, reopen }) => {
      const db = await open();
      await load(db, { ...compass, text: { e: "x" }, long: { e: vector(1, 2, 3) }, zero: { e: vector(0, 0) } });
      const again = await reopen(db, { indexes: cosine });
      const plan = await again.indexes.plan();
      if (plan.create.length > 0) await again.indexes.apply();
      same((await again.indexes.plan()).create, []);
      await gives(again, near([1, 0], 10, { metric }), ["a", "b", "c", "d"]);
      same((await again.explain(near([1, 0], 3, { metric }))).nearest.how, "pushed");
      await again.upsert("new", { e: vector(1, 0.1) });
      await gives(again, near([1, 0], 2, { metric }), ["a", "new"]);
    },
  },
  {
    id: "nearest/explain-tells-how",
    indexes: cosine,
    run: async ({ db, capabilities, mode }) => {
      await load(db, compass);
      const asked = near([1, 0], 3, { metric });
      const { nearest, emulated } = await db.explain({ ...asked, where: where("side", "=", "east") });
      if (mode !== "indexed" || capabilities.nearest === undefined) same(nearest.how, "emulated");
      else if (capabilities.nearest === "exact") same([nearest.how, nearest.exact], ["pushed", true]);
      if (nearest.how === "emulated") {
        same([nearest.exact, emulated], [true, true]);
        assert.ok((nearest.why ?? "").length > 10);
        await refuses("UNSUPPORTED", () => db.search({ ...asked, residual: "error" }));
      }
      const exact = await db.explain(near([1, 0], 3, { metric, exact: true }));
      same(exact.nearest.exact, true);
      same((await db.explain({})).nearest, { how: "none" });
    },
  },
  {
    id: "nearest/the-builder-makes-the-same-query",
    run: async ({ db }) => {
      await load(db, compass);
      const built = query().filter("side", "=", "east").nearest("e", vector(1, 0), { k: 5, metric }).toQuery();
      same(JSON.parse(JSON.stringify(built)), built, "a query is JSON");
      await gives(db, built, ["a", "b"]);
    },
  },
];
