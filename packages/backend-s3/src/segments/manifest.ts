/**
 * The manifest: which files a store consists of, and which it consisted of. One small object, only ever replaced on
 * condition of its ETag; everything that is true of the store is true by one such replacement. Pure.
 *
 * A file's `from` is the number of the replacement that brought it, `to` of the one that took it away: so the manifest
 * tells the files of every earlier state too, for as long as they are kept.
 */
import { crc32 } from "node:zlib";
import type { ColumnStats } from "@dataknobs/backend-file/kit";
import { hex8 } from "@dataknobs/backend-file/kit";

interface StoredFile {
  /** Within the folder; never used twice. */
  readonly key: string;
  readonly bytes: number;
  /** CRC-32: of a log's body, of a segment's tail. */
  readonly crc: string;
  readonly from: number;
}

/** Records written and deleted, as lines of JSON. Later ones win, and all of them over segments. */
export interface LogEntry extends StoredFile {
  readonly lines: number;
  /** Logs apply in this order; one that was folded has that of the newest of them. */
  readonly order: number;
}

/** A Parquet file, in the order of ids. No record is in two segments. */
export interface SegmentEntry extends StoredFile {
  readonly rows: number;
  /** Where its filter of ids begins, and after it the tail: what is in it, and the footer. */
  readonly filter: number;
  readonly tail: number;
  readonly low: string;
  readonly high: string;
  /** Of the declared fields and the times, by `pathKey`. */
  readonly stats: { readonly [path: string]: ColumnStats };
}

export type FileEntry = LogEntry | SegmentEntry;

export interface Removed {
  readonly file: FileEntry;
  readonly to: number;
  /** By the server's clock, in ms: not before this time was it taken away. `null`: not known yet. */
  readonly since: number | null;
}

export interface Manifest {
  readonly layout: number;
  readonly sequence: number;
  /** Makes each state's ETag one of its own. */
  readonly nonce: string;
  /** Counts collections: a file put before one may be gone, unless it had been named by then. */
  readonly vacuums: number;
  /** The least sequence whose files are all kept. */
  readonly horizon: number;
  /** `undefined`: not known, of an earlier state. */
  readonly records: number | undefined;
  readonly logs: readonly LogEntry[];
  readonly segments: readonly SegmentEntry[];
  readonly removed: readonly Removed[];
}

const manifestLayout = 1;

export const emptyManifest: Manifest = Object.freeze({
  layout: manifestLayout,
  sequence: 0,
  nonce: "",
  vacuums: 0,
  horizon: 0,
  records: 0,
  logs: [],
  segments: [],
  removed: [],
});

function isSegment(file: FileEntry): file is SegmentEntry {
  return "rows" in file;
}

export function isLog(file: FileEntry): file is LogEntry {
  return !isSegment(file);
}

function next(manifest: Manifest): Manifest {
  return { ...manifest, sequence: manifest.sequence + 1, nonce: crypto.randomUUID() };
}

/** With files of a write, which changes the number of records by so many. */
export function added(manifest: Manifest, files: readonly FileEntry[], delta: number): Manifest {
  const after = next(manifest);
  const stamped = files.map((file) => ({ ...file, from: after.sequence }));
  return {
    ...after,
    records: (manifest.records ?? 0) + delta,
    logs: [...manifest.logs, ...stamped.filter(isLog).map((log) => ({ ...log, order: after.sequence }))],
    segments: [...manifest.segments, ...stamped.filter(isSegment)],
  };
}

/** With `outputs` for `inputs`, which hold the same records; `undefined` where not all inputs are there any more. */
export function replaced(
  manifest: Manifest,
  inputs: readonly FileEntry[],
  outputs: readonly FileEntry[],
): Manifest | undefined {
  const gone = new Set(inputs.map(({ key }) => key));
  const taken = liveFiles(manifest).filter(({ key }) => gone.has(key));
  if (taken.length < gone.size) return undefined;
  const after = next(manifest);
  const stays = ({ key }: FileEntry): boolean => !gone.has(key);
  const made = outputs.map((file) => ({ ...file, from: after.sequence }));
  return {
    ...after,
    logs: [...manifest.logs.filter(stays), ...made.filter(isLog)].sort(byOrder),
    segments: [...manifest.segments.filter(stays), ...made.filter(isSegment)],
    removed: [...manifest.removed, ...buried(taken, after.sequence)],
  };
}

export function cleared(manifest: Manifest): Manifest {
  const after = next(manifest);
  return {
    ...after,
    records: 0,
    logs: [],
    segments: [],
    removed: [...manifest.removed, ...buried(liveFiles(manifest), after.sequence)],
  };
}

function buried(files: readonly FileEntry[], to: number): Removed[] {
  return files.map((file) => ({ file, to, since: null }));
}

/** What was taken away by the replacement that made this state was so at the time that the server tells of it. */
export function stamped(manifest: Manifest, modified: number | undefined): Manifest {
  if (modified === undefined || manifest.removed.every(({ since }) => since !== null)) return manifest;
  return { ...manifest, removed: manifest.removed.map((one) => ({ ...one, since: one.since ?? modified })) };
}

/** A state from which on nothing that was put before, and is not named, may be named. */
export function fenced(manifest: Manifest): Manifest {
  const after = next(manifest);
  return { ...after, vacuums: manifest.vacuums + 1 };
}

/** Without what a collection has deleted. */
export function collected(manifest: Manifest, keys: ReadonlySet<string>): Manifest {
  const gone = manifest.removed.filter(({ file }) => keys.has(file.key));
  return {
    ...next(manifest),
    horizon: Math.max(manifest.horizon, ...gone.map(({ to }) => to)),
    removed: manifest.removed.filter(({ file }) => !keys.has(file.key)),
  };
}

export function liveFiles({ logs, segments }: Manifest): readonly FileEntry[] {
  return [...logs, ...segments];
}

export function allFiles(manifest: Manifest): readonly FileEntry[] {
  return [...liveFiles(manifest), ...manifest.removed.map(({ file }) => file)];
}

/** The state that a number stands for; `undefined` where its files are not all kept, or it has not come yet. */
export function asOf(manifest: Manifest, sequence: number): Manifest | undefined {
  if (sequence === manifest.sequence) return { ...manifest, removed: [] };
  if (sequence < manifest.horizon || sequence > manifest.sequence) return undefined;
  const files = [
    ...liveFiles(manifest).filter(({ from }) => from <= sequence),
    ...manifest.removed.filter(({ file, to }) => file.from <= sequence && sequence < to).map(({ file }) => file),
  ];
  return {
    ...manifest,
    sequence,
    records: undefined,
    logs: files.filter(isLog).sort(byOrder),
    segments: files.filter(isSegment),
    removed: [],
  };
}

function byOrder(a: LogEntry, b: LogEntry): number {
  return a.order - b.order;
}

export function manifestText(manifest: Manifest): string {
  const text = JSON.stringify(manifest);
  return `{"crc":"${hex8(crc32(text))}","manifest":${text}}`;
}

const head = /^\{"crc":"([0-9a-f]{8})","manifest":/;

/** What is wrong with it, where it is not one. */
export function manifestIn(text: string): Manifest | { readonly damage: string } | { readonly newer: unknown } {
  const crc = head.exec(text)?.[1];
  if (crc === undefined || !text.endsWith("}")) return { damage: "it is not a manifest" };
  const body = text.slice(head.exec(text)?.[0].length, -1);
  if (hex8(crc32(body)) !== crc) return { damage: "it does not fit its checksum" };
  const manifest = JSON.parse(body) as Manifest;
  return manifest.layout === manifestLayout ? manifest : { newer: manifest.layout };
}
