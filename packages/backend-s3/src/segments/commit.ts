/**
 * Writes: files first, then the manifest that names them, on condition that it is still the one the writes were decided on;
 * else they are decided anew. Writes that come while one is under way go together into the next.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type Call, compareText, DataknobsError, type WireRecord, type WriteOutcome } from "@dataknobs/core/backend";
import { type Batch, type Decision, decide } from "./decide.js";
import { find } from "./find.js";
import { type Changes, logBodies } from "./log.js";
import { added, allFiles, type FileEntry, type Manifest } from "./manifest.js";
import { makeSegment } from "./segment.js";
import type { State, Store } from "./store.js";

/** New records from this number on go into a segment at once. */
const directRows = 4096;
/** Each time, another writer has made it. */
const maxAttempts = 1000;
/** Operations that go together. */
const largestGroup = 20_000;

interface Job extends Batch {
  readonly signal: AbortSignal | undefined;
  readonly resolve: (outcomes: readonly WriteOutcome[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Files that were put, for changes that nobody may have committed yet. */
interface Draft {
  readonly changes: Changes;
  readonly files: readonly FileEntry[];
  /** What the files that are logs say. */
  readonly logged: Changes;
  readonly vacuums: number;
}

const none: Call = {};

export class Committer {
  readonly #store: Store;
  readonly #committed: () => void;
  #queue: Job[] = [];
  #working: Promise<void> | undefined;

  /** `committed` is called after each commit. */
  constructor(store: Store, committed: () => void) {
    this.#store = store;
    this.#committed = committed;
  }

  write(batch: Batch, { signal }: Call): Promise<readonly WriteOutcome[]> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ ...batch, signal, resolve, reject });
      this.#working ??= this.#work();
    });
  }

  /** When nothing is left to be written. */
  async idle(): Promise<void> {
    await this.#working;
  }

  async #work(): Promise<void> {
    // what is asked for in the same turn goes together
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#take();
      try {
        const outcomes = await this.#commit(group);
        for (const [index, job] of group.entries()) job.resolve(outcomes[index] as readonly WriteOutcome[]);
      } catch (error) {
        for (const job of group) job.reject(error);
      }
    }
    this.#working = undefined;
  }

  #take(): Job[] {
    const group: Job[] = [];
    let size = 0;
    while (this.#queue.length > 0) {
      const [job] = this.#queue as [Job];
      if (group.length > 0 && size + job.ops.length > largestGroup) break;
      this.#queue.shift();
      if (job.signal?.aborted === true) {
        job.reject(job.signal.reason);
        continue;
      }
      group.push(job);
      size += job.ops.length;
    }
    return group;
  }

  async #commit(batches: readonly Job[]): Promise<readonly (readonly WriteOutcome[])[]> {
    if (batches.length === 0) return [];
    const store = this.#store;
    let draft: Draft | undefined;
    // the state last seen is a guess, on which nothing is refused
    let isGuess = store.latest !== undefined;
    let base = store.latest ?? (await store.refresh());
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      let decision: Decision;
      try {
        decision = await this.#decide(batches, base);
      } catch (error) {
        await store.explain(error);
        base = await store.refresh();
        isGuess = false;
        continue;
      }
      if (decision.changes.size === 0 && !isGuess) return decision.outcomes;
      if (decision.changes.size > 0) {
        draft = draft !== undefined && isStill(draft, decision, base) ? draft : await this.#draft(decision, base);
        if (await this.#swap(base, draft, decision)) return decision.outcomes;
      }
      if (attempt > 2) await delay(Math.random() * Math.min(500, 5 * attempt));
      base = await store.refresh();
      isGuess = false;
      if (draft !== undefined && isNamed(draft, base.manifest)) {
        this.#committed();
        return decision.outcomes;
      }
    }
    throw new DataknobsError("CONFLICT", `Others kept writing first, ${maxAttempts} times. Nothing was written.`, {
      backend: "s3",
      bucket: store.bucket.name,
    });
  }

  async #swap(base: State, draft: Draft, { delta }: Decision): Promise<boolean> {
    const store = this.#store;
    try {
      const state = await store.swap(base, added(base.manifest, draft.files, delta), draft.logged);
      if (state === undefined) return false;
    } catch (error) {
      // the answer may be lost of a swap that was made
      const now = await store.refresh().catch(() => undefined);
      if (now === undefined || !isNamed(draft, now.manifest)) throw error;
    }
    this.#committed();
    return true;
  }

  async #decide(batches: readonly Batch[], base: State): Promise<Decision> {
    const ops = batches.flatMap((batch) => batch.ops);
    const inserts = ops.filter(({ kind }) => kind === "insert").map(({ id }) => id);
    const others = ops.filter(({ kind }) => kind !== "insert").map(({ id }) => id);
    const before = await find(this.#store, base, inserts, none, { mostlyNew: true });
    if (others.length > 0) {
      const found = await find(this.#store, base, others, none);
      for (const [id, record] of found) before.set(id, record);
    }
    return decide(batches, before);
  }

  /** Puts the files of changes: many records whose ids are nowhere yet into segments, all others into logs. */
  async #draft(decision: Decision, base: State): Promise<Draft> {
    const store = this.#store;
    const { changes } = decision;
    const { segmentRows } = store.settings;
    let direct: WireRecord[] = [];
    if (changes.size >= directRows) {
      for (const [id, record] of changes) if (record !== null && isNew(id, decision, base)) direct.push(record);
    }
    if (direct.length < directRows) direct = [];
    if (!isSorted(direct)) direct.sort((a, b) => compareText(a.id, b.id));
    const logged = direct.length === changes.size ? new Map<string, WireRecord | null>() : new Map(changes);
    if (logged.size > 0) for (const { id } of direct) logged.delete(id);
    const files: FileEntry[] = [];
    for (let at = 0; at < direct.length; at += segmentRows) {
      files.push(await putSegment(store, direct.slice(at, at + segmentRows)));
    }
    files.push(...(await putLogs(store, logged)));
    return { changes, files, logged, vacuums: base.manifest.vacuums };
  }
}

