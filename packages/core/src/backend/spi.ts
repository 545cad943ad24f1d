/**
 * What an adapter implements. Three required methods (`read`, `write`, `scan`); the rest is optional and
 * emulated by core. Every argument is checked already: ids, records, queries and options are good.
 *
 * Methods may return values or promises. A backend whose methods all return values says `synchronous: true` and
 * can be opened by `openDatabaseSync`. Adapters report, core throws: a refused write is an outcome, not an
 * exception. What an engine throws passes through the adapter's own `classify(error)`, by code, never by message.
 */
import type { AggregatePlan } from "../aggregate/ast.js";
import type { IndexSpec } from "../database/indexes.js";
import type { Leaf, LeafKind, Match, Nearest, Order, Path } from "../query/lowered.js";
import type { Json, JsonObject, TypeMap, WireRecord } from "../record/json.js";

export type MaybePromise<T> = T | PromiseLike<T>;

/** Passed with every call. */
export interface Call {
  /** Aborted: stop as soon as possible. Core stops waiting by itself. */
  readonly signal?: AbortSignal | undefined;
}

export interface OpenRequest extends Call {
  /** Declared fields, checked: paths resolved, names made. */
  readonly indexes: readonly IndexSpec[];
}

/** Known before opening, JSON-able, frozen; narrowed at most once, by what `open` returns. */
export interface Capabilities {
  /** Acknowledged writes survive the process. */
  readonly durable: boolean;
  /** `"interactive"` needs `begin`. Buffered transactions are always there. */
  readonly transactions: "interactive" | false;
  /** `write(ops, { atomic: true })` writes all or nothing. */
  readonly atomicBatch: boolean;
  /** Unique indexes are enforced. */
  readonly unique: boolean;
  /** A stream shows the store as it was when it began. */
  readonly snapshotStreams: boolean;
  readonly fullText: "indexed" | "emulated";
  /** Engine analyzers that `match` may name. */
  readonly analyzers: readonly string[];
  /**
   * How the engine finds `nearest` on declared fields. Absent: core measures every candidate, and the backend is not
   * told of fields declared for vectors.
   */
  readonly nearest?: "approximate" | "exact" | undefined;
  readonly aggregation: "native" | "emulated";
  readonly percentile: "exact" | "approximate";
  /** Aborting a call ends the engine's work too. */
  readonly cancel: boolean;
  /** Can be opened by `openDatabaseSync`. */
  readonly synchronous: boolean;
  /** Leaf kinds that the compiler has a handler for; see `leafKinds(compiler)`. */
  readonly pushdown: readonly LeafKind[];
  readonly limits: {
    /** UTF-8 bytes of one record's JSON. */
    readonly recordBytes?: number;
    /** Records in one atomic batch. */
    readonly batch?: number;
  };
}

export interface InsertOp {
  readonly kind: "insert";
  readonly id: string;
  readonly data: JsonObject;
  readonly types: TypeMap | null;
  readonly metadata: JsonObject;
  readonly metadataTypes: TypeMap | null;
  /** The record's new version token, and the time of the write in ms. */
  readonly version: string;
  readonly at: number;
}
/** Inserts, or replaces all but `createdAt`. With `ifVersion` it never inserts: a missing record is stale. */
export interface UpsertOp extends Omit<InsertOp, "kind"> {
  readonly kind: "upsert";
  readonly ifVersion?: string | undefined;
}
/** Replaces data; metadata too when given, else it stays. Never inserts. */
export interface UpdateOp extends Omit<InsertOp, "kind" | "metadata" | "metadataTypes"> {
  readonly kind: "update";
  readonly metadata: JsonObject | undefined;
  readonly metadataTypes: TypeMap | null;
  readonly ifVersion?: string | undefined;
}
export interface DeleteOp {
  readonly kind: "delete";
  readonly id: string;
  readonly ifVersion?: string | undefined;
}
export type WriteOp = InsertOp | UpsertOp | UpdateOp | DeleteOp;

/** A top-level merge of `data` into the stored data; types of replaced fields replaced too (`mergeFields`). */
export interface MergeOp {
  readonly id: string;
  readonly data: JsonObject;
  readonly types: TypeMap | null;
  readonly version: string;
  readonly at: number;
  readonly ifVersion?: string | undefined;
}

