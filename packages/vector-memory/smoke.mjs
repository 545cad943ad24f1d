import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { openVectorStore, where } from "@dataknobs/core";
import { vectorMemory } from "@dataknobs/vector-memory";

const settings = { dimensions: 2 };
const store = await openVectorStore(vectorMemory({ path: "smoke.dkv" }), settings);
await store.add([
  { id: "a", vector: [1, 0], metadata: { lang: "en" } },
  { id: "b", vector: [1, 1], metadata: { lang: "de" } },
]);
await store.close();
const again = await openVectorStore({ backend: "memory", path: "smoke.dkv", ...settings });
const hits = await again.search([1, 0], { filter: where("lang", "=", "de") });
assert.deepEqual(
  hits.map(({ id }) => id),
  ["b"],
);
await again.close();
rmSync("smoke.dkv");
