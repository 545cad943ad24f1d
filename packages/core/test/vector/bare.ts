/**
 * The least that a vector store can be: five asynchronous methods, no filters, and an index that is all that a bad one
 * can be: it forgets what is far from the query, cares for no scope before it has its candidates, and mixes up ties.
 */
import {
  type DeleteRequest,
  distanceOf,
  type GetRequest,
  type PartialRow,
  type UpsertRequest,
  type VectorBackend,
  type VectorCapabilities,
  type VectorHit,
  type VectorOpenRequest,
  type VectorPart,
  type VectorRow,
  type VectorScanRequest,
  type VectorSearchRequest,
} from "../../src/vector/index.js";

const candidates = 120;

export class BareVectors implements VectorBackend {
  readonly name = "bare";
  readonly capabilities: VectorCapabilities = {
    persistence: false,
    metrics: ["cosine", "euclidean", "dot"],
    index: "approximate",
    exactSearch: false,
    complete: false,
    ties: "any",
    atomicBatch: false,
    cancel: false,
    pushdown: [],
    limits: { batch: 7, results: 50 },
  };
  readonly #rows: { readonly scope: string; readonly row: VectorRow }[] = [];
  #measure: (a: Float32Array, b: Float32Array) => number = () => Number.NaN;

  open({ metric }: VectorOpenRequest): undefined {
    this.#measure = distanceOf(metric);
  }

  async upsert({ scope, rows }: UpsertRequest): Promise<void> {
    for (const row of rows) {
      this.#remove(scope, row.id);
      this.#rows.unshift({ scope, row });
    }
  }

  async get({ scope, ids, include }: GetRequest): Promise<(PartialRow | undefined)[]> {
    return ids.map((id) => {
      const found = this.#rows.find((one) => one.scope === scope && one.row.id === id);
      return found === undefined ? undefined : give(found.row, include);
    });
  }

  async delete({ scope, ids }: DeleteRequest): Promise<boolean[]> {
    return ids.map((id) => this.#remove(scope, id));
  }

  #remove(scope: string, id: string): boolean {
    const at = this.#rows.findIndex((one) => one.scope === scope && one.row.id === id);
    if (at >= 0) this.#rows.splice(at, 1);
    return at >= 0;
  }

  async search({ scope, vectors, limit, include }: VectorSearchRequest<unknown>): Promise<VectorHit[][]> {
    return vectors.map((query) =>
      this.#rows
        .map((one) => ({ ...one, distance: this.#measure(query, one.row.vector) }))
        .sort((a, b) => a.distance - b.distance)
        .slice(0, candidates)
        .filter((one) => one.scope === scope)
        .slice(0, limit)
        .map(({ row, distance }) => ({ ...give(row, include), distance })),
    );
  }

  async *scan({ scope, include }: VectorScanRequest<unknown>): AsyncGenerator<PartialRow[]> {
    const rows = this.#rows.filter((one) => one.scope === scope);
    for (let at = 0; at < rows.length; at += 100) {
      yield rows.slice(at, at + 100).map(({ row }) => give(row, include));
    }
  }
}

function give(row: VectorRow, include: readonly VectorPart[]): PartialRow {
  return {
    id: row.id,
    ...(include.includes("vector") && { vector: row.vector.slice() }),
    ...(include.includes("metadata") && { metadata: row.metadata, metadataTypes: row.metadataTypes }),
    ...(include.includes("text") && { text: row.text }),
  };
}
