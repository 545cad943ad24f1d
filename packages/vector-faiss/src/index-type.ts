/**
 * Which indexes there are. Faiss's own parser of factory strings ends the process where it does not understand one, and
 * takes some that then fail at the first call: so this list is closed.
 */
import { badConfig } from "./errors.js";

export interface IndexType {
  /** The factory string, as Faiss takes it. */
  readonly text: string;
  readonly kind: "flat" | "ivf" | "hnsw";
  /** IVF: how many lists. */
  readonly lists: number;
  /** HNSW: links of a node. */
  readonly links: number;
  /** Fewer vectors than these Faiss refuses to be trained with; 0: it needs no training. */
  readonly leastTraining: number;
  /** With so many it is trained by itself. */
  readonly goodTraining: number;
  /** Vectors that training looks at, at most. */
  readonly mostTraining: number;
  /** Whether vectors are kept in fewer bits. */
  readonly rounds: boolean;
  /** Bytes of a product quantiser: must divide the dimensions. */
  readonly codes: number | undefined;
}

const pattern = /^(?:IVF(\d{1,7})(?:_HNSW(\d{1,3}))?,|HNSW(\d{1,3})(?:,|$))?(Flat|SQ4|SQ6|SQ8|SQfp16|PQ(\d{1,4}))?$/i;
const spellings: { readonly [lower: string]: string } = {
  flat: "Flat",
  sqfp16: "SQfp16",
};
const shorthands: { readonly [lower: string]: string } = {
  hnsw: "HNSW32",
  "hnsw,flat": "HNSW32,Flat",
  ivf: "IVF100,Flat",
  ivfflat: "IVF100,Flat",
  "ivf,flat": "IVF100,Flat",
};

/** Throws `INVALID_CONFIG`. */
export function parseIndexType(given: string): IndexType {
  const parts = pattern.exec(shorthands[given.toLowerCase()] ?? given);
  if (parts === null || given === "") throw unknown(given);
  const [, lists, coarseLinks, links, storage, codes] = parts;
  if (storage === undefined && links === undefined) throw unknown(given);
  // Faiss has no such index for inner products
  if (links !== undefined && codes !== undefined) throw unknown(given);
  const inRange = (text: string | undefined, least: number, most: number): number => {
    if (text === undefined) return 0;
    const number = Number(text);
    if (number < least || number > most) {
      throw badConfig(`In the index type "${given}", ${text} is not between ${least} and ${most}.`);
    }
    return number;
  };
  const n = { lists: inRange(lists, 1, 1_000_000), links: inRange(links, 4, 256) };
  const coarse = inRange(coarseLinks, 4, 256);
  const bytes = inRange(codes, 1, 4096);
  const stored = storage === undefined ? undefined : (spellings[storage.toLowerCase()] ?? storage.toUpperCase());
  const quantised = stored !== undefined && stored !== "Flat";
  const [least, good, most] = quantised ? (bytes > 0 ? [256, 9_984, 65_536] : [1, 1_000, 65_536]) : [0, 0, 0];
  const head =
    n.lists > 0
      ? `IVF${n.lists}${coarse > 0 ? `_HNSW${coarse}` : ""},`
      : n.links > 0
        ? `HNSW${n.links}${stored === undefined ? "" : ","}`
        : "";
  return Object.freeze({
    text: `${head}${stored ?? ""}`,
    kind: n.lists > 0 ? "ivf" : n.links > 0 ? "hnsw" : "flat",
    ...n,
    leastTraining: Math.max(least, n.lists),
    // Faiss's own advice: 39 points for a centroid
    goodTraining: Math.max(good, n.lists * 39),
    mostTraining: Math.max(most, n.lists * 128),
    rounds: quantised,
    codes: bytes > 0 ? bytes : undefined,
  });
}

/** What only the dimensions can tell. Throws `INVALID_CONFIG`. */
export function checkDimensions({ text, codes }: IndexType, dimensions: number): void {
  if (codes === undefined || dimensions % codes === 0) return;
  throw badConfig(
    `The index type "${text}" cuts vectors into ${codes} pieces, and ${dimensions} dimensions are no multiple of that.`,
  );
}

function unknown(given: string): Error {
  return badConfig(
    `There is no index type "${given}". Known: Flat, HNSW<links> and IVF<lists>,Flat (IVF<lists>_HNSW<links>,Flat), and ` +
      "SQ8, SQ6, SQ4, SQfp16 or, but for HNSW, PQ<bytes> in place of Flat: Flat, HNSW32, IVF100,Flat, IVF1000,PQ48.",
  );
}
