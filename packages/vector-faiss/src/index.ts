/** `@dataknobs/vector-faiss`: vectors in indexes of Faiss, through faiss-node. */
import { defineVectorBackend, type VectorBackendFactory } from "@dataknobs/core/vector";
import { FaissVectors } from "./backend.js";
import { checkFaissOptions, type FaissOptions, fromUrl, optionSpecs } from "./options.js";

export type { FaissOptions };

/**
 * A vector store on Faiss: `Flat`, `HNSW` and `IVF` indexes that take updates, deletes, filters and scopes, work on a
 * thread of its own, and are saved as one file with all that belongs to them.
 *
 * Opening throws `MISSING_DRIVER` where faiss-node or its binary is not there, `CORRUPT` for a damaged file and
 * `INVALID_CONFIG` for one of other dimensions or metric. The factory throws `INVALID_CONFIG` for an index type that it
 * does not know.
 *
 * @example
 * await using store = await openVectorStore(faiss({ indexType: "HNSW32", path: "notes.dkv" }), { dimensions: 384 });
 * await store.add([{ id: "a", vector: embedding, metadata: { lang: "en" } }]);
 */
export const faiss: VectorBackendFactory<FaissOptions> = defineVectorBackend<FaissOptions>({
  name: "faiss",
  options: optionSpecs,
  create: (options) => new FaissVectors(checkFaissOptions(options)),
  fromUrl,
});
