/**
 * Queries: first a plan, of what statistics do not rule out; then the row groups of it in the order of ids, several at a
 * time, with what the logs say in place of what they overcame.
 */
import type { ReadPlan, Skip } from "@dataknobs/backend-file/kit";
import { type Call, compareText, type ScanRequest, type WireRecord } from "@dataknobs/core/backend";
import { rangesOf, readGroups } from "./find.js";
import type { SegmentEntry } from "./manifest.js";
import { type Segment, statsInGroup, statsInManifest } from "./segment.js";
import type { State, Store } from "./store.js";

type Wanted = Pick<ScanRequest<Skip>, "where" | "select" | "bare">;

/** The segments that a condition leaves, by what the manifest says. */
export function segmentsFor({ manifest }: State, { where }: Pick<Wanted, "where">): readonly SegmentEntry[] {
  if (where === undefined) return manifest.segments;
  return manifest.segments.filter((entry) => where.mayMatch(statsInManifest(entry)));
}

/** What is read of a segment, by what its footer says. */
export function planOf(segment: Segment, { where, select, bare }: Wanted, changes: State["changes"]): ReadPlan {
  const mayMatch = (group: number): boolean => where === undefined || where.mayMatch(statsInGroup(segment, group));
  const plan = segment.reader.plan(select, mayMatch, { bare });
  // records that a log tells of are known by their ids
  if (changes.size === 0 || plan.columns.has("id")) return plan;
  const columns = new Set([...plan.columns, "id"]);
  const { row_groups: all } = segment.reader.metadata;
  const bytes = plan.groups.reduce(
    (sum, group) =>
      sum + rangesOf(all[group] as (typeof all)[number], columns).reduce((n, [from, to]) => n + to - from, 0),
    0,
  );
  return { ...plan, columns, bytes };
}

/** A row group to be read. */
interface Task {
  readonly segment: Segment;
  readonly group: number;
  readonly columns: ReadonlySet<string>;
  readonly low: string;
  readonly bytes: number;
}

/** Row groups are read together up to so many bytes, and as many ahead. */
const windowBytes = 8 * 1024 * 1024;

/** All that may match, in the order of ids unless the ids are not read. */
export async function* scan(
  store: Store,
  state: State,
  request: Wanted,
  call: Call,
): AsyncGenerator<readonly WireRecord[], void> {
  if (request.where?.never === true) return;
  const { changes } = state;
  const segments = await Promise.all(segmentsFor(state, request).map((entry) => store.segment(entry, call)));
  const tasks = segments
    .flatMap((segment) => {
      const { groups, columns } = planOf(segment, request, changes);
      return groups.map((group): Task => {
        const [low] = segment.bounds[group] as readonly [string, string];
        const ranges = rangesOf(segment.reader.metadata.row_groups[group] as never, columns);
        return { segment, group, columns, low, bytes: ranges.reduce((sum, [from, to]) => sum + to - from, 0) };
      });
    })
    .sort((a, b) => compareText(a.low, b.low));
  const fresh = [...changes.values()].filter((record) => record !== null).sort(byId);
  yield* merge(readTasks(store, tasks, changes, call), fresh);
}

/** Records of each task, and the id before which no later task has any. */
type Loaded = { readonly records: readonly WireRecord[]; readonly before: string | undefined };

async function* readTasks(
  store: Store,
  tasks: readonly Task[],
  changes: State["changes"],
  call: Call,
): AsyncGenerator<Loaded> {
  const windows: Task[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const task of tasks) {
    // the first is small, so that whoever wants few records reads few
    if (size + task.bytes > (windows.length === 1 ? windowBytes / 8 : windowBytes)) {
      windows.push([]);
      size = 0;
    }
    windows.at(-1)?.push(task);
    size += task.bytes;
  }
  const load = (window: readonly Task[] | undefined): Promise<(readonly WireRecord[])[]> => {
    const loading = window === undefined ? Promise.resolve([]) : readWindow(store, window, call);
    // told when it is asked for
    loading.catch(() => undefined);
    return loading;
  };
  let ahead = load(windows[0]);
  let index = 0;
  for (const [number, window] of windows.entries()) {
    const read = await ahead;
    ahead = load(windows[number + 1]);
    for (const records of read) {
      const [task] = window.splice(0, 1) as [Task];
      index++;
      const current = changes.size === 0 ? records : records.filter(({ id }) => !changes.has(id));
      yield { records: task.columns.has("id") ? current : records, before: tasks[index]?.low };
    }
  }
}

async function readWindow(store: Store, window: readonly Task[], call: Call): Promise<(readonly WireRecord[])[]> {
  const bySegment = new Map<Segment, Task[]>();
  for (const task of window) bySegment.set(task.segment, [...(bySegment.get(task.segment) ?? []), task]);
  const read = new Map<Task, readonly WireRecord[]>();
  await Promise.all(
    Array.from(bySegment, async ([segment, tasks]) => {
      const [{ columns }] = tasks as [Task];
      const groups = await readGroups(
        store,
        segment,
        tasks.map(({ group }) => group),
        columns,
        call,
      );
      for (const [index, task] of tasks.entries()) read.set(task, groups[index] as readonly WireRecord[]);
    }),
  );
  return window.map((task) => read.get(task) as readonly WireRecord[]);
}

/** Joins overlapping row groups and the logs' records in the order of ids. */
async function* merge(
  loaded: AsyncIterable<Loaded>,
  fresh: readonly WireRecord[],
): AsyncGenerator<readonly WireRecord[], void> {
  let waiting: readonly WireRecord[] = [];
  let taken = 0;
  for await (const { records, before } of loaded) {
    waiting = waiting.length === 0 ? records : [...waiting, ...records].sort(byId);
    const ready = before === undefined ? waiting.length : firstNotBefore(waiting, before);
    const until = before === undefined ? fresh.length : firstNotBefore(fresh, before, taken);
    const batch = waiting.slice(0, ready);
    const own = fresh.slice(taken, until);
    waiting = waiting.slice(ready);
    taken = until;
    if (batch.length + own.length > 0) yield own.length === 0 ? batch : [...batch, ...own].sort(byId);
  }
  if (taken < fresh.length) yield fresh.slice(taken);
}

function firstNotBefore(sorted: readonly WireRecord[], id: string, from = 0): number {
  let low = from;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareText((sorted[middle] as WireRecord).id, id) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function byId(a: WireRecord, b: WireRecord): number {
  return compareText(a.id, b.id);
}
