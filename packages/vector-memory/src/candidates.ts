/** The rows that may be among the nearest, told by their codes: none that is, is left out. */
import { type Metric, NearestRows, normOf } from "@dataknobs/core/vector";
import { type Codes, roundInto } from "./codes.js";
import type { Int8Kernel } from "./int8-kernel.js";
import type { Slab } from "./slab.js";

/** Beside the rounding to 8 bits, that of the computation itself: rows that differ by less may be equally far in the end. */
const slack = 1e-9;

/**
 * With u = offset − factor · (inner product), which is as the distance is: of every row the least and the greatest u are
 * computed. A row whose least is beyond the k-th smallest greatest has k rows before it for certain.
 */
export function candidatesOf(
  kernel: Int8Kernel,
  slab: Slab,
  codes: Codes,
  metric: Metric,
  query: Float32Array,
  rows: Int32Array,
  limit: number,
): Int32Array {
  const { stride } = codes;
  kernel.bytes.fill(0, 0, stride);
  const rounded = roundInto(query, kernel.bytes, 0);
  const length = normOf(query);
  const own = metric === "euclidean" ? length * length : 0;
  const least = new Float64Array(rows.length);
  const greatest = new NearestRows<{ readonly id: string; readonly distance: number }>(limit);
  const block = kernel.rowsFor(stride);
  // all rows: then they lie one after another
  const isWhole = rows.length === slab.size;
  for (let from = 0; from < rows.length; from += block) {
    const count = Math.min(block, rows.length - from);
    if (isWhole) kernel.bytes.set(codes.bytes.subarray(from * stride, (from + count) * stride), stride);
    else {
      for (let at = 0; at < count; at++) {
        const row = rows[from + at] as number;
        kernel.bytes.set(codes.bytes.subarray(row * stride, (row + 1) * stride), stride * (at + 1));
      }
    }
    const sums = kernel.dots(stride, count);
    let { bound } = greatest;
    for (let at = 0; at < count; at++) {
      const row = rows[from + at] as number;
      const dot = (sums[at] as number) * rounded.scale * (codes.scales[row] as number);
      // q·v − q̂·v̂ = q·(v − v̂) + (q − q̂)·v̂
      const error = length * (codes.errors[row] as number) + rounded.error * (codes.lengths[row] as number);
      const scale = slab.scales[row] as number;
      const norm = scale === 0 ? 0 : 1 / scale;
      const factor = metric === "cosine" ? scale : metric === "dot" ? 1 : 2;
      const offset = metric === "euclidean" ? norm * norm : 0;
      const spread = factor * error + slack * (own + offset + factor * length * norm);
      const middle = offset - factor * dot;
      least[from + at] = middle - spread;
      if (middle + spread > bound) continue;
      greatest.add({ id: "", distance: middle + spread });
      bound = greatest.bound;
    }
  }
  const { bound } = greatest;
  const kept = new Int32Array(rows.length);
  let size = 0;
  for (let at = 0; at < rows.length; at++) {
    if ((least[at] as number) <= bound) kept[size++] = rows[at] as number;
  }
  return kept.subarray(0, size);
}
