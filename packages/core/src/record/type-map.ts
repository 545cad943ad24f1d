/** Small operations on type maps; maps are never changed in place. */
import type { TypeMap, TypeTag } from "./json.js";

/** The map with one entry more. */
export function withType(types: TypeMap | null, pointer: string, tag: TypeTag): TypeMap {
  return types === null ? { [pointer]: tag } : { ...types, [pointer]: tag };
}

/** The entries that satisfy the test, or null where none does. */
export function filterTypes(types: TypeMap | null, keep: (pointer: string, tag: TypeTag) => boolean): TypeMap | null {
  let kept: TypeMap | null = null;
  for (const [pointer, tag] of Object.entries(types ?? {})) if (keep(pointer, tag)) kept = withType(kept, pointer, tag);
  return kept;
}

/** The entries at or below a pointer, as seen from there. */
export function typesBelow(types: TypeMap | null, at: string): TypeMap | null {
  if (types === null || at === "") return types;
  let below: TypeMap | null = null;
  for (const [pointer, tag] of Object.entries(types)) {
    if (pointer === at || pointer.startsWith(`${at}/`)) below = withType(below, pointer.slice(at.length), tag);
  }
  return below;
}

/** The tags that comparisons tell apart: a Date is a string to them and a Float32Array an array. */
export function isComparable(tag: TypeTag): boolean {
  return tag === "bigint" || tag === "bytes";
}
