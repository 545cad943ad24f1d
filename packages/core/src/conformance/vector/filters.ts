/** Filters: the conditions of records on metadata, with k hits whenever k rows match. */
import assert from "node:assert/strict";
import { operators } from "../../query/ast.js";
import { and, not, or, where } from "../../query/builder.js";
import { idSet, idsOf, refuses, same, show } from "../expect.js";
import { truthFields, truthNames, truthTable } from "../truth.js";
import type { VectorCase } from "./case.js";
import { clustered, distancesFrom, entriesOf } from "./vectors.js";

const vector = [1, 2, 3];

/** Every row of the truth table, asked of a search and of a count, and its complement. */
const truthCases: readonly VectorCase[] = operators.map((op) => ({
  id: `filter/truth/${op}`,
  run: async ({ store }) => {
    await store.add(truthNames.map((name) => ({ id: name, vector, metadata: truthFields(name) })));
    for (const { says, operand, holds } of truthTable.filter((row) => row.op === op)) {
      const what = `${op} ${show(operand)}: ${says}`;
      const filter = where("v", op, operand);
      const others = truthNames.filter((name) => !holds.includes(name));
      same(idSet(await store.search(vector, { k: 100, filter })), [...holds].sort(), what);
      same(idSet(await store.search(vector, { k: 100, filter: not(filter) })), others.sort(), `not(${what})`);
      same(await store.count(filter), holds.length, `count, ${what}`);
      same(await store.count(not(filter)), others.length, `count, not(${what})`);
    }
  },
}));

