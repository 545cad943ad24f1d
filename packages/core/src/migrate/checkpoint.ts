/**
 * Where a migration stands, kept after every batch that was written. Records are copied in the order of their ids, so
 * that one id says what is done: all up to it. What was being written beyond it when a process died, some of it may be
 * in the target and none of it counted, is within the next `window` records.
 */
import { DataknobsError } from "../errors.js";
import type { MigrationTally } from "./options.js";

/** A place for one text, replaced as a whole. */
export interface CheckpointStore {
  /** `undefined`: nothing was written yet. */
  read(): Promise<string | undefined>;
  /** Lasting when it resolves; a crash leaves the text before or this one. */
  write(text: string): Promise<void>;
}

export interface Checkpoint {
  /** Tells this job from others: hash of its query and policy. */
  readonly job: string;
  readonly state: "copying" | "done";
  /** The last id of the part that is done; null before the first. */
  readonly after: string | null;
  /** At most so many records beyond `after` may be written already. */
  readonly window: number;
  readonly tally: MigrationTally;
  /** Of the written ones, those that replaced a record. */
  readonly replaced: number;
  /** Records in the target before the job. */
  readonly before: number;
  readonly startedAt: string;
  /** Of an incremental run: ISO time; only what was written since is copied. */
  readonly since: string | null;
}

const layout = 1;

export async function readCheckpoint(store: CheckpointStore, job: string): Promise<Checkpoint | undefined> {
  const text = await store.read();
  if (text === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw corrupt("it is not JSON", cause);
  }
  const { dataknobs, checkpoint } = (parsed ?? {}) as { dataknobs?: { checkpoint?: unknown }; checkpoint?: unknown };
  if (dataknobs?.checkpoint !== layout) {
    if (typeof dataknobs?.checkpoint !== "number") throw corrupt("it is no checkpoint of a migration");
    throw new DataknobsError(
      "UNSUPPORTED",
      `The checkpoint has layout ${dataknobs.checkpoint}; this version of @dataknobs/core knows layout ${layout}. Update it.`,
    );
  }
  if (!isCheckpoint(checkpoint)) throw corrupt("it lacks a part");
  if (checkpoint.job === job) return checkpoint;
  throw new DataknobsError(
    "INVALID_CONFIG",
    "The checkpoint is of another migration: its stores, query, transform or conflict policy differ. Use another " +
      "checkpoint, or delete this one to begin anew. Nothing was written.",
    { operation: "migrate" },
  );
}

export async function writeCheckpoint(store: CheckpointStore, checkpoint: Checkpoint): Promise<void> {
  await store.write(`${JSON.stringify({ dataknobs: { checkpoint: layout }, checkpoint }, undefined, 2)}\n`);
}

function isCheckpoint(value: unknown): value is Checkpoint {
  if (typeof value !== "object" || value === null) return false;
  const { job, state, after, window, tally, replaced, before, startedAt, since } = value as Partial<Checkpoint>;
  const counts = [window, replaced, before, tally?.read, tally?.written, tally?.skipped, tally?.dropped, tally?.failed];
  return (
    typeof job === "string" &&
    (state === "copying" || state === "done") &&
    (after === null || typeof after === "string") &&
    counts.every((count) => Number.isSafeInteger(count) && (count as number) >= 0) &&
    isTime(startedAt) &&
    (since === null || isTime(since))
  );
}

function isTime(value: unknown): value is string {
  return typeof value === "string" && !Number.isNaN(Date.parse(value));
}

function corrupt(why: string, cause?: unknown): DataknobsError {
  return new DataknobsError(
    "CORRUPT",
    `The checkpoint cannot be used: ${why}. Delete it to begin anew; nothing was written.`,
    { operation: "migrate" },
    cause === undefined ? undefined : { cause },
  );
}

interface NodeFs {
  readonly promises: {
    readFile(path: string, encoding: "utf8"): Promise<string>;
    open(path: string, flags: string): Promise<FileHandle>;
    rename(from: string, to: string): Promise<void>;
  };
}
interface FileHandle {
  writeFile(text: string): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}
interface NodeLike {
  readonly process?: {
    readonly platform?: string;
    getBuiltinModule?(name: string): unknown;
  };
}

/** A file: written beside, forced to the disk, then put in its place. */
export function checkpointFile(path: string): CheckpointStore {
  const { process } = globalThis as NodeLike;
  const fs = process?.getBuiltinModule?.("node:fs") as NodeFs | undefined;
  const paths = process?.getBuiltinModule?.("node:path") as { dirname(path: string): string } | undefined;
  if (fs === undefined || paths === undefined) {
    throw new DataknobsError(
      "UNSUPPORTED",
      "There are no files on this platform: pass a `checkpoint` with `read` and `write`.",
    );
  }
  const { readFile, open, rename } = fs.promises;
  const forced = async (target: string, flags: string, text?: string): Promise<void> => {
    const handle = await open(target, flags);
    try {
      if (text !== undefined) await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
  };
  return {
    async read() {
      try {
        return await readFile(path, "utf8");
      } catch (error) {
        if ((error as { code?: unknown }).code === "ENOENT") return undefined;
        throw unusable(path, error);
      }
    },
    async write(text) {
      try {
        await forced(`${path}.tmp`, "w", text);
        await rename(`${path}.tmp`, path);
        // the new name is lasting with its folder; Windows neither can nor needs it
        if (process?.platform !== "win32") await forced(paths.dirname(path), "r");
      } catch (error) {
        throw unusable(path, error);
      }
    },
  };
}

function unusable(path: string, cause: unknown): DataknobsError {
  const { code } = cause as { code?: unknown };
  return new DataknobsError(
    code === "EACCES" || code === "EPERM" || code === "EROFS" ? "PERMISSION_DENIED" : "UNAVAILABLE",
    `The checkpoint ${path} cannot be used (${String(code ?? "unknown")}). Give a path in a folder that can be written.`,
    { operation: "migrate", path },
    { cause },
  );
}
