/** The k nearest rows of any number: ties broken by id. Also the exact answer where a store has none. */
import { compareText } from "../match/compare.js";
import type { VectorHit } from "./spi.js";

export function compareHits(a: VectorHit, b: VectorHit): number {
  return a.distance - b.distance || compareText(a.id, b.id);
}

/** Keeps the nearest `size` hits, in a heap with the farthest of them on top. */
export class NearestRows {
  readonly #size: number;
  readonly #heap: VectorHit[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /** Whether a hit at this distance may still be kept. */
  wants(distance: number): boolean {
    return this.#heap.length < this.#size || distance <= (this.#heap[0] as VectorHit).distance;
  }

  add(hit: VectorHit): void {
    const heap = this.#heap;
    if (heap.length < this.#size) {
      heap.push(hit);
      this.#up(heap.length - 1);
    } else if (compareHits(hit, heap[0] as VectorHit) < 0) {
      heap[0] = hit;
      this.#down();
    }
  }

  /** Nearest first. */
  sorted(): VectorHit[] {
    return [...this.#heap].sort(compareHits);
  }

  #up(at: number): void {
    const heap = this.#heap;
    const moved = heap[at] as VectorHit;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (compareHits(moved, heap[parent] as VectorHit) <= 0) break;
      heap[at] = heap[parent] as VectorHit;
      at = parent;
    }
    heap[at] = moved;
  }

  #down(): void {
    const heap = this.#heap;
    const moved = heap[0] as VectorHit;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && compareHits(heap[child + 1] as VectorHit, heap[child] as VectorHit) > 0) child++;
      if (compareHits(heap[child] as VectorHit, moved) <= 0) break;
      heap[at] = heap[child] as VectorHit;
      at = child;
    }
    heap[at] = moved;
  }
}
