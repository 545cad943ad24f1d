/** The k nearest rows of any number: ties broken by id. Also the exact answer where a store has none. */
import { compareText } from "../match/compare.js";

/** Whatever has a distance and an id. */
export interface Measured {
  readonly id: string;
  readonly distance: number;
}

/** Nearest first, ties by id. */
export function compareHits(a: Measured, b: Measured): number {
  return a.distance - b.distance || compareText(a.id, b.id);
}

/** Keeps the nearest `size` hits, in a heap with the farthest of them on top. */
export class NearestRows<H extends Measured> {
  readonly #size: number;
  readonly #heap: H[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /** Hits at a greater distance are not kept any more. */
  get bound(): number {
    return this.#heap.length < this.#size ? Number.POSITIVE_INFINITY : (this.#heap[0] as H).distance;
  }

  add(hit: H): void {
    const heap = this.#heap;
    if (heap.length < this.#size) {
      heap.push(hit);
      this.#up(heap.length - 1);
    } else if (compareHits(hit, heap[0] as H) < 0) {
      heap[0] = hit;
      this.#down();
    }
  }

  /** Nearest first. */
  sorted(): H[] {
    return [...this.#heap].sort(compareHits);
  }

  #up(at: number): void {
    const heap = this.#heap;
    const moved = heap[at] as H;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (compareHits(moved, heap[parent] as H) <= 0) break;
      heap[at] = heap[parent] as H;
      at = parent;
    }
    heap[at] = moved;
  }

  #down(): void {
    const heap = this.#heap;
    const moved = heap[0] as H;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && compareHits(heap[child + 1] as H, heap[child] as H) > 0) child++;
      if (compareHits(heap[child] as H, moved) <= 0) break;
      heap[at] = heap[child] as H;
      at = child;
    }
    heap[at] = moved;
  }
}
