/** Records that are shared instead of copied: nobody can change them. */
import type { Json, WireRecord } from "./json.js";

/** The record, with its data and metadata frozen to the bottom. */
export function freezeRecord(record: WireRecord): WireRecord {
  // whatever was frozen before was frozen to the bottom
  if (!Object.isFrozen(record.data)) freezeDeep(record.data);
  if (!Object.isFrozen(record.metadata)) freezeDeep(record.metadata);
  return record;
}

/** Plain JSON, frozen to the bottom. */
export function freezeDeep(value: Json): void {
  if (Array.isArray(value)) for (const item of value as readonly Json[]) freezeInner(item);
  // plain JSON: every enumerable key is its own
  else for (const key in value as object) freezeInner((value as { readonly [key: string]: Json })[key] as Json);
  Object.freeze(value);
}

function freezeInner(value: Json): void {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) freezeDeep(value);
}
