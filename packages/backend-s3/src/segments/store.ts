/**
 * The store as the bucket has it: the manifest, the logs it names in memory, its segments as far as they were looked into.
 * A `State` never changes, so that whoever has one sees the store as it was then.
 */
import type { DeclaredField, Source } from "@dataknobs/backend-file/kit";
import { type Call, DataknobsError, type WireRecord } from "@dataknobs/core/backend";
import { LRUCache } from "lru-cache";
import type { Bucket } from "../bucket.js";
import { corrupt } from "../errors.js";
import type { Settings } from "../options.js";
import { type Changes, readLog } from "./log.js";
import {
  asOf,
  emptyManifest,
  type FileEntry,
  type LogEntry,
  liveFiles,
  type Manifest,
  manifestIn,
  manifestText,
  type SegmentEntry,
  stamped,
} from "./manifest.js";
import { openTail, type Segment } from "./segment.js";

export const manifestName = "manifest.json";

export interface State {
  readonly manifest: Manifest;
  readonly etag: string;
  /** When the manifest became so, by the server's clock; `undefined`: not told. */
  readonly modified: number | undefined;
  /** What the logs come to. */
  readonly changes: Changes;
}

/** A file that the manifest named is not there. */
class Missing extends Error {
  readonly key: string;

  constructor(key: string) {
    super(key);
    this.key = key;
  }
}

const none: Call = {};
/** Between two ranges that are read as one. */
const gap = 4 * 1024;
const largestRange = 8 * 1024 * 1024;
const attempts = 10;

export class Store {
  readonly bucket: Bucket;
  readonly declared: readonly DeclaredField[];
  readonly settings: Settings;
  readonly #bytes: LRUCache<string, Buffer> | undefined;
  readonly #segments: LRUCache<string, Segment>;
  #logs: ReadonlyMap<string, Changes> = new Map();
  #latest: State | undefined;
  #pinned: State | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<State> | undefined;

