/** The options of `vectorMemory`. */
import type { OptionSpec } from "@dataknobs/core/backend";

export interface VectorMemoryOptions {
  /** The file that the store is loaded from and saved to. Without one, it is gone with the process. */
  readonly path?: string;
}

export const optionSpecs: { readonly [K in keyof VectorMemoryOptions]-?: OptionSpec } = {
  path: { type: "string" },
};
