/**
 * Segments: Parquet in the order of ids, with a tail of its own before the indexes and the footer: which ids each row group
 * has, and before that a filter of all ids. Tail and footer are read by one request, the filter with them where ids are asked for.
 */
import { crc32 } from "node:zlib";
import {
  type ColumnStats,
  columnOf,
  type DeclaredField,
  type DecodeContext,
  hex8,
  ownNames,
  ParquetReader,
  type StatsAt,
  statsOf,
  writeParquet,
} from "@dataknobs/backend-file/kit";
import { compareText, compareWithin, type Path, pathKey, resolvePath, type WireRecord } from "@dataknobs/core/backend";
import { bloomOf, mayContain } from "./bloom.js";
import type { SegmentEntry } from "./manifest.js";

const rowGroupSize = 8192;
/** Longer texts are no bounds worth their place in a manifest. */
const longestBound = 120;

interface Tail {
  /** First and last id of each row group. */
  readonly bounds: readonly (readonly [low: string, high: string])[];
  /** CRC-32 of the filter. */
  readonly filter: string;
}

/** A segment of which the tail was read. */
export class Segment {
  readonly entry: SegmentEntry;
  readonly reader: ParquetReader;
  readonly bounds: Tail["bounds"];
  readonly #crc: string;
  #filter: Uint8Array | undefined;

  constructor(entry: SegmentEntry, reader: ParquetReader, { bounds, filter }: Tail) {
    this.entry = entry;
    this.reader = reader;
    this.bounds = bounds;
    this.#crc = filter;
  }

  get hasFilter(): boolean {
    return this.#filter !== undefined;
  }

  /** Takes over the bytes of the filter. */
  setFilter(bytes: Uint8Array, damaged: Damaged): void {
    if (hex8(crc32(bytes)) !== this.#crc) throw damaged("its filter of ids does not fit its checksum");
    this.#filter = bytes;
  }

  /** The row group that may have an id. */
  groupOf(id: string): number | undefined {
    if (this.#filter !== undefined && !mayContain(this.#filter, id)) return undefined;
    let low = 0;
    let high = this.bounds.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const [first, last] = this.bounds[middle] as readonly [string, string];
      if (compareText(id, first) < 0) high = middle - 1;
      else if (compareText(id, last) > 0) low = middle + 1;
      else return middle;
    }
    return undefined;
  }

  /** How many bytes an open segment takes in memory, about. */
  get weight(): number {
    return 4 * (this.entry.bytes - this.entry.tail) + (this.entry.tail - this.entry.filter) + 1000;
  }
}

/** `what`: what is wrong with the bytes. */
export type Damaged = (what: string, cause?: unknown) => Error;

export function openTail(
  entry: SegmentEntry,
  bytes: Buffer,
  declared: readonly DeclaredField[],
  damaged: Damaged,
): Segment {
  if (bytes.length !== entry.bytes - entry.tail) throw damaged("it is shorter than the manifest says");
  if (hex8(crc32(bytes)) !== entry.crc) throw damaged("its footer does not fit its checksum");
  const length = bytes.readUInt32LE(bytes.length - 8) + 8;
  const footer = bytes.subarray(bytes.length - length);
  const reader = ParquetReader.ofFooter(footer, contextOf(entry.key, declared, damaged));
  const { trailer } = reader;
  if (trailer === undefined || trailer.start !== entry.filter) throw damaged("its footer is of another file");
  const tail = JSON.parse(bytes.toString("utf8", 0, trailer.end - entry.tail)) as Tail;
  return new Segment(entry, reader, tail);
}

/** A file of these records, which are in the order of ids, and what the manifest says of it. */
export function makeSegment(
  records: readonly WireRecord[],
  declared: readonly DeclaredField[],
): { readonly bytes: Buffer; readonly segment: Segment } {
  const bounds: [string, string][] = [];
  for (let at = 0; at < records.length; at += rowGroupSize) {
    const last = records[Math.min(at + rowGroupSize, records.length) - 1];
    bounds.push([(records[at] as WireRecord).id, (last as WireRecord).id]);
  }
  const filter = bloomOf(records.map(({ id }) => id));
  const tail: Tail = { bounds, filter: hex8(crc32(filter)) };
  const trailer = Buffer.concat([filter, Buffer.from(JSON.stringify(tail))]);
  const bytes = writeParquet(records, declared, { compression: "snappy", rowGroupSize, trailer });
  const footer = Buffer.from(bytes.subarray(bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8)));
  const key = `segments/${crypto.randomUUID()}.parquet`;
  const reader = ParquetReader.ofFooter(
    footer,
    contextOf(key, declared, (what, cause) => new Error(what, { cause })),
  );
  const start = reader.trailer?.start as number;
  const from = start + filter.length;
  const entry: SegmentEntry = {
    key,
    bytes: bytes.length,
    crc: hex8(crc32(bytes.subarray(from))),
    from: 0,
    rows: records.length,
    filter: start,
    tail: from,
    low: (records[0] as WireRecord).id,
    high: (records.at(-1) as WireRecord).id,
    stats: statsOfAll(reader, declared),
  };
  const segment = new Segment(entry, reader, tail);
  segment.setFilter(filter, (what) => new Error(what));
  return { bytes, segment };
}

