/**
 * A chain of migrations applied to the records of a database, where they lie.
 *
 * Guaranteed: bounded memory; a record is changed by compare-and-set, so that what others write meanwhile is never undone;
 * each record says its version, so that a run that was stopped or killed at any moment is finished by the same call.
 */
import type { Database } from "../database/database.js";
import { type CallOptions, callOf, misuse } from "../database/session.js";
import { abortError } from "../database/steps.js";
import type { UpdateInput } from "../database/writes.js";
import { DataknobsError, type ErrorCode } from "../errors.js";
import { bad, checkKnown, count } from "../migrate/option-checks.js";
import type { Condition, PathInput } from "../query/ast.js";
import type { StoredRecord } from "../record/stored.js";
import type { Fields } from "../record/values.js";
import { RecordMigrations, type RecordVersion } from "./chain.js";

/** read = migrated + current + failed. */
export interface EvolutionProgress {
  /** Records of another version, as counted at the start. */
  readonly total: number;
  readonly read: number;
  readonly migrated: number;
  /** Those that another had brought to the version, or deleted, meanwhile. */
  readonly current: number;
  readonly failed: number;
}

export interface EvolutionReport extends EvolutionProgress {
  readonly to: RecordVersion;
  readonly dryRun: boolean;
  /** Milliseconds that it took. */
  readonly ms: number;
  /** The first 1,000 failures. */
  readonly errors: readonly { readonly id: string; readonly code: ErrorCode; readonly message: string }[];
}

export interface EvolutionOptions extends CallOptions {
  /** Default: the latest. An earlier one goes back, where every migration on the way can be undone. */
  readonly to?: RecordVersion | undefined;
  /** Only these. Default: all records. */
  readonly where?: Condition | undefined;
  /** Records per read and write. Default 500. */
  readonly batchSize?: number | undefined;
  /** Migrates and counts, but writes nothing. */
  readonly dryRun?: boolean | undefined;
  /** Called for each record that cannot be migrated; `true` goes on. Default: stop, the report in the details. */
  readonly onError?: ((error: Error, record: StoredRecord) => boolean) | undefined;
  readonly onProgress?: ((progress: EvolutionProgress) => void) | undefined;
}

const known = ["to", "where", "batchSize", "dryRun", "onError", "onProgress", "signal", "timeout"];
const maxErrors = 1000;
/** Attempts at one record that others keep changing. */
const maxAttempts = 100;

/**
 * Brings every record of a database to one version of the chain, in place; gives a report of plain JSON.
 *
 * Errors: `INVALID_CONFIG`; `UNSUPPORTED` before anything is written where a migration on the way back cannot be undone and
 * a record needs it; the first record's error that `onError` does not let pass, with the report as `details.report`.
 *
 * @example
 * const report = await migrateRecords(db, people);
 * report.migrated;
 */
