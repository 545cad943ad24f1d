/** `@dataknobs/vector-pgvector`: vectors in a PostgreSQL table, by the extension pgvector, on postgres.js. */
import { fromUrl } from "@dataknobs/backend-postgres/kit";
import { defineVectorBackend, type VectorBackendFactory } from "@dataknobs/core/vector";
import { PgvectorBackend } from "./backend.js";
import { optionSpecs, type PgvectorOptions, settingsOf } from "./options.js";

export type { IndexType, PgvectorColumns, PgvectorOptions } from "./options.js";

/**
 * A vector store in PostgreSQL 13 or later with pgvector 0.8 or later. Exact without an index; with HNSW or IVFFlat
 * approximate, and filtered searches still give `k` hits whenever so many rows match.
 *
 * Opening throws `INVALID_CONFIG` for a database without the extension and for a table of other dimensions or another
 * metric.
 *
 * @example
 * await using store = await openVectorStore(pgvector({ database: "app", indexType: "hnsw" }), { dimensions: 384 });
 * await store.add([{ id: "a", vector: embedding, metadata: { lang: "en" } }]);
 * await store.search(query, { k: 5, filter: where("lang", "=", "en") });
 */
export const pgvector: VectorBackendFactory<PgvectorOptions> = defineVectorBackend<PgvectorOptions>({
  name: "pgvector",
  options: optionSpecs,
  create: (options) => new PgvectorBackend(settingsOf(options)),
  fromUrl,
});
