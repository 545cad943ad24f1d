/** Seeded vectors in clusters, as embeddings are: uniform noise is the one thing that no index is made for. */
import assert from "node:assert/strict";
import { distanceOf, type Metric, tidyDistance } from "../../vector/metric.js";

/** Numbers in [0, 1), the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Vectors around `clusters` centres; vector `n` belongs to cluster `n % clusters`. */
export function clustered(
  seed: number,
  { count, dimensions, clusters }: { readonly count: number; readonly dimensions: number; readonly clusters: number },
): Float32Array[] {
  const next = randomOf(seed);
  // a sum of uniform numbers is near enough to a bell
  const bell = (): number => next() + next() + next() + next() - 2;
  const centres = Array.from({ length: clusters }, () => Float32Array.from({ length: dimensions }, () => bell() * 2));
  return Array.from({ length: count }, (_, n) => {
    const centre = centres[n % clusters] as Float32Array;
    return Float32Array.from(centre, (at) => at + bell() * 0.3);
  });
}

/** The true distances from a query, by id. */
export function distancesFrom(
  query: Float32Array,
  rows: readonly { readonly id: string; readonly vector: Float32Array }[],
  metric: Metric,
): Map<string, number> {
  const measure = distanceOf(metric);
  return new Map(rows.map(({ id, vector }) => [id, tidyDistance(metric, measure(query, vector))]));
}

/** Equal but for the rounding of an engine that computes in 32-bit floats. */
export function near(actual: number, expected: number, what: string): void {
  assert.ok(isNear(actual, expected), `${what}: expected ${expected}, got ${actual}`);
}

export function isNear(actual: number, expected: number): boolean {
  return Math.abs(actual - expected) <= 2e-4 * Math.max(1, Math.abs(expected));
}

/** The entries of these vectors, with ids `v0`, `v1`, … */
export function entriesOf<M>(
  vectors: readonly Float32Array[],
  metadataOf: (index: number) => M,
): { id: string; vector: Float32Array; metadata: M }[] {
  return vectors.map((vector, index) => ({ id: `v${index}`, vector, metadata: metadataOf(index) }));
}
