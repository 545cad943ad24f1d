/**
 * One index of Faiss, every call checked before it is made: what Faiss refuses ends the process. Rows are appended only;
 * a row's label is its place in that order.
 */
import { DataknobsError } from "@dataknobs/core/backend";
import type { Metric } from "@dataknobs/core/vector";
import type { Driver, FaissIndex } from "./driver.js";
import { name } from "./errors.js";
import type { IndexType } from "./index-type.js";
import type { Parameters } from "./options.js";
import { readHead, writeParameters } from "./parameters.js";

export interface IndexShape {
  readonly dimensions: number;
  readonly metric: Metric;
  readonly type: IndexType;
  readonly parameters: Parameters;
}

/** Numbers that are handed over at once. */
const numbersAtOnce = 1 << 18;

/** Cosine is the inner product of vectors of length 1. */
const faissMetric = (metric: Metric): number => (metric === "euclidean" ? 1 : 0);

/** Copies numbers to a plain list, which is all that faiss-node takes. */
type Fill = (into: number[], row: number, at: number) => void;

export class NativeIndex {
  readonly #shape: IndexShape;
  readonly #index: FaissIndex;
  #count = 0;
  /** Of the last search: Faiss copies what it is given. */
  #asked: number[] = [];

  private constructor(shape: IndexShape, index: FaissIndex, count: number) {
    this.#shape = shape;
    this.#index = index;
    this.#count = count;
    if (index.getDimension() !== shape.dimensions || index.ntotal() !== count) {
      throw new DataknobsError("UNEXPECTED", "Faiss made another index than it was asked for.", { backend: name });
    }
  }

  /** Makes an empty index, trained with the first `training` rows that `fill` gives. */
  static make(driver: Driver, shape: IndexShape, training: number, fill: Fill): NativeIndex {
    const { dimensions, metric, type, parameters } = shape;
    let index = driver.make(dimensions, type.text, faissMetric(metric));
    if (!index.isTrained()) {
      if (training < type.leastTraining) {
        throw new DataknobsError("UNEXPECTED", `${type.text} was to be trained with ${training} vectors.`, {
          backend: name,
        });
      }
      index.train(listOf(dimensions, 0, training, fill));
    }
    if (Object.values(parameters).some((value) => value !== undefined)) {
      const image = index.toBuffer();
      writeParameters(image, parameters);
      index = driver.read(image);
    }
    return new NativeIndex(shape, index, 0);
  }

  /** Reads an image; `undefined` where it is not of this shape and length. */
  static read(driver: Driver, shape: IndexShape, image: Uint8Array, count: number): NativeIndex | undefined {
    const head = readHead(image);
    const right =
      head?.dimensions === shape.dimensions &&
      head.count === count &&
      head.trained &&
      head.metric === faissMetric(shape.metric);
    if (!right) return undefined;
    writeParameters(image, shape.parameters);
    return new NativeIndex(shape, driver.read(image), count);
  }

  get count(): number {
    return this.#count;
  }

  /** Appends rows: their labels go on from `count`. */
  add(rows: number, fill: Fill): void {
    const { dimensions } = this.#shape;
    const step = Math.max(1, Math.floor(numbersAtOnce / dimensions));
    for (let from = 0; from < rows; from += step) {
      const to = Math.min(rows, from + step);
      this.#index.add(listOf(dimensions, from, to, fill));
      this.#count += to - from;
    }
  }

  /** The nearest rows of each query, `fetch` for each, with label -1 where there were too few. */
  search(queries: number, fetch: number, fill: Fill): ReturnType<FaissIndex["search"]> {
    if (fetch < 1 || fetch > this.#count) {
      throw new DataknobsError("UNEXPECTED", `${fetch} of ${this.#count} rows were asked for.`, { backend: name });
    }
    this.#asked = listOf(this.#shape.dimensions, 0, queries, fill, this.#asked);
    return this.#index.search(this.#asked, fetch);
  }

  image(): Uint8Array {
    return this.#index.toBuffer();
  }
}

/** `used`: a list to fill again, where it has the right length. */
function listOf(dimensions: number, from: number, to: number, fill: Fill, used?: number[]): number[] {
  const length = (to - from) * dimensions;
  const numbers: number[] = used?.length === length ? used : new Array(length);
  for (let row = from; row < to; row++) fill(numbers, row, (row - from) * dimensions);
  return numbers;
}
