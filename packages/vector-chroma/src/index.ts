/** `@dataknobs/vector-chroma`: vectors in a Chroma collection, on chromadb. */
import { defineVectorBackend, type VectorBackendFactory } from "@dataknobs/core/vector";
import { ChromaVectors } from "./backend.js";
import { type ChromaClientLike, type ChromaOptions, fromUrl, optionSpecs, settingsOf } from "./options.js";

export type { ChromaClientLike, ChromaOptions };

/**
 * A vector store in a collection of a Chroma server (version 1 or later) or of Chroma Cloud. No embedding function is
 * ever asked for: vectors are given.
 *
 * Throws `INVALID_CONFIG` for options that cannot be right; opens nothing yet. Opening throws it for a collection of
 * other dimensions or another metric, and `UNAVAILABLE` where no server answers.
 *
 * @example
 * await using store = await openVectorStore(chroma({ collection: "notes" }), { dimensions: 384 });
 * await store.add([{ id: "a", vector: embedding, metadata: { lang: "en" } }]);
 */
export const chroma: VectorBackendFactory<ChromaOptions> = defineVectorBackend<ChromaOptions>({
  name: "chroma",
  options: optionSpecs,
  create: (options) => new ChromaVectors(settingsOf(options)),
  fromUrl,
});
