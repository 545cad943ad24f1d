/**
 * Records as the latest version of a chain of migrations has them, whatever version they are stored in.
 *
 * Guaranteed: what is read and asked for is of the latest version; what is written is stored in it, a record that was only
 * read stays as it is. The version itself, a metadata field, is not seen. Given up: conditions, orders and groups on data
 * are done by core, since the store has records of several shapes; so are unique indexes and indexed full text.
 */
import type {
  Backend,
  Batches,
  Call,
  MaybePromise,
  ScanRequest,
  Store,
  Transaction,
  UpdateOp,
  WriteOp,
  WriteOutcome,
  WriteRequest,
} from "../backend/spi.js";
import { misuse } from "../database/session.js";
import { DataknobsError } from "../errors.js";
import { RecordMigrations } from "../evolution/chain.js";
import type { Path } from "../query/lowered.js";
import type { JsonObject, TypeMap, WireRecord } from "../record/json.js";
import { escapeSegment } from "../record/pointer.js";
import { filterTypes } from "../record/type-map.js";
import { copyFields, decode, encodeFields, type Fields, setOwn } from "../record/values.js";
import { mapBatches, then } from "./either.js";
import { forward, forwardTransaction } from "./forward.js";
import { partialCompiler } from "./partial.js";

/**
 * A backend over another, that migrates records as they are read.
 *
 * @example
 * const db = await openDatabase(upgrading(sqlite({ path: "app.db" }), people));
 */
export function upgrading(primary: Backend, migrations: RecordMigrations): Backend {
  if (!(migrations instanceof RecordMigrations)) throw misuse("upgrading takes a backend and recordMigrations([…]).");
  const shape = new Shape(migrations, primary.ownership === "keep");
  const { peek, begin, open, toSync } = primary;
  // found in the fields of the store, which are not those that are seen
  const { nearest: _, ...kept } = primary.capabilities;
  const overrides: Parameters<typeof forward>[1] = {
    capabilities: Object.freeze({
      ...kept,
      unique: false,
      fullText: "emulated",
      analyzers: Object.freeze([]),
      aggregation: "emulated",
      percentile: "exact",
    }),
    // indexes of fields that not every record has yet would promise what they do not keep
    open: (request) => then(open?.call(primary, { ...request, indexes: [] }), narrowing),
    peek: peek && ((id) => optional(shape, peek.call(primary, id))),
    ...changed(primary, shape),
    begin: begin && ((call) => then(begin.call(primary, call), (inner) => inTransaction(inner, shape))),
    aggregate: undefined,
    merge: undefined,
    listIndexes: undefined,
    createIndex: undefined,
    dropIndex: undefined,
    ...(toSync !== undefined && { toSync: () => upgrading(toSync.call(primary), migrations) }),
  };
  return forward(primary, overrides, (compiler) => partialCompiler(compiler, (path) => shape.keeps(path)));
}

function narrowing(found: Partial<Backend["capabilities"]> | undefined): Partial<Backend["capabilities"]> | undefined {
  if (found === undefined) return undefined;
  const {
    unique: _,
    fullText: __,
    analyzers: ___,
    aggregation: ____,
    percentile: _____,
    nearest: ______,
    ...rest
  } = found;
  return rest;
}

function inTransaction(inner: Transaction, shape: Shape): Transaction {
  return forwardTransaction(inner, { ...changed(inner, shape), merge: undefined, aggregate: undefined });
}

function changed(store: Store, shape: Shape): Pick<Store, "read" | "write" | "scan"> {
  return {
    read: (ids, call) => then(store.read(ids, call), (rows) => rows.map((row) => optional(shape, row))),
    write: (ops, request) => shape.write(store, ops, request),
    scan: (request: ScanRequest<unknown>): Batches =>
      // what a field is made of may lie anywhere
      mapBatches(store.scan({ ...request, select: undefined }), (rows) => rows.map((row) => shape.seen(row))),
  };
}

function optional(shape: Shape, row: WireRecord | undefined): WireRecord | undefined {
  return row === undefined ? undefined : shape.seen(row);
}

interface Metadata {
  readonly metadata: JsonObject;
  readonly metadataTypes: TypeMap | null;
}

class Shape {
  readonly #migrations: RecordMigrations;
  readonly #freeze: boolean;
  readonly #pointer: string;

  constructor(migrations: RecordMigrations, freeze: boolean) {
    this.#migrations = migrations;
    this.#freeze = freeze;
    this.#pointer = `/${escapeSegment(migrations.field)}`;
  }

