/**
 * The log: one JSON object per line, the records' newest state being their last line.
 *
 *     {"dataknobs":{"format":"jsonl","layout":1},"frame":[1,"…"]}
 *     {"id":"ada","data":{…},"version":"…","createdAt":…,"updatedAt":…,"frame":[1,"9a3c01f2"]}
 *     {"id":"bob","data":{…},…}
 *     {"id":"ada","deleted":true,"frame":[2,"77e00b51"]}
 *
 * Lines form frames: what was written at once counts at once or not at all. The last line of a frame says how many lines
 * it has and the CRC-32 of all bytes up to its own `,"frame"`, continued from the frame before; so that a changed bit and
 * a lost, doubled or moved line show. A frame at the end that is cut short was being written when its writer died.
 */
import { isUtf8 } from "node:buffer";
import { crc32 } from "node:zlib";
import { DataknobsError, parseJson, type WireRecord } from "@dataknobs/core/backend";
import { corrupt } from "../errors.js";
import { fromLine, hex8, isFields, isLine, type Line, layout, toLine } from "./format.js";

/** Where reading a log goes on. */
export interface LogPosition {
  readonly position: number;
  readonly chain: number;
}
export const logStart: LogPosition = { position: 0, chain: 0 };

export interface LogSink {
  put(record: WireRecord): void;
  delete(id: string): void;
}

export interface LogReading {
  /** After the last whole frame. */
  readonly end: LogPosition;
  /** Lines with records or deletions. */
  readonly lines: number;
  /** Bytes follow that are the beginning of a frame. */
  readonly torn: boolean;
}

interface ReadContext {
  readonly path: string;
  readonly verify: boolean;
}

export interface Frame {
  readonly bytes: Buffer;
  readonly chain: number;
}

/** Lines as one frame. */
export function encodeFrame(lines: readonly string[], chain: number): Frame {
  const body = Buffer.from(lines.join("\n").slice(0, -1));
  const crc = crc32(body, chain);
  return { bytes: Buffer.concat([body, Buffer.from(trailer(lines.length, hex8(crc)))]), chain: crc };
}

export function headerLine(): string {
  return JSON.stringify({ dataknobs: { format: "jsonl", layout } });
}

export function deletion(id: string): string {
  return JSON.stringify({ id, deleted: true });
}

export { toLine as recordLine };

function trailer(lines: number, crc: string): string {
  return `,"frame":[${lines},"${crc}"]}\n`;
}

const anyTrailer = /,"frame":\[\d+,"[0-9a-f]{8}"\]\}\n/;
const newline = 10;
/** Decoded at once: one large text costs less than many small ones, and all of the file would be too large for one. */
const chunkSize = 1 << 22;

/** Whether the bytes begin as a log of ours does. */
export function isLog(bytes: Buffer): boolean {
  return bytes.subarray(0, 13).equals(Buffer.from('{"dataknobs":'));
}

/**
 * Reads whole frames. `bytes` begin at `from`; `position` in errors counts from the file's beginning. Throws `CORRUPT`
 * for anything but a cut-off frame at the end.
 */
export function readFrames(bytes: Buffer, from: LogPosition, sink: LogSink, context: ReadContext): LogReading {
  let { chain } = from;
  let lines = 0;
  let frameStart = 0;
  let pending: unknown[] = [];
  const reading = (): LogReading => ({
    end: { position: from.position + frameStart, chain },
    lines,
    torn: frameStart < bytes.length,
  });
  for (const text of texts(bytes)) {
    for (let at = 0, end = 0; at < text.length; at = end + 1) {
      end = text.indexOf("\n", at);
      let item: unknown;
      try {
        item = parseJson(text.slice(at, end));
      } catch (cause) {
        if (isHole(bytes, frameStart))
          return { end: { position: from.position + frameStart, chain }, lines, torn: true };
        const position = from.position + afterLines(bytes, frameStart, pending.length);
        throw corrupt(context.path, "the line is not JSON", { position, cause });
      }
      const frame = (item as { readonly frame?: unknown } | null)?.frame;
      if (frame === undefined) {
        pending.push(item);
        continue;
      }
      const [count, crc] = Array.isArray(frame) ? (frame as readonly unknown[]) : [];
      const frameEnd = afterLines(bytes, frameStart, pending.length + 1);
      const next = crc32(bytes.subarray(frameStart, frameEnd - trailerLength(count)), chain);
      if (context.verify && (count !== pending.length + 1 || crc !== hex8(next))) {
        if (isHole(bytes, frameStart))
          return { end: { position: from.position + frameStart, chain }, lines, torn: true };
        const position = from.position + frameStart;
        throw corrupt(context.path, "its checksum does not fit what was written", { position });
      }
      for (const line of pending) lines += take(line, sink, from.position + frameStart, context);
      lines += take(item, sink, from.position + frameStart, context);
      if (pending.length > 0) pending = [];
      chain = typeof crc === "string" ? Number.parseInt(crc, 16) : next;
      frameStart = frameEnd;
    }
  }
  return reading();
}

