/** What this thread and its workers say to each other: text and numbers, rows as one flat list of columns. */
import type { ExistingIndex, IndexSpec, NativeRow, WriteOutcome } from "@dataknobs/core/backend";
import type { SqlValue, Statement } from "@dataknobs/sql";
import type { WireError } from "./errors.js";
import type { Layout } from "./layout.js";
import type { NearestSearch } from "./matrix.js";
import type { Settings } from "./options.js";
import type { TextMerge, TextOp } from "./rows.js";

export interface WorkerData {
  readonly settings: Settings;
  /** Of the writer: makes the table and these indexes. */
  readonly indexes: readonly IndexSpec[] | undefined;
}

export interface RowBatch {
  readonly width: number;
  readonly columns: readonly (string | number | null)[];
}

/** Arguments and results by operation. */
export interface Operations {
  /** Columns of eight per id; a missing record has `null` for its id. */
  read: [ids: readonly string[], columns: readonly (string | number | null)[]];
  /** All rows of a statement. */
  all: [statement: Statement, rows: readonly (readonly (string | number | null)[])[]];
  nearest: [search: NearestSearch, rows: readonly (readonly (string | number | null)[])[]];
  write: [request: { readonly ops: readonly TextOp[]; readonly atomic: boolean }, outcomes: WrittenBatch];
  merge: [op: TextMerge, outcome: WriteOutcome];
  deleteWhere: [request: { readonly statement: Statement; readonly all: boolean }, count: number];
  /** Opens a cursor and gives its first rows; no cursor where those were all. */
  open: [request: OpenCursor, batch: CursorBatch];
  next: [cursor: number, batch: CursorBatch];
  leave: [cursor: number, nothing: null];
  begin: [nothing: null, nothing: null];
  commit: [nothing: null, nothing: null];
  rollback: [nothing: null, nothing: null];
  refresh: [nothing: null, nothing: null];
  listIndexes: [nothing: null, indexes: readonly ExistingIndex[]];
  createIndex: [spec: IndexSpec, layout: Layout];
  dropIndex: [name: string, layout: Layout];
  backup: [path: string, nothing: null];
  sql: [request: { readonly statement: string; readonly parameters: readonly SqlValue[] }, rows: readonly NativeRow[]];
  close: [nothing: null, nothing: null];
}

export interface OpenCursor {
  readonly cursor: number;
  readonly statement: Statement;
  readonly batchSize: number;
  /** Given: on the worker's own connection, which also writes. */
  readonly refetch: Statement | undefined;
}

export interface CursorBatch extends RowBatch {
  readonly done: boolean;
}

/** Outcomes; `all` where each of them is the same. */
export interface WrittenBatch {
  readonly all?: WriteOutcome;
  readonly each?: readonly WriteOutcome[];
}

export type OperationName = keyof Operations;
export type Argument<N extends OperationName> = Operations[N][0];
export type Result<N extends OperationName> = Operations[N][1];

export interface Request {
  readonly id: number;
  readonly name: OperationName;
  readonly argument: unknown;
}

export type Response =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: WireError };

/** The first message of a worker: its layout, or why it could not open. */
export type Opened = { readonly layout: Layout | undefined } | { readonly error: WireError };
