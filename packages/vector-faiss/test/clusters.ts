/** Vectors as embeddings lie: in clusters. The same for the same arguments. */
export function clustered(count: number, dimensions: number, clusters = 50, seed = 7): Float32Array[] {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const bell = (): number => next() + next() + next() + next() - 2;
  const centres = Array.from({ length: clusters }, () => Float32Array.from({ length: dimensions }, bell));
  return Array.from({ length: count }, (_, n) =>
    (centres[n % clusters] as Float32Array).map((at) => at + bell() * 0.3),
  );
}

export interface Entry {
  readonly id: string;
  readonly vector: Float32Array;
  readonly metadata: { readonly n: number };
}

export function entriesOf(vectors: readonly Float32Array[]): Entry[] {
  return vectors.map((vector, n) => ({ id: `v${n}`, vector, metadata: { n } }));
}
