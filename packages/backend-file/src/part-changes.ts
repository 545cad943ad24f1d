/** Which parts of a folder a write concerns. */
import type { WireRecord } from "@dataknobs/core/backend";
import type { Change } from "./image.js";
import { type Commit, changesOf, type Found } from "./storage.js";

/** The key of each changed record's part, afterwards; `undefined`: deleted. */
export type Homes = ReadonlyMap<string, string | undefined>;

/** The keys of parts that have any of the records, before or after. */
export function touchedBy(
  changes: readonly Change[],
  homes: Homes,
  homeOf: (id: string) => string | undefined,
): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const [id] of changes) for (const key of [homeOf(id), homes.get(id)]) if (key !== undefined) keys.add(key);
  return keys;
}

/** New states of records by part and id; a record that moves is deleted from one and comes into another. */
export function changesByPart(
  batches: Commit["batches"],
  homes: Homes,
  places: Found,
): ReadonlyMap<string, ReadonlyMap<string, WireRecord | undefined>> {
  const changes = new Map<string, Map<string, WireRecord | undefined>>();
  const changed = (key: string, id: string, after: WireRecord | undefined): void => {
    const list = changes.get(key);
    if (list === undefined) changes.set(key, new Map([[id, after]]));
    else list.set(id, after);
  };
  for (const [id, after] of changesOf(batches).changes) {
    const [before, now] = [places.get(id)?.part, homes.get(id)];
    if (before !== undefined && before !== now) changed(before, id, undefined);
    if (now !== undefined) changed(now, id, after);
  }
  return changes;
}
