/**
 * Vectors rounded to 8 bits beside the true ones: v ≈ scale · codes, with the length of what rounding took away. So the
 * true inner product with any query is known to lie within an interval, and rows whose interval is out of reach need not
 * be measured: the answer stays exact.
 */

/** One vector's rounding. */
export interface Rounded {
  readonly scale: number;
  /** |scale · codes|. */
  readonly length: number;
  /** |v − scale · codes|. */
  readonly error: number;
}

export class Codes {
  /** Bytes of one row: the dimensions, filled up to sixteens with zeros. */
  readonly stride: number;
  bytes: Int8Array;
  scales: Float64Array;
  lengths: Float64Array;
  errors: Float64Array;

  constructor(dimensions: number, capacity: number) {
    this.stride = strideOf(dimensions);
    this.bytes = new Int8Array(capacity * this.stride);
    this.scales = new Float64Array(capacity);
    this.lengths = new Float64Array(capacity);
    this.errors = new Float64Array(capacity);
  }

  set(at: number, vector: Float32Array): void {
    const { scale, length, error } = roundInto(vector, this.bytes, at * this.stride);
    this.scales[at] = scale;
    this.lengths[at] = length;
    this.errors[at] = error;
  }

  move(from: number, to: number): void {
    this.bytes.copyWithin(to * this.stride, from * this.stride, (from + 1) * this.stride);
    for (const list of [this.scales, this.lengths, this.errors]) list[to] = list[from] as number;
  }

  reserve(capacity: number): void {
    const bytes = new Int8Array(capacity * this.stride);
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.scales = longer(this.scales, capacity);
    this.lengths = longer(this.lengths, capacity);
    this.errors = longer(this.errors, capacity);
  }
}

export function strideOf(dimensions: number): number {
  return Math.ceil(dimensions / 16) * 16;
}

/** Puts the codes of a vector into place. A vector of zeros has codes of zeros. */
export function roundInto(vector: Float32Array, into: Int8Array, start: number): Rounded {
  let most = 0;
  for (let index = 0; index < vector.length; index++) most = Math.max(most, Math.abs(vector[index] as number));
  const scale = most / 127;
  let length = 0;
  let error = 0;
  for (let index = 0; index < vector.length; index++) {
    const number = vector[index] as number;
    const code = scale === 0 ? 0 : Math.round(number / scale);
    into[start + index] = code;
    length += code * code;
    const off = number - scale * code;
    error += off * off;
  }
  return { scale, length: scale * Math.sqrt(length), error: Math.sqrt(error) };
}

export function longer(list: Float64Array, capacity: number): Float64Array {
  const copy = new Float64Array(capacity);
  copy.set(list);
  return copy;
}
