/** How near a record's vector is to another one. */
import type { Nearest } from "../query/lowered.js";
import type { WireRecord } from "../record/json.js";
import { distanceFrom } from "../vector/metric.js";
import { getterOf, typesOf } from "./access.js";

/**
 * The distance of the record's vector; `undefined` where it has none of as many numbers at the path, or, under cosine,
 * one of zeros.
 */
export function measureOf({ path, vector, metric }: Nearest): (record: WireRecord) => number | undefined {
  const get = getterOf(path);
  const types = typesOf(path);
  const distance = distanceFrom(metric, vector);
  const theirs = new Float32Array(vector.length);
  return (record) => {
    const value = get(record);
    if (!Array.isArray(value) || value.length !== vector.length) return undefined;
    if (types(record)?.[path.pointer] !== "float32") return undefined;
    theirs.set(value as number[]);
    const far = distance(theirs);
    // zeros under cosine, or what another program wrote there
    return Number.isNaN(far) ? undefined : far;
  };
}