function contextOf(path: string, declared: readonly DeclaredField[], damaged: Damaged): DecodeContext {
  const ours = (what: string, { cause }: { readonly cause?: unknown }): Error => damaged(what, cause);
  return { path, verify: true, prefix: "", time: 0, state: "", declared, damaged: ours };
}

const timePaths: readonly Path[] = [resolvePath("createdAt"), resolvePath("updatedAt")];

function statsOfAll(reader: ParquetReader, declared: readonly DeclaredField[]): SegmentEntry["stats"] {
  const stats: { [path: string]: ColumnStats } = {};
  for (const path of [...timePaths, ...declared.map((field) => field.path)]) {
    const groups = reader.metadata.row_groups.map((_, group) => statsOf(reader, group, path));
    const whole = groups.reduce((a, b) => a && b && joined(a, b));
    if (whole !== undefined) stats[pathKey(path)] = whole;
  }
  return stats;
}

function joined(a: ColumnStats, b: ColumnStats): ColumnStats {
  if (a.empty) return b;
  if (b.empty) return a;
  const bound = (sign: number, x: ColumnStats["low"], y: ColumnStats["low"]): ColumnStats["low"] => {
    if (x === undefined || y === undefined) return undefined;
    const least = sign * compareWithin(a.class, x, y) <= 0 ? x : y;
    return typeof least === "string" && least.length > longestBound ? undefined : least;
  };
  return { ...a, low: bound(1, a.low, b.low), high: bound(-1, a.high, b.high) };
}

/** What the manifest tells of a segment's values. */
export function statsInManifest({ stats, low, high }: SegmentEntry): StatsAt {
  return (path) =>
    path.root === "id" ? { class: "string", empty: false, low, high, strays: [] } : stats[pathKey(path)];
}

/** What its own footer tells of one row group's. */
export function statsInGroup({ reader, bounds }: Segment, group: number): StatsAt {
  return (path) => {
    if (path.root !== "id") return statsOf(reader, group, path);
    const [low, high] = bounds[group] as readonly [string, string];
    return { class: "string", empty: false, low, high, strays: [] };
  };
}

/** The name of a path's column, for `explain`. */
export function columnName(
  path: Path,
  segments: readonly SegmentEntry[],
  opened: (key: string) => Segment | undefined,
): string | undefined {
  if (path.root === "id") return ownNames.id;
  for (const { key, stats } of segments) {
    if (path.root !== "metadata" && stats[pathKey(path)] !== undefined) {
      return path.root === "data" ? path.segments.join(".") : ownNames[path.root];
    }
    const segment = opened(key);
    const column = segment && columnOf(segment.reader, path);
    if (column !== undefined) return column.name;
  }
  return undefined;
}
