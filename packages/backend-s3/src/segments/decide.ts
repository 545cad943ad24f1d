/** What writes mean for the records that they find. Pure. */
import {
  applyMerge,
  applyWrite,
  isRefusal,
  type MergeOp,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
} from "@dataknobs/core/backend";
import type { Changes } from "./log.js";

export type Op = WriteOp | ({ readonly kind: "merge" } & MergeOp);

/** Operations that were asked for together. */
export interface Batch {
  readonly ops: readonly Op[];
  readonly atomic: boolean;
}

export interface Decision {
  /** Of each batch. */
  readonly outcomes: readonly (readonly WriteOutcome[])[];
  readonly changes: Changes;
  /** The records as they were found. */
  readonly before: ReadonlyMap<string, WireRecord>;
  /** By how many the records become more. */
  readonly delta: number;
}

/** Batches apply one after the other, each seeing what those before it did. */
export function decide(batches: readonly Batch[], before: ReadonlyMap<string, WireRecord>): Decision {
  const changes = new Map<string, WireRecord | null>();
  const outcomes = batches.map(({ ops, atomic }) => {
    const undo: [id: string, change: WireRecord | null | undefined][] = [];
    const told = ops.map((op): WriteOutcome => {
      const changed = changes.get(op.id);
      const found = changed === undefined ? before.get(op.id) : (changed ?? undefined);
      const outcome = op.kind === "merge" ? applyMerge(op, found) : applyWrite(op, found);
      if (outcome.status === "written" || outcome.status === "deleted") {
        undo.push([op.id, changed]);
        changes.set(op.id, outcome.status === "written" ? outcome.record : null);
      }
      return outcome;
    });
    if (!atomic || !told.some(isRefusal)) return told;
    for (const [id, change] of undo.reverse()) {
      if (change === undefined) changes.delete(id);
      else changes.set(id, change);
    }
    return told.map((one): WriteOutcome => (isRefusal(one) ? one : { status: "rolledBack" }));
  });
  let delta = 0;
  for (const [id, record] of changes) {
    const was = before.has(id);
    // what was made and deleted in one go was never there
    if (record === null && !was) changes.delete(id);
    else delta += (record === null ? 0 : 1) - (was ? 1 : 0);
  }
  return { outcomes, changes, before, delta };
}
