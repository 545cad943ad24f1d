/** `@dataknobs/backend-memory`: records in memory, with indexes, transactions and an optional capacity. */
import { type BackendFactory, defineBackend } from "@dataknobs/core/backend";
import { MemoryBackend } from "./backend.js";
import { checkEviction, type Eviction, type MemoryOptions, optionSpecs } from "./options.js";

export type { Eviction, MemoryOptions };

/**
 * A store in memory: for tests, caches, and data that fits and need not last. Runs in browsers too.
 *
 * Throws `INVALID_CONFIG` for an unknown option, and for `eviction` without `capacity`.
 *
 * @example
 * import { memory } from "@dataknobs/backend-memory";
 * import { openDatabase } from "@dataknobs/core";
 *
 * await using db = await openDatabase(memory({ capacity: 10_000, eviction: "lru" }), { indexes: [{ path: "city" }] });
 * await db.create({ name: "Ada", city: "London" });
 * await db.count({ where: { path: "city", op: "=", value: "London" } }); // 1
 */
export const memory: BackendFactory<MemoryOptions> = defineBackend<MemoryOptions>({
  name: "memory",
  options: optionSpecs,
  // "memory:" has nothing to say but options
  fromUrl: () => ({}),
  create: (options) => {
    checkEviction(options);
    return new MemoryBackend(options);
  },
});