/** All whole lines, many in one text. */
function* texts(bytes: Buffer): Generator<string> {
  for (let start = 0; start < bytes.length; ) {
    const last = bytes.lastIndexOf(newline, start + chunkSize);
    const end = (last >= start ? last : bytes.indexOf(newline, start)) + 1;
    if (end === 0) return;
    yield bytes.toString("utf8", start, end);
    start = end;
  }
}

/** Where a number of lines end. */
function afterLines(bytes: Buffer, start: number, count: number): number {
  let at = start;
  for (let line = 0; line < count; line++) at = bytes.indexOf(newline, at) + 1;
  return at;
}

function trailerLength(count: unknown): number {
  return 24 + String(count).length;
}

/** After a power failure, a file's end may have blocks that were never written: they read as zeros. */
function isHole(bytes: Buffer, from: number): boolean {
  const at = bytes.indexOf(Buffer.alloc(8), from);
  return at >= 0 && !anyTrailer.test(bytes.toString("latin1", Math.max(at, bytes.indexOf(newline, at) + 1)));
}

function take(item: unknown, sink: LogSink, position: number, { path, verify }: ReadContext): 0 | 1 {
  // what has the right checksum has the right shape
  if (verify ? (item as Partial<Line>).data !== undefined : isLine(item)) {
    sink.put(fromLine(item as Line));
    return 1;
  }
  if (isFields(item)) {
    const { id, deleted, dataknobs } = item as { id?: unknown; deleted?: unknown; dataknobs?: unknown };
    if (deleted === true && typeof id === "string") {
      sink.delete(id);
      return 1;
    }
    if (position === 0 && isFields(dataknobs)) {
      if (dataknobs["layout"] === layout) return 0;
      throw newerLayout(path, dataknobs["layout"]);
    }
  }
  throw corrupt(path, "the line is no record of ours", { position });
}

export function newerLayout(path: string, found: unknown): DataknobsError {
  return new DataknobsError(
    "UNSUPPORTED",
    `The file ${path} has layout ${String(found)}; this version of @dataknobs/backend-file knows layout ${layout}. Update it.`,
    { backend: "file", path },
  );
}

/** Objects of another program's file, line by line. */
export function readForeignLines(bytes: Buffer, path: string): readonly unknown[] {
  if (!isUtf8(bytes)) throw corrupt(path, "it is not UTF-8 text", { position: 0 });
  const rows: unknown[] = [];
  const first = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (let at = first, line = 1; at < bytes.length; line++) {
    const newlineAt = bytes.indexOf(newline, at);
    const end = newlineAt < 0 ? bytes.length : newlineAt;
    const text = bytes.toString("utf8", at, end).trim();
    if (text !== "") {
      let row: unknown;
      try {
        row = parseJson(text);
      } catch (cause) {
        throw corrupt(path, "the line is not JSON", { position: at, line, cause });
      }
      const { frame } = (row ?? {}) as { readonly frame?: unknown };
      if (Array.isArray(frame) && /^[0-9a-f]{8}$/i.test(String(frame[1]))) {
        throw corrupt(path, "it has lines of a log, but not a log's beginning", { position: at, line });
      }
      rows.push(row);
    }
    at = end + 1;
  }
  return rows;
}
