/**
 * Segments: Parquet in the order of ids, with a tail of its own before the indexes and the footer: which ids each row group
 * has, and a filter of all ids. The tail and the footer are read by one request.
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
}

/** A segment of which the tail was read. */
export class Segment {
  readonly entry: SegmentEntry;
  readonly reader: ParquetReader;
  readonly bounds: Tail["bounds"];
  readonly #bloom: Uint8Array;

  constructor(entry: SegmentEntry, reader: ParquetReader, { bounds }: Tail, bloom: Uint8Array) {
    this.entry = entry;
    this.reader = reader;
    this.bounds = bounds;
    this.#bloom = bloom;
  }

  /** The row group that may have an id. */
  groupOf(id: string): number | undefined {
    if (!mayContain(this.#bloom, id)) return undefined;
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
    return 4 * (this.entry.bytes - this.entry.tail) + 1000;
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
  if (trailer === undefined || trailer.start !== entry.tail) throw damaged("its footer is of another file");
  const own = bytes.subarray(0, trailer.end - trailer.start);
  const size = own.readUInt32LE(0);
  return new Segment(entry, reader, JSON.parse(own.toString("utf8", 4, 4 + size)) as Tail, own.subarray(4 + size));
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
  const text = Buffer.from(JSON.stringify({ bounds } satisfies Tail));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(text.length);
  const bloom = bloomOf(records.map(({ id }) => id));
  const trailer = Buffer.concat([size, text, bloom]);
  const bytes = writeParquet(records, declared, { compression: "snappy", rowGroupSize, trailer });
  const footer = Buffer.from(bytes.subarray(bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8)));
  const key = `segments/${crypto.randomUUID()}.parquet`;
  const reader = ParquetReader.ofFooter(
    footer,
    contextOf(key, declared, (what, cause) => new Error(what, { cause })),
  );
  const tail = reader.trailer?.start as number;
  const entry: SegmentEntry = {
    key,
    bytes: bytes.length,
    crc: hex8(crc32(bytes.subarray(tail))),
    from: 0,
    rows: records.length,
    tail,
    low: (records[0] as WireRecord).id,
    high: (records.at(-1) as WireRecord).id,
    stats: statsOfAll(reader, declared),
  };
  return { bytes, segment: new Segment(entry, reader, { bounds }, bloom) };
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
