/** The vectors that a search asks for. */
import { type Measure, measureOf } from "./measure.js";
import type { IndexShape } from "./native-index.js";
import type { Segments } from "./segments.js";

/** Squares and their sums stay well within what a 32-bit float holds. */
export const fitNorm = (norm: number): boolean => norm === 0 || (norm > 1e-12 && norm < 1e12);

/** Vectors that are asked for, in the forms that are needed. */
export class Queries {
  readonly count: number;
  readonly #numbers: Float32Array;
  readonly #shape: IndexShape;
  readonly #segments: Segments;
  readonly #scales: readonly number[];
  readonly #norms: number[] = [];
  readonly #wide: Float64Array;

  /** `wide`: room for the query that is measured, as 64-bit floats. */
  constructor(
    numbers: Float32Array,
    shape: IndexShape,
    segments: Segments,
    scales: readonly number[],
    wide: Float64Array,
  ) {
    this.#numbers = numbers;
    this.#shape = shape;
    this.#segments = segments;
    this.#scales = scales;
    this.#wide = wide;
    this.count = numbers.length / shape.dimensions;
    for (let query = 0; query < this.count; query++) {
      this.#norms.push(normOf(numbers, query * shape.dimensions, (query + 1) * shape.dimensions));
    }
  }

  /** Whether 32-bit floats hold their distances. */
  get fit(): boolean {
    return this.#shape.metric === "cosine" || this.#norms.every(fitNorm);
  }

  /** Good until the next query is measured. */
  measure(query: number): Measure {
    const { dimensions, metric } = this.#shape;
    const from = query * dimensions;
    this.#wide.set(this.#numbers.subarray(from, from + dimensions));
    return measureOf(metric, this.#wide, this.#norms[query] as number, this.#segments, this.#scales);
  }

  copy(query: number, into: number[], to: number): void {
    const { dimensions, metric } = this.#shape;
    const scale = metric === "cosine" ? 1 / (this.#norms[query] as number) : 1;
    const numbers = this.#numbers;
    const at = query * dimensions;
    for (let index = 0; index < dimensions; index++) into[to + index] = (numbers[at + index] as number) * scale;
  }
}

export function normOf(numbers: Float32Array, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < to; at++) {
    const number = numbers[at] as number;
    sum += number * number;
  }
  return Math.sqrt(sum);
}
