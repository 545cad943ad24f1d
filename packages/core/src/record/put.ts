/** Changing one place of plain JSON, in a copy. */
import type { Json, JsonObject } from "./json.js";
import { copyFields, setOwn } from "./values.js";

/** A copy with the value at the place; without it for `undefined`. */
export function putAt(
  json: JsonObject,
  [segment = "", ...below]: readonly string[],
  value: Json | undefined,
): JsonObject {
  const copy = copyFields(json);
  if (below.length > 0) {
    const inner = Object.hasOwn(json, segment) ? json[segment] : undefined;
    const isObject = typeof inner === "object" && inner !== null && !Array.isArray(inner);
    if (value === undefined && !isObject) return json;
    setOwn(copy, segment, putAt(isObject ? (inner as JsonObject) : {}, below, value));
  } else if (value === undefined) delete copy[segment];
  else setOwn(copy, segment, value);
  return copy as JsonObject;
}