  /** Whether the store has at the path what is seen there. */
  keeps({ root, segments }: Path): boolean {
    if (root === "data") return false;
    return root !== "metadata" || (segments.length > 0 && segments[0] !== this.#migrations.field);
  }

  seen(record: WireRecord): WireRecord {
    const bare = { ...record, ...this.#unstamped(record) };
    if (this.#isLatest(record)) return bare;
    const { field } = this.#migrations;
    const version = Object.hasOwn(record.metadata, field) ? (record.metadata[field] as string | number) : null;
    const old = { data: decode(record.data, record.types) as Fields, metadata: { [field]: version } };
    const { json, types } = encodeFields(this.#migrations.migrate(old).data, {
      subject: "data",
      code: "INVALID_RECORD",
      freeze: this.#freeze,
    });
    return { ...bare, data: json, types };
  }

  write(store: Store, ops: readonly WriteOp[], request: WriteRequest): MaybePromise<readonly WriteOutcome[]> {
    for (const op of ops) this.#refuseOwn(op);
    const blind = blindUpdates(ops);
    if (blind.size === 0) return this.#written(store, ops, new Map(), request);
    return then(store.read([...blind], request as Call), (rows) => {
      const old = new Map<string, WireRecord>();
      for (const row of rows) if (row !== undefined && !this.#isLatest(row)) old.set(row.id, row);
      return this.#written(store, ops, old, request);
    });
  }

  /** `old`: records that an update of data alone would leave with the version of their old shape. */
  #written(
    store: Store,
    ops: readonly WriteOp[],
    old: ReadonlyMap<string, WireRecord>,
    request: WriteRequest,
  ): MaybePromise<readonly WriteOutcome[]> {
    const left = new Map(old);
    const forced = new Set<number>();
    const stamped = ops.map((op, at): WriteOp => {
      const before = left.get(op.id);
      left.delete(op.id);
      if (op.kind === "delete") return op;
      if (op.kind === "update" && op.metadata === undefined) {
        if (before === undefined) return op;
        if (op.ifVersion === undefined) forced.add(at);
        return { ...op, ...this.#stamped(before), ifVersion: op.ifVersion ?? before.version };
      }
      return { ...op, ...this.#stamped(op as Metadata) };
    });
    return then(store.write(stamped, request), (outcomes) => {
      const late = [...forced].filter((at) => outcomes[at]?.status === "stale");
      // another write was first: once more with what is there now
      if (late.length > 0 && request.atomic) return this.write(store, ops, request);
      const told = outcomes.map((outcome, at) => this.#told(outcome, ops[at] as WriteOp, old));
      if (late.length === 0) return told;
      const again = this.write(
        store,
        late.map((at) => ops[at] as WriteOp),
        request,
      );
      return then(again, (second) => told.map((outcome, at) => second[late.indexOf(at)] ?? outcome));
    });
  }

  #told(outcome: WriteOutcome, op: WriteOp, old: ReadonlyMap<string, WireRecord>): WriteOutcome {
    if (outcome.status !== "written") return outcome;
    if (outcome.record !== undefined) return { ...outcome, record: this.seen(outcome.record) };
    const before = old.get(op.id);
    if (op.kind !== "update" || op.metadata !== undefined || before === undefined) return outcome;
    const { id, data, types, version, at } = op as UpdateOp;
    const { createdAt } = outcome;
    return { ...outcome, record: { id, data, types, ...this.#unstamped(before), version, createdAt, updatedAt: at } };
  }

  #isLatest({ metadata }: Metadata): boolean {
    const { field, latest } = this.#migrations;
    return Object.hasOwn(metadata, field) && metadata[field] === latest;
  }

  #stamped({ metadata, metadataTypes }: Metadata): Metadata {
    const copy = copyFields(metadata);
    setOwn(copy, this.#migrations.field, this.#migrations.latest);
    return { metadata: this.#own(copy), metadataTypes };
  }

  #unstamped({ metadata, metadataTypes }: Metadata): Metadata {
    const { field } = this.#migrations;
    if (!Object.hasOwn(metadata, field)) return { metadata, metadataTypes };
    const copy = copyFields(metadata);
    delete copy[field];
    const types = filterTypes(metadataTypes, (at) => at !== this.#pointer && !at.startsWith(`${this.#pointer}/`));
    return { metadata: this.#own(copy), metadataTypes: types };
  }

  #own(fields: { [key: string]: unknown }): JsonObject {
    return (this.#freeze ? Object.freeze(fields) : fields) as JsonObject;
  }

  #refuseOwn(op: WriteOp): void {
    const { field } = this.#migrations;
    if (op.kind === "delete" || op.metadata === undefined || !Object.hasOwn(op.metadata, field)) return;
    throw new DataknobsError(
      "INVALID_RECORD",
      `The metadata field "${field}" holds the version of the record's shape, which is written by itself. Leave it out.`,
      { id: op.id, field: `metadata.${field}` },
    );
  }
}

/** Ids whose first operation is an update that leaves the metadata alone. */
function blindUpdates(ops: readonly WriteOp[]): ReadonlySet<string> {
  const [blind, seen] = [new Set<string>(), new Set<string>()];
  for (const op of ops) {
    if (!seen.has(op.id) && op.kind === "update" && op.metadata === undefined) blind.add(op.id);
    seen.add(op.id);
  }
  return blind;
}
