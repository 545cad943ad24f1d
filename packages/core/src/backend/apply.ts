/** What each write means for the record that has its id: the reference for one operation. Pure. */
import type { WireRecord } from "../record/json.js";
import { mergeFields } from "../record/merge.js";
import type { InsertOp, MergeOp, UpdateOp, UpsertOp, WriteOp, WriteOutcome } from "./spi.js";

/** `written` carries the record to keep, `deleted` says to remove it; with the others nothing changes. */
export type AppliedOutcome =
  | { readonly status: "written"; readonly createdAt: number; readonly record: WireRecord }
  | Extract<WriteOutcome, { readonly status: "deleted" | "missing" | "exists" | "stale" }>;

/**
 * What comes of an insert, upsert, update or delete. `before` is the record with its id, if there is one; it is not
 * changed. The new record is frozen, its data as far as the operation's are. Unique indexes and atomic batches are the
 * caller's to look after.
 */
export function applyWrite(op: WriteOp, before: WireRecord | undefined): AppliedOutcome {
  switch (op.kind) {
    case "insert":
      return before === undefined ? written(recordOf(op, op.at)) : exists;
    case "upsert":
      return staleOutcome(op.ifVersion, before) ?? written(recordOf(op, before?.createdAt ?? op.at));
    case "update":
      return staleOutcome(op.ifVersion, before) ?? (before === undefined ? missing : written(updated(op, before)));
    case "delete":
      return staleOutcome(op.ifVersion, before) ?? (before === undefined ? missing : deleted);
  }
}

/** What comes of a patch; as `applyWrite`. */
export function applyMerge(op: MergeOp, before: WireRecord | undefined): AppliedOutcome {
  const stale = staleOutcome(op.ifVersion, before);
  if (stale !== undefined) return stale;
  if (before === undefined) return missing;
  const { data, types } = mergeFields(before.data, before.types, op.data, op.types);
  return written({
    ...before,
    data: Object.freeze(data),
    types: types === null ? null : Object.freeze(types),
    version: op.version,
    updatedAt: op.at,
  });
}

/** Whether an outcome refuses the whole of an atomic batch. */
export function isRefusal({ status }: WriteOutcome): boolean {
  return status === "exists" || status === "stale" || status === "duplicate";
}

const exists = Object.freeze({ status: "exists" });
const missing = Object.freeze({ status: "missing" });
const deleted = Object.freeze({ status: "deleted" });

function staleOutcome(wanted: string | undefined, before: WireRecord | undefined): AppliedOutcome | undefined {
  if (wanted === undefined || before?.version === wanted) return undefined;
  return { status: "stale", actual: before?.version ?? null };
}

function written(record: WireRecord): AppliedOutcome {
  return { status: "written", createdAt: record.createdAt, record: Object.freeze(record) };
}

// every field by name, in one order: records of one shape are faster to read
function recordOf(op: InsertOp | UpsertOp, createdAt: number): WireRecord {
  return {
    id: op.id,
    data: op.data,
    types: op.types,
    metadata: op.metadata,
    metadataTypes: op.metadataTypes,
    version: op.version,
    createdAt,
    updatedAt: op.at,
  };
}

function updated(op: UpdateOp, before: WireRecord): WireRecord {
  return {
    id: op.id,
    data: op.data,
    types: op.types,
    metadata: op.metadata ?? before.metadata,
    metadataTypes: op.metadata === undefined ? before.metadataTypes : op.metadataTypes,
    version: op.version,
    createdAt: before.createdAt,
    updatedAt: op.at,
  };
}
