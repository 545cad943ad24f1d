/** What each write does to a store, and how a batch of them is all or nothing. */
import {
  type AppliedOutcome,
  applyMerge,
  applyWrite,
  isRefusal,
  type MergeOp,
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
  const outcomes = ops.map((op) => {
    const before = store.get(op.id);
    return take(store, op.id, before, applyWrite(op, before), log);
  });
  if (!options.atomic || !outcomes.some(isRefusal)) return { outcomes, log };
  log.undo(store);
  return { outcomes: outcomes.map((outcome) => (isRefusal(outcome) ? outcome : { status: "rolledBack" })), log };
}

export function applyPatch(store: ChangeableStore, op: MergeOp, log: ChangeLog): WriteOutcome {
  const before = store.get(op.id);
  return take(store, op.id, before, applyMerge(op, before), log);
}

export function remove(store: ChangeableStore, records: readonly WireRecord[], log: ChangeLog): number {
  for (const record of records) {
    store.put(record.id, record, undefined);
    log.add(record.id, record);
  }
  return records.length;
}

function take(
  store: ChangeableStore,
  id: string,
  before: WireRecord | undefined,
  outcome: AppliedOutcome,
  log: ChangeLog,
): WriteOutcome {
  const after = outcome.status === "written" ? outcome.record : undefined;
  if (after === undefined && outcome.status !== "deleted") return outcome;
  const index = after === undefined ? undefined : store.duplicate(after);
  if (index !== undefined) return { status: "duplicate", index };
  store.put(id, before, after);
  log.add(id, before);
  return outcome;
}
