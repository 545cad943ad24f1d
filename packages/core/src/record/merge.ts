/** Top-level merge of fields: what `patch` means. */
import type { JsonObject, TypeMap, TypeTag } from "./json.js";
import { escapeSegment } from "./pointer.js";
import { copyFields, setOwn } from "./values.js";

/** The stored fields with those of the patch put over them. Neither is changed. */
export function mergeFields(
  data: JsonObject,
  types: TypeMap | null,
  patch: JsonObject,
  patchTypes: TypeMap | null,
): { readonly data: JsonObject; readonly types: TypeMap | null } {
  const merged = copyFields(data);
  for (const key of Object.keys(patch)) setOwn(merged, key, patch[key]);
  if (types === null && patchTypes === null) return { data: merged as JsonObject, types: null };
  const replaced = new Set(Object.keys(patch).map((key) => `/${escapeSegment(key)}`));
  const kept: { [pointer: string]: TypeTag } = {};
  for (const [pointer, tag] of Object.entries(types ?? {})) {
    const next = pointer.indexOf("/", 1);
    if (!replaced.has(next < 0 ? pointer : pointer.slice(0, next))) kept[pointer] = tag;
  }
  Object.assign(kept, patchTypes);
  return { data: merged as JsonObject, types: Object.keys(kept).length === 0 ? null : kept };
}
