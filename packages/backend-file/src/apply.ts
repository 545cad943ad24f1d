/** What each write means: the reference for one operation on the record that was there. Pure. */
import { type MergeOp, mergeFields, type WireRecord, type WriteOp, type WriteOutcome } from "@dataknobs/core/backend";

/** A patch is one more kind of write here. */
export type Op = WriteOp | ({ readonly kind: "merge" } & MergeOp);

export interface Applied {
  readonly outcome: WriteOutcome;
  /** Absent: nothing changes. `null`: the record goes. */
  readonly after?: WireRecord | null;
}

/** `before`: the record that has the operation's id. */
export function applyOp(op: Op, before: WireRecord | undefined): Applied {
  if (op.kind !== "insert" && op.ifVersion !== undefined && op.ifVersion !== before?.version) {
    return { outcome: { status: "stale", actual: before?.version ?? null } };
  }
  if (op.kind === "insert" && before !== undefined) return { outcome: { status: "exists" } };
  if (op.kind === "insert" || op.kind === "upsert") {
    const createdAt = before?.createdAt ?? op.at;
    return { outcome: { status: "written", createdAt }, after: recordOf(op, createdAt) };
  }
  if (before === undefined) return { outcome: { status: "missing" } };
  if (op.kind === "delete") return { outcome: { status: "deleted" }, after: null };
  const after = op.kind === "merge" ? merged(op, before) : updated(op, before);
  return { outcome: { status: "written", createdAt: after.createdAt, record: after }, after };
}

function recordOf(op: Extract<Op, { kind: "insert" | "upsert" }>, createdAt: number): WireRecord {
  const { id, data, types, metadata, metadataTypes, version, at } = op;
  return { id, data, types, metadata, metadataTypes, version, createdAt, updatedAt: at };
}

function updated(op: Extract<Op, { kind: "update" }>, before: WireRecord): WireRecord {
  const metadata =
    op.metadata === undefined
      ? { metadata: before.metadata, metadataTypes: before.metadataTypes }
      : { metadata: op.metadata, metadataTypes: op.metadataTypes };
  const { data, types, version, at } = op;
  return { ...before, data, types, ...metadata, version, updatedAt: at };
}

function merged(op: Extract<Op, { kind: "merge" }>, before: WireRecord): WireRecord {
  const { data, types } = mergeFields(before.data, before.types, op.data, op.types);
  return { ...before, data, types, version: op.version, updatedAt: op.at };
}

export function isRefusal({ status }: WriteOutcome): boolean {
  return status === "exists" || status === "stale" || status === "duplicate";
}
