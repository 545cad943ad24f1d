/** The nearest of rows that were measured, and how they travel. */
import { NearestRows } from "@dataknobs/core/vector";
import type { Measure } from "./measure.js";
import type { Found } from "./protocol.js";

export interface Hit {
  readonly id: "";
  readonly slot: number;
  readonly distance: number;
}

/** Fewer are sorted sooner than they are heaped. */
const few = 64;

/** By slot: 1 for those in the list. */
export function marksOf(slots: ArrayLike<number>, size: number): Uint8Array {
  const marks = new Uint8Array(size);
  for (let at = 0; at < slots.length; at++) marks[slots[at] as number] = 1;
  return marks;
}

export function nearestOf(slots: ArrayLike<number>, measure: Measure, k: number): Hit[] {
  if (slots.length <= few) {
    const hits: Hit[] = [];
    for (let at = 0; at < slots.length; at++) {
      const slot = slots[at] as number;
      hits.push({ id: "", slot, distance: measure(slot) });
    }
    hits.sort((a, b) => a.distance - b.distance);
    if (hits.length > k) hits.length = k;
    return hits;
  }
  const nearest = new NearestRows<Hit>(k);
  let { bound } = nearest;
  for (let at = 0; at < slots.length; at++) {
    const slot = slots[at] as number;
    const distance = measure(slot);
    if (distance > bound) continue;
    nearest.add({ id: "", slot, distance });
    bound = nearest.bound;
  }
  return nearest.sorted();
}

export function pack(answers: readonly (readonly Hit[])[]): Found {
  let total = 0;
  for (const hits of answers) total += hits.length;
  const counts = new Int32Array(answers.length);
  const slots = new Int32Array(total);
  const distances = new Float64Array(total);
  let at = 0;
  for (let query = 0; query < answers.length; query++) {
    const hits = answers[query] as readonly Hit[];
    counts[query] = hits.length;
    for (const { slot, distance } of hits) {
      slots[at] = slot;
      distances[at++] = distance;
    }
  }
  return { counts, slots, distances };
}
