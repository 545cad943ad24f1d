/** Vectors on their way into fields that are declared for them. */
import { DataknobsError } from "../errors.js";
import { walk } from "../match/access.js";
import type { VectorField } from "../query/lower-nearest.js";
import type { JsonObject, TypeMap } from "../record/json.js";

/**
 * Throws `INVALID_RECORD` where a Float32Array in a declared field has another number of dimensions, or is all zeros
 * under cosine. Anything else in the field is a value like another, which `nearest` does not find.
 */
export function checkVectors(
  fields: readonly VectorField[],
  root: "data" | "metadata",
  json: JsonObject,
  types: TypeMap | null,
): void {
  if (types === null) return;
  for (const { path, vector } of fields) {
    if (path.root !== root || types[path.pointer] !== "float32") continue;
    const value = walk(json, path.segments, 0);
    if (!Array.isArray(value)) continue;
    if (value.length !== vector.dimensions) {
      throw new DataknobsError(
        "INVALID_RECORD",
        `The vector in "${path.text}" has ${value.length} dimensions; the field is declared with ${vector.dimensions}.`,
        { path: path.text, dimensions: value.length },
      );
    }
    if (vector.metric === "cosine" && value.every((number) => number === 0)) {
      throw new DataknobsError(
        "INVALID_RECORD",
        `The vector in "${path.text}" is all zeros, which has no direction: the field is declared for cosine.`,
        { path: path.text },
      );
    }
  }
}
