/**
 * The layout `segments`: records in Parquet files and logs, of which a manifest says which count.
 *
 * Guaranteed: a call of `write` is one step for everybody, all of it or nothing, decided on what is there at that moment;
 * what was acknowledged is seen by every later call of every database; a query or stream sees the store as it was when it
 * began; a file that is damaged or missing is an error, never a shorter answer. No clock has a part in any of this.
 */
import { type Skip, skipCompiler, skipKinds } from "@dataknobs/backend-file/kit";
import {
  type Backend,
  type Call,
  type Capabilities,
  type Compiler,
  DataknobsError,
  type MergeOp,
  type OpenRequest,
  type ScanRequest,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
  type WriteRequest,
} from "@dataknobs/core/backend";
import { Bucket } from "../bucket.js";
import { openFolder } from "../folder.js";
import { locationOf, type Settings } from "../options.js";
import { Committer } from "./commit.js";
import { compactStore, foldStore, isDue } from "./compact.js";
import { find } from "./find.js";
import { cleared } from "./manifest.js";
import { planOf, scan, segmentsFor } from "./scan.js";
import { columnName } from "./segment.js";
import { manifestName, Store } from "./store.js";
import { vacuumStore } from "./vacuum.js";

/** Replaced files from this number on are collected by the way, once a minute at most. */
const vacuumFiles = 256;
const vacuumPause = 60_000;
/** Milliseconds for which logs are kept then: each commit makes one, and the manifest names them all. */
const logGrace = 120_000;

export class SegmentsBackend implements Backend<Skip> {
  readonly name = "s3";
  readonly ownership = "keep";
  readonly compiler: Compiler<Skip>;
  readonly capabilities: Capabilities = Object.freeze({
    durable: true,
    transactions: false,
    atomicBatch: true,
    unique: false,
    snapshotStreams: true,
    fullText: "emulated",
    analyzers: [],
    aggregation: "emulated",
    percentile: "exact",
    cancel: true,
    synchronous: false,
    pushdown: skipKinds,
    limits: {},
  });
  readonly #settings: Settings;
  #opened: { readonly store: Store; readonly committer: Committer } | undefined;
  #upkeep: Promise<void> | undefined;
  #nextVacuum = 0;
  /** Why the last upkeep failed: what it would have done is left to the next. */
  upkeepError: DataknobsError | undefined;

