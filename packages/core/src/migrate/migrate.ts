/**
 * Any store to any other.
 *
 * Guaranteed: bounded memory; the source is only read; every record read is written, skipped, dropped or failed, and the
 * report says how many; with a checkpoint a run that was killed at any moment is taken up without losing or doubling a
 * record. Ids, data, metadata and all types are kept; versions and times of writing are the target's own.
 */
import type { Database } from "../database/database.js";
import { internals } from "../database/internals.js";
import { count } from "../database/reads.js";
import { asDataknobsError, callOf, misuse } from "../database/session.js";
import { abortError, runAsync } from "../database/steps.js";
import { DataknobsError } from "../errors.js";
import type { Condition, Query } from "../query/ast.js";
import { lowerQuery, toQuery } from "../query/parse.js";
import { Account } from "./account.js";
import {
  type Checkpoint,
  type CheckpointStore,
  checkpointFile,
  readCheckpoint,
  writeCheckpoint,
} from "./checkpoint.js";
import { type Batch, copyBatch } from "./copy.js";
import { type ContentHash, contentText, Digest, hashOf } from "./digest.js";
import {
  type CheckedOptions,
  checkOptions,
  type MigrateOptions,
  type MigrationReport,
  type Verification,
} from "./options.js";
import { mostRecords, Pace } from "./pace.js";
import { batchesOf, type Side } from "./read.js";
import { verifyContent, verifyCount } from "./verify.js";

/**
 * Copies the records of one database into another; gives a report of plain JSON.
 *
 * Errors: `INVALID_CONFIG` and `INVALID_QUERY` before anything is read; the first record's error that `onError` does not
 * let pass; what either store throws; `CONFLICT` where verification finds a difference. All of them have the report so
 * far as `details.report`.
 *
 * @example
 * const report = await migrate(sqlite, duckdb, { checkpoint: "move.json", verify: "content" });
 * report.written;
 */
export function migrate<SI, S, T, TO>(
  source: Database<SI, S>,
  target: Database<T, TO>,
  options: MigrateOptions<S, T> = {},
): Promise<MigrationReport> {
  const [from, to] = [source, target] as unknown as [Database, Database];
  if (from?.[internals] === undefined || to?.[internals] === undefined) {
    throw misuse("migrate takes two open databases and options.");
  }
  const run = async (): Promise<MigrationReport> => {
    const checked = checkOptions(options as unknown as MigrateOptions);
    const call = callOf(checked);
    const reading: Side = { session: from[internals].session("read", "migrate"), call };
    const writing: Side = { session: to[internals].session("write", "migrate"), call };
    if (from === to) throw new DataknobsError("INVALID_CONFIG", "A database is not migrated into itself.");
    return new Job(reading, writing, checked, options.batchSize).run();
  };
  return from[internals].track(to[internals].track(run()));
}

class Job {
  readonly #source: Side;
  readonly #target: Side;
  readonly #options: CheckedOptions;
  /** Records per write, where the caller said. */
  readonly #given: number | undefined;
  readonly #query: Query;
  readonly #store: CheckpointStore | undefined;
  readonly #account: Account;

