/** What a package of a vector store exports, and vector stores by name. */
import { type AnyDefinition, type BackendDefinition, type BackendFactory, factoryOf } from "../backend/options.js";
import { Registry } from "../backend/registry.js";
import type { VectorBackend } from "./spi.js";

export type VectorBackendDefinition<Options extends object = object> = BackendDefinition<Options, VectorBackend>;
export type VectorBackendFactory<Options extends object = object> = BackendFactory<Options, VectorBackend>;
export type AnyVectorDefinition = AnyDefinition<VectorBackend>;

/**
 * Makes the factory that a package of a vector store exports.
 *
 * @example
 * export const chroma = defineVectorBackend<ChromaOptions>({ name: "chroma", options: { url: { type: "string" } }, create: … });
 */
export function defineVectorBackend<Options extends object>(
  definition: VectorBackendDefinition<Options>,
): VectorBackendFactory<Options> {
  return factoryOf(definition);
}

const stores: Registry<AnyVectorDefinition> = new Registry({
  noun: "vector store",
  register: "registerVectorBackend",
  known: {
    memory: { package: "@dataknobs/vector-memory", export: "vectorMemory" },
    faiss: { package: "@dataknobs/vector-faiss", export: "faiss" },
    chroma: { package: "@dataknobs/vector-chroma", export: "chroma" },
    pgvector: { package: "@dataknobs/vector-pgvector", export: "pgvector" },
  },
  aliases: { mem: "memory", chromadb: "chroma", postgres: "pgvector", postgresql: "pgvector", pg: "pgvector" },
});

/**
 * Makes a vector store known by its name, for configurations and URLs. Takes the factory that `defineVectorBackend`
 * made. `INVALID_CONFIG` where another of that name is registered.
 */
export function registerVectorBackend(factory: { readonly definition: object }): void {
  stores.register(factory.definition as AnyVectorDefinition);
}

/** Every name that `openVectorStore` knows. */
export function vectorBackendNames(): string[] {
  return stores.names();
}

/** The definition of a vector store by name. Throws `INVALID_CONFIG` or `MISSING_DRIVER`. */
export function vectorDefinitionOf(name: unknown): Promise<AnyVectorDefinition> {
  return stores.find(name);
}
