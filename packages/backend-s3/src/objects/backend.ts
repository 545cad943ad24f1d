/**
 * The layout `objects`: a record is an object, its key made of its id, its body a line of JSON.
 *
 * Guaranteed: every write is one conditional request on what was read, so that of several writers at once none is lost
 * unseen; what was acknowledged is seen by every call; nothing that is listed or read is left out but what was deleted
 * meanwhile. Not guaranteed: several records written together, or seen together, as one.
 */
import {
  type Backend,
  type Call,
  type Capabilities,
  type Compiler,
  compareText,
  DataknobsError,
  leafKinds,
  type MergeOp,
  type OpenRequest,
  type ScanRequest,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
} from "@dataknobs/core/backend";
import pMap from "p-map";
import { Bucket, type Failure, type Listed, pause } from "../bucket.js";
import { openFolder } from "../folder.js";
import { locationOf, type Settings } from "../options.js";
import { type BodyCache, bodyCache } from "./cache.js";
import { compiler } from "./compile.js";
import { bodyText, decide, type Found, recordIn, type TextOp, textOp, tombstone } from "./document.js";
import { idOf, longestId, nameOf, segment, stemOf } from "./keys.js";
import { everyId, type IdSet, includes, onlyId, type Range } from "./ranges.js";

const pageSize = 1000;
/** Attempts of one write while others get before it. Each time, one of them has made it. */
const maxAttempts = 1000;

/** An object that was listed, or the id of one that may be there. */
interface Entry {
  readonly id: string;
  readonly listed?: Listed;
}

export class ObjectsBackend implements Backend<IdSet> {
  readonly name = "s3";
  readonly ownership = "serialise";
  readonly compiler: Compiler<IdSet> = compiler;
  readonly capabilities: Capabilities = Object.freeze({
    durable: true,
    transactions: false,
    atomicBatch: false,
    unique: false,
    snapshotStreams: false,
    fullText: "emulated",
    analyzers: [],
    aggregation: "emulated",
    percentile: "exact",
    cancel: true,
    synchronous: false,
    pushdown: leafKinds(compiler),
    limits: {},
  });
  readonly #settings: Settings;
  readonly #cache: BodyCache;
  #opened: Bucket | undefined;

  get location(): string {
    return locationOf(this.#settings);
  }

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#cache = bodyCache(settings.cacheBytes);
  }

