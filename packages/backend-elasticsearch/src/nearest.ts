/**
 * Fields declared for vectors: what is indexed of them, and how the nearest are looked for. Elasticsearch gives
 * candidates; core measures the vectors that are kept in the data, which come back to the bit.
 *
 * Elasticsearch sums squares in 32-bit floats. A vector too long or short for that is indexed at a length that it
 * measures, which under cosine changes nothing; under the other metrics it is marked as odd, and an exact search gives all
 * that are.
 */
import {
  type Compiled,
  type Json,
  type Nearest,
  type ScanRequest,
  samePath,
  type VectorDeclaration,
  type WireRecord,
} from "@dataknobs/core/backend";
import { type Metric, normOf } from "@dataknobs/core/vector";
import type { Query } from "./compile.js";
import { recordOf } from "./documents.js";
import type { Column, Layout } from "./layout.js";
import { pages, type Scope, whole } from "./search.js";
import type { Answer } from "./wire.js";

/** Numbers in a vector that Elasticsearch takes; longer ones are left to core. */
export const mostDimensions = 4096;
/** `from + size`, and candidates of a search by the graph. */
const mostHits = 10_000;
/** That a graph looks at where few are asked for: what the client of a careful user would ask for. */
const leastCandidates = 100;

const longest = 2 ** 62;
const shortest = 2 ** -62;

export interface VectorColumn extends Column {
  readonly vector: VectorDeclaration;
}

export const isVector = (column: Column): column is VectorColumn => column.vector !== undefined;

// ---------- what is indexed

const similarities: { readonly [M in Metric]: string } = {
  cosine: "cosine",
  euclidean: "l2_norm",
  dot: "max_inner_product",
};

export function vectorMapping({ dimensions, metric, index }: VectorDeclaration): object {
  const field = { type: "dense_vector", dims: dimensions };
  if (index === "none") return { ...field, index: false };
  // whole floats: what would be saved by fewer bits is paid for in hits
  return { ...field, index: true, similarity: similarities[metric], index_options: { type: "hnsw" } };
}

/** What Elasticsearch shall measure; nothing where the value is no candidate. */
export function indexedVector(
  { dimensions, metric }: VectorDeclaration,
  value: Json,
): { readonly numbers: readonly number[]; readonly odd: boolean } | undefined {
  const numbers = value as readonly number[];
  if (!Array.isArray(value) || value.length !== dimensions) return undefined;
  const norm = normOf(Float32Array.from(numbers));
  if (metric === "cosine") {
    if (norm === 0) return undefined;
    const fits = norm <= longest && norm >= shortest;
    return { numbers: fits ? numbers : numbers.map((number) => number / norm), odd: false };
  }
  if (norm <= longest) return { numbers, odd: false };
  return { numbers: numbers.map((number) => (number / norm) * longest), odd: true };
}

// ---------- searches

/** A query that is one of the nearest. */
interface Search extends Query {
  readonly field: string;
  readonly id: string;
  readonly metric: Metric;
  readonly vector: readonly number[];
  readonly exact: boolean;
}

export function compileNearest(
  { usable }: Layout,
  { path, vector, metric, exact }: Nearest,
): Compiled<Query> | undefined {
  const column = usable
    .filter(isVector)
    .find((one) => samePath(one.path, path) && one.vector.metric === metric && one.vector.dimensions === vector.length);
  if (column === undefined) return undefined;
  const norm = normOf(vector);
  const fits = norm <= longest && (metric !== "cosine" || norm >= shortest);
  if (!fits && metric !== "cosine") return undefined;
  const measures = exact || column.vector.index === "none";
  const search: Search = {
    dsl: {},
    depth: 1,
    field: `side.v.${column.id}`,
    id: column.id,
    metric,
    vector: Array.from(vector, (number) => (fits ? number : number / norm)),
    exact: measures,
  };
  return measures ? { code: search, exact: true } : { code: search, exact: false, index: column.name };
}

/** By the rule that a nearer one has a greater score, with as many digits near as far. */
const scores: { readonly [M in Metric]: (field: string) => string } = {
  cosine: (field) => `cosineSimilarity(params.vector, '${field}') + 1.0`,
  euclidean: (field) => `1 / (l2norm(params.vector, '${field}') + 1e-37)`,
  dot: (field) => `double dot = dotProduct(params.vector, '${field}'); return dot < 0 ? 1 / (1 - dot) : dot + 1`,
};

const oddOnes = (id: string): object => ({ term: { "side.odd": id } });

/** The body of a search for the nearest. `past`: measures every candidate, whatever graph there is. */
export function nearestBody({ where, nearest, limit = 0 }: ScanRequest<Query>, past = false): Answer {
  const { field, id, metric, vector, exact } = nearest as Search;
  const size = Math.min(limit, mostHits);
  const filter = where === undefined ? [] : [where.dsl];
  const sort = [{ _score: "desc" }, { id: "asc" }];
  if (!exact && !past) {
    // more than are given, so that those as near as the last are put in order of their ids
    const k = Math.min(mostHits, 2 * size);
    const knn = {
      field,
      query_vector: vector,
      k,
      num_candidates: Math.max(leastCandidates, k),
      ...(where && { filter }),
    };
    return { knn, sort, size, track_total_hits: false };
  }
  const query = { bool: { filter: [{ exists: { field } }, ...filter], must_not: [oddOnes(id)] } };
  const script = { source: scores[metric](field), params: { vector } };
  return { query: { script_score: { query, script } }, sort, size, track_total_hits: false };
}

export async function* scanNearest(
  scope: Scope,
  request: ScanRequest<Query>,
): AsyncGenerator<readonly WireRecord[], void> {
  const { where, limit = 0, batchSize, signal } = request;
  const { field, id, exact } = request.nearest as Search;
  const filter = where === undefined ? [] : [where.dsl];
  const every = (test: object): Answer => ({
    query: { bool: { filter: [test, ...filter] } },
    sort: ["_shard_doc"],
    size: Math.min(batchSize, mostHits),
    track_total_hits: false,
  });
  const records = (hits: readonly Answer[]): WireRecord[] => hits.map((hit) => recordOf(hit));
  if (limit > mostHits) {
    // more than one answer holds: all of them, which core measures
    for await (const hits of pages(scope, every({ exists: { field } }), { signal })) yield records(hits);
    return;
  }
  const { wire, layout, routing } = scope;
  const ask = async (past: boolean): Promise<readonly Answer[]> => {
    const answer = await wire.ask({
      method: "POST",
      path: [layout.target, "_search"],
      query: { routing, ...whole },
      body: nearestBody(request, past),
      signal,
    });
    return answer.hits.hits;
  };
  if (!exact) {
    const hits = await ask(false);
    if (hits.length >= limit) {
      yield records(hits);
      return;
    }
    // it may have come to an end of its graph
  }
  const hits = await ask(true);
  if (hits.length > 0) yield records(hits);
  if ((request.nearest as Search).metric === "cosine") return;
  for await (const odd of pages(scope, every(oddOnes(id)), { signal })) yield records(odd);
}
