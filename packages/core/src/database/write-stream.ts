/** `db.write(source)`: any number of records from any iterable, in bounded memory, with a summary. */
import type { InsertOp, UpsertOp, WriteOutcome } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import { checkId, newId, newVersion } from "../record/ids.js";
import { encodeFields } from "../record/values.js";
import { outcomeError } from "./outcomes.js";
import { validate } from "./schema.js";
import { asDataknobsError, type CallOptions, callOf, misuse, type Session } from "./session.js";
import { abortError, orAborted, runAsync } from "./steps.js";

export interface WriteRecord<T = unknown> {
  readonly id?: string | undefined;
  readonly data: T;
  readonly metadata?: object | undefined;
}

export interface WriteProgress {
  readonly read: number;
  readonly written: number;
  readonly skipped: number;
  readonly failed: number;
}

export interface WriteFailure {
  /** Place in the source, from 0. */
  readonly index: number;
  readonly id: string | undefined;
  readonly error: Error;
}

/** read = written + skipped + failed. */
export interface WriteSummary extends WriteProgress {
  /** The first 1,000 failures. */
  readonly errors: readonly WriteFailure[];
}

export interface WriteStreamOptions<T = unknown> extends CallOptions {
  /** What an id that is taken means. Default `"fail"`. */
  readonly onConflict?: "fail" | "skip" | "replace" | undefined;
  /** Records per write to the backend. Default 1000. */
  readonly batchSize?: number | undefined;
  /** Called for each record that could not be written; `true` goes on. Default: stop, the summary in the details. */
  readonly onError?: ((error: Error, record: WriteRecord<T>) => boolean) | undefined;
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined;
}

type Source<T> = Iterable<WriteRecord<T>> | AsyncIterable<WriteRecord<T>>;

interface Pending<T> {
  readonly index: number;
  readonly record: WriteRecord<T>;
  readonly op: InsertOp | UpsertOp;
}

const maxErrors = 1000;

export async function writeStream<T>(
  session: Session,
  source: Source<T>,
  options: WriteStreamOptions<T>,
): Promise<WriteSummary> {
  const { onConflict = "fail", batchSize = 1000, onError, onProgress } = options;
  if (!["fail", "skip", "replace"].includes(onConflict)) throw misuse('`onConflict` is "fail", "skip" or "replace".');
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) throw misuse("`batchSize` is a whole number, 1 or more.");
  const call = callOf(options);
  const errors: WriteFailure[] = [];
  const tally = { read: 0, written: 0, skipped: 0, failed: 0 };
  const summary = (): WriteSummary => ({ ...tally, errors });
  const failed = (index: number, record: WriteRecord<T>, error: Error): void => {
    tally.failed++;
    if (errors.length < maxErrors) errors.push({ index, id: record.id, error });
    if (onError?.(error, record) === true) return;
    const code = DataknobsError.is(error) ? error.code : "UNEXPECTED";
    const details = DataknobsError.is(error) ? error.details : {};
    throw new DataknobsError(
      code,
      error.message,
      { ...details, position: index, summary: summary() },
      { cause: error },
    );
  };
  const flush = async (batch: readonly Pending<T>[]): Promise<void> => {
    if (batch.length === 0) return;
    let outcomes: readonly WriteOutcome[];
    try {
      const ops = batch.map(({ op }) => op);
      outcomes = await orAborted(Promise.resolve(session.store.write(ops, { ...call, atomic: false })), call.signal);
    } catch (error) {
      throw asDataknobsError(error, session, "write");
    }
    for (let at = 0; at < batch.length; at++) {
      const { op, index, record } = batch[at] as Pending<T>;
      const outcome = outcomes[at];
      if (outcome?.status === "written") tally.written++;
      else if (outcome?.status === "exists" && onConflict === "skip") tally.skipped++;
      else failed(index, record, outcomeError(outcome, op, session.name, "write") as Error);
    }
    onProgress?.({ ...tally });
  };
  let batch: Pending<T>[] = [];
  for await (const record of source) {
    if (call.signal?.aborted === true) throw abortError(call.signal);
    const index = tally.read++;
    let op: InsertOp | UpsertOp;
    try {
      op = await makeOp(session, record, onConflict);
    } catch (error) {
      const known = asDataknobsError(error, session, "write");
      // a programmer's mistake is no record's failure
      if (!DataknobsError.is(known)) throw known;
      failed(index, record, known);
      continue;
    }
    batch.push({ index, record, op });
    if (batch.length >= batchSize) {
      const full = batch;
      batch = [];
      await flush(full);
    }
  }
  await flush(batch);
  return summary();
}

/** The write of one record, checked and encoded. */
export async function makeOp<T>(
  session: Session,
  record: WriteRecord<T>,
  onConflict: "fail" | "skip" | "replace",
): Promise<InsertOp | UpsertOp> {
  if (typeof record !== "object" || record === null) throw misuse("write takes records: { id?, data, metadata? }.");
  const freeze = session.backend.ownership === "keep";
  if (record.id !== undefined) checkId(record.id);
  const valid =
    session.schema === undefined ? record.data : await runAsync(validate(session.schema, record.data), undefined);
  const data = encodeFields(valid, { subject: "data", code: "INVALID_RECORD", freeze });
  const metadata = encodeFields(record.metadata ?? {}, { subject: "metadata", code: "INVALID_RECORD", freeze });
  return {
    kind: onConflict === "replace" ? "upsert" : "insert",
    id: record.id ?? newId(),
    data: data.json,
    types: data.types,
    metadata: metadata.json,
    metadataTypes: metadata.types,
    version: newVersion(),
    at: Date.now(),
  };
}
