/** The options of `vectorMemory`. */
import { type BackendUrl, DataknobsError, type OptionSpec } from "@dataknobs/core/backend";

export interface VectorMemoryOptions {
  /** The file that the store is loaded from and saved to. Without one, it is gone with the process. */
  readonly path?: string;
}

export const optionSpecs: { readonly [K in keyof VectorMemoryOptions]-?: OptionSpec } = {
  path: { type: "string" },
};

/** `memory:` and `memory:vectors.dkv`, with percent-encoding. */
export function fromUrl({ rest }: BackendUrl): VectorMemoryOptions {
  if (rest === "") return {};
  try {
    return { path: decodeURIComponent(rest) };
  } catch (error) {
    throw new DataknobsError(
      "INVALID_CONFIG",
      "The path in the URL of a vector store has a % that begins no escape; write %25 for one.",
      { backend: "memory" },
      { cause: error },
    );
  }
}