export const filterCases: readonly VectorCase[] = [
  ...truthCases,
  {
    id: "filter/a-rare-one-far-from-the-query-still-gives-k",
    settings: { dimensions: 16, metric: "euclidean" },
    run: async ({ store, seed }) => {
      const vectors = clustered(seed, { count: 2000, dimensions: 16, clusters: 50 });
      const metadataOf = (n: number): { c: number; rare: boolean; t: string; n: number } => ({
        c: n % 50,
        rare: n % 50 === 7 && n % 100 === 7,
        t: n % 40 === 0 ? `Rare ${n}` : "common",
        n,
      });
      const entries = entriesOf(vectors, metadataOf);
      await store.add(entries);
      const query = vectors[0] as Float32Array;
      const truth = distancesFrom(query, entries, "euclidean");
      const filters = [
        [where("rare", "=", true), (m: ReturnType<typeof metadataOf>) => m.rare],
        [where("t", "ilike", "rare%"), (m: ReturnType<typeof metadataOf>) => m.t !== "common"],
        [where("n", "between", [1990, 1999]), (m: ReturnType<typeof metadataOf>) => m.n >= 1990],
        [where("id", "in", ["v3", "v1999"]), (m: ReturnType<typeof metadataOf>) => m.n === 3 || m.n === 1999],
        [
          and(where("c", "=", 49), not(where("n", "<", 1000))),
          (m: ReturnType<typeof metadataOf>) => m.c === 49 && m.n >= 1000,
        ],
      ] as const;
      for (const [filter, holds] of filters) {
        const matching = entries.filter(({ metadata }) => holds(metadata));
        const best = matching.map(({ id }) => truth.get(id) as number).sort((a, b) => a - b);
        for (const k of [1, 10, 20, 50]) {
          const hits = await store.search(query, { k, filter });
          same(hits.length, Math.min(k, matching.length), `hits of ${show(filter)}, k = ${k}`);
          same(new Set(idsOf(hits)).size, hits.length);
          assert.ok(
            hits.every(({ metadata }) => holds(metadata as ReturnType<typeof metadataOf>)),
            show(filter),
          );
          if (k >= matching.length) {
            same(idSet(hits), idSet(matching), `all of ${show(filter)}`);
            assert.ok(Math.abs((hits.at(-1)?.distance as number) - (best.at(-1) as number)) < 1e-3);
          }
        }
      }
    },
  },
  {
    id: "filter/that-nothing-satisfies-gives-nothing",
    run: async ({ store }) => {
      await store.add(Array.from({ length: 50 }, (_, n) => ({ id: `v${n}`, vector: [n + 1, 1, 1], metadata: { n } })));
      for (const filter of [where("n", "in", []), where("m", "exists"), or(), where("n", "=", "1"), not(and())]) {
        same(await store.search([1, 1, 1], { filter }), [], show(filter));
        same(await store.count(filter), 0, show(filter));
        same(await store.clear(filter), 0, show(filter));
        same(await store.updateMetadataWhere(filter, { n: 0 }), 0, show(filter));
      }
      same(await store.count(), 50);
    },
  },
  {
    id: "filter/that-everything-satisfies-changes-nothing",
    run: async ({ store }) => {
      await store.add(Array.from({ length: 50 }, (_, n) => ({ id: `v${n}`, vector: [n + 1, 1, 1], metadata: { n } })));
      const all = await store.search([1, 1, 1], { k: 50 });
      for (const filter of [and(), not(or()), where("n", ">=", 0), not(where("m", "exists"))]) {
        same(await store.search([1, 1, 1], { k: 50, filter }), all, show(filter));
        same(await store.count(filter), 50, show(filter));
      }
    },
  },
  {
    id: "filter/paths-name-metadata-fields-or-the-id",
    run: async ({ store }) => {
      const metadata = {
        lang: "en",
        id: "other",
        metadata: { lang: "de" },
        data: 5,
        createdAt: "x",
        o: { k: { d: 1 }, "a.b": 2 },
        "a.b": 3,
        list: [{ k: 1 }],
      };
      await store.add([
        { id: "a", vector, metadata },
        { id: "b", vector, metadata: {} },
      ]);
      const finds = async (filter: ReturnType<typeof where>, ids: readonly string[]): Promise<void> =>
        same(idSet(await store.search(vector, { filter })), ids, show(filter));
      await finds(where("lang", "=", "en"), ["a"]);
      await finds(where("metadata.lang", "=", "en"), ["a"]);
      await finds(where("metadata.metadata.lang", "=", "de"), ["a"]);
      await finds(where("id", "=", "a"), ["a"]);
      await finds(where("id", ">", "a"), ["b"]);
      await finds(where("id", "=", "other"), []);
      await finds(where("metadata.id", "=", "other"), ["a"]);
      await finds(where("data", "=", 5), ["a"]);
      await finds(where("createdAt", "=", "x"), ["a"]);
      await finds(where("o.k.d", "=", 1), ["a"]);
      await finds(where("o.a\\.b", "=", 2), ["a"]);
      await finds(where(["a.b"], "=", 3), ["a"]);
      await finds(where("list.0.k", "exists"), []);
      await finds(where("metadata", "=", {}), ["b"]);
      await refuses("INVALID_QUERY", () => store.search(vector, { filter: where("id.x", "=", 1) }));
    },
  },
  {
    id: "filter/ors-and-nots-of-everything",
    run: async ({ store }) => {
      const metadataOf = (n: number): { n: number; s: string; list: number[]; even?: boolean } => ({
        n,
        s: `x${n % 7}`,
        list: [n % 3, n % 5],
        ...(n % 2 === 0 && { even: true }),
      });
      await store.add(Array.from({ length: 60 }, (_, n) => ({ id: `v${n}`, vector, metadata: metadataOf(n) })));
      const ids = (test: (n: number) => boolean): string[] =>
        Array.from({ length: 60 }, (_, n) => n)
          .flatMap((n) => (test(n) ? [`v${n}`] : []))
          .sort();
      const filters = [
        [or(where("n", "<", 5), where("s", "=", "x3")), (n: number) => n < 5 || n % 7 === 3],
        [not(where("even", "=", true)), (n: number) => n % 2 === 1],
        [
          and(where("list", "contains", 0), or(where("n", ">", 50), where("even", "exists"))),
          (n: number) => (n % 3 === 0 || n % 5 === 0) && (n > 50 || n % 2 === 0),
        ],
        [not(or(where("s", "regex", "[0-2]$"), where("n", ">=", 30))), (n: number) => n % 7 > 2 && n < 30],
        [where("list", "overlaps", [2, 4]), (n: number) => n % 3 === 2 || n % 5 === 2 || n % 5 === 4],
      ] as const;
      for (const [filter, test] of filters) {
        same(idSet(await store.search(vector, { k: 60, filter })), ids(test), show(filter));
        same(await store.count(filter), ids(test).length, show(filter));
      }
    },
  },
  {
    id: "filter/100,000-values",
    run: async ({ store }) => {
      await store.add(Array.from({ length: 20 }, (_, n) => ({ id: `v${n}`, vector, metadata: { n, s: `s${n}` } })));
      const numbers = Array.from({ length: 100_000 }, (_, n) => n * 2);
      same(await store.count(where("n", "in", numbers)), 10);
      same(
        (
          await store.search(vector, {
            k: 20,
            filter: where(
              "s",
              "in",
              numbers.map((n) => `s${n}`),
            ),
          })
        ).length,
        10,
      );
    },
  },
  {
    id: "filter/residual-error-refuses-what-core-would-evaluate",
    run: async ({ store, open }) => {
      const strict = await open({ residual: "error" });
      await strict.add([{ id: "a", vector, metadata: { t: "x" } }]);
      for (const filter of [where("t", "regex", "x"), where("t", "=", "x")]) {
        const emulated = store.explain({ filter }).clauses.some(({ how }) => how === "emulated");
        const calls = [() => strict.search(vector, { filter }), () => strict.count(filter)];
        for (const call of calls) {
          if (emulated) await refuses("UNSUPPORTED", call);
          else await call();
        }
        if (emulated) await refuses("UNSUPPORTED", () => store.search(vector, { filter, residual: "error" }));
        else await store.search(vector, { filter, residual: "error" });
        await strict.search(vector, { filter, residual: "allow" });
      }
    },
  },
];
