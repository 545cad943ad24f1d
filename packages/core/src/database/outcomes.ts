/** Adapters report, core throws: the same errors with the same words on every backend. */
import type { WriteOp, WriteOutcome } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import type { WireRecord } from "../record/json.js";

/** The error that an outcome stands for, or `undefined` where it is none. */
export function outcomeError(
  outcome: WriteOutcome | undefined,
  op: { readonly id: string; readonly ifVersion?: string | undefined },
  backend: string,
  operation: string,
): Error | undefined {
  const details = { backend, operation, id: op.id };
  switch (outcome?.status) {
    case "written":
    case "deleted":
    case "missing":
      return undefined;
    case "exists":
      return new DataknobsError("ALREADY_EXISTS", `A record with the id ${quote(op.id)} exists already.`, details);
    case "duplicate":
      return new DataknobsError(
        "ALREADY_EXISTS",
        `The record ${quote(op.id)} has a value that another has already, in the unique index "${outcome.index}".`,
        { ...details, index: outcome.index },
      );
    case "stale":
      return versionConflict(op.id, op.ifVersion ?? "", outcome.actual, backend, operation);
    case "failed":
      return outcome.error;
    case "rolledBack":
      return new DataknobsError(
        "CONFLICT",
        `The record ${quote(op.id)} was not written: another of its batch was refused.`,
        details,
      );
    case undefined:
      return new DataknobsError("UNEXPECTED", `The ${backend} backend gave no outcome for ${quote(op.id)}.`, details);
  }
}

export function versionConflict(
  id: string,
  expected: string,
  actual: string | null,
  backend: string,
  operation: string,
): DataknobsError {
  return new DataknobsError(
    "VERSION_CONFLICT",
    actual === null
      ? `The record ${quote(id)} is gone; version ${expected} was expected. Nothing was written.`
      : `The record ${quote(id)} has changed: expected version ${expected}, found ${actual}. Read it again and retry.`,
    { backend, operation, id, expected, actual },
  );
}

/** The first error of a batch, with every record's outcome in its details. */
export function batchError(
  ops: readonly WriteOp[],
  outcomes: readonly WriteOutcome[],
  backend: string,
  operation: string,
): Error | undefined {
  let well = outcomes.length === ops.length;
  for (let index = 0; well && index < outcomes.length; index++) well = !isError(outcomes[index]);
  if (well) return undefined;
  // what rolled the rest back comes before what was rolled back
  let at = ops.findIndex((_, index) => outcomes[index]?.status !== "rolledBack" && isError(outcomes[index]));
  if (at < 0) at = ops.findIndex((_, index) => isError(outcomes[index]));
  if (at < 0) return undefined;
  const error = outcomeError(outcomes[at], ops[at] as WriteOp, backend, operation) as Error;
  if (!DataknobsError.is(error) || ops.length === 1) return error;
  return new DataknobsError(
    error.code,
    error.message,
    {
      ...error.details,
      position: at,
      outcomes: ops.map((op, index) => ({ id: op.id, status: outcomes[index]?.status ?? "failed" })),
    },
    error.cause === undefined ? undefined : { cause: error.cause },
  );
}

function isError(outcome: WriteOutcome | undefined): boolean {
  return outcome?.status !== "written" && outcome?.status !== "deleted" && outcome?.status !== "missing";
}

/** The record after an operation that was written. */
export function writtenRecord(op: Exclude<WriteOp, { kind: "delete" }>, outcome: WriteOutcome): WireRecord | undefined {
  if (outcome.status !== "written") return undefined;
  if (outcome.record !== undefined) return outcome.record;
  return {
    id: op.id,
    data: op.data,
    types: op.types,
    metadata: op.metadata ?? {},
    metadataTypes: op.metadataTypes,
    version: op.version,
    createdAt: outcome.createdAt,
    updatedAt: op.at,
  };
}

function quote(id: string): string {
  return JSON.stringify(id.length > 80 ? `${id.slice(0, 80)}…` : id);
}
