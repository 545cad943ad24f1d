/** What each write does to a store, and how a batch of them is all or nothing. */
import {
  type InsertOp,
  type MergeOp,
  mergeFields,
  type UpdateOp,
  type UpsertOp,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
} from "@dataknobs/core/backend";

/** The store itself or a transaction's view of it. */
export interface ChangeableStore {
  get(id: string): WireRecord | undefined;
  /** `before` is what `get` gave; no `after`: delete. */
  put(id: string, before: WireRecord | undefined, after: WireRecord | undefined): void;
  /** The unique index that has this record's value under another id. */
  duplicate(record: WireRecord): string | undefined;
}

/** What was changed, in order: id and the record before. Two flat lists, for batches are large. */
export class ChangeLog {
  readonly ids: string[] = [];
  readonly before: (WireRecord | undefined)[] = [];

  add(id: string, before: WireRecord | undefined): void {
    this.ids.push(id);
    this.before.push(before);
  }

  undo(store: ChangeableStore): void {
    while (this.ids.length > 0) {
      const id = this.ids.pop() as string;
      store.put(id, store.get(id), this.before.pop());
    }
  }
}

export function applyAll(
  store: ChangeableStore,
  ops: readonly WriteOp[],
  options: { readonly atomic: boolean },
): { readonly outcomes: readonly WriteOutcome[]; readonly log: ChangeLog } {
  const log = new ChangeLog();
  const outcomes = ops.map((op) => applyOne(store, op, log));
  if (!options.atomic || !outcomes.some(isRefusal)) return { outcomes, log };
  log.undo(store);
  return { outcomes: outcomes.map((outcome) => (isRefusal(outcome) ? outcome : { status: "rolledBack" })), log };
}

export function applyMerge(store: ChangeableStore, op: MergeOp, log: ChangeLog): WriteOutcome {
  const before = store.get(op.id);
  const refused = checkVersion(op.ifVersion, before);
  if (refused !== undefined) return refused;
  if (before === undefined) return missing;
  const { data, types } = mergeFields(before.data, before.types, op.data, op.types);
  const after = freeze({
    ...before,
    data: Object.freeze(data),
    types: types === null ? null : Object.freeze(types),
    version: op.version,
    updatedAt: op.at,
  });
  return replace(store, before, after, log);
}

export function remove(store: ChangeableStore, records: readonly WireRecord[], log: ChangeLog): number {
  for (const record of records) {
    store.put(record.id, record, undefined);
    log.add(record.id, record);
  }
  return records.length;
}

function applyOne(store: ChangeableStore, op: WriteOp, log: ChangeLog): WriteOutcome {
  const before = store.get(op.id);
  switch (op.kind) {
    case "insert":
      if (before !== undefined) return exists;
      return replace(store, before, recordOf(op, op.at), log);
    case "upsert":
      return (
        checkVersion(op.ifVersion, before) ?? replace(store, before, recordOf(op, before?.createdAt ?? op.at), log)
      );
    case "update": {
      const refused = checkVersion(op.ifVersion, before);
      if (refused !== undefined) return refused;
      if (before === undefined) return missing;
      return replace(store, before, updated(op, before), log);
    }
    case "delete": {
      const refused = checkVersion(op.ifVersion, before);
      if (refused !== undefined) return refused;
      if (before === undefined) return missing;
      store.put(op.id, before, undefined);
      log.add(op.id, before);
      return deleted;
    }
  }
}

const exists: WriteOutcome = Object.freeze({ status: "exists" });
const missing: WriteOutcome = Object.freeze({ status: "missing" });
const deleted: WriteOutcome = Object.freeze({ status: "deleted" });

function isRefusal({ status }: WriteOutcome): boolean {
  return status === "exists" || status === "stale" || status === "duplicate";
}

function checkVersion(wanted: string | undefined, before: WireRecord | undefined): WriteOutcome | undefined {
  if (wanted === undefined || before?.version === wanted) return undefined;
  return { status: "stale", actual: before?.version ?? null };
}

function replace(
  store: ChangeableStore,
  before: WireRecord | undefined,
  after: WireRecord,
  log: ChangeLog,
): WriteOutcome {
  const index = store.duplicate(after);
  if (index !== undefined) return { status: "duplicate", index };
  store.put(after.id, before, after);
  log.add(after.id, before);
  // with the record, core need not make another
  return { status: "written", createdAt: after.createdAt, record: after };
}

function recordOf(op: InsertOp | UpsertOp, createdAt: number): WireRecord {
  return freeze({
    id: op.id,
    data: op.data,
    types: op.types,
    metadata: op.metadata,
    metadataTypes: op.metadataTypes,
    version: op.version,
    createdAt,
    updatedAt: op.at,
  });
}

function updated(op: UpdateOp, before: WireRecord): WireRecord {
  return freeze({
    id: op.id,
    data: op.data,
    types: op.types,
    metadata: op.metadata ?? before.metadata,
    metadataTypes: op.metadata === undefined ? before.metadataTypes : op.metadataTypes,
    version: op.version,
    createdAt: before.createdAt,
    updatedAt: op.at,
  });
}

function freeze(record: WireRecord): WireRecord {
  return Object.freeze(record);
}
