/** Reads, transforms and writes, some batches at a time; tells in order what became of each. */
import type { InsertOp, UpsertOp, WriteOutcome } from "../backend/spi.js";
import { outcomeError } from "../database/outcomes.js";
import { asDataknobsError } from "../database/session.js";
import { isThenable, orAborted } from "../database/steps.js";
import { checkVectors } from "../database/vector-fields.js";
import { makeOp, type WriteRecord } from "../database/write-stream.js";
import { DataknobsError, toError } from "../errors.js";
import { freezeRecord } from "../record/freeze.js";
import { newVersion } from "../record/ids.js";
import type { WireRecord } from "../record/json.js";
import { type StoredRecord, toStored } from "../record/stored.js";
import { contentText } from "./digest.js";
import type { CheckedOptions, MigrationFailure, MigrationTally } from "./options.js";
import { recordsOf, type Side } from "./read.js";

export type Tally = { -readonly [K in keyof MigrationTally]: MigrationTally[K] };

export interface Batch {
  /** The id of its last record. */
  readonly last: string;
  readonly tally: MigrationTally;
  readonly replaced: number;
  readonly failures: readonly MigrationFailure[];
  /** What ends the migration, after all of the batch was told. */
  readonly stop: Error | undefined;
}

export type Op = InsertOp | UpsertOp;

/** The write of one record, as `transform` has it; `null`: dropped. */
export async function opOf(
  record: WireRecord,
  { session }: Side,
  { transform, onConflict }: CheckedOptions,
): Promise<Op | null> {
  if (transform === undefined && session.schema === undefined) {
    // a store that keeps what it is given gets what nobody can change
    if (session.backend.ownership === "keep") freezeRecord(record);
    const { id, data, types, metadata, metadataTypes } = record;
    checkVectors(session.vectorFields, "data", data, types);
    checkVectors(session.vectorFields, "metadata", metadata, metadataTypes);
    const kind = onConflict === "replace" ? "upsert" : "insert";
    return { kind, id, data, types, metadata, metadataTypes, version: newVersion(), at: Date.now() };
  }
  const stored = toStored(record) as StoredRecord;
  const made: WriteRecord | null = transform === undefined ? stored : await asTransformed(transform, stored);
  if (made === null) return null;
  const { id = record.id, data, metadata } = made;
  return makeOp(session, { id, data, metadata }, onConflict);
}

async function asTransformed(
  transform: NonNullable<CheckedOptions["transform"]>,
  record: StoredRecord,
): Promise<WriteRecord | null> {
  let made: unknown;
  try {
    made = await transform(record);
  } catch (cause) {
    if (DataknobsError.is(cause)) throw cause;
    const told = toError(cause);
    throw new DataknobsError(
      "UNEXPECTED",
      `The transform threw on the record ${JSON.stringify(record.id)}: ${told.message}`,
      { operation: "migrate", id: record.id },
      { cause: told },
    );
  }
  if (made === null) return null;
  if (typeof made === "object" && "data" in made) return made as WriteRecord;
  throw new DataknobsError(
    "INVALID_RECORD",
    `The transform gave no record for ${JSON.stringify(record.id)}: it gives { data, id?, metadata? }, or null to drop it.`,
    { operation: "migrate", id: record.id },
  );
}

