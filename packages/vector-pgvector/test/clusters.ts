/** Vectors as embeddings lie: in clusters. Uniform noise is the one thing that no index is made for. */

function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** `count` vectors around `clusters` centres; vector `n` belongs to cluster `n % clusters`. */
export function clustered(count: number, dimensions: number, clusters: number, seed = 1): Float32Array[] {
  const next = randomOf(seed);
  // a sum of uniform numbers is near enough to a bell
  const bell = (): number => next() + next() + next() + next() - 2;
  const centres = Array.from({ length: clusters }, () => Float32Array.from({ length: dimensions }, bell));
  return Array.from({ length: count }, (_, n) =>
    (centres[n % clusters] as Float32Array).map((at) => at + bell() * 0.15),
  );
}
