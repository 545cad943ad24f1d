/** Distances in 64-bit floats from the vectors as they were given, whatever the index made of them. */
import type { Metric } from "@dataknobs/core/vector";
import type { Segments } from "./segments.js";

export type Measure = (slot: number) => number;

/** The inner product of a query and the numbers from `at`. Always summed in one order: equal vectors are equally far. */
function dot(query: Float64Array, vectors: Float32Array, at: number): number {
  const size = query.length;
  const whole = size - (size % 4);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let index = 0; index < whole; index += 4) {
    a += (query[index] as number) * (vectors[at + index] as number);
    b += (query[index + 1] as number) * (vectors[at + index + 1] as number);
    c += (query[index + 2] as number) * (vectors[at + index + 2] as number);
    d += (query[index + 3] as number) * (vectors[at + index + 3] as number);
  }
  for (let index = whole; index < size; index++) a += (query[index] as number) * (vectors[at + index] as number);
  return a + b + (c + d);
}

/** The squared L2 distance, by differences. */
function square(query: Float64Array, vectors: Float32Array, at: number): number {
  const size = query.length;
  const whole = size - (size % 4);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let index = 0; index < whole; index += 4) {
    const i = (query[index] as number) - (vectors[at + index] as number);
    const j = (query[index + 1] as number) - (vectors[at + index + 1] as number);
    const k = (query[index + 2] as number) - (vectors[at + index + 2] as number);
    const l = (query[index + 3] as number) - (vectors[at + index + 3] as number);
    a += i * i;
    b += j * j;
    c += k * k;
    d += l * l;
  }
  for (let index = whole; index < size; index++) {
    const i = (query[index] as number) - (vectors[at + index] as number);
    a += i * i;
  }
  return a + b + (c + d);
}

/** The distance of slots from one query. `scales`: 1 / |v| by slot. */
export function measureOf(
  metric: Metric,
  query: Float64Array,
  queryNorm: number,
  segments: Segments,
  scales: readonly number[],
): Measure {
  switch (metric) {
    case "cosine":
      return (slot) => {
        const product = dot(query, segments.segmentOf(slot), segments.offsetOf(slot));
        return 1 - Math.min(1, Math.max(-1, (product / queryNorm) * (scales[slot] as number)));
      };
    case "dot":
      return (slot) => -dot(query, segments.segmentOf(slot), segments.offsetOf(slot));
    case "euclidean":
      return (slot) => Math.sqrt(square(query, segments.segmentOf(slot), segments.offsetOf(slot)));
  }
}
