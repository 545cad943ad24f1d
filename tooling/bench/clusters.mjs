// Vectors as embeddings lie: in clusters. Uniform noise is the one thing that no index is made for, and no figure about
// it says anything about use.

/** `count` vectors around `clusters` centres; the same for the same arguments, on every machine and run. */
export function clustered(count, dimensions, { clusters = 500, seed = 1, spread = 0.15 } = {}) {
  const next = mulberry32(seed);
  // a sum of uniform numbers is near enough to a bell
  const bell = () => next() + next() + next() + next() - 2;
  const centres = Array.from({ length: clusters }, () => Float32Array.from({ length: dimensions }, bell));
  return Array.from({ length: count }, (_, n) => centres[n % clusters].map((at) => at + bell() * spread));
}

/** Questions near what is stored, and none of it. */
export function questionsNear(vectors, count, seed = 2) {
  const next = mulberry32(seed);
  return Array.from({ length: count }, () =>
    vectors[Math.floor(next() * vectors.length)].map((at) => at + (next() - 0.5) * 0.1),
  );
}

function mulberry32(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
