/** `select`: the named paths of the data, nested shape kept; unknown ones are left out. */
import { walk } from "../match/access.js";
import type { Path } from "../query/lowered.js";
import type { Json, JsonObject, TypeMap, WireRecord } from "../record/json.js";
import { filterTypes } from "../record/type-map.js";
import { setOwn } from "../record/values.js";

/** A function from record to the same record with only the selected data. Paths outside the data change nothing. */
export function projectorOf(select: readonly Path[] | undefined): (record: WireRecord) => WireRecord {
  if (select === undefined) return (record) => record;
  const selected = select.filter((path) => path.root === "data");
  if (selected.some((path) => path.segments.length === 0)) return (record) => record;
  // "a" holds "a.b" already
  const paths = selected.filter((path) => !selected.some((other) => path.pointer.startsWith(`${other.pointer}/`)));
  return (record) => {
    const data: { [key: string]: unknown } = {};
    const kept: Path[] = [];
    for (const path of paths) {
      const value = walk(record.data, path.segments, 0);
      if (value === undefined) continue;
      place(data, path.segments, value);
      kept.push(path);
    }
    return { ...record, data: data as JsonObject, types: keepTypes(record.types, kept) };
  };
}

function place(target: { [key: string]: unknown }, segments: readonly string[], value: Json): void {
  let container = target;
  for (const segment of segments.slice(0, -1)) {
    if (!Object.hasOwn(container, segment)) setOwn(container, segment, {});
    container = container[segment] as { [key: string]: unknown };
  }
  setOwn(container, segments.at(-1) as string, value);
}

function keepTypes(types: TypeMap | null, paths: readonly Path[]): TypeMap | null {
  return filterTypes(types, (pointer) =>
    paths.some((path) => pointer === path.pointer || pointer.startsWith(`${path.pointer}/`)),
  );
}
