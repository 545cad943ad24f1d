/** Metrics: one formula for distance and one for score, for all stores. */

/** How near two vectors are: by angle, by straight line, or by inner product. */
export const metrics = ["cosine", "euclidean", "dot"] as const;
export type Metric = (typeof metrics)[number];

/**
 * The raw distance, smaller is nearer: 1 − cosine; the true L2, not squared; −dot. Computed in 64-bit floats.
 * Cosine needs vectors that are not all zero.
 */
export function distanceOf(metric: Metric): (a: Float32Array, b: Float32Array) => number {
  switch (metric) {
    case "cosine":
      return (a, b) => 1 - clampUnit(dotOf(a, b) / (normOf(a) * normOf(b)));
    case "euclidean":
      return (a, b) => Math.sqrt(squaredDistance(a, b));
    case "dot":
      return (a, b) => -dotOf(a, b);
  }
}

/** The same numbers from one vector to many; NaN where cosine meets zeros. */
export function distanceFrom(metric: Metric, from: Float32Array): (to: Float32Array) => number {
  const distance = distanceOf(metric);
  if (metric !== "cosine") return (to) => distance(from, to);
  const norm = normOf(from);
  return (to) => 1 - clampUnit(dotOf(from, to) / (norm * normOf(to)));
}

/** Higher is better: the cosine; 1 / (1 + distance); the inner product. */
export function scoreOf(metric: Metric, distance: number): number {
  switch (metric) {
    case "cosine":
      return 1 - distance;
    case "euclidean":
      return 1 / (1 + distance);
    case "dot":
      // no negative zero
      return distance === 0 ? 0 : -distance;
  }
}

/**
 * The distance without what rounding in 32-bit engines does to it: never outside of what the metric can give.
 * `NaN` stays.
 */
export function tidyDistance(metric: Metric, distance: number): number {
  if (metric === "cosine") return Math.min(2, Math.max(0, distance));
  if (metric === "euclidean") return Math.max(0, distance);
  return distance === 0 ? 0 : distance;
}

export function dotOf(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += (a[index] as number) * (b[index] as number);
  return sum;
}

export function normOf(a: Float32Array): number {
  return Math.sqrt(dotOf(a, a));
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) {
    const difference = (a[index] as number) - (b[index] as number);
    sum += difference * difference;
  }
  return sum;
}

function clampUnit(cosine: number): number {
  return Math.min(1, Math.max(-1, cosine));
}