/** Copies one list of records. `doubtful`: some may have been written by a run that did not live to count them. */
export async function copyBatch(
  records: readonly WireRecord[],
  target: Side,
  options: CheckedOptions,
  doubtful: boolean,
): Promise<Batch> {
  const { session } = target;
  const tally: Tally = { read: records.length, written: 0, skipped: 0, dropped: 0, failed: 0 };
  const failures: MigrationFailure[] = [];
  let stop: Error | undefined;
  const failed = (record: WireRecord, error: Error): void => {
    tally.failed++;
    const code = DataknobsError.is(error) ? error.code : "UNEXPECTED";
    failures.push({ id: record.id, code, message: error.message });
    if (options.onError?.(error, toStored(record) as StoredRecord) !== true) stop ??= error;
  };

  const pending: { readonly record: WireRecord; readonly op: Op }[] = [];
  for (const record of records) {
    try {
      const op = await opOf(record, target, options);
      if (op === null) tally.dropped++;
      else pending.push({ record, op });
    } catch (error) {
      const known = asDataknobsError(error, session, "migrate");
      // a programmer's mistake is no record's failure
      if (!DataknobsError.is(known)) throw known;
      failed(record, known);
    }
    // as `onConflict: "fail"` has it: nothing of what follows the first failure
    if (stop !== undefined) break;
  }
  if (stop !== undefined) return { last: "", tally: told(tally, pending.length), replaced: 0, failures, stop };

  const todo = options.incremental ? await withoutSame(pending, target, tally) : pending;
  const ops = todo.map(({ op }) => op);
  const replaced = counts(options) ? await replacing(ops, target, doubtful) : 0;
  let outcomes: readonly WriteOutcome[];
  try {
    outcomes = options.dryRun ? await foreseen(ops, target) : await write(ops, target);
  } catch (error) {
    // some of it may be written: the next run finds out
    const known = asDataknobsError(error, session, "migrate");
    if (!DataknobsError.is(known)) throw known;
    for (const { record } of todo) failures.push({ id: record.id, code: known.code, message: known.message });
    tally.failed += todo.length;
    return { last: "", tally, replaced, failures, stop: known };
  }
  const own = doubtful ? await ownAlready(todo, outcomes, target) : new Set<string>();
  for (let at = 0; at < todo.length; at++) {
    const { record, op } = todo[at] as (typeof todo)[number];
    const outcome = outcomes[at];
    if (outcome?.status === "written" || own.has(op.id)) tally.written++;
    else if (outcome?.status === "exists" && options.onConflict === "skip") tally.skipped++;
    else failed(record, outcomeError(outcome, op, session.name, "migrate") ?? unwritten(op.id));
  }
  return { last: (records.at(-1) as WireRecord).id, tally, replaced, failures, stop };
}

/** Those that were read before the failure and not written because of it count as failed with it. */
function told(tally: Tally, unwrittenOnes: number): Tally {
  const failedToo = tally.failed + unwrittenOnes;
  return { ...tally, failed: failedToo, read: failedToo + tally.dropped };
}

async function write(ops: readonly Op[], { session, call }: Side): Promise<readonly WriteOutcome[]> {
  if (ops.length === 0) return [];
  const outcomes = session.store.write(ops, { ...call, atomic: false });
  // what is done already is told, however late an abort comes
  return isThenable(outcomes) ? orAborted(outcomes, call.signal) : outcomes;
}

/** Only to verify by number is it worth a look which of the writes add a record. */
function counts({ verify, onConflict }: CheckedOptions): boolean {
  return verify === "count" && onConflict === "replace";
}

/** How many of the writes replace a record; one that a run before wrote and did not count is none. */
async function replacing(ops: readonly Op[], target: Side, doubtful: boolean): Promise<number> {
  const there = await recordsOf(
    target,
    ops.map(({ id }) => id),
  );
  return ops.filter((op, at) => {
    const record = there[at];
    return record !== undefined && !(doubtful && contentText(record) === contentText(op));
  }).length;
}

/** What the writes would give, by what the target has. */
async function foreseen(ops: readonly Op[], target: Side): Promise<readonly WriteOutcome[]> {
  const there = await recordsOf(
    target,
    ops.map(({ id }) => id),
  );
  return ops.map((op, at) => {
    const record = there[at];
    if (record !== undefined && op.kind === "insert") return { status: "exists" };
    return { status: "written", createdAt: record?.createdAt ?? op.at };
  });
}

type Pending = { readonly record: WireRecord; readonly op: Op };

/** Without those that the target has with the same content already: they count as skipped. */
async function withoutSame(pending: readonly Pending[], target: Side, tally: Tally): Promise<readonly Pending[]> {
  const there = await recordsOf(
    target,
    pending.map(({ op }) => op.id),
  );
  return pending.filter(({ op }, at) => {
    const record = there[at];
    if (record === undefined || contentText(record) !== contentText(op)) return true;
    tally.skipped++;
    return false;
  });
}

/** Ids that exist with just the content that was to be written: the run before wrote them. */
async function ownAlready(
  pending: readonly Pending[],
  outcomes: readonly WriteOutcome[],
  target: Side,
): Promise<ReadonlySet<string>> {
  const taken = pending.filter((_, at) => outcomes[at]?.status === "exists").map(({ op }) => op);
  if (taken.length === 0) return new Set();
  const there = await recordsOf(
    target,
    taken.map(({ id }) => id),
  );
  const isOwn = (op: Op, record: WireRecord | undefined): boolean =>
    record !== undefined && contentText(record) === contentText(op);
  return new Set(taken.filter((op, at) => isOwn(op, there[at])).map(({ id }) => id));
}

function unwritten(id: string): DataknobsError {
  return new DataknobsError("UNEXPECTED", `The record ${JSON.stringify(id)} was not written, and nothing says why.`, {
    id,
  });
}
