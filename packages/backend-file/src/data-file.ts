/** One file with records: what is known of its state, and how it is read, appended to and replaced. */
import { closeSync, fstatSync, ftruncateSync, openSync, type Stats, statSync, writeFileSync, writeSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import type { WireRecord } from "@dataknobs/core/backend";
import { replaceFile } from "./atomic.js";
import { classify, corrupt, errnoOf } from "./errors.js";
import { fault } from "./fault.js";
import { fromObjects } from "./formats/foreign.js";
import type { DeclaredField, DecodeContext, Format } from "./formats/format.js";
import { encodeMember, isMember, readMembers } from "./formats/gzip-log.js";
import {
  deletion,
  encodeFrame,
  type Frame,
  headerLine,
  isLog,
  type LogPosition,
  type LogReading,
  type LogSink,
  logStart,
  readForeignLines,
  readFrames,
  recordLine,
} from "./formats/jsonl.js";
import type { Change } from "./image.js";
import type { Settings } from "./options.js";
import { flush, perform, readRange, type Steps, writeAll } from "./steps.js";

export interface FileContext {
  readonly settings: Settings;
  readonly declared: readonly DeclaredField[];
  /** Put before derived ids. */
  readonly prefix: string;
}

/** Lines of a log that may be out of date before it is written anew. */
const minimalGarbage = 1000;
const recordsPerFrame = 1000;

export class DataFile {
  readonly path: string;
  /** Absent for a log. */
  readonly #format: Format | undefined;
  readonly #context: FileContext;
  readonly #gzip: boolean;
  /** The file as it was when last looked at; `undefined`: there was none. */
  #stats: Stats | undefined;
  #fd: number | undefined;
  #writable = false;
  #end: LogPosition = logStart;
  #lines = 0;
  /** In a layout that is not ours: the next write replaces it as a whole. */
  #foreign = true;

  constructor(path: string, format: Format | undefined, context: FileContext) {
    this.path = path;
    this.#format = format;
    this.#context = context;
    this.#gzip = context.settings.compression === "gzip" && context.settings.format !== "parquet";
  }

  get isLog(): boolean {
    return this.#format === undefined;
  }

  get size(): number {
    return this.#stats?.size ?? 0;
  }

  get exists(): boolean {
    return this.#stats !== undefined;
  }

  /** Whether the file is as it was when it was last read or written by us. */
  isCurrent(): boolean {
    return sameState(this.#stats, statSync(this.path, { throwIfNoEntry: false }));
  }

  /** Whether only appending happened since. */
  isLonger(): boolean {
    const now = statSync(this.path, { throwIfNoEntry: false });
    const before = this.#stats;
    if (now === undefined || before === undefined || !this.isLog || this.#foreign) return false;
    return now.ino === before.ino && now.dev === before.dev && now.size > this.#end.position;
  }

  /** Bytes at the end that are the beginning of a write. */
  get tornBytes(): number {
    return this.isLog && !this.#foreign ? this.size - this.#end.position : 0;
  }

  get end(): number {
    return this.#end.position;
  }

  /** Reads all of it. */
  *load(sink: LogSink): Steps<void> {
    for (let attempt = 1; ; attempt++) {
      this.#open();
      if (this.#fd === undefined) return;
      const stats = this.#stats as Stats;
      const bytes = yield* perform(readRange(this.#fd, 0, stats.size));
      try {
        this.#decode(bytes, stats, sink);
        return;
      } catch (error) {
        // another program may have been writing it in place under our eyes
        if (attempt === 3 || sameState(fstatSync(this.#fd), stats)) throw error;
      }
    }
  }

  /** Reads what was appended. Throws `CORRUPT` where it does not continue what was read before. */
  *loadTail(sink: LogSink): Steps<void> {
    const fd = this.#fd as number;
    const stats = fstatSync(fd);
    const bytes = yield* perform(readRange(fd, this.#end.position, stats.size));
    this.#advance(this.#readLog(bytes, this.#end, sink), stats);
  }

  /** Appends frames, one for each list of changes. Only for a log in our layout, under the lock, after a refresh. */
  *append(batches: readonly (readonly Change[])[], check: () => void): Steps<void> {
    const fd = this.#openForWriting();
    this.#dropTorn(fd);
    const start = this.#end.position;
    const frames: Buffer[] = [];
    let { chain } = this.#end;
    let lines = this.#lines;
    for (const changes of batches) {
      const frame = encodeFrame(changes.map(changeLine), chain);
      chain = frame.chain;
      lines += changes.length;
      frames.push(frame.bytes);
    }
    const bytes = this.#pack(frames);
    const { path } = this;
    check();
    try {
      const partly = (share: number): void => void writeSync(fd, bytes, 0, Math.floor(bytes.length * share), start);
      yield* fault({ point: "append", path, partly });
      yield* perform(writeAll(fd, bytes, start));
      yield* fault({ point: "appended", path });
      if (this.#context.settings.fsync) yield* perform(flush(fd, { dataOnly: true }));
      yield* fault({ point: "synced", path });
    } catch (error) {
      // a full disk may have taken a part of it: what was never acknowledged must not stay
      ftruncateSync(fd, start);
      throw error;
    }
    this.#end = { position: start + bytes.length, chain };
    this.#lines = lines;
    this.#stats = fstatSync(fd);
  }

  /** Whether the log is worth writing anew, given how many records live in it. */
  isWasteful(live: number): boolean {
    return this.isLog && this.#lines - live > Math.max(minimalGarbage, live);
  }

  get isAppendable(): boolean {
    return this.isLog && !this.#foreign && this.exists;
  }

  /** Writes the whole file anew. */
  *rewrite(records: readonly WireRecord[], check: () => void): Steps<void> {
    const { settings, declared } = this.#context;
    let content: readonly Uint8Array[];
    let chain = 0;
    if (this.#format === undefined) ({ content, chain } = this.#wholeLog(records));
    else {
      const bytes = this.#format.encode(records, { declared });
      content = [this.#gzip ? gzipSync(bytes) : bytes];
    }
    if (this.tornBytes > 0 && this.#fd !== undefined) this.#saveTorn();
    yield* replaceFile(this.path, content, { fsync: settings.fsync, check });
    this.#open();
    this.#foreign = false;
    this.#lines = records.length;
    this.#end = { position: this.size, chain };
  }

  /** Takes the file as it is now: another has just written it, in our layout, under the same lock. */
  renew(): void {
    this.#open();
    this.#foreign = false;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#stats = undefined;
  }

  #open(): void {
    this.close();
    this.#foreign = true;
    this.#lines = 0;
    this.#end = logStart;
    try {
      this.#fd = openSync(this.path, "r");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw classify(error, this.path);
    }
    this.#writable = false;
    this.#stats = fstatSync(this.#fd);
    if (this.#stats.isDirectory()) throw classify(Object.assign(new Error("folder"), { code: "EISDIR" }), this.path);
  }

  #openForWriting(): number {
    if (!this.#writable) {
      // the same file: the lock is held, and it was compared with the path just now
      const fd = openSync(this.path, "r+");
      if (this.#fd !== undefined) closeSync(this.#fd);
      this.#fd = fd;
      this.#writable = true;
    }
    return this.#fd as number;
  }

  #decode(bytes: Buffer, stats: Stats, sink: LogSink): void {
    if (bytes.length === 0) {
      throw corrupt(this.path, "it is empty; remove it if it is meant to be a new one", { position: 0 });
    }
    this.#foreign = false;
    if (this.#format === undefined && (this.#gzip ? isMember(bytes) : isLog(bytes))) {
      this.#advance(this.#readLog(bytes, logStart, sink), stats);
      return;
    }
    const context = decodeContext(this.path, stats, this.#context);
    const plain = this.#unpack(bytes);
    if (this.#format === undefined) {
      this.#foreign = true;
      if (isLog(plain)) this.#readRepacked(plain, sink, context);
      else for (const record of fromObjects(readForeignLines(plain, this.path), context)) sink.put(record);
      return;
    }
    const { records, foreign } = this.#format.decode(plain, context);
    for (const record of records) sink.put(record);
    this.#foreign = foreign;
  }

  /** A log that another program compressed as a whole, or unpacked. */
  #readRepacked(plain: Buffer, sink: LogSink, context: DecodeContext): void {
    const { end, torn } = readFrames(plain, logStart, sink, context);
    if (!torn) return;
    const { position } = end;
    this.#context.settings.onRecover({ path: this.path, position, bytes: plain.length - position });
  }

  /** Compressed or not is told by what is in the file: some programs write plain text under `.gz`. */
  #unpack(bytes: Buffer): Buffer {
    if (this.#context.settings.format === "parquet" || bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
    try {
      return gunzipSync(bytes);
    } catch (cause) {
      throw corrupt(this.path, "it cannot be unpacked: it was cut off or changed", { position: bytes.length, cause });
    }
  }

  #readLog(bytes: Buffer, from: LogPosition, sink: LogSink): LogReading {
    const context = { path: this.path, verify: this.#context.settings.verify };
    const reading = this.#gzip ? readMembers(bytes, from, sink, context) : readFrames(bytes, from, sink, context);
    if (reading.end.position === 0) {
      throw corrupt(this.path, "it ends within its first line", { position: bytes.length });
    }
    return reading;
  }

  #advance(reading: LogReading, stats: Stats): void {
    this.#end = reading.end;
    this.#lines += reading.lines;
    this.#stats = stats;
  }

  #wholeLog(records: readonly WireRecord[]): { readonly content: readonly Buffer[]; readonly chain: number } {
    let frame: Frame = encodeFrame([headerLine()], logStart.chain);
    const content: Buffer[] = [frame.bytes];
    for (let at = 0; at < records.length; at += recordsPerFrame) {
      frame = encodeFrame(records.slice(at, at + recordsPerFrame).map(recordLine), frame.chain);
      content.push(frame.bytes);
    }
    return { content: this.#gzip ? content.map(encodeMember) : content, chain: frame.chain };
  }

  #pack(frames: readonly Buffer[]): Buffer {
    const bytes = frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames);
    return this.#gzip ? encodeMember(bytes) : bytes;
  }

  #dropTorn(fd: number): void {
    if (this.tornBytes === 0) return;
    this.#saveTorn();
    ftruncateSync(fd, this.#end.position);
  }

  /** The cut-off bytes are nobody's acknowledged write, but they are not ours to destroy. */
  #saveTorn(): void {
    const savedAs = `${this.path}.torn`;
    const bytes = readRange(this.#fd as number, this.#end.position, this.size).now();
    writeFileSync(savedAs, bytes);
    this.#context.settings.onRecover({
      path: this.path,
      position: this.#end.position,
      bytes: bytes.length,
      savedAs,
    });
  }
}

export function decodeContext(path: string, stats: Stats, { settings, declared, prefix }: FileContext): DecodeContext {
  const state = [stats.ino, stats.size, Math.round(stats.mtimeMs * 1000)].map((part) => part.toString(36)).join("-");
  return {
    path,
    verify: settings.verify,
    prefix,
    declared,
    time: Math.floor(stats.mtimeMs),
    state: `foreign-${state}`,
  };
}

function changeLine([id, , after]: Change): string {
  return after === undefined ? deletion(id) : recordLine(after);
}

export function sameState(a: Stats | undefined, b: Stats | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.size === b.size && a.mtimeMs === b.mtimeMs && a.ino === b.ino && a.dev === b.dev;
}
