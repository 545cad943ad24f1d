/**
 * Distances of rows of a matrix: four rows side by side, each summed in the order of core's formulas, so that the numbers
 * are the same.
 */
import { type Metric, normOf } from "@dataknobs/core/vector";

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
      sums(numbers, vectors, rows, count, out, true);
      for (let at = 0; at < count; at++) out[at] = Math.sqrt(out[at] as number);
    };
  }
  if (metric === "dot") {
    return (vectors, _norms, rows, count, out) => {
      sums(numbers, vectors, rows, count, out, false);
      for (let at = 0; at < count; at++) out[at] = -(out[at] as number);
    };
  }
  const norm = normOf(query);
  return (vectors, norms, rows, count, out) => {
    sums(numbers, vectors, rows, count, out, false);
    for (let at = 0; at < count; at++) {
      const cosine = (out[at] as number) / (norm * (norms[rows[at] as number] as number));
      out[at] = 1 - Math.min(1, Math.max(-1, cosine));
    }
  };
}

/** Inner products, or squared distances. */
function sums(
  query: Float64Array,
  vectors: Float32Array,
  rows: Int32Array,
  count: number,
  out: Float64Array,
  squared: boolean,
): void {
  const add = squared ? squares : products;
  let at = 0;
  for (; at + 4 <= count; at += 4) add(query, vectors, rows, at, out);
  // the last few, each as if it were four
  const rest = new Int32Array(4);
  const one = new Float64Array(4);
  for (; at < count; at++) {
    rest.fill(rows[at] as number);
    add(query, vectors, rest, 0, one);
    out[at] = one[0] as number;
  }
}

function products(query: Float64Array, vectors: Float32Array, rows: Int32Array, at: number, out: Float64Array): void {
  const size = query.length;
  const p = (rows[at] as number) * size;
  const q = (rows[at + 1] as number) * size;
  const r = (rows[at + 2] as number) * size;
  const s = (rows[at + 3] as number) * size;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let index = 0; index < size; index++) {
    const number = query[index] as number;
    a += number * (vectors[p + index] as number);
    b += number * (vectors[q + index] as number);
    c += number * (vectors[r + index] as number);
    d += number * (vectors[s + index] as number);
  }
  out[at] = a;
  out[at + 1] = b;
  out[at + 2] = c;
  out[at + 3] = d;
}

function squares(query: Float64Array, vectors: Float32Array, rows: Int32Array, at: number, out: Float64Array): void {
  const size = query.length;
  const p = (rows[at] as number) * size;
  const q = (rows[at + 1] as number) * size;
  const r = (rows[at + 2] as number) * size;
  const s = (rows[at + 3] as number) * size;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let index = 0; index < size; index++) {
    const number = query[index] as number;
    const i = number - (vectors[p + index] as number);
    const j = number - (vectors[q + index] as number);
    const k = number - (vectors[r + index] as number);
    const l = number - (vectors[s + index] as number);
    a += i * i;
    b += j * j;
    c += k * k;
    d += l * l;
  }
  out[at] = a;
  out[at + 1] = b;
  out[at + 2] = c;
  out[at + 3] = d;
}
