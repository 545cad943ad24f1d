/** What `migrate` takes and gives. Everything it gives is plain JSON. */
import type { QueryInput } from "../database/reads.js";
import type { CallOptions } from "../database/session.js";
import type { WriteRecord } from "../database/write-stream.js";
import type { ErrorCode } from "../errors.js";
import type { StoredRecord } from "../record/stored.js";
import type { Fields } from "../record/values.js";
import type { CheckpointStore } from "./checkpoint.js";
import { bad, checkKnown, count, oneOf } from "./option-checks.js";

/** read = written + skipped + dropped + failed. */
export interface MigrationTally {
  readonly read: number;
  readonly written: number;
  /** Left alone: the target had the id (`onConflict: "skip"`), or the very record (`incremental`). */
  readonly skipped: number;
  /** Those for which the transform gave null. */
  readonly dropped: number;
  readonly failed: number;
}

export interface MigrationProgress extends MigrationTally {
  readonly phase: "copy" | "verify";
  /** Records of the source that the query selects, as counted at the start. */
  readonly total: number;
  /** Records compared so far, in the phase "verify". */
  readonly verified: number;
}

export interface MigrationFailure {
  readonly id: string;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface Verification {
  readonly mode: "count" | "content";
  readonly ok: boolean;
  /** Of `count`: what the target should hold and does. Of `content`: records compared, and those found as they should be. */
  readonly expected: number;
  readonly found: number;
  /** Of `content`: not in the target; there with other content; the same in words, but changed in the source meanwhile. */
  readonly missing: number;
  readonly different: number;
  readonly changedMeanwhile: number;
  /** Of `content`: the first of those ids. */
  readonly examples: readonly string[];
  /** Of `content`: order-independent hashes (hexadecimal) of what was read and of what the target has of it. */
  readonly sourceHash?: string;
  readonly targetHash?: string;
}

export interface MigrationReport extends MigrationTally {
  /** Names of the two backends. */
  readonly source: string;
  readonly target: string;
  readonly dryRun: boolean;
  /** Whether a checkpoint was taken up. */
  readonly resumed: boolean;
  /** ISO time at which the first run of this job began. */
  readonly startedAt: string;
  /** Milliseconds that this run took. */
  readonly ms: number;
  /** The first 1,000 failures of this run. */
  readonly errors: readonly MigrationFailure[];
  /** `null`: not asked for. */
  readonly verification: Verification | null;
}

export interface MigrateOptions<S = Fields, T = Fields> extends CallOptions {
  /** Which records; default all. With a checkpoint it has conditions only, no sort or paging. */
  readonly query?: QueryInput | undefined;
  /**
   * The record to write for one that was read; null drops it. The id stays where none is given. Pure: for a record
   * that is met again, after a crash or in verification, it is asked again.
   */
  readonly transform?:
    | ((record: StoredRecord<S>) => WriteRecord<T> | null | Promise<WriteRecord<T> | null>)
    | undefined;
  /** What an id that the target has already means. Default `"fail"`, and `"replace"` with `incremental`. */
  readonly onConflict?: "fail" | "skip" | "replace" | undefined;
  /**
   * Records per write. Default: 1000 at first, and more as long as writes are quick, up to 10,000 or about 4 MiB of JSON.
   */
  readonly batchSize?: number | undefined;
  /** Batches being written at a time; the next are read only when one is done. Default 2. */
  readonly concurrency?: number | undefined;
  /** A file, or a store of your own, where the state is kept after every batch: the same call again goes on from there. */
  readonly checkpoint?: string | CheckpointStore | undefined;
  /**
   * Once the job of the checkpoint is done: bring over what was written since. Records that the target has as they are
   * are left alone. Deletions are not seen. Needs `checkpoint`.
   */
  readonly incremental?: boolean | undefined;
  /**
   * Milliseconds by which an incremental run looks back behind the start of the one before: how late a write may become
   * visible after its `updatedAt`, and how far the writers' clocks may differ. Default 60,000.
   */
  readonly overlap?: number | undefined;
  /** Default `"none"`. A difference is `CONFLICT`, the report in the details. */
  readonly verify?: "none" | "count" | "content" | undefined;
  /** Reads, transforms and checks against the target, but writes nothing. */
  readonly dryRun?: boolean | undefined;
  /** Called for each record that cannot be migrated; `true` goes on. Default: stop, the report in the details. */
  readonly onError?: ((error: Error, record: StoredRecord<S>) => boolean) | undefined;
  readonly onProgress?: ((progress: MigrationProgress) => void) | undefined;
}

export type CheckedOptions = MigrateOptions & {
  readonly onConflict: "fail" | "skip" | "replace";
  readonly batchSize: number;
  readonly concurrency: number;
  readonly overlap: number;
  readonly verify: "none" | "count" | "content";
  readonly dryRun: boolean;
  readonly incremental: boolean;
};

const known = [
  "query",
  "transform",
  "onConflict",
  "batchSize",
  "concurrency",
  "checkpoint",
  "incremental",
  "overlap",
  "verify",
  "dryRun",
  "onError",
  "onProgress",
  "signal",
  "timeout",
];

/** Throws `INVALID_CONFIG`. */
export function checkOptions(options: MigrateOptions): CheckedOptions {
  checkKnown("migrate", options, known);
  const { incremental = false, checkpoint, dryRun = false, verify = "none" } = options;
  const onConflict = options.onConflict ?? (incremental ? "replace" : "fail");
  oneOf("onConflict", onConflict, ["fail", "skip", "replace"]);
  oneOf("verify", verify, ["none", "count", "content"]);
  if (incremental && checkpoint === undefined) {
    throw bad("`incremental` needs a `checkpoint`, which remembers when the run before began.");
  }
  if (incremental && onConflict !== "replace")
    throw bad('`incremental` brings changes over: `onConflict` is "replace".');
  if (dryRun && checkpoint !== undefined) throw bad("A dry run writes nothing, so that it takes no `checkpoint`.");
  if (dryRun && verify !== "none") throw bad("A dry run writes nothing, so that there is nothing to verify.");
  return {
    ...options,
    onConflict,
    verify,
    dryRun,
    incremental,
    batchSize: count("batchSize", options.batchSize ?? 1000, 1),
    concurrency: count("concurrency", options.concurrency ?? 2, 1),
    overlap: count("overlap", options.overlap ?? 60_000, 0),
  };
}
