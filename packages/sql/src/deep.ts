/** Arrays and objects as text: for functions that dialects register with their engine. */
import { classOf, type Json, keyOf, parseJson, type TypeMap } from "@dataknobs/core/backend";

/** Equal for equal values; what sets and unique indexes compare. */
export function deepKeyOf(json: string, types: string | null, pointer: string): string {
  return String(keyOf(parseJson(json), parseTypes(types), pointer));
}

/** `[value, types]` with sorted keys: equal for equal values, and to be read back. */
export function deepCellOf(json: string, types: string | null, pointer: string): string {
  const map = parseTypes(types);
  const below = Object.entries(map ?? {})
    .filter(([at, tag]) => (tag === "bigint" || tag === "bytes") && at.startsWith(`${pointer}/`))
    .map(([at, tag]) => [at.slice(pointer.length), tag] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([sorted(parseJson(json)), below.length === 0 ? null : Object.fromEntries(below)]);
}

function parseTypes(types: string | null): TypeMap | null {
  return types === null ? null : (parseJson(types) as unknown as TypeMap);
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (classOf(value, null, "") !== "object") return value;
  const fields = value as { readonly [key: string]: Json };
  // entries of own keys, so that `__proto__` stays a key
  return Object.fromEntries(
    Object.keys(fields)
      .sort()
      .map((key) => [key, sorted(fields[key] as Json)]),
  );
}
