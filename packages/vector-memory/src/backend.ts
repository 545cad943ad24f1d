/**
 * Vectors in memory: exact, synchronous inside, so that every call sees a whole store. Saved to a file when asked and
 * at close, where there is a path.
 */
import { type Compiler, type JsonObject, type Lowered, leafKinds, mergeFields } from "@dataknobs/core/backend";
import {
  type DeleteRequest,
  type FileRequest,
  type GetRequest,
  type LoadedFile,
  type MergeMetadataRequest,
  type MetadataRequest,
  type Metric,
  matchingCompiler,
  metrics,
  type PartialRow,
  rowMatcherOf,
  SavedStore,
  type SearchPlan,
  type UpsertRequest,
  type VectorBackend,
  type VectorCapabilities,
  type VectorHit,
  type VectorOpenRequest,
  type VectorPart,
  type VectorScanRequest,
  type VectorSearchRequest,
  type WhereRequest,
} from "@dataknobs/core/vector";
import { imageOf, scopesOf } from "./image.js";
import { int8Kernel } from "./int8-kernel.js";
import type { VectorMemoryOptions } from "./options.js";
import { nearestOf, rowsOf } from "./search.js";
import { Slab, type SlabOptions, type SlabRow } from "./slab.js";

const name = "memory";

export class MemoryVectors implements VectorBackend<Lowered> {
  readonly name: string = name;
  readonly compiler: Compiler<Lowered> = matchingCompiler;
  readonly capabilities: VectorCapabilities;
  readonly #path: string | undefined;
  readonly #quantised: boolean;
  #scopes = new Map<string, Slab>();
  #dimensions = 0;
  #metric: Metric = "cosine";
  /** `undefined`: nothing is kept. */
  readonly #file: SavedStore | undefined;

  get location(): string | undefined {
    return this.#path;
  }

  constructor({ path, quantization = "none" }: VectorMemoryOptions) {
    this.#path = path;
    this.#file = path === undefined ? undefined : new SavedStore(path, name);
    this.#quantised = quantization === "int8";
    this.capabilities = Object.freeze({
      persistence: path === undefined ? false : "save",
      metrics,
      index: "exact",
      exactSearch: true,
      complete: true,
      ties: "id",
      atomicBatch: true,
      cancel: false,
      pushdown: leafKinds(matchingCompiler),
      limits: Object.freeze({}),
    });
  }

  get unsaved(): boolean {
    return this.#file?.changed === true;
  }

  async open({ dimensions, metric, signal }: VectorOpenRequest): Promise<undefined> {
    this.#dimensions = dimensions;
    this.#metric = metric;
    await this.load({ force: true, signal });
  }

  close(): void {
    this.#scopes = new Map();
  }

  upsert({ scope, rows }: UpsertRequest): void {
    let slab = this.#scopes.get(scope);
    if (slab === undefined) {
      slab = new Slab(this.#slabOptions());
      this.#scopes.set(scope, slab);
    }
    for (const row of rows) slab.set(row);
    this.#file?.change();
  }

  get({ scope, ids, include }: GetRequest): (PartialRow | undefined)[] {
    const slab = this.#scopes.get(scope);
    return ids.map((id) => {
      const row = slab?.get(id);
      return row === undefined ? undefined : give(slab as Slab, row, include);
    });
  }

  delete({ scope, ids }: DeleteRequest): boolean[] {
    return ids.map((id) => this.#delete(scope, id));
  }

  search({ scope, vectors, limit, where, include }: VectorSearchRequest<Lowered>): VectorHit[][] {
    const slab = this.#scopes.get(scope);
    if (slab === undefined) return vectors.map(() => []);
    const rows = rowsOf(slab, where);
    return vectors.map((query) =>
      nearestOf(slab, this.#metric, query, rows, limit).map(({ row, distance }) =>
        Object.assign(give(slab, row, include), { distance }),
      ),
    );
  }

  *scan({ scope, where, include, batchSize }: VectorScanRequest<Lowered>): Generator<PartialRow[]> {
    const slab = this.#scopes.get(scope);
    if (slab === undefined) return;
    // a copy of the list: rows change their places when others are deleted
    const ids = this.#matching(slab, where).map(({ id }) => id);
    for (let from = 0; from < ids.length; from += batchSize) {
      yield ids.slice(from, from + batchSize).flatMap((id) => {
        const row = slab.get(id);
        return row === undefined ? [] : [give(slab, row, include)];
      });
    }
  }

  count({ scope, where }: WhereRequest<Lowered>): number {
    const slab = this.#scopes.get(scope);
    if (slab === undefined) return 0;
    return where === undefined ? slab.size : rowMatcherOf(where).count(slab.rows);
  }

  deleteWhere({ scope, where }: WhereRequest<Lowered>): number {
    const slab = this.#scopes.get(scope);
    if (slab === undefined) return 0;
    const rows = this.#matching(slab, where);
    for (const { id } of rows) this.#delete(scope, id);
    return rows.length;
  }

  updateMetadata({ scope, id, metadata, metadataTypes }: MetadataRequest): boolean {
    const slab = this.#scopes.get(scope);
    const row = slab?.get(id);
    if (slab === undefined || row === undefined) return false;
    slab.describe(row, { metadata, metadataTypes });
    this.#file?.change();
    return true;
  }

  mergeMetadata({ scope, where, metadata, metadataTypes }: MergeMetadataRequest<Lowered>): number {
    const slab = this.#scopes.get(scope);
    if (slab === undefined) return 0;
    const rows = this.#matching(slab, where);
    for (const row of rows) {
      const { data, types } = mergeFields(row.metadata, row.metadataTypes, metadata, metadataTypes);
      slab.describe(row, { metadata: Object.freeze(data), metadataTypes: types });
    }
    if (rows.length > 0) this.#file?.change();
    return rows.length;
  }

  plan(): SearchPlan {
    if (!this.#quantised) return { search: "exact" };
    return int8Kernel() === undefined
      ? { search: "exact", why: "WebAssembly with vector instructions is not to be had here: every row is measured" }
      : { search: "exact", index: "int8" };
  }

  async save(request: FileRequest): Promise<void> {
    const info: JsonObject = { dimensions: this.#dimensions, metric: this.#metric };
    await this.#file?.write(() => imageOf(this.#scopes, info), request);
  }

  async load(request: FileRequest): Promise<void> {
    const shape = { dimensions: this.#dimensions, metric: this.#metric };
    await this.#file?.read(shape, (file) => this.#take(file), request);
  }

  #take(file: LoadedFile | undefined): boolean {
    const scopes = file === undefined ? new Map<string, Slab>() : scopesOf(file, this.#slabOptions());
    if (scopes === undefined) return false;
    this.#scopes = scopes;
    return true;
  }

  #slabOptions(): SlabOptions {
    return { dimensions: this.#dimensions, quantised: this.#quantised };
  }

  #matching(slab: Slab, where: Lowered | undefined): SlabRow[] {
    return where === undefined ? [...slab.rows] : rowMatcherOf(where).filter(slab.rows);
  }

  #delete(scope: string, id: string): boolean {
    const gone = this.#scopes.get(scope)?.delete(id) ?? false;
    if (gone) this.#file?.change();
    return gone;
  }
}

function give(
  slab: Slab,
  { at, id, metadata, metadataTypes, text }: SlabRow,
  include: readonly VectorPart[],
): PartialRow {
  return include.includes("vector")
    ? { id, metadata, metadataTypes, text, vector: slab.vectorAt(at) }
    : { id, metadata, metadataTypes, text };
}
