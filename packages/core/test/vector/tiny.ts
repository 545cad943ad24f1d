/** A correct vector store, small enough to be read at a glance, whose parts tests replace by wrong ones. */

import { leafKinds } from "../../src/backend/kinds.js";
import type { Compiled, Compiler } from "../../src/backend/spi.js";
import type { Leaf, LeafKind, Lowered } from "../../src/query/lowered.js";
import { mergeFields } from "../../src/record/merge.js";
import {
  compareHits,
  type DeleteRequest,
  distanceOf,
  type GetRequest,
  type MergeMetadataRequest,
  type MetadataRequest,
  matchingCompiler,
  type PartialRow,
  rowMatcherOf,
  type UpsertRequest,
  type VectorBackend,
  type VectorCapabilities,
  type VectorHit,
  type VectorOpenRequest,
  type VectorRow,
  type VectorScanRequest,
  type VectorSearchRequest,
  type WhereRequest,
} from "../../src/vector/index.js";

export class TinyVectors implements VectorBackend<Lowered> {
  readonly name = "tiny";
  capabilities: VectorCapabilities = {
    persistence: false,
    metrics: ["cosine", "euclidean", "dot"],
    index: "exact",
    exactSearch: true,
    complete: true,
    ties: "id",
    atomicBatch: true,
    cancel: false,
    pushdown: leafKinds(matchingCompiler),
    limits: {},
  };
  compiler: Compiler<Lowered> | undefined = {
    ...matchingCompiler,
    leaf: Object.fromEntries(
      leafKinds(matchingCompiler).map((kind) => [kind, (leaf: Leaf) => this.compileLeaf(leaf)]),
    ) as { [K in LeafKind]: (leaf: Leaf) => Compiled<Lowered> | undefined },
  };
  /** Scope → id → row. */
  readonly scopes = new Map<string, Map<string, VectorRow>>();
  measure: (a: Float32Array, b: Float32Array) => number = () => Number.NaN;

  compileLeaf(leaf: Leaf): Compiled<Lowered> | undefined {
    return { code: leaf, exact: true };
  }

  open({ metric }: VectorOpenRequest): Partial<VectorCapabilities> | undefined {
    this.measure = distanceOf(metric);
    return undefined;
  }

  close(): void {}

  rowsOf(scope: string): Map<string, VectorRow> {
    let rows = this.scopes.get(scope);
    if (rows === undefined) {
      rows = new Map();
      this.scopes.set(scope, rows);
    }
    return rows;
  }

  test(where: Lowered | undefined): (row: VectorRow) => boolean {
    return where === undefined ? () => true : rowMatcherOf(where).test;
  }

  matching(scope: string, where: Lowered | undefined): VectorRow[] {
    return [...this.rowsOf(scope).values()].filter(this.test(where));
  }

  async upsert({ scope, rows }: UpsertRequest): Promise<void> {
    for (const row of rows) this.rowsOf(scope).set(row.id, { ...row, vector: row.vector.slice() });
  }

  async get({ scope, ids }: GetRequest): Promise<(PartialRow | undefined)[]> {
    return ids.map((id) => {
      const row = this.rowsOf(scope).get(id);
      return row === undefined ? undefined : this.give(row);
    });
  }

  give(row: VectorRow): VectorRow {
    return { ...row, vector: row.vector.slice() };
  }

  async delete({ scope, ids }: DeleteRequest): Promise<boolean[]> {
    return ids.map((id) => this.rowsOf(scope).delete(id));
  }

  async search({ scope, vectors, limit, where }: VectorSearchRequest<Lowered>): Promise<VectorHit[][]> {
    return vectors.map((query) =>
      this.matching(scope, where)
        .map((row) => ({ ...this.give(row), distance: this.measure(query, row.vector) }))
        .sort(compareHits)
        .slice(0, limit),
    );
  }

  async *scan({ scope, where, batchSize }: VectorScanRequest<Lowered>): AsyncGenerator<PartialRow[]> {
    const rows = this.matching(scope, where);
    for (let at = 0; at < rows.length; at += batchSize) {
      yield rows.slice(at, at + batchSize).map((row) => this.give(row));
    }
  }

  async count({ scope, where }: WhereRequest<Lowered>): Promise<number> {
    return this.matching(scope, where).length;
  }

  async deleteWhere({ scope, where }: WhereRequest<Lowered>): Promise<number> {
    const rows = this.matching(scope, where);
    for (const { id } of rows) this.rowsOf(scope).delete(id);
    return rows.length;
  }

  async updateMetadata({ scope, id, metadata, metadataTypes }: MetadataRequest): Promise<boolean> {
    const row = this.rowsOf(scope).get(id);
    if (row === undefined) return false;
    this.rowsOf(scope).set(id, { ...row, metadata, metadataTypes });
    return true;
  }

  async mergeMetadata({ scope, where, metadata, metadataTypes }: MergeMetadataRequest<Lowered>): Promise<number> {
    const rows = this.matching(scope, where);
    for (const row of rows) {
      const merged = mergeFields(row.metadata, row.metadataTypes, metadata, metadataTypes);
      this.rowsOf(scope).set(row.id, { ...row, metadata: merged.data, metadataTypes: merged.types });
    }
    return rows.length;
  }
}
