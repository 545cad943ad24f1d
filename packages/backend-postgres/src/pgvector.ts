/** What pgvector is and takes: its types, operators and classes, and the vectors that it measures rightly. */
import { type Metric, normOf } from "@dataknobs/core/vector";
import { quoteIdentifier } from "@dataknobs/sql";

/** Vectors of one column. */
export interface VectorShape {
  /** The schema of the extension: its types and operators are named with it, wherever searches look for names. */
  readonly extension: string;
  readonly dimensions: number;
  readonly metric: Metric;
}

/** The greatest number of dimensions that an index takes, and below it the greatest that takes whole 32-bit floats. */
export const mostIndexed = 4000;
const mostPlain = 2000;

/** Whether an index of so many dimensions is over vectors in 16-bit floats. */
export function isHalved({ dimensions }: Pick<VectorShape, "dimensions">): boolean {
  return dimensions > mostPlain;
}

const operators: { readonly [M in Metric]: string } = { cosine: "<=>", euclidean: "<->", dot: "<#>" };
const classes: { readonly [M in Metric]: string } = { cosine: "cosine", euclidean: "l2", dot: "ip" };

export function typeOf(
  { extension }: Pick<VectorShape, "extension">,
  name: "vector" | "halfvec",
  dimensions?: number,
): string {
  return `${quoteIdentifier(extension)}.${name}${dimensions === undefined ? "" : `(${dimensions})`}`;
}

/** The raw distance, as the metric defines it: the operators of pgvector are those of the contract. */
export function operatorOf({ extension, metric }: VectorShape): string {
  return `OPERATOR(${quoteIdentifier(extension)}.${operators[metric]})`;
}

/** The operator class that an index needs to serve searches by the metric. */
export function operatorClass(shape: Pick<VectorShape, "dimensions" | "metric">): string {
  return `${isHalved(shape) ? "halfvec" : "vector"}_${classes[shape.metric]}_ops`;
}

/** `[1,2,3]`: every 32-bit float comes back as it was. */
export function vectorText(vector: Float32Array): string {
  return `[${vector.join(",")}]`;
}

// pgvector squares and sums in 32-bit floats: beyond these lengths it gets infinity or nothing, and no error
export const longest: number = 2 ** 62;
export const shortest: number = 2 ** -62;
/** What a 16-bit float holds, and below what it holds with fewer digits. */
export const greatestHalf = 65_504;
export const leastHalf: number = 2 ** -14;

export function peakOf(vector: Float32Array): number {
  let peak = 0;
  for (const number of vector) peak = Math.max(peak, Math.abs(number));
  return peak;
}

/**
 * The query as pgvector can measure it: under cosine, where length means nothing, of a length about 1. `undefined` where
 * it is too long for that.
 */
export function fitQuery(metric: Metric, vector: Float32Array): Float32Array | undefined {
  const length = normOf(vector);
  if (length <= longest && (metric !== "cosine" || length >= shortest)) return vector;
  return metric === "cosine" ? vector.map((number) => number / length) : undefined;
}

/** Whether an index can look for it. */
export function fitsIndex(shape: Pick<VectorShape, "dimensions">, vector: Float32Array): boolean {
  if (!isHalved(shape)) return true;
  const peak = peakOf(vector);
  return peak <= greatestHalf && peak >= leastHalf;
}

/**
 * How many an index is asked for, to be put into order: filtered, it gives what it comes across, in the order of its
 * rounds, and the nearest of 1 % of the rows are often in a later one. In 16-bit floats its order is a rough one, too.
 */
export function candidatesOf(shape: Pick<VectorShape, "dimensions">, limit: number): number {
  return isHalved(shape) ? 2 * limit + 20 : 2 * limit;
}

/** What it takes; more is an error there. */
const greatest = { efSearch: 1000, probes: 32_768 } as const;

/**
 * Parameters of `setText`: iterative scans, and how far an index looks. `wanted`: the least, where somebody says.
 */
export function knobsOf(
  index: { readonly type: "hnsw" | "ivfflat"; readonly lists: number },
  candidates: number,
  wanted: { readonly efSearch: number; readonly probes: number | undefined },
): string[] {
  if (index.type === "hnsw") {
    const least = Math.max(candidates, wanted.efSearch);
    return ["hnsw.iterative_scan", "relaxed_order", "hnsw.ef_search", String(Math.min(least, greatest.efSearch))];
  }
  const probes = wanted.probes ?? Math.ceil(2 * Math.sqrt(index.lists));
  return ["ivfflat.iterative_scan", "relaxed_order", "ivfflat.probes", String(Math.min(probes, greatest.probes))];
}

/** For one transaction only: its connection is used by others afterwards. */
export const setText = "SELECT set_config($1, $2, true), set_config($3, $4, true)";

/** Lists of an IVFFlat index over so many rows, as pgvector advises. */
export function listsFor(rows: number): number {
  return Math.max(1, Math.round(rows <= 1_000_000 ? rows / 1000 : Math.sqrt(rows)));
}

/** Versions from here on scan on where a filter leaves too little. */
export const oldestPgvector = [0, 8] as const;

export function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > oldestPgvector[0] || (major === oldestPgvector[0] && minor >= oldestPgvector[1]);
}
