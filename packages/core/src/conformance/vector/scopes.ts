/** Scopes: a tenant sees, counts, changes and deletes its own rows only; two may use one id. */
import { where } from "../../query/builder.js";
import type { Fields } from "../../record/values.js";
import type { VectorOperations } from "../../vector/operations.js";
import { collect, idSet, refuses, same } from "../expect.js";
import { hostileTexts } from "../strings.js";
import type { VectorCase } from "./case.js";
import { clustered, entriesOf } from "./vectors.js";

const f32 = (...numbers: readonly number[]): Float32Array => new Float32Array(numbers);

async function load(one: VectorOperations, mark: string, from: number): Promise<void> {
  await one.add(
    Array.from({ length: 5 }, (_, n) => ({ id: `v${n}`, vector: [from, n + 1, 1], metadata: { mark, n }, text: mark })),
  );
}

async function all(one: VectorOperations): Promise<unknown[]> {
  return (await collect(one.stream())).sort((a, b) => (a.id < b.id ? -1 : 1));
}

export const scopeCases: readonly VectorCase[] = [
  {
    id: "scope/one-id-in-two-scopes-and-in-none",
    run: async ({ store }) => {
      const [a, b] = [store.scoped("a"), store.scoped("b")];
      await a.add([{ id: "x", vector: [1, 0, 0], metadata: { of: "a" } }]);
      await b.add([{ id: "x", vector: [0, 1, 0], metadata: { of: "b" } }]);
      await store.add([{ id: "x", vector: [0, 0, 1], metadata: { of: "none" } }]);
      same(await a.get(["x"]), [{ id: "x", vector: f32(1, 0, 0), metadata: { of: "a" } }]);
      same(await b.get(["x"]), [{ id: "x", vector: f32(0, 1, 0), metadata: { of: "b" } }]);
      same(await store.get(["x"]), [{ id: "x", vector: f32(0, 0, 1), metadata: { of: "none" } }]);
      same(await a.delete(["x"]), [true]);
      same(await a.delete(["x"]), [false]);
      same(await a.get(["x"]), [undefined]);
      same([await a.count(), await b.count(), await store.count()], [0, 1, 1]);
    },
  },
  {
    id: "scope/every-read-sees-its-own-only",
    run: async ({ store }) => {
      const [a, b] = [store.scoped("a"), store.scoped("b")];
      await load(a, "a", 1);
      await load(b, "b", 5);
      await load(store, "none", 9);
      for (const [one, mark] of [
        [a, "a"],
        [b, "b"],
        [store, "none"],
      ] as const) {
        const marks = async (rows: Promise<readonly ({ readonly metadata: Fields } | undefined)[]>): Promise<void> =>
          same(new Set((await rows).map((row) => row?.metadata["mark"])), new Set([mark]));
        await marks(one.search([5, 1, 1], { k: 100 }));
        same((await one.search([5, 1, 1], { k: 100 })).length, 5);
        await marks(one.search([1, 1, 1], { k: 100, exact: true }));
        await marks(one.search([9, 1, 1], { filter: where("n", ">", 1) }));
        await marks(one.get(["v0", "v4"]));
        await marks(collect(one.stream()));
        same(await one.count(), 5);
        same(await one.count(where("mark", "=", "a")), mark === "a" ? 5 : 0);
        same(await one.count(where("id", "=", "v1")), 1);
      }
    },
  },
  {
    id: "scope/every-write-changes-its-own-only",
    run: async ({ store }) => {
      const [a, b] = [store.scoped("a"), store.scoped("b")];
      await load(a, "a", 1);
      await load(b, "b", 5);
      await load(store, "none", 9);
      const [before, none] = [await all(b), await all(store)];
      await a.add([{ id: "v0", vector: [7, 7, 7], metadata: { mark: "changed" } }]);
      same(await a.updateMetadata("v1", { mark: "changed" }), true);
      same(await a.updateMetadataWhere(where("n", ">=", 2), { mark: "changed" }), 3);
      same(await a.count(where("mark", "=", "changed")), 5);
      same(await a.delete(["v2", "v3"]), [true, true]);
      same(await a.clear(where("n", "=", 4)), 1);
      same(await a.clear(), 2);
      same(await a.updateMetadata("v1", { mark: "x" }), false);
      same(await a.updateMetadataWhere({ and: [] }, { mark: "x" }), 0);
      same(await all(b), before);
      same(await all(store), none);
      same(await store.clear(), 5);
      same(await all(b), before);
    },
  },
  {
    id: "scope/k-hits-whenever-k-of-its-rows-are-there",
    settings: { dimensions: 8, metric: "euclidean" },
    run: async ({ store, seed }) => {
      const vectors = clustered(seed, { count: 900, dimensions: 8, clusters: 9 });
      const big = store.scoped("big");
      const small = store.scoped("small");
      await big.add(entriesOf(vectors, (n) => ({ n })));
      await small.add(entriesOf(vectors.slice(0, 30), (n) => ({ n, odd: n % 2 === 1 })));
      for (const query of vectors.slice(5, 10)) {
        same((await small.search(query, { k: 30, include: [] })).length, 30);
        same((await small.search(query, { k: 500, include: [] })).length, 30);
        same((await small.search(query, { k: 15, filter: where("odd", "=", true) })).length, 15);
        same((await big.search(query, { k: 400, include: [] })).length, 400);
      }
    },
  },
  {
    id: "scope/of-opening-is-the-same-scope",
    requires: ({ persistence }) => persistence !== false,
    run: async ({ store, reopen, capabilities }) => {
      await store.scoped("a").add([{ id: "x", vector: [1, 2, 3], metadata: { of: "a" } }]);
      await store.add([{ id: "x", vector: [3, 2, 1], metadata: { of: "none" } }]);
      if (capabilities.persistence === "save") await store.save();
      const a = await reopen(store, { scope: "a" });
      same(a.scope, "a");
      same(
        (await a.search([1, 2, 3])).map(({ metadata }) => metadata),
        [{ of: "a" }],
      );
      same(await a.count(), 1);
      const b = await reopen(a, { scope: "b" });
      same([await b.count(), await b.get(["x"]), await b.delete(["x"])], [0, [undefined], [false]]);
      const none = await reopen(b);
      same((await none.get(["x"]))[0]?.metadata, { of: "none" });
    },
    unsupported: async ({ open }) => {
      const a = await open({ scope: "a" });
      await a.add([{ id: "x", vector: [1, 2, 3] }]);
      same([a.scope, await a.count(), (await a.search([1, 2, 3])).length], ["a", 1, 1]);
    },
  },
  {
    id: "scope/who-was-given-one-cannot-reach-another",
    run: async ({ open }) => {
      const a = await open({ scope: "a" });
      await refuses("UNSUPPORTED", () => a.scoped("b"));
      await refuses("UNSUPPORTED", () => a.scoped("a"));
    },
  },
  {
    id: "scope/may-be-any-text",
    run: async ({ store }) => {
      const scopes = [...hostileTexts.filter((text) => text !== ""), "x".repeat(512)];
      for (const [n, scope] of scopes.entries()) {
        await store.scoped(scope).add([{ id: "a", vector: [n + 1, 1, 1], metadata: { n } }]);
      }
      for (const [n, scope] of scopes.entries()) {
        const one = store.scoped(scope);
        const what = `the scope ${JSON.stringify(scope.slice(0, 40))}`;
        same([await one.count(), (await one.get(["a"]))[0]?.metadata], [1, { n }], what);
        same(
          (await one.search([1, 1, 1], { k: 5 })).map(({ metadata }) => metadata),
          [{ n }],
          what,
        );
      }
      same(await store.count(), 0);
      same(await store.scoped("'").clear(), 1);
      same(await store.scoped('"').count(), 1);
    },
  },
  {
    id: "scope/a-filter-cannot-leave-it",
    run: async ({ store }) => {
      const a = store.scoped("a");
      await load(store.scoped("b"), "b", 1);
      await load(a, "a", 1);
      const wide = [{ and: [] }, { not: { or: [] } }, { or: [where("mark", "=", "b"), { and: [] }] }];
      for (const filter of wide) {
        same(await a.count(filter), 5);
        same((await a.search([1, 1, 1], { k: 50, filter })).length, 5);
      }
      for (const name of ["scope", "tenant", "namespace", "_scope", "$scope"]) {
        same(await a.count(where(name, "=", "b")), 0, name);
        same(await a.count(where(name, "exists")), 0, name);
      }
      same(idSet(await a.search([1, 1, 1], { k: 50, filter: { not: where("mark", "=", "b") } })).length, 5);
    },
  },
];