  get location(): string {
    return locationOf(this.#settings);
  }

  constructor(settings: Settings) {
    this.#settings = settings;
    const skip = skipCompiler((path) => {
      const store = this.#opened?.store;
      const segments = store?.latest?.manifest.segments ?? [];
      return store && columnName(path, segments, (key) => store.opened(key));
    });
    this.compiler = {
      ...skip,
      order: (order) =>
        order.length === 1 && order[0]?.path.root === "id" && !order[0].descending
          ? { index: "order of ids" }
          : undefined,
    };
  }

  /** Throws `NOT_OPEN`. */
  get store(): Store {
    return this.#parts().store;
  }

  #parts(): { readonly store: Store; readonly committer: Committer } {
    if (this.#opened !== undefined) return this.#opened;
    throw new DataknobsError("NOT_OPEN", "The s3 backend is not open.", { backend: this.name });
  }

  async open({ indexes, ...call }: OpenRequest): Promise<undefined> {
    const bucket = new Bucket(this.#settings);
    const store = new Store(bucket, this.#settings, indexes);
    const { asOf } = this.#settings;
    const layout = {
      name: "segments" as const,
      conditionalDeletes: false,
      isOurs: (name: string) => name === manifestName,
      prepare: (isMarked: boolean) => store.start(isMarked, call),
    };
    try {
      await openFolder(bucket, this.#settings, layout, call);
      if (asOf !== undefined) await store.pin(asOf);
    } catch (error) {
      bucket.close();
      throw error;
    }
    this.#opened = { store, committer: new Committer(store, () => this.#tidy()) };
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.committer.idle();
    await this.#upkeep;
    opened?.store.bucket.close();
  }

  async read(ids: readonly string[], call: Call): Promise<(WireRecord | undefined)[]> {
    const { store } = this;
    const found = await store.within((state) => find(store, state, ids, call));
    return ids.map((id) => found.get(id));
  }

  async write(ops: readonly WriteOp[], { atomic, ...call }: WriteRequest): Promise<readonly WriteOutcome[]> {
    return this.#writer().write({ ops, atomic }, call);
  }

  async merge(op: MergeOp, call: Call): Promise<WriteOutcome> {
    const [outcome] = await this.#writer().write({ ops: [{ ...op, kind: "merge" }], atomic: false }, call);
    return outcome as WriteOutcome;
  }

  async *scan(request: ScanRequest<Skip>): AsyncGenerator<readonly WireRecord[], void> {
    const { store } = this;
    const ended = new AbortController();
    const signals = request.signal === undefined ? [ended.signal] : [request.signal, ended.signal];
    const call = { signal: AbortSignal.any(signals) };
    let skip = request.offset;
    let left = request.limit ?? Number.POSITIVE_INFINITY;
    if (left === 0) return;
    let given = false;
    try {
      for (;;) {
        try {
          for await (const batch of scan(store, await store.refresh(), request, call)) {
            const records = batch.slice(skip, skip + left);
            skip = Math.max(0, skip - batch.length);
            left -= records.length;
            given = true;
            if (records.length > 0) yield records;
            if (left === 0) return;
          }
          return;
        } catch (error) {
          await store.explain(error);
          // as long as nothing was shown, another state is as good
          if (given || store.isPinned) throw store.overtaken(error);
        }
      }
    } finally {
      ended.abort();
    }
  }

  async count(where: Skip | undefined, _match: undefined, call: Call): Promise<number> {
    // what is exact holds for no record or for all
    if (where?.never === true) return 0;
    const { store } = this;
    return store.within(async (state) => {
      if (state.manifest.records !== undefined) return state.manifest.records;
      let n = 0;
      for await (const batch of scan(store, state, { where: undefined, select: [], bare: true }, call))
        n += batch.length;
      return n;
    });
  }

  async clear(): Promise<number> {
    this.#writer();
    const { store } = this;
    for (;;) {
      const state = await store.refresh();
      if ((await store.swap(state, cleared(state.manifest))) !== undefined) return state.manifest.records ?? 0;
    }
  }

  native({ where, select, limit, offset }: ScanRequest<Skip>): unknown {
    const { store } = this;
    const state = store.latest;
    if (state === undefined) return undefined;
    const { manifest, changes } = state;
    const wanted = where?.never === true ? [] : segmentsFor(state, { where });
    const groups = { read: 0, of: 0, unknown: 0 };
    let bytes = 0;
    for (const entry of wanted) {
      const segment = store.opened(entry.key);
      if (segment === undefined) {
        groups.unknown++;
        bytes += entry.bytes;
        continue;
      }
      const plan = planOf(segment, { where, select }, changes);
      groups.read += plan.groups.length;
      groups.of += segment.bounds.length;
      bytes += plan.bytes;
    }
    return {
      bucket: this.#settings.bucket,
      prefix: this.#settings.folder,
      sequence: manifest.sequence,
      logs: { files: manifest.logs.length, records: changes.size },
      segments: { read: wanted.length, of: manifest.segments.length },
      // of the segments that are to be read; whose footers were not read yet are read as a whole, as far as is known
      rowGroups: { read: groups.read, of: groups.of, ofUnread: groups.unknown },
      bytes: { read: bytes, of: manifest.segments.reduce((sum, entry) => sum + entry.bytes, 0) },
      ...(limit !== undefined && { limit }),
      ...(offset > 0 && { offset }),
    };
  }

  #writer(): Committer {
    const { store, committer } = this.#parts();
    if (!store.isPinned) return committer;
    throw new DataknobsError(
      "UNSUPPORTED",
      "This database shows a state of the past (`asOf`), which cannot be written. Open one without `asOf`.",
      { backend: this.name, sequence: this.#settings.asOf },
    );
  }

  /** After a commit: folds, merges and collects, where there is much. One at a time, beside the writes. */
  #tidy(): void {
    const opened = this.#opened;
    if (!this.#settings.autoCompact || this.#upkeep !== undefined || opened === undefined) return;
    const { store } = opened;
    const state = store.latest;
    const due = state && isDue(state);
    if (state === undefined || due === undefined) return;
    const work = async (): Promise<void> => {
      if (due === "merge") await compactStore(store, { full: false });
      else await foldStore(store);
      if (state.manifest.removed.length < vacuumFiles || performance.now() < this.#nextVacuum) return;
      this.#nextVacuum = performance.now() + vacuumPause;
      const segments = 1000 * this.#settings.graceSeconds;
      await vacuumStore(store, { segments, logs: Math.min(segments, logGrace) }, undefined);
    };
    this.#upkeep = work()
      .then(
        () => {
          this.upkeepError = undefined;
        },
        // the writes are safe without; `storage` tells of it
        (error: unknown) => {
          this.upkeepError = error as DataknobsError;
        },
      )
      .finally(() => {
        this.#upkeep = undefined;
      });
  }
}
