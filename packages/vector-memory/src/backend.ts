/**
 * Vectors in memory: exact, synchronous inside, so that every call sees a whole store. Saved to a file when asked and
 * at close, where there is a path.
 */
import {
  type Compiler,
  DataknobsError,
  type JsonObject,
  type Lowered,
  leafKinds,
  mergeFields,
} from "@dataknobs/core/backend";
import {
  type DeleteRequest,
  type FileRequest,
  type GetRequest,
  loadFile,
  type MergeMetadataRequest,
  type MetadataRequest,
  type Metric,
  matchingCompiler,
  metrics,
  type PartialRow,
  rowMatcherOf,
  type SearchPlan,
  saveFile,
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
  /** Of the file as it was loaded or saved last; `undefined`: there was none. */
  #token: string | undefined;
  #unsaved = false;

  get location(): string | undefined {
    return this.#path;
  }

  constructor({ path, quantization = "none" }: VectorMemoryOptions) {
    this.#path = path;
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
    return this.#unsaved && this.#path !== undefined;
  }

  async open({ dimensions, metric, signal }: VectorOpenRequest): Promise<undefined> {
    this.#dimensions = dimensions;
    this.#metric = metric;
    if (this.#path !== undefined) await this.#load(this.#path, signal);
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
    this.#unsaved = true;
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
    this.#unsaved = true;
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
    if (rows.length > 0) this.#unsaved = true;
    return rows.length;
  }

  plan(): SearchPlan {
    if (!this.#quantised) return { search: "exact" };
    return int8Kernel() === undefined
      ? { search: "exact", why: "WebAssembly with vector instructions is not to be had here: every row is measured" }
      : { search: "exact", index: "int8" };
  }

  async save({ force, signal }: FileRequest): Promise<void> {
    const path = this.#path as string;
    const info: JsonObject = { dimensions: this.#dimensions, metric: this.#metric };
    const image = imageOf(this.#scopes, info);
    this.#unsaved = false;
    try {
      this.#token = await saveFile(path, { ...image, kind: name, token: this.#token, force, signal });
    } catch (error) {
      this.#unsaved = true;
      throw error;
    }
  }

  async load({ force, signal }: FileRequest): Promise<void> {
    const path = this.#path as string;
    if (this.#unsaved && !force) {
      throw new DataknobsError(
        "VERSION_CONFLICT",
        `The store has changes that were not saved to ${path}. Save them, or load with \`force\` to give them up.`,
        { backend: name, path },
      );
    }
    await this.#load(path, signal);
  }

  async #load(path: string, signal: AbortSignal | undefined): Promise<void> {
    const file = await loadFile(path, name, { signal });
    if (file !== undefined) this.#checkShape(path, file.info);
    const scopes = file === undefined ? new Map<string, Slab>() : scopesOf(file, this.#slabOptions());
    if (scopes === undefined) {
      throw new DataknobsError(
        "CORRUPT",
        `The sections of the file ${path} do not go together. It was left as it is.`,
        {
          backend: name,
          path,
        },
      );
    }
    this.#scopes = scopes;
    this.#token = file?.token;
    this.#unsaved = false;
  }

  #slabOptions(): SlabOptions {
    return { dimensions: this.#dimensions, quantised: this.#quantised };
  }

  #checkShape(path: string, { dimensions, metric }: JsonObject): void {
    if (dimensions === this.#dimensions && metric === this.#metric) return;
    throw new DataknobsError(
      "INVALID_CONFIG",
      `The file ${path} has vectors of ${String(dimensions)} dimensions under ${String(metric)}; ` +
        `${this.#dimensions} dimensions under ${this.#metric} were asked for.`,
      { backend: name, path, dimensions, metric },
    );
  }

  #matching(slab: Slab, where: Lowered | undefined): SlabRow[] {
    return where === undefined ? [...slab.rows] : rowMatcherOf(where).filter(slab.rows);
  }

  #delete(scope: string, id: string): boolean {
    const gone = this.#scopes.get(scope)?.delete(id) ?? false;
    if (gone) this.#unsaved = true;
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
