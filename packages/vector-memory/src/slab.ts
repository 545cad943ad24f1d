/**
 * The rows of one scope: vectors one after another in one array, which doubles when it is full; a deleted row's place
 * is taken by the last one. The rest of a row lies beside it under the same number.
 */
import { normOf, type VectorRow } from "@dataknobs/core/vector";
import { Codes, longer } from "./codes.js";

/** A row without its vector, which is in the slab. Never changed but for its number: a change makes a new one. */
export interface SlabRow extends Omit<VectorRow, "vector"> {
  /** Its number in the slab. */
  at: number;
}

export interface SlabOptions {
  readonly dimensions: number;
  readonly quantised: boolean;
}

export class Slab {
  readonly dimensions: number;
  vectors: Float32Array;
  /** 1 / |v|: what makes an inner product a cosine. */
  scales: Float64Array;
  /** Only with quantisation. */
  readonly codes: Codes | undefined;
  readonly rows: SlabRow[] = [];
  readonly #byId = new Map<string, SlabRow>();

  constructor({ dimensions, quantised }: SlabOptions, capacity = 16) {
    this.dimensions = dimensions;
    this.codes = quantised ? new Codes(dimensions, capacity) : undefined;
    this.vectors = new Float32Array(capacity * dimensions);
    this.scales = new Float64Array(capacity);
  }

  get size(): number {
    return this.rows.length;
  }

  get(id: string): SlabRow | undefined {
    return this.#byId.get(id);
  }

  /** Inserts or replaces. */
  set({ id, vector, metadata, metadataTypes, text }: VectorRow): void {
    const at = this.#byId.get(id)?.at ?? this.rows.length;
    this.#reserve(at + 1);
    this.vectors.set(vector, at * this.dimensions);
    // a vector of zeros has no direction and no use for a scale
    const norm = normOf(vector);
    this.scales[at] = norm === 0 ? 0 : 1 / norm;
    this.codes?.set(at, vector);
    this.#put({ id, metadata, metadataTypes, text, at });
  }

  /** Puts other metadata in a row. */
  describe(row: SlabRow, { metadata, metadataTypes }: Pick<SlabRow, "metadata" | "metadataTypes">): void {
    this.#put({ ...row, metadata, metadataTypes });
  }

  delete(id: string): boolean {
    const gone = this.#byId.get(id);
    if (gone === undefined) return false;
    this.#byId.delete(id);
    const last = this.rows.pop() as SlabRow;
    if (last.id !== id) {
      const from = last.at * this.dimensions;
      this.vectors.copyWithin(gone.at * this.dimensions, from, from + this.dimensions);
      this.scales[gone.at] = this.scales[last.at] as number;
      this.codes?.move(last.at, gone.at);
      this.#put({ ...last, at: gone.at });
    }
    return true;
  }

  /** A copy: the place in the slab may be another row's soon. */
  vectorAt(at: number): Float32Array {
    return this.vectors.slice(at * this.dimensions, (at + 1) * this.dimensions);
  }

  #put(row: SlabRow): void {
    this.rows[row.at] = row;
    this.#byId.set(row.id, row);
  }

  #reserve(rows: number): void {
    if (rows <= this.scales.length) return;
    const capacity = Math.max(rows, this.scales.length * 2);
    const vectors = new Float32Array(capacity * this.dimensions);
    vectors.set(this.vectors);
    this.vectors = vectors;
    this.scales = longer(this.scales, capacity);
    this.codes?.reserve(capacity);
  }
}
