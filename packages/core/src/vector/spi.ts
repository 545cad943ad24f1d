/**
 * What a vector store implements. Five required methods (`upsert`, `get`, `delete`, `search`, `scan`); the rest is
 * optional and emulated by core. Every argument is checked already: dimensions, numbers, ids, scopes, metadata and
 * filters are good; no list is empty and none holds an id twice.
 *
 * The key of a row is (scope, id), everywhere. The scope `""` is that of a store opened without one: it is a scope
 * like any other, not "all of them". No method ever sees, counts or changes a row of another scope.
 *
 * Methods may return values or promises. What an engine throws passes through the adapter's own `classify(error)`, by
 * code, never by message. A method that fails has written nothing, or says in the error's details how far it came.
 */

import type { OptionSpec } from "../backend/options.js";
import type { Call, Compiler, MaybePromise } from "../backend/spi.js";
import type { LeafKind } from "../query/lowered.js";
import type { JsonObject, TypeMap } from "../record/json.js";
import type { Metric } from "./metric.js";

/** One row as stores keep it. Metadata stays plain JSON for other tools; the types tell what it stood for. */
export interface VectorRow {
  readonly id: string;
  /** As the user gave it, rounded to 32-bit floats: never normalised. Finite; not all zero where the metric is cosine. */
  readonly vector: Float32Array;
  readonly metadata: JsonObject;
  readonly metadataTypes: TypeMap | null;
  readonly text: string | undefined;
}

/** The parts of a row that a caller may ask for. */
export const vectorParts = ["vector", "metadata", "text"] as const;
export type VectorPart = (typeof vectorParts)[number];

/**
 * A row of which only the included parts need be there; a store may give more. `metadata` brings `metadataTypes`.
 * The vector is the caller's to keep: never a view into memory that the store writes again.
 */
export type PartialRow = Pick<VectorRow, "id"> & Partial<Omit<VectorRow, "id">>;

/** The raw distance of the metric: 1 − cosine; the true L2, not squared; −dot. Smaller is nearer. */
export type VectorHit = PartialRow & { readonly distance: number };

/** Known before opening, JSON-able, frozen; narrowed at most once, by what `open` returns. */
export interface VectorCapabilities {
  /** `false`: gone with the process. `"save"`: in a file, once saved. `"always"`: acknowledged writes survive. */
  readonly persistence: false | "save" | "always";
  readonly metrics: readonly Metric[];
  /** Searches find the nearest rows, or nearly always the nearest. */
  readonly index: "exact" | "approximate";
  /** `search({ exact: true })` is answered by the store; else core measures every row of a scan. */
  readonly exactSearch: boolean;
  /**
   * A search with `where` gives `limit` hits whenever so many rows satisfy it: fewer means that there are no more.
   * `false`: an index that filters its candidates; core completes short answers.
   */
  readonly complete: boolean;
  /** `"id"`: equally distant hits come by id (code points), at the cut too. `"any"`: core sorts them, asking for more. */
  readonly ties: "id" | "any";
  /** `upsert` writes all of its rows or none. */
  readonly atomicBatch: boolean;
  /** Aborting a call ends the engine's work too. */
  readonly cancel: boolean;
  /** Leaf kinds that the compiler has a handler for; see `leafKinds(compiler)`. */
  readonly pushdown: readonly LeafKind[];
  readonly limits: {
    readonly dimensions?: number;
    /** Rows in one `upsert`, ids in one `get` or `delete`; core cuts longer lists. */
    readonly batch?: number;
    /** The greatest `limit` of a search; core measures a scan where more are wanted. */
    readonly results?: number;
    /** UTF-8 bytes of one row's metadata as JSON. */
    readonly metadataBytes?: number;
  };
}

export interface VectorOpenRequest extends Call {
  readonly dimensions: number;
  /** One of `capabilities.metrics`. */
  readonly metric: Metric;
}

export interface UpsertRequest extends Call {
  readonly scope: string;
  /**
   * Their vectors lie one after another in one buffer: `matrixOf(rows)` is that matrix. Neither it nor the metadata is
   * ever changed afterwards, so that a store may keep them; metadata is frozen.
   */
  readonly rows: readonly VectorRow[];
}
export interface GetRequest extends Call {
  readonly scope: string;
  readonly ids: readonly string[];
  readonly include: readonly VectorPart[];
}
export interface DeleteRequest extends Call {
  readonly scope: string;
  readonly ids: readonly string[];
}