  /** Throws `NOT_OPEN`. */
  get bucket(): Bucket {
    if (this.#opened !== undefined) return this.#opened;
    throw new DataknobsError("NOT_OPEN", "The s3 backend is not open.", { backend: this.name });
  }

  get settings(): Settings {
    return this.#settings;
  }

  async open(call: OpenRequest): Promise<undefined> {
    const bucket = new Bucket(this.#settings);
    try {
      const isOurs = (name: string): boolean => idOf(name) !== undefined;
      await openFolder(bucket, this.#settings, { name: "objects", isOurs, conditionalDeletes: true }, call);
    } catch (error) {
      bucket.close();
      throw error;
    }
    this.#opened = bucket;
  }

  close(): void {
    this.#opened?.close();
    this.#opened = undefined;
  }

  read(ids: readonly string[], call: Call): Promise<(WireRecord | undefined)[]> {
    return this.#each(ids, async (id) => (await this.#find({ id }, call)).record);
  }

  write(ops: readonly WriteOp[], call: Call): Promise<WriteOutcome[]> {
    const last = new Map<string, Promise<WriteOutcome>>();
    return this.#each(ops.map(textOp), (op) => {
      // those on one record in their order, all others at once
      const before = last.get(op.id);
      const outcome = before === undefined ? this.#attempt(op, call) : before.then(() => this.#attempt(op, call));
      last.set(op.id, outcome);
      return outcome;
    });
  }

  merge(op: MergeOp, call: Call): Promise<WriteOutcome> {
    return this.apply(textOp({ ...op, kind: "merge" }), call);
  }

  async *scan(request: ScanRequest<IdSet>): AsyncGenerator<readonly WireRecord[], void> {
    const ended = new AbortController();
    const signals = request.signal === undefined ? [ended.signal] : [request.signal, ended.signal];
    const batches = this.#batches(request, { signal: AbortSignal.any(signals) });
    // the next batch is on its way while this one is looked at; its error waits until it is asked for
    const next = (): ReturnType<typeof batches.next> => {
      const batch = batches.next();
      batch.catch(() => undefined);
      return batch;
    };
    let ahead = next();
    try {
      for (;;) {
        const { done, value } = await ahead;
        if (done === true) return;
        ahead = next();
        yield value;
      }
    } finally {
      ended.abort();
      await Promise.allSettled([ahead]);
    }
  }

  async count(where: IdSet | undefined, _match: undefined, call: Call): Promise<number> {
    let n = 0;
    for await (const entries of this.#entries(where ?? everyId, pageSize, call)) {
      const there = entries.map(
        async (entry) => isRecord(entry) || (await this.#find(entry, call)).record !== undefined,
      );
      n += (await Promise.all(there)).filter(Boolean).length;
    }
    return n;
  }

  /** Conditions on ids hold whatever becomes of a record meanwhile, so that listed ones go by the thousand. */
  async deleteWhere(where: IdSet | undefined, call: Call): Promise<number> {
    let deleted = 0;
    const failures: Failure[] = [];
    try {
      for await (const entries of this.#entries(where ?? everyId, pageSize, call)) {
        const listed = entries.flatMap((entry) => (entry.listed === undefined ? [] : [entry.listed]));
        const named = entries.filter((entry) => entry.listed === undefined);
        const outcomes = await this.#each(named, ({ id }) => this.apply({ kind: "delete", id }, call));
        deleted += outcomes.filter(({ status }) => status === "deleted").length;
        if (listed.length === 0) continue;
        const failed = await this.bucket.deleteAll(
          listed.map(({ key }) => key),
          call,
        );
        failures.push(...failed);
        const kept = new Set(failed.map(({ key }) => key));
        for (const one of listed) {
          if (kept.has(one.key)) continue;
          this.#cache.delete(one.key);
          if (one.size !== tombstone.length) deleted++;
        }
      }
    } catch (error) {
      throw partly(error as DataknobsError, deleted, failures);
    }
    if (failures[0] !== undefined) throw partly(failures[0].error, deleted, failures);
    return deleted;
  }

  native({ where, limit, offset }: ScanRequest<IdSet>): unknown {
    const set = where ?? everyId;
    return {
      bucket: this.#settings.bucket,
      prefix: this.#settings.folder,
      get: set.filter((one) => onlyId(one) !== undefined).length,
      list: set.filter((one) => onlyId(one) === undefined).map(({ from, to }) => ({ from, to: to ?? null })),
      ...(limit !== undefined && { limit }),
      ...(offset > 0 && { offset }),
    };
  }

  keyOf(id: string): string {
    return this.#settings.folder + nameOf(id);
  }

  /** A few at a time, so that a call of one request never waits for the whole of a long one. */
  #each<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
    return pMap(items, work, { concurrency: this.#settings.concurrency });
  }

  async #attempt(op: TextOp, call: Call): Promise<WriteOutcome> {
    try {
      return await this.apply(op, call);
    } catch (error) {
      return { status: "failed", error: error as Error };
    }
  }

  /** Reads, decides and writes on condition that nobody else did meanwhile; again and again until that holds. */
  async apply(op: TextOp, call: Call): Promise<WriteOutcome> {
    const key = this.keyOf(op.id);
    const guess = this.#settings.unsafe ? undefined : op.kind === "insert" ? {} : this.#cached(key, op.id);
    let found = guess ?? (await this.#find(op, call));
    let isGuess = guess !== undefined;
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const decision = decide(op, found, (text) => this.#record(text, op.id, key) as WireRecord);
      if ("refused" in decision && !isGuess) return decision.refused;
      if ("body" in decision && (await this.#replace(key, found.etag, decision.body, call))) return decision.done;
      if (attempt > 1) await pause(attempt);
      found = await this.#find(op, call);
      isGuess = false;
      if (attempt >= 2 && found.etag === undefined) found = await this.#deleted(key, call);
      // the answer to an earlier sending of this very write was lost
      if ("body" in decision && op.kind !== "delete" && found.record?.version === op.version) return decision.done;
    }
    throw new DataknobsError(
      "CONFLICT",
      `The record ${JSON.stringify(op.id)} kept changing under ${maxAttempts} attempts.`,
      {
        backend: this.name,
        id: op.id,
      },
    );
  }

  /** `false`: there is another object than the one of that ETag, or one where none was. */
  async #replace(key: string, etag: string | undefined, body: string | null, call: Call): Promise<boolean> {
    const condition = etag === undefined ? { ifNoneMatch: "*" as const } : { ifMatch: etag };
    const written = await this.bucket.put(key, body ?? tombstone, condition, call);
    if (written === undefined) return false;
    if (body !== null) {
      this.#cache.set(key, { etag: written, text: body });
      return true;
    }
    this.#cache.delete(key);
    // the record is gone already; what fails to go with it is a tombstone, which the next write or clear() removes
    await this.bucket.delete(key, written, call).catch(() => undefined);
    return true;
  }

  /** Nothing is there, and yet the server lets nothing be put there. */
  async #deleted(key: string, call: Call): Promise<Found> {
    const etag = await this.bucket.lastEtag(key, call);
    return etag === undefined ? {} : { etag };
  }

  #cached(key: string, id: string): Found | undefined {
    const cached = this.#cache.get(key);
    return cached && { etag: cached.etag, record: this.#record(cached.text, id, key) as WireRecord };
  }

  /** The object of an id as it is now; of a listed one, as it was listed or is now. */
  async #find({ id, listed }: Entry, call: Call): Promise<Found> {
    const key = this.keyOf(id);
    const cached = this.#cache.get(key);
    const isCurrent = cached !== undefined && cached.etag === listed?.etag;
    const got = isCurrent ? "same" : await this.bucket.get(key, call, cached && { known: cached.etag });
    if (got === "same" && cached !== undefined)
      return { etag: cached.etag, record: this.#record(cached.text, id, key) as WireRecord };
    this.#cache.delete(key);
    if (typeof got === "string") return {};
    const text = bodyText(got.bytes, this.bucket.about(key));
    const record = this.#record(text, id, key);
    if (record === undefined) return { etag: got.etag };
    this.#cache.set(key, { etag: got.etag, text });
    return { etag: got.etag, record };
  }

  #record(text: string, id: string, key: string): WireRecord | undefined {
    return recordIn(text, id, this.bucket.about(key));
  }

  async *#batches(request: ScanRequest<IdSet>, call: Call): AsyncGenerator<readonly WireRecord[], void> {
    let skip = request.offset;
    let left = request.limit ?? Number.POSITIVE_INFINITY;
    const size = Math.min(request.batchSize, pageSize);
    for await (const entries of this.#entries(request.where ?? everyId, size, call)) {
      for (let at = 0; at < entries.length && left > 0; ) {
        while (skip > 0 && at < entries.length && isRecord(entries[at] as Entry)) [at, skip] = [at + 1, skip - 1];
        const part = entries.slice(at, at + skip + left);
        at += part.length;
        const found = await this.#each(part, (entry) => this.#find(entry, call));
        const records = found.flatMap(({ record }) => (record === undefined ? [] : [record]));
        const shown = records.slice(skip, skip + left);
        skip = Math.max(0, skip - records.length);
        left -= shown.length;
        if (shown.length > 0) yield shown;
      }
      if (left <= 0) return;
    }
  }

  /** In the order of ids. */
  async *#entries(set: IdSet, size: number, call: Call): AsyncGenerator<readonly Entry[], void> {
    let named: Entry[] = [];
    for (const one of set) {
      const id = onlyId(one);
      if (id === undefined) {
        if (named.length > 0) yield named;
        named = [];
        yield* this.#list(one, size, call);
      } else if (named.push({ id }) === size) {
        yield named;
        named = [];
      }
    }
    if (named.length > 0) yield named;
  }