function isSorted(records: readonly WireRecord[]): boolean {
  return records.every(({ id }, index) => index === 0 || compareText((records[index - 1] as WireRecord).id, id) < 0);
}

/** Whether no file has this id: only such a one may be in a new segment. */
function isNew(id: string, { before }: Decision, { changes }: State): boolean {
  return !before.has(id) && !changes.has(id);
}

export async function putSegment(store: Store, records: readonly WireRecord[]): Promise<FileEntry> {
  const { bytes, segment } = makeSegment(records, store.declared);
  // a key is never used twice: where there is something already, this very request was applied before
  const type = "application/vnd.apache.parquet";
  await store.bucket.put(store.keyOf(segment.entry.key), bytes, { ifNoneMatch: "*" }, none, type);
  store.remember(segment);
  return segment.entry;
}

export async function putLogs(store: Store, changes: Changes): Promise<FileEntry[]> {
  return Promise.all(
    logBodies(changes).map(async ({ text, lines, crc }) => {
      const key = `logs/${crypto.randomUUID()}.jsonl`;
      await store.bucket.put(store.keyOf(key), text, { ifNoneMatch: "*" }, none, "application/x-ndjson");
      return { key, bytes: Buffer.byteLength(text), crc, lines, from: 0, order: 0 };
    }),
  );
}

/** Whether files that were put before serve this decision: it is the same, and nobody can have collected them. */
function isStill(draft: Draft, decision: Decision, base: State): boolean {
  if (draft.vacuums !== base.manifest.vacuums || draft.changes.size !== decision.changes.size) return false;
  for (const [id, record] of decision.changes) {
    const drafted = draft.changes.get(id);
    if (drafted === undefined || !isSame(drafted, record)) return false;
    if (!draft.logged.has(id) && !isNew(id, decision, base)) return false;
  }
  return true;
}

function isSame(a: WireRecord | null, b: WireRecord | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.version === b.version &&
    a.createdAt === b.createdAt &&
    a.data === b.data &&
    a.types === b.types &&
    a.metadata === b.metadata
  );
}

/** Whether the manifest names a draft's files, or has done so: then it was committed. */
function isNamed({ files }: Draft, manifest: Manifest): boolean {
  const [first] = files;
  return first !== undefined && allFiles(manifest).some(({ key }) => key === first.key);
}
