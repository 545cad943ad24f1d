/**
 * The vectors as they were given, in memory that both threads see: segments of equal size, so that growing copies nothing.
 * A slot is written before the other thread hears of it, and written anew only once that thread has let go of it.
 */

/** Bytes of a segment, about. */
const segmentBytes = 1 << 20;

export class Segments {
  readonly dimensions: number;
  /** A segment has 2 to this many slots. */
  readonly #shift: number;
  readonly #segments: Float32Array[] = [];

  constructor(dimensions: number) {
    this.dimensions = dimensions;
    this.#shift = Math.max(0, Math.min(12, Math.floor(Math.log2(segmentBytes / 4 / dimensions))));
  }

  /** Makes room for so many slots; the new memory, for the other thread. */
  reserve(slots: number): SharedArrayBuffer[] {
    const grown: SharedArrayBuffer[] = [];
    while (this.#segments.length << this.#shift < slots) {
      grown.push(new SharedArrayBuffer((this.dimensions << this.#shift) * 4));
      this.adopt(grown.slice(-1));
    }
    return grown;
  }

  adopt(grown: readonly SharedArrayBuffer[]): void {
    for (const memory of grown) this.#segments.push(new Float32Array(memory));
  }

  segmentOf(slot: number): Float32Array {
    return this.#segments[slot >> this.#shift] as Float32Array;
  }

  /** Where the slot begins in its segment. */
  offsetOf(slot: number): number {
    return (slot & ((1 << this.#shift) - 1)) * this.dimensions;
  }

  set(slot: number, vector: Float32Array): void {
    this.segmentOf(slot).set(vector, this.offsetOf(slot));
  }

  /** A copy, in memory of its own. */
  vectorAt(slot: number): Float32Array {
    const at = this.offsetOf(slot);
    return this.segmentOf(slot).slice(at, at + this.dimensions);
  }
}
