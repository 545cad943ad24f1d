/** The nearest rows of a slab: first the filter, then only what satisfies it is measured. */

import type { Lowered } from "@dataknobs/core/backend";
import { dots, type Metric, NearestRows, normOf, rowMatcherOf, squares } from "@dataknobs/core/vector";
import { candidatesOf } from "./candidates.js";
import { int8Kernel } from "./int8-kernel.js";
import type { Slab, SlabRow } from "./slab.js";

export interface Found {
  readonly id: string;
  readonly distance: number;
  readonly row: SlabRow;
}

/** Measured at once; small enough to stay in the processor's nearest cache. */
const block = 512;
const results = new Float64Array(block);

/** The numbers of the rows that satisfy a filter. */
export function rowsOf(slab: Slab, where: Lowered | undefined): Int32Array {
  const numbers = new Int32Array(slab.size);
  if (where === undefined) {
    for (let at = 0; at < numbers.length; at++) numbers[at] = at;
    return numbers;
  }
  let count = 0;
  rowMatcherOf(where).each(slab.rows, (row) => {
    numbers[count++] = row.at;
  });
  return numbers.subarray(0, count);
}

/** The nearest `limit` of these rows, nearest first, ties by id. */
export function nearestOf(
  slab: Slab,
  metric: Metric,
  query: Float32Array,
  rows: Int32Array,
  limit: number,
): readonly Found[] {
  const candidates = narrowed(slab, metric, query, rows, limit);
  return measured(slab, metric, query, candidates, limit);
}

/** Below so many rows the way by codes is the longer one. */
const fewRows = 1000;

function narrowed(slab: Slab, metric: Metric, query: Float32Array, rows: Int32Array, limit: number): Int32Array {
  const { codes } = slab;
  if (codes === undefined || rows.length < fewRows || limit * 4 > rows.length) return rows;
  const kernel = int8Kernel();
  if (kernel === undefined || kernel.rowsFor(codes.stride) === 0) return rows;
  return candidatesOf(kernel, slab, codes, metric, query, rows, limit);
}

function measured(slab: Slab, metric: Metric, query: Float32Array, rows: Int32Array, limit: number): readonly Found[] {
  const kernel = metric === "euclidean" ? squares : dots;
  const distances = distancesBy(slab, metric, query);
  const wide = Float64Array.from(query);
  const nearest = new NearestRows<Found>(limit);
  for (let from = 0; from < rows.length; from += block) {
    const to = Math.min(from + block, rows.length);
    kernel(wide, slab.vectors, rows, from, to, results);
    distances(rows, from, to);
    let { bound } = nearest;
    for (let at = from; at < to; at++) {
      const distance = results[at - from] as number;
      if (distance > bound) continue;
      const row = slab.rows[rows[at] as number] as SlabRow;
      nearest.add({ id: row.id, distance, row });
      bound = nearest.bound;
    }
  }
  return nearest.sorted();
}

/** Makes distances of what the kernel left in `results`. */
function distancesBy(
  slab: Slab,
  metric: Metric,
  query: Float32Array,
): (rows: Int32Array, from: number, to: number) => void {
  switch (metric) {
    case "cosine": {
      const scale = 1 / normOf(query);
      const { scales } = slab;
      return (rows, from, to) => {
        for (let at = from; at < to; at++) {
          const cosine = (results[at - from] as number) * scale * (scales[rows[at] as number] as number);
          results[at - from] = 1 - Math.min(1, Math.max(-1, cosine));
        }
      };
    }
    case "dot":
      return (_, from, to) => {
        for (let at = 0; at < to - from; at++) results[at] = -(results[at] as number);
      };
    case "euclidean":
      return (_, from, to) => {
        for (let at = 0; at < to - from; at++) results[at] = Math.sqrt(results[at] as number);
      };
  }
}
