/** What the owner of a store in segments does beside reading and writing: upkeep, and a look at its files. */
import type { CallOptions } from "@dataknobs/core";
import { backendOf, DataknobsError } from "@dataknobs/core/backend";
import { callOf } from "../objects/versions.js";
import { SegmentsBackend } from "./backend.js";
import { type Compaction, compactStore } from "./compact.js";
import { allFiles, asOf } from "./manifest.js";
import { type Collection, listFiles, vacuumStore } from "./vacuum.js";

export function segmentsOf(database: object, { writes = false }: { readonly writes?: boolean } = {}): SegmentsBackend {
  const backend = backendOf(database);
  if (backend instanceof SegmentsBackend) {
    if (!writes || !backend.store.isPinned) return backend;
    throw new DataknobsError("UNSUPPORTED", "This database shows a state of the past (`asOf`), which stays as it is.", {
      backend: backend.name,
    });
  }
  throw new DataknobsError("UNSUPPORTED", 'This is for databases of the s3 backend with `layout: "segments"`.', {
    backend: backend.name,
  });
}

/**
 * Merges what the logs hold into segments. Readers and writers go on meanwhile; safe from several places at once.
 *
 * `full`: writes all segments anew, so that none has ids between those of another, and deleted records leave no trace but
 * in files that `vacuum` will remove. Throws what requests throw; the store is then as it was.
 *
 * @example
 * await compact(db); // → { logs: 12, segments: 1, written: 1, records: 4000, bytes: 90112 }
 */
export async function compact(
  database: object,
  options: CallOptions & { readonly full?: boolean } = {},
): Promise<Compaction> {
  const { store } = segmentsOf(database, { writes: true });
  return compactStore(store, { full: options.full ?? false, signal: callOf(options).signal });
}

/**
 * Deletes files that were replaced `graceSeconds` ago or before, by the server's clock, and files that writers left who died.
 *
 * States of the past that had them can then no longer be opened (`asOf`), and a query that began before and is still reading
 * them fails with `CONFLICT`. Default: the option `graceSeconds` of the database. With less than a request and its retries may
 * take, a writer whose answer was lost may be told of a conflict with its own write.
 *
 * @example
 * await vacuum(db, { graceSeconds: 3600 }); // → { deleted: 14, orphans: 1, kept: 3 }
 */
export async function vacuum(
  database: object,
  options: CallOptions & { readonly graceSeconds?: number } = {},
): Promise<Collection> {
  const { store } = segmentsOf(database, { writes: true });
  const { graceSeconds = store.settings.graceSeconds } = options;
  if (!(graceSeconds >= 0)) throw new TypeError("`graceSeconds` is a number of seconds, 0 or more.");
  const grace = 1000 * graceSeconds;
  return vacuumStore(store, { segments: grace, logs: grace }, callOf(options).signal);
}

/** A Parquet file that other programs may read. */
export interface SegmentFile {
  /** The object's. */
  readonly key: string;
  /** `s3://bucket/key` */
  readonly url: string;
  readonly rows: number;
  readonly bytes: number;
}

/** What a store consists of at one moment. */
export interface Storage {
  readonly sequence: number;
  readonly records: number | undefined;
  /** No record is in two of them. */
  readonly segments: readonly SegmentFile[];
  /** What they lack, or have in an earlier state: `compact` merges it. */
  readonly logs: { readonly files: number; readonly bytes: number; readonly records: number };
  /** Files that were replaced and are kept for a while. */
  readonly replaced: number;
  /** Why the last compaction by the way failed; later writes try again. */
  readonly upkeepError?: DataknobsError;
}

/**
 * The files of the store as it is now, for other programs: with no logs, the segments are all there is.
 *
 * @example
 * await compact(db);
 * const urls = (await storage(db)).segments.map(({ url }) => url); // for DuckDB's read_parquet
 */
export async function storage(database: object): Promise<Storage> {
  const backend = segmentsOf(database);
  const { store } = backend;
  const { manifest, changes } = await store.refresh();
  const error = backend.upkeepError;
  return {
    sequence: manifest.sequence,
    records: manifest.records,
    segments: manifest.segments.map(({ key, rows, bytes }) => ({
      key: store.keyOf(key),
      url: `s3://${store.bucket.name}/${store.keyOf(key)}`,
      rows,
      bytes,
    })),
    logs: {
      files: manifest.logs.length,
      bytes: manifest.logs.reduce((sum, { bytes }) => sum + bytes, 0),
      records: changes.size,
    },
    replaced: manifest.removed.length,
    ...(error !== undefined && { upkeepError: error }),
  };
}

/** A state of the past that is kept. */
export interface Snapshot {
  /** For the option `asOf`. */
  readonly sequence: number;
  /** When its last file was put, by the server's clock, to the second; it became the present one right after. */
  readonly at: Date;
}

/**
 * The states that can still be opened with `asOf`, the newest first. Costs a listing for every 1,000 files.
 *
 * @example
 * const [, before] = await snapshots(db);
 * await using past = await openDatabase(s3({ …, layout: "segments", asOf: before.sequence }));
 */
export async function snapshots(database: object, options: CallOptions = {}): Promise<Snapshot[]> {
  const { store } = segmentsOf(database);
  const [{ manifest }, listed] = [await store.manifest({ timed: true }), await listFiles(store, callOf(options))];
  const times = new Map(listed.map(({ key, modified }) => [key, modified]));
  const events = new Map<number, number>([
    [manifest.horizon, 0],
    [manifest.sequence, 0],
  ]);
  const note = (sequence: number, time: number): unknown =>
    events.set(sequence, Math.max(events.get(sequence) ?? 0, time));
  for (const { key, from } of allFiles(manifest)) note(from, times.get(key) ?? 0);
  for (const { to, since } of manifest.removed) note(to, since ?? 0);
  let at = 0;
  return [...events]
    .sort(([a], [b]) => a - b)
    .map(([sequence, time]) => {
      at = Math.max(at, time);
      return { sequence, at: new Date(at) };
    })
    .filter(({ sequence }) => asOf(manifest, sequence) !== undefined)
    .reverse();
}
