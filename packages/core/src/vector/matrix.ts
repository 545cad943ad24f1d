/** Vectors as they come in: checked, rounded to 32-bit floats, and laid one after another. */
import { DataknobsError, type ErrorCode } from "../errors.js";
import type { CheckedVectorSettings } from "./settings.js";
import type { VectorRow } from "./spi.js";

/** What users hold a vector in. */
export type VectorInput = Float32Array | Float64Array | readonly number[];

/**
 * Copies a vector into its place. Refuses wrong lengths, what is not a finite number (as a 32-bit float), and zeros only
 * where the metric is cosine.
 */
export function copyVector(
  vector: unknown,
  into: Float32Array,
  { dimensions, metric }: Pick<CheckedVectorSettings, "dimensions" | "metric">,
  code: ErrorCode,
  subject: string,
): void {
  if (!isNumberList(vector)) {
    throw new DataknobsError(code, `${subject} is a Float32Array or a list of numbers.`, { dimensions });
  }
  if (vector.length !== dimensions) {
    throw new DataknobsError(code, `${subject} has ${vector.length} dimensions; this store has ${dimensions}.`, {
      dimensions,
      actual: vector.length,
    });
  }
  copyNumbers(vector, into);
  let isZero = true;
  for (let index = 0; index < dimensions; index++) {
    // the sum makes a negative zero a zero: it would come back from one store and not from another
    const rounded = (into[index] as number) + 0;
    if (rounded - rounded !== 0) throw notFinite(code, subject, vector[index], index);
    into[index] = rounded;
    if (rounded !== 0) isZero = false;
  }
  if (isZero && metric === "cosine") {
    throw new DataknobsError(
      code,
      `${subject} is zero in every dimension: it has no direction, which cosine measures.`,
      {
        metric,
      },
    );
  }
}

function copyNumbers(vector: ArrayLike<unknown>, into: Float32Array): void {
  if (!Array.isArray(vector)) {
    into.set(vector as ArrayLike<number>);
    return;
  }
  for (let index = 0; index < into.length; index++) {
    const number: unknown = vector[index];
    // a list may hold anything, and a text would be taken for a number
    into[index] = typeof number === "number" ? number : Number.NaN;
  }
}

/** The vectors of rows that core handed over, one after another; rows of other origin are copied together. */
export function matrixOf(rows: readonly Pick<VectorRow, "vector">[]): Float32Array {
  const first = rows[0]?.vector;
  if (first === undefined) return new Float32Array(0);
  const { buffer, byteOffset, length } = first;
  const apart = rows.findIndex(
    ({ vector }, index) => vector.buffer !== buffer || vector.byteOffset !== byteOffset + index * length * 4,
  );
  if (apart < 0) return new Float32Array(buffer, byteOffset, rows.length * length);
  const matrix = new Float32Array(rows.length * length);
  for (const [index, { vector }] of rows.entries()) matrix.set(vector, index * length);
  return matrix;
}

function isNumberList(value: unknown): value is ArrayLike<unknown> {
  if (Array.isArray(value)) return true;
  const tag = Object.prototype.toString.call(value);
  return tag === "[object Float32Array]" || tag === "[object Float64Array]";
}

function notFinite(code: ErrorCode, subject: string, number: unknown, index: number): DataknobsError {
  const what =
    typeof number !== "number"
      ? `a ${number === null ? "null" : typeof number}`
      : Number.isFinite(number)
        ? `${number}, beyond what a 32-bit float holds`
        : String(number);
  return new DataknobsError(code, `${subject} has ${what} at index ${index}; every element is a finite number.`, {
    index,
  });
}
