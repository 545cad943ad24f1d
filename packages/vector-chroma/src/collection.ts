/** Opening a collection: found or made, and refused where it is not what was asked for. */
import { DataknobsError } from "@dataknobs/core/backend";
import type { Metric } from "@dataknobs/core/vector";
import type { ChromaClient, Collection, EmbeddingFunction } from "chromadb";
import { isNamed } from "./errors.js";
import type { HnswSettings, Settings } from "./options.js";
import { ownKeys } from "./rows.js";

export interface Shape {
  readonly dimensions: number;
  readonly metric: Metric;
}

const spaces = { cosine: "cosine", euclidean: "l2", dot: "ip" } as const;

/** Without one of its own, the client would look for the one that the collection was made with, and warn. */
const noEmbedding: EmbeddingFunction = {
  name: "none",
  generate: () => Promise.reject(new TypeError("vectors are given")),
};

export async function openCollection(settings: Settings, shape: Shape): Promise<Collection> {
  const { hnsw, collection: name } = settings;
  const found = (await find(settings)) ?? (await make(settings, shape));
  const given = found.configuration.hnsw ?? found.configuration.spann;
  if (given?.space !== spaces[shape.metric]) {
    throw other(
      name,
      `measures by "${String(given?.space)}"; the metric ${shape.metric} is "${spaces[shape.metric]}" in Chroma`,
    );
  }
  await checkDimensions(found, shape.dimensions);
  await tune(found, hnsw);
  return found;
}

async function find({ client, collection: name, create }: Settings): Promise<Collection | undefined> {
  try {
    return await (client as ChromaClient).getCollection({ name, embeddingFunction: noEmbedding });
  } catch (error) {
    if (!isNamed(error, "ChromaNotFoundError")) throw error;
    if (create) return undefined;
    throw new DataknobsError(
      "INVALID_CONFIG",
      `There is no Chroma collection "${name}" in this tenant and database, and \`create: false\` makes none.`,
      { backend: "chroma", collection: name },
      { cause: error },
    );
  }
}

async function make({ client, collection: name, hnsw }: Settings, { dimensions, metric }: Shape): Promise<Collection> {
  try {
    // another process may make it at the same moment: then this is the one that it made
    return await (client as ChromaClient).getOrCreateCollection({
      name,
      embeddingFunction: null,
      configuration: { hnsw: { space: spaces[metric], ...hnsw } },
      // until the first vector comes, Chroma itself would take any dimensions
      metadata: { [ownKeys.dimensions]: dimensions },
    });
  } catch (error) {
    if (!isNamed(error, "ChromaClientError") && !isNamed(error, "ChromaNotFoundError")) throw error;
    throw new DataknobsError(
      "INVALID_CONFIG",
      "The Chroma server makes no such collection: check that tenant and database are there, and the HNSW options.",
      { backend: "chroma", collection: name },
      { cause: error },
    );
  }
}

/** Throws `INVALID_CONFIG` where the collection has other dimensions. */
export async function checkDimensions(collection: Collection, dimensions: number): Promise<void> {
  const { embeddings } = await collection.get({ limit: 1, include: ["embeddings"] });
  const actual = embeddings[0]?.length ?? collection.metadata?.[ownKeys.dimensions] ?? dimensions;
  if (actual === dimensions) return;
  throw other(collection.name, `has vectors of ${String(actual)} dimensions; ${dimensions} were asked for`);
}

/** `ef_search` may be changed; the rest is of the graph. */
async function tune(collection: Collection, { ef_search, ...built }: HnswSettings): Promise<void> {
  const actual = collection.configuration.hnsw;
  for (const [option, value] of Object.entries(built)) {
    const is = actual?.[option as keyof typeof built];
    if (is !== value) throw other(collection.name, `was made with ${option} ${String(is)}; ${value} was asked for`);
  }
  if (ef_search === undefined || actual?.ef_search === ef_search) return;
  if (actual == null) throw other(collection.name, "has no HNSW index, so that it has no `efSearch`");
  await collection.modify({ configuration: { hnsw: { ef_search } } });
}

function other(collection: string, what: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", `The Chroma collection "${collection}" ${what}.`, {
    backend: "chroma",
    collection,
  });
}