export interface VectorSearchRequest<P> extends Call {
  readonly scope: string;
  /** Queries, each answered by itself; mostly one. */
  readonly vectors: readonly Float32Array[];
  /** 1 or more; not beyond `capabilities.limits.results`. */
  readonly limit: number;
  readonly where: P | undefined;
  readonly include: readonly VectorPart[];
  /**
   * The answer must be exact, and complete as `capabilities.complete` says: only passed as true where
   * `capabilities.exactSearch`. False with an exact index too.
   */
  readonly exact: boolean;
  /** Of this call, by the names that `searchOptions` declares. */
  readonly tuning: { readonly [name: string]: unknown };
}

export interface VectorScanRequest<P> extends Call {
  readonly scope: string;
  readonly where: P | undefined;
  readonly include: readonly VectorPart[];
  /** Preferred rows per batch; a hint. */
  readonly batchSize: number;
}

export interface WhereRequest<P> extends Call {
  readonly scope: string;
  /** `undefined`: every row of the scope. */
  readonly where: P | undefined;
}

export interface MetadataRequest extends Call {
  readonly scope: string;
  readonly id: string;
  readonly metadata: JsonObject;
  readonly metadataTypes: TypeMap | null;
}
export interface MergeMetadataRequest<P> extends WhereRequest<P> {
  /** Put over the stored metadata at the top level, as `mergeFields` does. */
  readonly metadata: JsonObject;
  readonly metadataTypes: TypeMap | null;
}

export interface FileRequest extends Call {
  /** `save`: overwrite what another process saved. `load`: give up what was not saved. */
  readonly force: boolean;
}

/** How the store would answer a search, for `explain`. Pure. */
export interface SearchPlan {
  readonly search: "exact" | "approximate";
  /** The index that serves it. */
  readonly index?: string | undefined;
  /** Why it is not the one that the options ask for: not trained yet, not built yet. */
  readonly why?: string | undefined;
  /** The native statement. */
  readonly native?: unknown;
}

export type VectorBatches = Iterable<readonly PartialRow[]> | AsyncIterable<readonly PartialRow[]>;

export interface VectorBackend<P = unknown> {
  /** Short, lower case: `pgvector`. */
  readonly name: string;
  /** Which store of its kind this is, as that of a `Backend`. */
  readonly location?: string | undefined;
  readonly capabilities: VectorCapabilities;
  /** In a filter every path has root `metadata`, or is `id`. May differ between calls only by what `open` learned. */
  readonly compiler?: Compiler<P> | undefined;
  /** What `search` takes as `tuning`: `{ efSearch: { type: "number", min: 1, integer: true } }`. */
  readonly searchOptions?: { readonly [name: string]: OptionSpec } | undefined;
  /**
   * Does all set-up I/O; may narrow the capabilities. `INVALID_CONFIG` where what is stored already has other dimensions
   * or another metric.
   */
  open?(request: VectorOpenRequest): MaybePromise<Partial<VectorCapabilities> | undefined>;
  close?(): MaybePromise<void>;
  /** Inserts, or replaces the whole row. Readers see a row as it was or as it is, never without its vector. */
  upsert(request: UpsertRequest): MaybePromise<void>;
  /** Positional; `undefined` where there is no such row. */
  get(request: GetRequest): MaybePromise<readonly (PartialRow | undefined)[]>;
  /** Positional; whether each was there. */
  delete(request: DeleteRequest): MaybePromise<readonly boolean[]>;
  /** Per query the nearest rows, nearest first. */
  search(request: VectorSearchRequest<P>): MaybePromise<readonly (readonly VectorHit[])[]>;
  /**
   * Rows in batches, in any order. A row that is there from beginning to end comes just once, whatever is written
   * meanwhile. `return()` of the iterator ends the engine's work.
   */
  scan(request: VectorScanRequest<P>): VectorBatches;
  count?(request: WhereRequest<P>): MaybePromise<number>;
  /** Deletes all that match; how many. */
  deleteWhere?(request: WhereRequest<P>): MaybePromise<number>;
  /** Replaces the metadata of one row; whether it was there. Atomic. */
  updateMetadata?(request: MetadataRequest): MaybePromise<boolean>;
  /** Merges into the metadata of all that match; how many. Atomic per row. */
  mergeMetadata?(request: MergeMetadataRequest<P>): MaybePromise<number>;
  /** Makes the index anew from what is stored, where there is something to make; whether there was. */
  buildIndex?(call: Call): MaybePromise<boolean>;
  plan?(request: VectorSearchRequest<P>): SearchPlan;
  /** With `persistence: "save"`: `VERSION_CONFLICT` where another process saved the file since, unless forced. */
  save?(request: FileRequest): MaybePromise<void>;
  load?(request: FileRequest): MaybePromise<void>;
  /** With `persistence: "save"`: whether something was written since the last `save` or `load`. */
  readonly unsaved?: boolean;
}
