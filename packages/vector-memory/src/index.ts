/** `@dataknobs/vector-memory`: vectors in memory, searched exactly, saved to a file where one is named. */
import { defineVectorBackend, type VectorBackendFactory } from "@dataknobs/core/vector";
import { MemoryVectors } from "./backend.js";
import { fromUrl, optionSpecs, type VectorMemoryOptions } from "./options.js";

export type { VectorMemoryOptions };

/**
 * A vector store in memory: exact search up to some hundred thousand vectors, with filters evaluated first. Runs in
 * browsers too; saving to a `path` needs Node, Deno or Bun.
 *
 * Opening throws `CORRUPT` for a file that is damaged and `INVALID_CONFIG` for one of other dimensions or metric.
 *
 * @example
 * import { openVectorStore } from "@dataknobs/core";
 * import { vectorMemory } from "@dataknobs/vector-memory";
 *
 * await using store = await openVectorStore(vectorMemory({ path: "notes.dkv" }), { dimensions: 3 });
 * await store.add([{ id: "a", vector: [0.2, 0.9, 0.1], metadata: { lang: "en" } }]);
 */
export const vectorMemory: VectorBackendFactory<VectorMemoryOptions> = defineVectorBackend<VectorMemoryOptions>({
  name: "memory",
  options: optionSpecs,
  create: (options) => new MemoryVectors(options),
  fromUrl,
});
