/** Records that are shared instead of copied: nobody can change them. */
import type { Json, WireRecord } from "./json.js";

/** The record, with its data and metadata frozen to the bottom. */
export function freezeRecord(record: WireRecord): WireRecord {
  freezeDeep(record.data);
  freezeDeep(record.metadata);
  return record;
}

function freezeDeep(value: Json): void {
  // whatever was frozen before was frozen to the bottom
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  for (const item of Object.values(value) as readonly Json[]) freezeDeep(item);
  Object.freeze(value);
}
