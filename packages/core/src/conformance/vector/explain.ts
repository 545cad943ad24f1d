/** `explain` tells what happens, and does nothing. */
import assert from "node:assert/strict";
import { and, not, or, where } from "../../query/builder.js";
import { same } from "../expect.js";
import type { VectorCase } from "./case.js";

export const explainCases: readonly VectorCase[] = [
  {
    id: "explain/says-of-every-clause-who-does-it",
    run: async ({ store, capabilities, mode }) => {
      const clauses = [
        where("lang", "=", "en"),
        where("n", ">", 5),
        where("t", "regex", "^x"),
        where("list", "contains", 1),
        where("a", "not_in", [1]),
      ];
      const { clauses: told, backend, emulated } = store.explain({ filter: and(...clauses) });
      same(backend, store.name);
      same(
        told.map(({ clause }) => clause),
        clauses,
      );
      if (mode === "emulated" || capabilities.pushdown.length === 0) {
        same(new Set(told.map(({ how }) => how)), new Set(["emulated"]));
      }
      same(emulated, told.some(({ how }) => how === "emulated") || store.explain().emulated);
      for (const { how, why } of told) assert.ok(how === "pushed" || (why ?? "") !== "", "an emulated clause says why");
    },
  },
  {
    id: "explain/agrees-with-the-capabilities",
    run: async ({ store, capabilities }) => {
      const plain = store.explain();
      same(plain.clauses, []);
      assert.ok(plain.fetch >= 10);
      assert.ok(
        plain.search !== "exact" || capabilities.index === "exact" || (plain.why ?? "") !== "",
        "exact, but why?",
      );
      const exact = store.explain({ exact: true });
      same(exact.search === "approximate", false, "an exact search is approximate");
      if (!capabilities.exactSearch) same(exact.search, "scan");
      if (capabilities.complete) same(plain.completion, "none");
      else same(plain.completion, capabilities.exactSearch ? "engine" : "scan");
    },
  },
  {
    id: "explain/residual-filters-ask-for-more",
    run: async ({ store }) => {
      const filter = or(where("a", "regex", "x"), not(where("b", "ilike", "%y")));
      const { clauses, fetch } = store.explain({ k: 7, filter });
      assert.ok(clauses.every(({ how }) => how === "pushed") || fetch > 8, String(fetch));
    },
  },
  {
    id: "explain/is-plain-and-changes-nothing",
    run: async ({ store }) => {
      const told = store.explain({ k: 3, filter: where("a", "=", 1) });
      assert.ok(Object.isFrozen(told));
      same(store.explain({ k: 3, filter: where("a", "=", 1) }), told);
      same(await store.count(), 0);
    },
  },
];