  constructor(bucket: Bucket, settings: Settings, declared: readonly DeclaredField[]) {
    this.bucket = bucket;
    this.settings = settings;
    this.declared = declared;
    const { cacheBytes } = settings;
    this.#bytes =
      cacheBytes === 0
        ? undefined
        : new LRUCache({ maxSize: cacheBytes, sizeCalculation: ({ length }, key) => length + 2 * key.length + 100 });
    this.#segments = new LRUCache({
      maxSize: Math.max(cacheBytes, 1024 * 1024),
      sizeCalculation: ({ weight }) => weight,
    });
  }

  keyOf(name: string): string {
    return this.settings.folder + name;
  }

  /** As it was seen or made last; never asks the server. */
  get latest(): State | undefined {
    return this.#pinned ?? this.#latest;
  }

  /** Whether all that is read is of one state of the past. */
  get isPinned(): boolean {
    return this.#pinned !== undefined;
  }

  opened(key: string): Segment | undefined {
    return this.#segments.get(key);
  }

  remember(segment: Segment): void {
    this.#segments.set(segment.entry.key, segment);
  }

  /** Makes the first manifest where there is none and none is missing. Throws `CORRUPT` where one is. */
  async start(isMarked: boolean, call: Call): Promise<void> {
    const key = this.keyOf(manifestName);
    if ((await this.bucket.get(key, call)) === "missing") {
      if (isMarked) throw this.#lost(manifestName);
      await this.bucket.put(
        key,
        manifestText({ ...emptyManifest, nonce: crypto.randomUUID() }),
        { ifNoneMatch: "*" },
        call,
      );
    }
    await this.refresh();
  }

  /** From now on all that is read is of this state. Throws `NOT_FOUND`. */
  async pin(sequence: number): Promise<void> {
    const state = await this.refresh();
    const manifest = asOf(state.manifest, sequence);
    if (manifest === undefined) throw this.#gone(sequence);
    this.#pinned = { ...state, manifest, changes: await this.changesOf(manifest.logs) };
  }

  /** The store as it is now or later: no state that was overcome before the call. */
  refresh(): Promise<State> {
    if (this.#pinned !== undefined) return Promise.resolve(this.#pinned);
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#running = this.#next as Promise<State>;
        this.#next = undefined;
        return this.#load();
      });
    return this.#next;
  }

  /** The manifest alone, asked for now, whatever this store is pinned to. `timed`: with the server's time of it. */
  async manifest({
    timed = false,
  }: {
    readonly timed?: boolean;
  } = {}): Promise<Pick<State, "manifest" | "etag" | "modified">> {
    const key = this.keyOf(manifestName);
    const known = this.#latest;
    const isEnough = known !== undefined && (!timed || known.modified !== undefined);
    const got = await this.bucket.get(key, none, isEnough ? { known: known.etag } : {});
    if (got === "same" && known !== undefined) return known;
    const whole = got;
    if (typeof whole === "string") throw this.#lost(manifestName);
    const { etag, bytes, modified } = whole;
    const manifest = manifestIn(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
    if ("damage" in manifest) throw corrupt(this.bucket.about(key), manifest.damage);
    if ("newer" in manifest) {
      throw new DataknobsError(
        "UNSUPPORTED",
        `The object ${JSON.stringify(key)} was written by a newer version of this library. Update @dataknobs/backend-s3.`,
        { backend: "s3", key },
      );
    }
    return { manifest, etag, modified };
  }

  async #load(): Promise<State> {
    for (let attempt = 1; ; attempt++) {
      const known = this.#latest;
      const { manifest, etag, modified } = await this.manifest();
      if (known?.etag === etag) return this.#keep({ ...known, modified });
      try {
        return this.#keep({ manifest, etag, modified, changes: await this.changesOf(manifest.logs, known) });
      } catch (error) {
        await this.explain(error);
        if (attempt === attempts) throw error;
      }
    }
  }

  #keep(state: State): State {
    this.#latest = state;
    const names = new Set(state.manifest.logs.map(({ key }) => key));
    this.#logs = new Map([...this.#logs].filter(([key]) => names.has(key)));
    return state;
  }

  /**
   * Replaces the manifest by the next one, if it is still that of `base`. `undefined`: it is not. `changes`: what logs that
   * are new in it say.
   */
  async swap(
    base: Pick<State, "manifest" | "etag" | "modified" | "changes">,
    next: Manifest,
    changes?: Changes,
  ): Promise<State | undefined> {
    const manifest = stamped(next, base.modified);
    const etag = await this.bucket.put(this.keyOf(manifestName), manifestText(manifest), { ifMatch: base.etag }, none);
    if (etag === undefined) return undefined;
    const fresh = manifest.logs.filter(({ from }) => from === manifest.sequence);
    if (changes !== undefined) {
      const [only] = fresh;
      if (fresh.length === 1 && only !== undefined) this.#logs = new Map(this.#logs).set(only.key, changes);
    }
    const state = { manifest, etag, modified: undefined, changes: await this.#after(base, manifest, changes) };
    // a call that began meanwhile may have seen more
    return (this.#latest?.manifest.sequence ?? 0) > manifest.sequence ? state : this.#keep(state);
  }

  async #after(
    base: Pick<State, "manifest" | "changes">,
    manifest: Manifest,
    changes: Changes | undefined,
  ): Promise<Changes> {
    const isSame = base.manifest.logs.every(({ key }, index) => manifest.logs[index]?.key === key);
    if (isSame && manifest.logs.length === base.manifest.logs.length) return base.changes;
    if (isSame && changes !== undefined) return merged(base.changes, changes);
    return this.changesOf(manifest.logs);
  }

  /** What logs come to, of which those of `known` are at hand. */
  async changesOf(logs: readonly LogEntry[], known?: State | undefined): Promise<Changes> {
    const before = known?.manifest.logs ?? [];
    const isLonger = known !== undefined && before.every(({ key }, index) => logs[index]?.key === key);
    const rest = isLonger ? logs.slice(before.length) : logs;
    const all = new Map(isLonger ? known.changes : []);
    const read = await Promise.all(rest.map((log) => this.#log(log)));
    for (const changes of read) for (const [id, record] of changes) all.set(id, record);
    return all;
  }

  async #log(entry: LogEntry): Promise<Changes> {
    const known = this.#logs.get(entry.key);
    if (known !== undefined) return known;
    const got = await this.bucket.get(this.keyOf(entry.key), none);
    if (typeof got === "string") throw new Missing(entry.key);
    const changes = new Map<string, WireRecord | null>();
    const damage = readLog(got.bytes, entry, changes);
    if (damage !== undefined) throw this.#damaged(entry.key)(damage);
    this.#logs = new Map(this.#logs).set(entry.key, changes);
    return changes;
  }

  /** `byId`: with its filter of ids. */
  async segment(entry: SegmentEntry, call: Call, { byId = false }: { readonly byId?: boolean } = {}): Promise<Segment> {
    const damaged = this.#damaged(entry.key);
    const known = this.#segments.get(entry.key);
    if (known !== undefined) {
      if (byId && !known.hasFilter) known.setFilter(await this.#get(entry, entry.filter, entry.tail, call), damaged);
      return known;
    }
    const start = byId ? entry.filter : entry.tail;
    const bytes = await this.#get(entry, start, entry.bytes, call);
    const segment = openTail(entry, bytes.subarray(entry.tail - start), this.declared, damaged);
    if (byId) segment.setFilter(bytes.subarray(0, entry.tail - start), damaged);
    this.#segments.set(entry.key, segment);
    return segment;
  }

  /** All bytes of a file; not kept. */
  whole(entry: FileEntry, call: Call): Promise<Buffer> {
    return this.#get(entry, 0, entry.bytes, call);
  }

  /** Bytes of a segment: those that lie near each other by one request. */
  async ranges(
    entry: SegmentEntry,
    wanted: readonly (readonly [start: number, end: number])[],
    call: Call,
  ): Promise<Source> {
    const pieces: [start: number, end: number][] = [];
    for (const [start, end] of [...wanted].sort(([a], [b]) => a - b)) {
      const last = pieces.at(-1);
      if (last !== undefined && start - last[1] <= gap && end - last[0] <= largestRange)
        last[1] = Math.max(last[1], end);
      else pieces.push([start, end]);
    }
    const read = await Promise.all(
      pieces.map(async ([start, end]) => ({ start, bytes: await this.#cached(entry, start, end, call) })),
    );
    const now = (start: number, end: number): Buffer => {
      const piece = read.find((one) => one.start <= start && end <= one.start + one.bytes.length);
      if (piece === undefined) throw this.#damaged(entry.key)("it is shorter than the manifest says");
      return piece.bytes.subarray(start - piece.start, end - piece.start);
    };
    return {
      size: entry.bytes,
      read: (start, end) => ({ now: () => now(start, end), later: async () => now(start, end) }),
    };
  }

  async #cached(entry: SegmentEntry, start: number, end: number, call: Call): Promise<Buffer> {
    const name = `${entry.key}:${start}-${end}`;
    const known = this.#bytes?.get(name);
    if (known !== undefined) return known;
    const bytes = await this.#get(entry, start, end, call);
    if (bytes.length === end - start) this.#bytes?.set(name, bytes);
    return bytes;
  }

  async #get({ key }: FileEntry, start: number, end: number, call: Call): Promise<Buffer> {
    const got = await this.bucket.get(this.keyOf(key), call, { range: [start, end] });
    if (typeof got === "string") throw new Missing(key);
    return Buffer.from(got.bytes.buffer, got.bytes.byteOffset, got.bytes.length);
  }

  /** Does `work` with the store as it is now, and again where a file of that state was collected meanwhile. */
  async within<T>(work: (state: State) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work(await this.refresh());
      } catch (error) {
        await this.explain(error);
        if (attempt === attempts || this.isPinned) throw this.overtaken(error);
      }
    }
  }

  /** Throws unless it is of a file that is not there since it was collected. */
  async explain(error: unknown): Promise<void> {
    if (!(error instanceof Missing)) throw error;
    const { manifest } = await this.manifest();
    if (liveFiles(manifest).some(({ key }) => key === error.key)) throw this.#lost(error.key);
  }

  /** For a reader whose state has lost its files. */
  overtaken(error: unknown): DataknobsError {
    if (this.#pinned !== undefined) return this.#gone(this.#pinned.manifest.sequence);
    return new DataknobsError(
      "CONFLICT",
      "Files that a query was reading were collected: it took longer than the grace time. Run it again, or raise `graceSeconds`.",
      { backend: "s3", bucket: this.bucket.name },
      { cause: error },
    );
  }

  #gone(sequence: number): DataknobsError {
    return new DataknobsError(
      "NOT_FOUND",
      `The state ${sequence} is not kept (any more); \`snapshots(db)\` tells those that are.`,
      { backend: "s3", bucket: this.bucket.name, sequence },
    );
  }

  #damaged(name: string): (what: string, cause?: unknown) => DataknobsError {
    return (what, cause) => corrupt(this.bucket.about(this.keyOf(name)), what, cause);
  }

  #lost(name: string): DataknobsError {
    return corrupt(this.bucket.about(this.keyOf(name)), "it is not there");
  }
}

function merged(before: Changes, after: Changes): Changes {
  const all = new Map(before);
  for (const [id, record] of after) all.set(id, record);
  return all;
}