export type WriteOutcome =
  /** `metadata` of an update that left it alone is in the record; only `update` needs to give the record. */
  | { readonly status: "written"; readonly createdAt: number; readonly record?: WireRecord | undefined }
  | { readonly status: "deleted" }
  /** No such record; for update and delete without `ifVersion`. */
  | { readonly status: "missing" }
  /** Insert onto an existing id. */
  | { readonly status: "exists" }
  /** `ifVersion` differs; `null`: no record. */
  | { readonly status: "stale"; readonly actual: string | null }
  /** A unique index has the value already. `index` is its name. */
  | { readonly status: "duplicate"; readonly index: string }
  /** Only where batches are not atomic: this operation failed by itself. The error is classified. */
  | { readonly status: "failed"; readonly error: Error }
  /** Atomic batch: would have been written, but another operation was refused. */
  | { readonly status: "rolledBack" };

export interface WriteRequest extends Call {
  /**
   * All or nothing: when any outcome is `exists`, `stale` or `duplicate`, nothing is written, and the others
   * say `rolledBack`. Only passed where `capabilities.atomicBatch`. Operations apply in order, so that two on
   * the same id see each other.
   */
  readonly atomic: boolean;
}

/** What `open`'s compiler made of the pushed part, and how much of the rest the engine may do. */
export interface ScanRequest<P> extends Call {
  readonly where: P | undefined;
  /** Joined to `where` by and. Without `order`: by score descending, then id, and records carry `score`. */
  readonly match: P | undefined;
  /**
   * Joined to `where` by and, never with `match`: the `limit` records nearest to the vector, ties by id. Fewer only
   * where no more candidates satisfy `where`; more are welcome. Core measures them itself.
   */
  readonly nearest?: P | undefined;
  /** Only orders that `compiler.order` accepted. Empty: any order, or by score with `match`. */
  readonly order: readonly Order[];
  /** Only when nothing is left for core to filter or sort. */
  readonly limit: number | undefined;
  readonly offset: number;
  /** The only paths anyone will look at; a backend may return more. `undefined`: everything. */
  readonly select: readonly Path[] | undefined;
  /**
   * Only the values at `select` are looked at: a record that holds no more than they, its id, version and times whatever is
   * at hand, will do. For counts and groups, so that columns of no interest stay unread.
   */
  readonly bare?: boolean | undefined;
  /** Preferred records per batch; a hint. */
  readonly batchSize: number;
}

/** One value of an aggregate row: JSON, and the types that JSON lacks (its own under the pointer `""`). */
export interface Cell {
  readonly json: Json;
  readonly types?: TypeMap | null | undefined;
}
export interface AggregateRow {
  /** In the plan's order. */
  readonly keys: readonly Cell[];
  readonly values: readonly Cell[];
}
export interface AggregateRequest<P> extends Call {
  readonly where: P | undefined;
  readonly match: P | undefined;
  readonly plan: AggregatePlan;
}

/** `exact`: selects just what the leaf means. Not exact: may select more, never less; core filters again. */
export interface Compiled<P> {
  readonly code: P;
  readonly exact: boolean;
  /** The index that serves it, for `explain`. */
  readonly index?: string | undefined;
  /** Why it is not exact, for `explain`. */
  readonly why?: string | undefined;
}

/** Pushdown by proof: a handler per leaf kind, returning nothing where it cannot prove agreement. */
export interface Compiler<P> {
  readonly leaf: {
    readonly [K in LeafKind]?: (leaf: Extract<Leaf, { kind: K }>) => Compiled<P> | undefined;
  };
  /** Nothing where it would be too much for the engine. */
  and(parts: readonly P[]): P | undefined;
  /** Likewise. Of no parts: what selects no record. */
  or(parts: readonly P[]): P | undefined;
  /** The complement, two-valued; nothing where the engine has none. Only called on exact code. */
  not(part: P): P | undefined;
  /** Whether the engine gives just this order (which ends with id), and by which index. */
  order?(order: readonly Order[]): { readonly index?: string | undefined } | undefined;
  /** Whether the engine finds just these records by full text. */
  match?(match: Match): Compiled<P> | undefined;
  /**
   * Whether the engine finds the nearest. Exact: ordered by distance and id, up to rounding; else approximately. Asked
   * for a declared field or another, with its metric or another.
   */
  nearest?(nearest: Nearest): Compiled<P> | undefined;
  /** Whether the engine computes just this. */
  aggregate?(plan: AggregatePlan): { readonly index?: string | undefined } | undefined;
  /** Why a leaf is not pushed, for `explain`, where a general sentence would not do. */
  why?(leaf: Leaf): string | undefined;
}

