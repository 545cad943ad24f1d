/**
 * The inner loops: four rows side by side, so that each number of the query is read once for four. Sums are in 64-bit
 * floats and in the same order for every row, so that equal vectors are equally far.
 */

/** Measures the rows `from` up to `to` of a list of row numbers; results go into `out` from 0. */
export type Kernel = (
  query: Float64Array,
  vectors: Float32Array,
  rows: Int32Array,
  from: number,
  to: number,
  out: Float64Array,
) => void;

/** Inner products of a query with listed rows of a matrix, as 64-bit floats. */
export const dots: Kernel = (query, vectors, rows, from, to, out) => {
  const size = query.length;
  let at = from;
  for (; at + 4 <= to; at += 4) {
    const [p, q, r, s] = offsets(rows, at, size);
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
    out[at - from] = a;
    out[at - from + 1] = b;
    out[at - from + 2] = c;
    out[at - from + 3] = d;
  }
  for (; at < to; at++) {
    const p = (rows[at] as number) * size;
    let a = 0;
    for (let index = 0; index < size; index++) a += (query[index] as number) * (vectors[p + index] as number);
    out[at - from] = a;
  }
};

/** Squared L2 distances, likewise. By differences: from norms and an inner product, the nearest would lose their digits. */
export const squares: Kernel = (query, vectors, rows, from, to, out) => {
  const size = query.length;
  let at = from;
  for (; at + 4 <= to; at += 4) {
    const [p, q, r, s] = offsets(rows, at, size);
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
    out[at - from] = a;
    out[at - from + 1] = b;
    out[at - from + 2] = c;
    out[at - from + 3] = d;
  }
  for (; at < to; at++) {
    const p = (rows[at] as number) * size;
    let a = 0;
    for (let index = 0; index < size; index++) {
      const i = (query[index] as number) - (vectors[p + index] as number);
      a += i * i;
    }
    out[at - from] = a;
  }
};

function offsets(rows: Int32Array, at: number, size: number): [number, number, number, number] {
  return [
    (rows[at] as number) * size,
    (rows[at + 1] as number) * size,
    (rows[at + 2] as number) * size,
    (rows[at + 3] as number) * size,
  ];
}