  async *#list(ids: Range, size: number, call: Call): AsyncGenerator<readonly Entry[], void> {
    const { folder } = this.#settings;
    let after = startOf(ids.from);
    let last = "";
    for (;;) {
      const { objects, more } = await this.bucket.list(
        { Prefix: folder, StartAfter: folder + after, MaxKeys: size },
        call,
      );
      const entries: Entry[] = [];
      let name = "";
      for (const listed of objects) {
        name = listed.key.slice(folder.length);
        const id = idOf(name);
        if (id === undefined) continue;
        if (name <= last) throw unsorted(this.bucket.name);
        last = name;
        if (compareText(id, ids.from) < 0) continue;
        if (!includes(ids, id)) return entries.length > 0 ? yield entries : undefined;
        entries.push({ id, listed });
      }
      if (entries.length > 0) yield entries;
      if (!more) return;
      after = idOf(name) === undefined ? afterFolder(name) : name;
    }
  }
}

/** Order and paging rest on it. */
function unsorted(bucket: string): DataknobsError {
  return new DataknobsError("UNSUPPORTED", "The server does not list keys in the order of their bytes.", {
    backend: "s3",
    bucket,
  });
}

/** Whether there was a record, without a look into the object. */
function isRecord({ listed }: Entry): boolean {
  return listed !== undefined && listed.size !== tombstone.length;
}

/** After which name a listing begins, so that it has all ids from this one on. */
function startOf(from: string): string {
  // what is of the folder itself begins so, and comes before all names
  if (from === "") return "!~";
  // longer than any id, and perhaps than a key may be: ids that are listed in excess are left out
  if (from.length > longestId) return stemOf(from.slice(0, longestId / 4));
  return from.endsWith("\0") ? nameOf(from.slice(0, -1)) : stemOf(from);
}

/** Past a folder of somebody else's below ours, of which the last name of a page was. */
function afterFolder(name: string): string {
  const slash = name.indexOf("/");
  // ids that are long have folders, too
  return slash < 0 || slash === segment ? name : `${name.slice(0, slash)}0`;
}

function partly(error: DataknobsError, deleted: number, failures: readonly Failure[]): DataknobsError {
  const failed = failures.map(({ key, error: { code } }) => ({ key, code }));
  return new DataknobsError(
    error.code,
    `${error.message} ${deleted} records had been deleted${failed.length === 0 ? "" : `, ${failed.length} could not be`}.`,
    { ...error.details, deleted, failed },
    { cause: error.cause },
  );
}
