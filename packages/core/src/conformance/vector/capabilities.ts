/** What a vector store declares is plain, frozen, and true. */
import assert from "node:assert/strict";
import { same } from "../expect.js";
import type { VectorCase } from "./case.js";

export const capabilityCases: readonly VectorCase[] = [
  {
    id: "capabilities/are-plain-frozen-data",
    run: async ({ store, backend }) => {
      same(JSON.parse(JSON.stringify(store.capabilities)), store.capabilities);
      assert.ok(Object.isFrozen(store.capabilities));
      const before = (await backend()).capabilities;
      same(JSON.parse(JSON.stringify(before)), before);
    },
  },
  {
    id: "capabilities/pushdown-lists-the-compilers-handlers",
    modes: ["plain"],
    run: async ({ store, backend }) => {
      const { compiler } = await backend();
      same([...store.capabilities.pushdown].sort(), Object.keys(compiler?.leaf ?? {}).sort());
    },
  },
  {
    id: "capabilities/what-lives-in-a-file-has-save-load-and-unsaved",
    modes: ["plain"],
    run: async ({ store, backend }) => {
      const one = await backend();
      const has = store.capabilities.persistence === "save";
      same(
        [typeof one.save, typeof one.load, typeof one.unsaved],
        has ? ["function", "function", "boolean"] : [typeof one.save, typeof one.load, typeof one.unsaved],
      );
    },
  },
  {
    id: "capabilities/an-exact-index-searches-exactly-when-asked",
    run: async ({ store: { capabilities } }) => {
      if (capabilities.index === "exact" && capabilities.complete) same(capabilities.exactSearch, true);
    },
  },
];
