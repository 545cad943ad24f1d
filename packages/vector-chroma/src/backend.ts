/**
 * Vectors in a Chroma collection. A row is seen whole beside writes of this store; of another process's it may be seen with
 * the new vector and the old metadata, since Chroma reads the two one after the other. A batch is not atomic. What replaces rows first
 * reads which keys their metadata has, since Chroma merges metadata: within one process such changes of a row come one
 * after another.
 */
import { type Compiler, DataknobsError, leafKinds, mergeFields } from "@dataknobs/core/backend";
import {
  type DeleteRequest,
  distanceOf,
  type GetRequest,
  type MergeMetadataRequest,
  type MetadataRequest,
  type Metric,
  metrics,
  type PartialRow,
  type SearchPlan,
  type UpsertRequest,
  type VectorBackend,
  type VectorCapabilities,
  type VectorHit,
  type VectorOpenRequest,
  type VectorPart,
  type VectorRow,
  type VectorScanRequest,
  type VectorSearchRequest,
  type WhereRequest,
} from "@dataknobs/core/vector";
import type { Collection, Metadata, Where } from "chromadb";
import { checkDimensions, openCollection, type Shape } from "./collection.js";
import { all, type Clause, compilerOf, type Filter } from "./compile.js";
import { measurable } from "./directions.js";
import { classify, guarded, isNamed } from "./errors.js";
import { parseKey } from "./keys.js";
import { listKeys, pagesOf } from "./listing.js";
import type { Settings } from "./options.js";
import { bytesPerRow, piecesOf } from "./pieces.js";
import { type Flat, flatten, keysOf, metadataOf, ownKeys, replacing, rowOf } from "./rows.js";
import { KeyTurns } from "./turns.js";
import { type Included, isOfScope, listRows, rowsAlone } from "./whole-rows.js";

const name = "chroma";

export class ChromaVectors implements VectorBackend<Clause> {
  readonly name: string = name;
  compiler: Compiler<Clause> = compilerOf({ numbers: true });
  readonly capabilities: VectorCapabilities;
  readonly #settings: Settings;
  readonly #turns = new KeyTurns();
  #collection: Collection | undefined;
  #shape: Shape = { dimensions: 0, metric: "cosine" };
  /** Whether rows with a scope have been seen. Until then, who has none is spared a filter. */
  #hasScopes = false;

  get location(): string {
    return `${this.#settings.server}/${this.#settings.collection}`;
  }

  constructor(settings: Settings) {
    this.#settings = settings;
    const { pageSize } = settings;
    this.capabilities = Object.freeze({
      persistence: "always",
      metrics,
      index: "approximate",
      exactSearch: false,
      complete: false,
      ties: "any",
      atomicBatch: false,
      cancel: false,
      pushdown: leafKinds(this.compiler),
      limits: Object.freeze(pageSize === undefined ? {} : { batch: pageSize, results: pageSize }),
    });
  }

