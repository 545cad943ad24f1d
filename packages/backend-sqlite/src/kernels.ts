/** Distances of rows of a matrix: the numbers that core's formulas give, summed in the same order. */
import { dots, type Metric, normOf, squares } from "@dataknobs/core/vector";

/** Measures the first `count` of the listed rows into `out`; NaN for zeros under cosine. */
export type Kernel = (
  vectors: Float32Array,
  norms: Float64Array,
  rows: Int32Array,
  count: number,
  out: Float64Array,
) => void;

export function kernelOf(metric: Metric, query: Float32Array): Kernel {
  const numbers = Float64Array.from(query);
  if (metric === "euclidean") {
    return (vectors, _norms, rows, count, out) => {
      squares(numbers, vectors, rows, 0, count, out);
      for (let at = 0; at < count; at++) out[at] = Math.sqrt(out[at] as number);
    };
  }
  if (metric === "dot") {
    return (vectors, _norms, rows, count, out) => {
      dots(numbers, vectors, rows, 0, count, out);
      for (let at = 0; at < count; at++) out[at] = -(out[at] as number);
    };
  }
  const norm = normOf(query);
  return (vectors, norms, rows, count, out) => {
    dots(numbers, vectors, rows, 0, count, out);
    for (let at = 0; at < count; at++) {
      const cosine = (out[at] as number) / (norm * (norms[rows[at] as number] as number));
      out[at] = 1 - Math.min(1, Math.max(-1, cosine));
    }
  };
}