/** A row of `db.sql`: columns as the engine names them, values as its driver gives them. */
export interface NativeRow {
  readonly [column: string]: unknown;
}

export type Batches = Iterable<readonly WireRecord[]> | AsyncIterable<readonly WireRecord[]>;

/** What a database and an open transaction have in common. */
export interface Store<P = unknown> {
  /** Positional; `undefined` where there is no such record. */
  read(ids: readonly string[], call: Call): MaybePromise<readonly (WireRecord | undefined)[]>;
  /**
   * The record, where it is at hand without I/O: the shortest way for `read`. The id is not checked yet; `undefined`
   * says nothing, `read` is asked then.
   */
  peek?(id: string): WireRecord | undefined;
  /** One outcome per operation, in order. Any number of operations. */
  write(ops: readonly WriteOp[], request: WriteRequest): MaybePromise<readonly WriteOutcome[]>;
  /** Records in batches. `return()` of the iterator ends the engine's work. */
  scan(request: ScanRequest<P>): Batches;
  count?(where: P | undefined, match: P | undefined, call: Call): MaybePromise<number>;
  aggregate?(request: AggregateRequest<P>): MaybePromise<readonly AggregateRow[]>;
  /** Atomic merge into one record. `written` outcomes carry the merged record. */
  merge?(op: MergeOp, call: Call): MaybePromise<WriteOutcome>;
  /** Deletes all that match; the number. */
  deleteWhere?(where: P | undefined, call: Call): MaybePromise<number>;
  /** The way down: a statement in the engine's own language, with its own placeholders. */
  sql?(statement: string, parameters: readonly unknown[], call: Call): MaybePromise<readonly NativeRow[]>;
}

export interface Transaction<P = unknown> extends Store<P> {
  /** Throws `CONFLICT` when another transaction was first; then nothing is written. */
  commit(): MaybePromise<void>;
  rollback(): MaybePromise<void>;
}

export interface ExistingIndex {
  readonly name: string;
  /** As an index of this declaration; absent where it is not one of ours. */
  readonly spec?: IndexSpec | undefined;
}

export interface Backend<P = unknown> extends Store<P> {
  /** Short, lower case: `sqlite`. */
  readonly name: string;
  /**
   * Which store of its kind this is, once it is open, without secrets: an absolute path; host, database and table. The
   * checkpoint of a migration goes by it. Absent: nobody else can reach it, as in memory, or it cannot be told.
   */
  readonly location?: string | undefined;
  readonly capabilities: Capabilities;
  /**
   * `"keep"`: write() keeps the objects it is given, so core hands over frozen copies.
   * `"serialise"`: write() turns them into text before it returns or first awaits.
   */
  readonly ownership: "keep" | "serialise";
  /** May differ between calls only by what `open` learned. */
  readonly compiler?: Compiler<P> | undefined;
  /** Does all set-up I/O; may narrow the capabilities. */
  open?(request: OpenRequest): MaybePromise<Partial<Capabilities> | undefined>;
  close?(): MaybePromise<void>;
  begin?(call: Call): MaybePromise<Transaction<P>>;
  /** Removes every record; the number removed. */
  clear?(call: Call): MaybePromise<number>;
  /** Makes acknowledged writes visible to queries, where that takes a step. */
  settle?(call: Call): MaybePromise<void>;
  /** What `explain` shows: SQL and parameters, a request body. */
  native?(request: ScanRequest<P>): unknown;
  /** The engine's own plan of it. */
  nativePlan?(request: ScanRequest<P>, call: Call): MaybePromise<unknown>;
  listIndexes?(call: Call): MaybePromise<readonly ExistingIndex[]>;
  createIndex?(spec: IndexSpec, call: Call): MaybePromise<void>;
  dropIndex?(name: string, call: Call): MaybePromise<void>;
  /** A consistent copy of the store in a file. */
  backup?(path: string, call: Call): MaybePromise<void>;
  /** The same store for `openDatabaseSync`, where this one is asynchronous. */
  toSync?(): Backend<P>;
}
