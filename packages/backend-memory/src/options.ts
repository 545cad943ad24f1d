/** The options of `memory`. */
import { DataknobsError, type OptionSpec } from "@dataknobs/core/backend";

/** What makes room once `capacity` is reached. */
export type Eviction = "none" | "fifo" | "lru";

export interface MemoryOptions {
  /** Records that the store holds at most; without it, as many as fit into memory. */
  readonly capacity?: number;
  /**
   * What a write beyond `capacity` does. `"none"` (the default): it fails with `LIMIT_EXCEEDED` and writes nothing.
   * `"fifo"`: the records created first leave. `"lru"`: those that were longest neither read by id nor written leave;
   * queries do not count as use.
   */
  readonly eviction?: Eviction;
}

export const optionSpecs: { readonly [K in keyof MemoryOptions]-?: OptionSpec } = {
  capacity: { type: "number", min: 1, integer: true },
  eviction: { type: "string", oneOf: ["none", "fifo", "lru"] },
};

export function checkEviction({ capacity, eviction = "none" }: MemoryOptions): void {
  if (eviction !== "none" && capacity === undefined) {
    throw new DataknobsError("INVALID_CONFIG", `\`eviction: "${eviction}"\` needs a \`capacity\` to keep to.`, {
      backend: "memory",
    });
  }
}
