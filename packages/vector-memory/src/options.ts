/** The options of `vectorMemory`. */
import { type BackendUrl, DataknobsError, type OptionSpec } from "@dataknobs/core/backend";

export interface VectorMemoryOptions {
  /** The file that the store is loaded from and saved to. Without one, it is gone with the process. */
  readonly path?: string;
  /**
   * `"int8"`: keeps every vector rounded to 8 bits too, a quarter more memory, and measures only those rows that the
   * rounded ones do not rule out. Answers are the same; searches of many rows are several times faster. Default `"none"`.
   */
  readonly quantization?: "none" | "int8";
}

export const optionSpecs: { readonly [K in keyof VectorMemoryOptions]-?: OptionSpec } = {
  path: { type: "string" },
  quantization: { type: "string", oneOf: ["none", "int8"] },
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
