/** What `migrateVectors` takes; it gives a report as `migrate` does. */
import type { CallOptions } from "../database/session.js";
import type { Condition } from "../query/ast.js";
import type { StoredVector } from "../vector/session.js";
import type { VectorEntry } from "../vector/writes.js";
import type { CheckpointStore } from "./checkpoint.js";
import { bad, checkKnown, count, oneOf } from "./option-checks.js";
import type { MigrationProgress } from "./options.js";

export interface MigrateVectorsOptions extends CallOptions {
  /** Which vectors; default all of the scope. */
  readonly filter?: Condition | undefined;
  /**
   * Scopes to bring over, each into the scope of its name; `undefined` in the list stands for the vectors without one.
   * Both stores are opened without a scope then. Default: from the scope that the source has into the one of the target.
   */
  readonly scopes?: readonly (string | undefined)[] | undefined;
  /** The vector to write for one that was read; null drops it. The id stays where none is given. Pure. */
  readonly transform?: ((vector: StoredVector) => VectorEntry | null | Promise<VectorEntry | null>) | undefined;
  /**
   * What an id that the target has already means. Default `"fail"`. Vector stores have no insert: the target is asked
   * first, and what another writes in between is replaced.
   */
  readonly onConflict?: "fail" | "skip" | "replace" | undefined;
  /** Vectors per read and write. Default 1000. */
  readonly batchSize?: number | undefined;
  /**
   * A file, or a store of your own, that tells whether the job is done. Vector stores give no order, so that a run that
   * takes the job up reads all again; what it finds in the target just as it would be written counts as written.
   */
  readonly checkpoint?: string | CheckpointStore | undefined;
  /**
   * Default `"none"`. `"content"` compares every bit of the vectors, and so does a run that takes up a checkpoint with
   * `"count"`. A difference is `CONFLICT`, the report in the details.
   */
  readonly verify?: "none" | "count" | "content" | undefined;
  /** Reads, transforms and checks against the target, but writes nothing. */
  readonly dryRun?: boolean | undefined;
  /** Called for each vector that cannot be migrated; `true` goes on. Default: stop, the report in the details. */
  readonly onError?: ((error: Error, vector: StoredVector) => boolean) | undefined;
  readonly onProgress?: ((progress: MigrationProgress) => void) | undefined;
}

export type CheckedVectorOptions = MigrateVectorsOptions & {
  readonly onConflict: "fail" | "skip" | "replace";
  readonly batchSize: number;
  readonly verify: "none" | "count" | "content";
  readonly dryRun: boolean;
};

const known = [
  "filter",
  "scopes",
  "transform",
  "onConflict",
  "batchSize",
  "checkpoint",
  "verify",
  "dryRun",
  "onError",
  "onProgress",
  "signal",
  "timeout",
];

/** Throws `INVALID_CONFIG`. */
export function checkVectorOptions(options: MigrateVectorsOptions): CheckedVectorOptions {
  checkKnown("migrateVectors", options, known);
  const { onConflict = "fail", verify = "none", dryRun = false, checkpoint, scopes } = options;
  oneOf("onConflict", onConflict, ["fail", "skip", "replace"]);
  oneOf("verify", verify, ["none", "count", "content"]);
  if (dryRun && checkpoint !== undefined) throw bad("A dry run writes nothing, so that it takes no `checkpoint`.");
  if (dryRun && verify !== "none") throw bad("A dry run writes nothing, so that there is nothing to verify.");
  if (scopes !== undefined && (!Array.isArray(scopes) || scopes.length === 0 || new Set(scopes).size < scopes.length)) {
    throw bad("`scopes` is a list of names, each once, with one at least.");
  }
  return { ...options, onConflict, verify, dryRun, batchSize: count("batchSize", options.batchSize ?? 1000, 1) };
}
