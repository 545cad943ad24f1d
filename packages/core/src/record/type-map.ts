/** Small operations on type maps; maps are never changed in place. */
import type { TypeMap, TypeTag } from "./json.js";

/** The map with one entry more. For one or two; many are collected in an object first. */
export function withType(types: TypeMap | null, pointer: string, tag: TypeTag): TypeMap {
  return types === null ? { [pointer]: tag } : { ...types, [pointer]: tag };
}

/** The entries that satisfy the test, or null where none does. */
export function filterTypes(types: TypeMap | null, keep: (pointer: string, tag: TypeTag) => boolean): TypeMap | null {
  if (types === null) return null;
  return fromEntries(Object.entries(types).filter(([pointer, tag]) => keep(pointer, tag)));
}

/** The entries at or below a pointer, as seen from there. */
export function typesBelow(types: TypeMap | null, at: string): TypeMap | null {
  if (types === null || at === "") return types;
  return fromEntries(
    Object.entries(types)
      .filter(([pointer]) => pointer === at || pointer.startsWith(`${at}/`))
      .map(([pointer, tag]) => [pointer.slice(at.length), tag]),
  );
}

function fromEntries(entries: readonly (readonly [string, TypeTag])[]): TypeMap | null {
  return entries.length === 0 ? null : Object.fromEntries(entries);
}

/** The tags that comparisons tell apart: a Date is a string to them and a Float32Array an array. */
export function isComparable(tag: TypeTag): boolean {
  return tag === "bigint" || tag === "bytes";
}
