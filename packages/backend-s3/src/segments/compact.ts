/**
 * Compaction: what logs say goes into segments. The same records in other files, so that a writer who commits meanwhile is
 * in nobody's way: its logs come after, and stay. Of two compactions at once the first one counts, and the other begins anew.
 */
import type { WireRecord } from "@dataknobs/core/backend";
import { putLogs, putSegment } from "./commit.js";
import { segmentsWith } from "./find.js";
import type { Changes } from "./log.js";
import { type FileEntry, type LogEntry, liveFiles, replaced, type SegmentEntry } from "./manifest.js";
import { scan } from "./scan.js";
import type { State, Store } from "./store.js";

/** What a compaction did. */
export interface Compaction {
  /** Files that were replaced. */
  readonly logs: number;
  readonly segments: number;
  /** Segments that were written in their place, and what they hold. */
  readonly written: number;
  readonly records: number;
  readonly bytes: number;
}

/** Logs from this number on are folded into fewer. */
const foldLogs = 32;
/** Bytes of logs from which on they go into segments. */
const mergeBytes = 8 * 1024 * 1024;

const nothing: Compaction = { logs: 0, segments: 0, written: 0, records: 0, bytes: 0 };
const attempts = 20;
/** Bytes of a segment's records, as JSON, about. */
const largestSegment = 128 * 1024 * 1024;

/** Merges all logs into segments. `full`: and all segments into ones that have no ids between each other. */
export async function compactStore(
  store: Store,
  { full, signal }: { readonly full: boolean; readonly signal?: AbortSignal | undefined },
): Promise<Compaction> {
  for (let attempt = 1; ; attempt++) {
    const done = await store.within(async (state) => {
      const segments = await inputsOf(store, state, full);
      if (state.manifest.logs.length === 0 && segments.length === 0) return nothing;
      signal?.throwIfAborted();
      const outputs: SegmentEntry[] = [];
      for await (const records of portions(store, state, segments)) {
        signal?.throwIfAborted();
        outputs.push((await putSegment(store, records)) as SegmentEntry);
      }
      const { logs } = state.manifest;
      if (!(await swapFiles(store, state, [...logs, ...segments], outputs))) return undefined;
      return {
        logs: logs.length,
        segments: segments.length,
        written: outputs.length,
        records: outputs.reduce((sum, { rows }) => sum + rows, 0),
        bytes: outputs.reduce((sum, { bytes }) => sum + bytes, 0),
      };
    });
    if (done !== undefined) return done;
    // others were first: what they left is less
    if (attempt === attempts) return nothing;
  }
}

/** Folds the newest logs into one, and older ones with them while they are not much larger: no segment is touched. */
export async function foldStore(store: Store): Promise<void> {
  await store.within(async (state) => {
    const inputs: LogEntry[] = [];
    let bytes = 0;
    for (const log of state.manifest.logs.toReversed()) {
      if (inputs.length > 1 && log.bytes > 2 * bytes) break;
      inputs.unshift(log);
      bytes += log.bytes;
    }
    if (inputs.length < 2) return;
    const changes = await store.changesOf(inputs);
    const order = inputs.at(-1)?.order as number;
    const outputs = (await putLogs(store, changes)).map((file) => ({ ...file, order }));
    await swapFiles(store, state, inputs, outputs, changes);
  });
}

/** Segments that logs change, and small ones; never one by itself to no purpose. */
async function inputsOf(store: Store, state: State, full: boolean): Promise<readonly SegmentEntry[]> {
  const { manifest, changes } = state;
  if (full) return manifest.segments.length > 1 || changes.size > 0 ? manifest.segments : [];
  const changed = await segmentsWith(store, state, [...changes.keys()], {});
  const small = manifest.segments.filter(({ rows }) => rows < store.settings.segmentRows / 4);
  const isWorth = small.length > 1 || changes.size > 0;
  return manifest.segments.filter((entry) => changed.has(entry.key) || (isWorth && small.includes(entry)));
}

/** The records of some segments and of the logs, in the order of ids, as many at a time as a segment holds. */
async function* portions(store: Store, state: State, segments: readonly SegmentEntry[]): AsyncGenerator<WireRecord[]> {
  const part = { ...state, manifest: { ...state.manifest, segments } };
  const { segmentRows } = store.settings;
  let portion: WireRecord[] = [];
  let bytes = 0;
  for await (const batch of scan(store, part, { where: undefined, select: undefined }, {})) {
    for (const record of batch) {
      portion.push(record);
      // a look at some is enough for a guess
      if (portion.length % 16 === 1) bytes += 16 * JSON.stringify(record.data).length;
      if (portion.length < segmentRows && bytes < largestSegment) continue;
      yield portion;
      portion = [];
      bytes = 0;
    }
  }
  if (portion.length > 0) yield portion;
}

/** Names the outputs in place of the inputs, unless those are not all there any more. */
async function swapFiles(
  store: Store,
  began: State,
  inputs: readonly FileEntry[],
  outputs: readonly FileEntry[],
  changes?: Changes,
): Promise<boolean> {
  let base = began;
  for (;;) {
    // outputs that were put before a collection may be gone
    if (base.manifest.vacuums !== began.manifest.vacuums) return false;
    const next = replaced(base.manifest, inputs, outputs);
    if (next === undefined) return false;
    if ((await store.swap(base, next, changes)) !== undefined) return true;
    base = await store.refresh();
    const [first] = outputs;
    const named = liveFiles(base.manifest);
    // an earlier sending of this swap was made, its answer lost
    if (first !== undefined && named.some(({ key }) => key === first.key)) return true;
  }
}

/** Whether there is work for upkeep. Logs are merged when they are large, beside the segments that have to be rewritten, too. */
export function isDue({ manifest: { logs, segments } }: State): "merge" | "fold" | undefined {
  const logged = logs.reduce((sum, { bytes }) => sum + bytes, 0);
  const whole = segments.reduce((sum, { bytes }) => sum + bytes, 0);
  if (logged >= Math.min(8 * mergeBytes, Math.max(mergeBytes, whole / 16))) return "merge";
  return logs.length >= foldLogs ? "fold" : undefined;
}
