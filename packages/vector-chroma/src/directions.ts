/**
 * Vectors of cosine collections come back from Chroma scaled to length 1, and a last bit off. What brings the given
 * vector back to the bit is kept beside: its length, and the last 4 bits of every number. Where that would not do, the
 * whole vector is kept.
 */
import { fromBase64, toBase64 } from "@dataknobs/core/backend";

const bits = 4;
const span = 1 << bits;
const words = new Uint32Array(1);
const float = new Float32Array(words.buffer);

/** The Euclidean length, without overflow. */
function lengthOf(vector: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < vector.length; index++) sum += (vector[index] as number) ** 2;
  return Math.sqrt(sum);
}

/**
 * What Chroma is to measure: the vector, or where 32-bit squares would overflow or vanish, a multiple by a power of two,
 * which has the same direction to the bit.
 */
export function measurable(vector: Float32Array): Float32Array {
  const exponent = Math.round(Math.log2(lengthOf(vector)));
  return Math.abs(exponent) <= 30 ? vector : vector.map((number) => number * 2 ** -exponent);
}

/** What `restore` needs beside what Chroma gives back. */
export function mementoOf(vector: Float32Array): string {
  const length = lengthOf(vector);
  const head = new Uint8Array(new Float64Array([length]).buffer);
  const memento = new Uint8Array(head.length + Math.ceil((vector.length * bits) / 8));
  memento.set(head);
  const stored = new Uint32Array(vector.buffer, vector.byteOffset, vector.length);
  for (let index = 0; index < vector.length; index++) {
    const low = (stored[index] as number) % span;
    const at = head.length + (index >> 1);
    memento[at] = (memento[at] as number) | (index % 2 === 0 ? low : low << bits);
  }
  // numbers far below the length lose their digits at length 1
  for (let index = 0; index < vector.length; index++) {
    const number = vector[index] as number;
    if (number !== 0 && Math.abs(number) < length * 1e-30) return whole(vector);
  }
  return `b${toBase64(memento)}`;
}

function whole(vector: Float32Array): string {
  return `w${toBase64(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength))}`;
}

/** The vector as it was given. `undefined` where the memento is none of this vector. */
export function restore(given: readonly number[], memento: string): Float32Array | undefined {
  const bytes = fromBase64(memento.slice(1));
  if (bytes === undefined) return undefined;
  if (memento.startsWith("w")) {
    return bytes.length === given.length * 4 ? new Float32Array(bytes.slice().buffer) : undefined;
  }
  if (!memento.startsWith("b") || bytes.length !== 8 + Math.ceil((given.length * bits) / 8)) return undefined;
  const [length = 0] = new Float64Array(bytes.slice(0, 8).buffer);
  const scale = length / lengthOf(given);
  const vector = new Float32Array(given.length);
  for (let index = 0; index < given.length; index++) {
    const byte = bytes[8 + (index >> 1)] as number;
    const low = index % 2 === 0 ? byte % span : byte >> bits;
    vector[index] = nearestWith(low, (given[index] as number) * scale);
  }
  return vector;
}

/** The float nearest to this number of those that end with these bits. */
function nearestWith(low: number, about: number): number {
  if (about === 0) return 0;
  float[0] = about;
  const word = words[0] as number;
  // neighbouring floats of one sign are neighbouring integers
  const off = (low - (word % span) + span) % span;
  words[0] = word + (off > span / 2 ? off - span : off);
  return float[0];
}