  open({ dimensions, metric }: VectorOpenRequest): Promise<Partial<VectorCapabilities>> {
    return guarded(async () => {
      this.#shape = { dimensions, metric };
      const most = await this.#batchLimit();
      const collection = await openCollection(this.#settings, this.#shape);
      const scoped = await collection.get({ where: { [ownKeys.scoped]: true }, limit: 1, include: [] });
      this.#hasScopes = scoped.ids.length > 0;
      if (collection.configuration.hnsw == null) this.compiler = compilerOf({ numbers: false });
      this.#collection = collection;
      return most === undefined ? {} : { limits: { ...this.capabilities.limits, batch: most } };
    });
  }

  close(): void {
    this.#collection = undefined;
  }

  async upsert({ scope, rows, signal }: UpsertRequest): Promise<void> {
    if (scope !== "") this.#hasScopes = true;
    const withVector = this.#shape.metric === "cosine" && this.#settings.exactVectors;
    let written = 0;
    for (const piece of piecesOf(rows, this.#shape.dimensions)) {
      const keys = keysOf(
        scope,
        piece.map(({ id }) => id),
      );
      try {
        signal?.throwIfAborted();
        const flats = piece.map((row) => metadataOf(scope, row, withVector));
        await this.#turns.run(keys, () => this.#put(keys, piece, flats));
      } catch (error) {
        throw told(await this.#explained(error), written, rows.length);
      }
      written += piece.length;
    }
  }

  async get({ scope, ids, include }: GetRequest): Promise<(PartialRow | undefined)[]> {
    return guarded(async () => {
      const found = new Map<string, PartialRow>();
      for (const some of pagesOf(keysOf(scope, ids), this.#rowsPerPage(include))) {
        for (const row of await this.#rows({ ids: some }, include)) found.set(row.id, row);
      }
      return ids.map((id) => found.get(id));
    });
  }

  async delete({ scope, ids }: DeleteRequest): Promise<boolean[]> {
    const keys = keysOf(scope, ids);
    return this.#turns.run(keys, () =>
      guarded(async () => {
        const there = await this.#open().get({ ids: keys, include: [] });
        if (there.ids.length > 0) await this.#open().delete({ ids: there.ids });
        const gone = new Set(there.ids);
        return keys.map((key) => gone.has(key));
      }),
    );
  }

  async search(request: VectorSearchRequest<Clause>): Promise<VectorHit[][]> {
    const hadScopes = this.#hasScopes;
    const answers = await guarded(() => this.#query(request));
    // another process wrote the first row with a scope
    return this.#hasScopes === hadScopes ? answers : guarded(() => this.#query(request));
  }

  async *scan({ scope, where, include, batchSize }: VectorScanRequest<Clause>): AsyncGenerator<PartialRow[]> {
    const filter = this.#filter(scope, where?.filter ?? true);
    if (filter === false) return;
    const size = Math.min(batchSize, this.#rowsPerPage(include));
    const request = { ...wherePart(filter), limit: size, include: this.#included(include) };
    const first = await guarded(() => listRows(this.#turns, this.#open(), request));
    yield first.rows.filter((one) => isOfScope(one, scope)).map(({ row }) => row);
    if (first.keys.length < size) return;
    const seen = new Set(first.keys);
    const others = (await guarded(() => this.#keys(scope, filter))).filter((key) => !seen.has(key));
    for (const some of pagesOf(others, size)) {
      if (include.length === 0) yield some.map((key) => ({ id: parseKey(key).id }));
      else yield await guarded(() => this.#rows({ ids: some, ...wherePart(filter) }, include));
    }
  }

  async count({ scope, where }: WhereRequest<Clause>): Promise<number> {
    const filter = this.#filter(scope, where?.filter ?? true);
    if (filter === false) return 0;
    return guarded(async () => {
      if (filter !== true) return (await this.#keys(scope, filter)).length;
      const scoped = await this.#open().get({ where: { [ownKeys.scoped]: true }, limit: 1, include: [] });
      if (scoped.ids.length === 0) return this.#open().count();
      this.#hasScopes = true;
      return (await this.#keys(scope, this.#filter(scope, true))).length;
    });
  }

  async deleteWhere({ scope, where }: WhereRequest<Clause>): Promise<number> {
    const filter = all([scopeFilter(scope), where?.filter ?? true]);
    if (filter === false) return 0;
    return guarded(async () => (await this.#open().delete({ where: filter as Where })).deleted ?? 0);
  }

  updateMetadata({ scope, id, metadata, metadataTypes }: MetadataRequest): Promise<boolean> {
    return guarded(
      async () => (await this.#change(scope, [id], undefined, () => ({ metadata, metadataTypes }))).length > 0,
    );
  }

  mergeMetadata({ scope, where, metadata, metadataTypes }: MergeMetadataRequest<Clause>): Promise<number> {
    const filter = this.#filter(scope, where?.filter ?? true);
    return guarded(async () => {
      if (filter === false) return 0;
      let changed = 0;
      const ids = (await this.#keys(scope, filter)).map((key) => parseKey(key).id);
      for (const some of pagesOf(ids, this.#rowsPerPage(["metadata"]))) {
        const rows = await this.#change(scope, some, filter, (row) => {
          const { data, types } = mergeFields(row.metadata ?? {}, row.metadataTypes ?? null, metadata, metadataTypes);
          return { metadata: data, metadataTypes: types };
        });
        changed += rows.length;
      }
      return changed;
    });
  }

  plan({ scope, where, limit }: VectorSearchRequest<Clause>): SearchPlan {
    const filter = this.#filter(scope, where?.filter ?? true);
    if (filter === false) return { search: "exact", why: "no row satisfies the filter" };
    return {
      search: "approximate",
      index: "hnsw",
      native: { nResults: limit, ...wherePart(filter) },
    };
  }

  #open(): Collection {
    if (this.#collection !== undefined) return this.#collection;
    throw new DataknobsError("NOT_OPEN", "The chroma store is closed.", { backend: name });
  }

  async #batchLimit(): Promise<number | undefined> {
    try {
      const most = await this.#settings.client.getMaxBatchSize();
      const { pageSize } = this.#settings;
      return most > 0 ? Math.min(most, pageSize ?? most) : pageSize;
    } catch (error) {
      if (!isNamed(error, "ChromaNotFoundError")) throw error;
      throw new DataknobsError(
        "INVALID_CONFIG",
        "There is no Chroma server of version 1 or later at this address.",
        { backend: name },
        { cause: error },
      );
    }
  }

  /** What may be asked of the engine: only rows of this scope. */
  #filter(scope: string, filter: Filter): Filter {
    return scope === "" && !this.#hasScopes ? filter : all([scopeFilter(scope), filter]);
  }

  async #put(keys: string[], rows: readonly VectorRow[], flats: readonly Flat[]): Promise<void> {
    const collection = this.#open();
    const hasTexts = rows.some(({ text }) => text !== undefined && text !== "");
    const stored = await collection.get({ ids: keys, include: hasTexts ? ["metadatas"] : ["metadatas", "documents"] });
    const before = new Map(stored.ids.map((key, at) => [key, stored.metadatas[at]]));
    const hadTexts = stored.documents.some((text) => text !== null && text !== "");
    const base64 = await this.#settings.client.supportsBase64Encoding();
    await collection.upsert({
      ids: keys,
      embeddings: rows.map(({ vector }) => {
        const sent = this.#shape.metric === "cosine" ? measurable(vector) : vector;
        // a Float32Array has no JSON of its own, but is what the client makes its base64 of
        return base64 ? (sent as unknown as number[]) : [...sent];
      }),
      metadatas: flats.map((flat, at) => replacing(flat, before.get(keys[at] as string))) as Metadata[],
      // the client takes a text for every row or for none; Chroma keeps an old one where none comes
      ...((hasTexts || hadTexts) && { documents: rows.map(({ text }) => text ?? "") }),
    });
  }

  /** Puts other metadata into those of the rows that are there and satisfy the filter. */
  async #change(
    scope: string,
    ids: readonly string[],
    filter: Filter | undefined,
    next: (row: PartialRow) => Pick<VectorRow, "metadata" | "metadataTypes">,
  ): Promise<string[]> {
    const keys = keysOf(scope, ids);
    return this.#turns.run(keys, async () => {
      const collection = this.#open();
      const stored = await collection.get({
        ids: keys,
        ...wherePart(filter ?? true),
        include: ["metadatas", "documents"],
      });
      if (stored.ids.length === 0) return [];
      const metadatas = stored.ids.map((id, at) => {
        const old = stored.metadatas[at] ?? null;
        const row = rowOf({ id, metadata: old, document: stored.documents[at] ?? null });
        return replacing({ ...ownOf(old), ...flatten({ ...next(row), text: row.text }) }, old);
      });
      await collection.update({ ids: stored.ids, metadatas: metadatas as Metadata[] });
      return stored.ids;
    });
  }

  async #query({
    scope,
    vectors,
    limit,
    where,
    include,
  }: Pick<VectorSearchRequest<Clause>, "scope" | "vectors" | "limit" | "where" | "include">): Promise<VectorHit[][]> {
    const filter = this.#filter(scope, where?.filter ?? true);
    if (filter === false) return vectors.map(() => []);
    const { metric } = this.#shape;
    const ask = (parts: readonly VectorPart[]): ReturnType<Collection["query"]> =>
      this.#open().query({
        queryEmbeddings: vectors.map((vector) => [...(metric === "cosine" ? measurable(vector) : vector)]),
        nResults: limit,
        ...wherePart(filter),
        include: ["distances", ...this.#included(parts)],
      });
    let { result, changed } = await this.#turns.beside(() => ask(include));
    // a distance beyond 32-bit floats comes as null: it is measured here
    const isBeyond = result.distances.some((list) => list.some((distance) => distance === null));
    if (isBeyond && !include.includes("vector")) {
      ({ result, changed } = await this.#turns.beside(() => ask([...include, "vector"])));
    }
    const torn = include.length === 0 ? [] : [...new Set(result.ids.flat())].filter((key) => changed.has(key));
    const request = { ...wherePart(filter), include: this.#included([...include, "vector"]) };
    const again = new Map(
      (await rowsAlone(this.#turns, this.#open(), torn, request)).map(({ key, row }) => [key, row]),
    );
    const measure = distanceOf(metric);
    return vectors.map((query, at) =>
      (result.ids[at] ?? []).flatMap((id, place) => {
        if (parseKey(id).scope !== scope) {
          this.#hasScopes = true;
          return [];
        }
        if (torn.includes(id)) {
          const row = again.get(id);
          return row === undefined ? [] : [{ ...row, distance: measure(query, row.vector as Float32Array) }];
        }
        const row = rowOf({
          id,
          metadata: result.metadatas[at]?.[place],
          document: result.documents[at]?.[place],
          embedding: result.embeddings[at]?.[place],
        });
        const given = result.distances[at]?.[place] ?? null;
        const distance = given === null ? measure(query, row.vector as Float32Array) : distanceIn(metric, given);
        return [{ ...row, distance }];
      }),
    );
  }

  async #rows(request: { ids: string[]; where?: Where }, include: readonly VectorPart[]): Promise<PartialRow[]> {
    const listed = await listRows(this.#turns, this.#open(), { ...request, include: this.#included(include) });
    return listed.rows.map(({ row }) => row);
  }

  async #keys(scope: string, filter: Filter): Promise<string[]> {
    const keys = await listKeys(this.#open(), wherePart(filter), this.#settings.pageSize);
    return keys.filter((key) => parseKey(key).scope === scope);
  }

  #included(parts: readonly VectorPart[]): Included {
    const hasVector = parts.includes("vector");
    const hasText = parts.includes("text");
    // metadata tells what a vector and an empty text were
    const hasMetadata = parts.includes("metadata") || hasText || (hasVector && this.#shape.metric === "cosine");
    return [
      ...(hasMetadata ? (["metadatas"] as const) : []),
      ...(hasText ? (["documents"] as const) : []),
      ...(hasVector ? (["embeddings"] as const) : []),
    ];
  }

  /** So that an answer does not grow with the dimensions. */
  #rowsPerPage(include: readonly VectorPart[]): number {
    const most = this.#settings.pageSize ?? 5000;
    if (!include.includes("vector")) return most;
    return Math.max(1, Math.min(most, Math.floor(answerBytes / bytesPerRow(this.#shape.dimensions))));
  }

  /** Chroma refuses a write for other dimensions in no other words than for anything else. */
  async #explained(error: unknown): Promise<DataknobsError> {
    if (!isNamed(error, "ChromaClientError")) return classify(error);
    try {
      await checkDimensions(this.#open(), this.#shape.dimensions);
    } catch (reason) {
      if (DataknobsError.is(reason, "INVALID_CONFIG")) return reason;
    }
    return classify(error);
  }
}

const answerBytes = 16 * 2 ** 20;

function scopeFilter(scope: string): Where {
  return scope === "" ? { [ownKeys.scoped]: { $ne: true } } : { [ownKeys.scope]: { $eq: scope } };
}

/** Chroma refuses an empty filter. */
function wherePart(filter: Filter): { where?: Where } {
  return typeof filter === "boolean" ? {} : { where: filter };
}

/** What belongs to the row and not to its metadata. */
function ownOf(stored: Metadata | null): Flat {
  const kept = [ownKeys.vector, ownKeys.scope, ownKeys.scoped];
  return Object.fromEntries(Object.entries(stored ?? {}).filter(([key]) => (kept as string[]).includes(key))) as Flat;
}

function distanceIn(metric: Metric, distance: number): number {
  if (metric === "euclidean") return Math.sqrt(Math.max(0, distance));
  return metric === "dot" ? distance - 1 : distance;
}

function told(error: DataknobsError, written: number, of: number): DataknobsError {
  if (written === 0) return error;
  return new DataknobsError(
    error.code,
    `${error.message} ${written} of ${of} vectors had been written before.`,
    { ...error.details, written },
    { cause: error },
  );
}