export async function migrateRecords<I, T>(
  db: Database<I, T>,
  migrations: RecordMigrations,
  options: EvolutionOptions = {},
): Promise<EvolutionReport> {
  if (!(migrations instanceof RecordMigrations))
    throw misuse("migrateRecords takes a database and recordMigrations([…]).");
  checkKnown("migrateRecords", options, known);
  const { to = migrations.latest, where, dryRun = false, onError, onProgress } = options;
  if (!migrations.versions.includes(to)) {
    throw bad(`There is no version ${JSON.stringify(to)}; the chain has ${migrations.versions.join(", ")}.`);
  }
  const size = count("batchSize", options.batchSize ?? 500, 1);
  const store = db as unknown as Database;
  const call = callOf(options);
  const began = performance.now();
  const tally = { read: 0, migrated: 0, current: 0, failed: 0 };
  const errors: EvolutionReport["errors"][number][] = [];
  const path = ["metadata", migrations.field];
  // a record without a version has the first
  const there: Condition =
    to === migrations.versions[0]
      ? {
          or: [
            { path, op: "=", value: to },
            { path, op: "not_exists" },
          ],
        }
      : { path, op: "=", value: to };
  const elsewhere: readonly Condition[] = [{ not: there }, ...(where === undefined ? [] : [where])];
  await refuseOneWay(store, migrations, { to, where, path }, call);
  const total = await store.count({ where: { and: elsewhere } }, call);
  const report = (): EvolutionReport => ({
    to,
    dryRun,
    total,
    ...tally,
    ms: Math.round(performance.now() - began),
    errors,
  });
  const failed = (record: StoredRecord, error: unknown): void => {
    if (!DataknobsError.is(error)) throw error;
    tally.failed++;
    if (errors.length < maxErrors) errors.push({ id: record.id, code: error.code, message: error.message });
    if (onError?.(error, record) === true) return;
    const details = { ...error.details, id: record.id, report: report() };
    throw new DataknobsError(error.code, `The record ${JSON.stringify(record.id)}: ${error.message}`, details, {
      cause: error,
    });
  };

  let after: string | undefined;
  for (;;) {
    if (call.signal?.aborted === true) throw abortError(call.signal);
    const rest: Condition[] = after === undefined ? [] : [{ path: "id", op: ">", value: after }];
    const query = { where: { and: [...elsewhere, ...rest] }, sort: [{ path: "id" }], limit: size };
    const records = await store.search(query, call);
    const done = dryRun ? undefined : await together(store, records, migrations, to, call);
    for (const record of records) {
      tally.read++;
      try {
        if (dryRun) migrations.migrate(record, to);
        if (dryRun || done?.has(record.id) === true) tally.migrated++;
        else tally[await migrateOne(store, record, migrations, to, call)]++;
      } catch (error) {
        failed(record, error);
      }
    }
    if (records.length > 0) onProgress?.({ total, ...tally });
    if (records.length < size) return report();
    after = records.at(-1)?.id;
  }
}

/** Throws `UNSUPPORTED` where a record would have to go back over a migration that cannot be undone. */
async function refuseOneWay(
  db: Database,
  migrations: RecordMigrations,
  { to, where, path }: { to: RecordVersion; where: Condition | undefined; path: PathInput },
  call: CallOptions,
): Promise<void> {
  const stuck = migrations.versions.filter((version) => !migrations.reaches(version, to));
  if (stuck.length === 0) return;
  const conditions: Condition[] = [{ path, op: "in", value: stuck }, ...(where === undefined ? [] : [where])];
  const record = await db.first({ where: { and: conditions } }, call);
  // says which migration it is
  if (record !== undefined) migrations.migrate(record, to);
}

/** Ids of those that one write of all has migrated; what is left is looked at one by one. */
async function together(
  db: Database,
  records: readonly StoredRecord[],
  migrations: RecordMigrations,
  to: RecordVersion,
  call: CallOptions,
): Promise<ReadonlySet<string>> {
  const inputs: UpdateInput<Fields>[] = [];
  try {
    for (const record of records) {
      const { data, metadata } = migrations.migrate(record, to);
      inputs.push({ id: record.id, data, metadata, ifVersion: record.version });
    }
    const written = await db.updateMany(inputs, call);
    return new Set(written.flatMap((record) => (record === undefined ? [] : [record.id])));
  } catch (error) {
    if (!DataknobsError.is(error) || error.code === "ABORTED" || error.code === "TIMEOUT") throw error;
    const outcomes = error.details["outcomes"] as readonly { id: string; status: string }[] | undefined;
    return new Set((outcomes ?? []).filter(({ status }) => status === "written").map(({ id }) => id));
  }
}

async function migrateOne(
  db: Database,
  found: StoredRecord,
  migrations: RecordMigrations,
  to: RecordVersion,
  call: CallOptions,
): Promise<"migrated" | "current"> {
  let record: StoredRecord | undefined = found;
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    if (record === undefined || (attempt > 0 && migrations.versionOf(record) === to)) return "current";
    const { data, metadata } = migrations.migrate(record, to);
    try {
      const ifVersion = record.version;
      await db.update(record.id, data, { ...call, metadata, ifVersion });
      return "migrated";
    } catch (error) {
      // another was first: what it wrote is migrated instead
      if (!DataknobsError.is(error, "VERSION_CONFLICT")) throw error;
      record = await db.read(found.id, call);
    }
  }
  throw new DataknobsError("CONFLICT", `The record kept changing under ${maxAttempts} attempts to migrate it.`, {
    id: found.id,
  });
}
