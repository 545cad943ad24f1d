/** Records by id: from the logs, or else from the one row group of the one segment that may have them. */
import { chunkRange, type ParquetReader, runNow } from "@dataknobs/backend-file/kit";
import { type Call, compareText, type WireRecord } from "@dataknobs/core/backend";
import type { Segment } from "./segment.js";
import type { State, Store } from "./store.js";

const ids: ReadonlySet<string> = new Set(["id"]);

interface Place {
  readonly segment: Segment;
  readonly group: number;
  readonly ids: Set<string>;
}

/** Where ids may be that no log tells of. */
async function places(
  store: Store,
  { manifest, changes }: State,
  wanted: Iterable<string>,
  call: Call,
): Promise<Place[]> {
  if (manifest.segments.length === 0) return [];
  const asked = [...new Set(wanted)].filter((id) => !changes.has(id)).sort(compareText);
  const found = new Map<string, Place>();
  const entries = manifest.segments.filter(({ low, high }) => {
    const at = firstFrom(asked, low);
    return at < asked.length && compareText(asked[at] as string, high) <= 0;
  });
  const segments = await Promise.all(entries.map((entry) => store.segment(entry, call, { byId: true })));
  for (const segment of segments) {
    const { low, high } = segment.entry;
    for (let at = firstFrom(asked, low); at < asked.length; at++) {
      const id = asked[at] as string;
      if (compareText(id, high) > 0) break;
      const group = segment.groupOf(id);
      if (group === undefined) continue;
      const name = `${segment.entry.key}:${group}`;
      const place = found.get(name) ?? { segment, group, ids: new Set() };
      place.ids.add(id);
      found.set(name, place);
    }
  }
  return [...found.values()];
}

/** The first position of a sorted list with this text or a greater one. */
function firstFrom(sorted: readonly string[], text: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareText(sorted[middle] as string, text) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The records that there are of these ids. `mostlyNew`: look at the ids alone first, which is less to read where none is. */
export async function find(
  store: Store,
  state: State,
  wanted: readonly string[],
  call: Call,
  { mostlyNew = false }: { readonly mostlyNew?: boolean } = {},
): Promise<Map<string, WireRecord>> {
  const found = new Map<string, WireRecord>();
  for (const id of wanted) {
    const record = state.changes.get(id);
    if (record !== undefined && record !== null) found.set(id, record);
  }
  const all = await places(store, state, wanted, call);
  const inFull = mostlyNew ? await holding(store, all, call) : all;
  await Promise.all(
    inFull.map(async ({ segment, group, ids: here }) => {
      const columns = segment.reader.plan(undefined, () => true).columns;
      const [records] = await readGroups(store, segment, [group], columns, call);
      for (const record of records ?? []) if (here.has(record.id)) found.set(record.id, record);
    }),
  );
  return found;
}

/** The segments that hold any of these ids. */
export async function segmentsWith(
  store: Store,
  state: State,
  wanted: readonly string[],
  call: Call,
): Promise<Set<string>> {
  // what logs tell of is what is asked for here
  const all = await places(store, { ...state, changes: new Map() }, wanted, call);
  return new Set((await holding(store, all, call)).map(({ segment }) => segment.entry.key));
}

async function holding(store: Store, all: readonly Place[], call: Call): Promise<Place[]> {
  const has = await Promise.all(
    all.map(async ({ segment, group, ids: here }) => {
      const [records] = await readGroups(store, segment, [group], ids, call);
      return records?.some(({ id }) => here.has(id)) === true;
    }),
  );
  return all.filter((_, index) => has[index]);
}

type RowGroup = ParquetReader["metadata"]["row_groups"][number];

/** The bytes of some columns of a row group. */
export function rangesOf(group: RowGroup, columns: ReadonlySet<string>): [start: number, end: number][] {
  return group.columns.flatMap(({ meta_data: meta }) => {
    if (meta === undefined || !columns.has(meta.path_in_schema[0] as string)) return [];
    const { start, end } = chunkRange(meta);
    return [[start, end]];
  });
}

/** The records of row groups of one segment. */
export async function readGroups(
  store: Store,
  segment: Segment,
  groups: readonly number[],
  columns: ReadonlySet<string>,
  call: Call,
): Promise<(readonly WireRecord[])[]> {
  const { reader, entry } = segment;
  const ranges = groups.flatMap((group) => rangesOf(reader.metadata.row_groups[group] as RowGroup, columns));
  const source = await store.ranges(entry, ranges, call);
  return groups.map((group) => runNow(reader.readGroup(source, group, columns)));
}