  constructor(source: Side, target: Side, options: CheckedOptions, given: number | undefined) {
    this.#given = given;
    this.#source = source;
    this.#target = target;
    this.#options = options;
    this.#account = new Account({ ...options, source: source.session.name, target: target.session.name });
    this.#query = toQuery(options.query);
    lowerQuery(this.#query, source.session);
    const { checkpoint } = options;
    this.#store = typeof checkpoint === "string" ? checkpointFile(checkpoint) : checkpoint;
    if (this.#store === undefined) return;
    const { where: _, match: __, residual: ___, ...rest } = this.#query;
    if (Object.values(rest).some((part) => part !== undefined)) {
      throw new DataknobsError(
        "INVALID_QUERY",
        "A migration with a checkpoint copies in the order of ids: its query has `where` and `match` only.",
        { operation: "migrate" },
      );
    }
  }

  async run(): Promise<MigrationReport> {
    try {
      const job = this.#store === undefined ? "" : await this.#fingerprint();
      const known = this.#store === undefined ? undefined : await readCheckpoint(this.#store, job);
      const start = await this.#startFrom(known, job);
      if (start !== undefined) await this.#copy(start);
      const verification = await this.#verify();
      return this.#account.report(verification);
    } catch (error) {
      throw this.#account.withReport(asDataknobsError(error, this.#source.session, "migrate"));
    }
  }

  /** The state to begin with; `undefined` where the job is done already. */
  async #startFrom(known: Checkpoint | undefined, job: string): Promise<Checkpoint | undefined> {
    const { incremental, overlap, concurrency } = this.#options;
    // what a killed run had under way, and what this one will have
    const window = Math.max(known?.window ?? 0, (concurrency + 1) * (this.#given ?? mostRecords));
    const resumes = known !== undefined && (known.state === "copying" || !incremental);
    if (resumes) {
      this.#account.resume(known);
      this.#account.take(known);
      this.#account.total = await this.#countSource(known.since);
      return known.state === "done" ? undefined : { ...known, window };
    }
    const since = known === undefined ? null : new Date(Date.parse(known.startedAt) - overlap).toISOString();
    this.#account.before = await this.#countTarget();
    this.#account.total = await this.#countSource(since);
    const fresh: Checkpoint = {
      job,
      state: "copying",
      after: null,
      window,
      tally: this.#account.tally,
      replaced: 0,
      before: this.#account.before,
      startedAt: this.#account.startedAt,
      since,
    };
    if (this.#store !== undefined) await writeCheckpoint(this.#store, fresh);
    return fresh;
  }

  async #copy(start: Checkpoint): Promise<void> {
    const { concurrency } = this.#options;
    const pace = new Pace(this.#given);
    const underWay: Promise<Batch>[] = [];
    let state = start;
    // only a run that was killed leaves records that nobody counted
    let doubtful = this.#account.resumed ? start.window : 0;
    let stop: Error | undefined;
    const settle = async (): Promise<void> => {
      const batch = await (underWay.shift() as Promise<Batch>);
      this.#account.add(batch);
      stop ??= batch.stop;
      if (stop !== undefined) return;
      state = { ...state, after: batch.last, tally: { ...this.#account.tally }, replaced: this.#account.replaced };
      if (this.#store !== undefined) await writeCheckpoint(this.#store, state);
      this.#account.tell("copy");
    };
    try {
      for await (const records of batchesOf(this.#source, this.#rest(start), () => pace.size)) {
        if (underWay.length >= concurrency) await settle();
        if (stop !== undefined) break;
        const begun = performance.now();
        const batch = copyBatch(records, this.#target, this.#options, doubtful > 0).then((done) => {
          pace.wrote(records, performance.now() - begun);
          return done;
        });
        doubtful -= records.length;
        // whoever waits for it gets the error; until then it is nobody's
        batch.catch(() => undefined);
        underWay.push(batch);
      }
      while (underWay.length > 0) await settle();
      // a failure of its own as much as one that a batch told
      if (stop !== undefined) throw stop;
    } finally {
      // nothing is written after this call has ended, and what was is counted
      for (const batch of await Promise.allSettled(underWay))
        if (batch.status === "fulfilled") this.#account.add(batch.value);
    }
    if (this.#store !== undefined) await writeCheckpoint(this.#store, { ...state, state: "done" });
  }

  /** What is left to copy; in the order of ids where the place is kept. */
  #rest({ after, since }: Checkpoint): Query {
    if (this.#store === undefined) return this.#query;
    const conditions: Condition[] = this.#query.where === undefined ? [] : [this.#query.where];
    if (since !== null) conditions.push({ path: "updatedAt", op: ">=", value: since });
    if (after !== null) conditions.push({ path: "id", op: ">", value: after });
    return { ...this.#query, where: { and: conditions }, sort: [{ path: "id" }] };
  }

  async #verify(): Promise<Verification | null> {
    const { verify } = this.#options;
    if (verify === "none") return null;
    const copied = this.#account.copied();
    const result =
      verify === "count"
        ? verifyCount(await this.#countTarget(), copied)
        : await verifyContent(this.#source, this.#target, this.#options, copied, (verified) => {
            this.#account.verified = verified;
            this.#account.tell("verify");
          });
    if (result.ok) return result;
    const what =
      verify === "count"
        ? `it has ${result.found} records where ${result.expected} are expected`
        : `${result.missing} records are missing, ${result.different} differ, ${result.changedMeanwhile} were changed in the source meanwhile`;
    throw new DataknobsError(
      "CONFLICT",
      `The target does not agree with the source: ${what}. Something else writes to one of them, or the transform is not pure.`,
      { operation: "migrate", report: this.#account.report(result) },
    );
  }

  async #countSource(since: string | null): Promise<number> {
    const { where, match } = this.#query;
    const recent: Condition[] = since === null ? [] : [{ path: "updatedAt", op: ">=", value: since }];
    const query = {
      where: { and: [...(where === undefined ? [] : [where]), ...recent] },
      ...(match !== undefined && { match }),
    };
    const all = await counted(this.#source, query);
    const { offset = 0, limit = all } = this.#query;
    return Math.max(0, Math.min(all - offset, limit));
  }

  #countTarget(): Promise<number> {
    return counted(this.#target, {});
  }

  #fingerprint(): Promise<string> {
    const { onConflict, transform } = this.#options;
    const stores = [this.#source, this.#target].map(({ session: { name, backend } }) => [
      name,
      backend.location ?? null,
    ]);
    return hashOf(JSON.stringify([stores, this.#query, onConflict, String(transform ?? "")]));
  }
}

function counted({ session, call }: Side, query: Query): Promise<number> {
  return runAsync(count(session, query, call), call.signal);
}

/**
 * A number that tells the content of a database, or of what a query selects of it, whatever store it is in: the same
 * ids, data, types and metadata give the same hash, in any order. Reads every record once, in bounded memory.
 *
 * @example
 * (await contentHash(here)).hash === (await contentHash(there)).hash;
 */
export function contentHash<I, T>(
  db: Database<I, T>,
  options: Pick<MigrateOptions, "query" | "signal" | "timeout"> = {},
): Promise<ContentHash> {
  const open = db as unknown as Database;
  if (open?.[internals] === undefined) throw misuse("contentHash takes an open database and options.");
  const session = open[internals].session("read", "contentHash");
  const run = async (): Promise<ContentHash> => {
    const call = callOf(options);
    if (call.signal?.aborted === true) throw abortError(call.signal);
    const digest = new Digest();
    for await (const records of batchesOf({ session, call }, options.query ?? {}, session.batchSize)) {
      await digest.add(records.map(contentText));
    }
    return digest.result();
  };
  return open[internals].track(run());
}
