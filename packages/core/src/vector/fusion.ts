/** Hybrid search: one ranking out of several, of texts and vectors for instance. */
import { DataknobsError } from "../errors.js";
import { compareText } from "../match/compare.js";

/** One place of a ranking: a search hit, a stored record with a score, or anything with an id. */
export interface Ranked {
  readonly id: string;
  readonly score?: number | undefined;
}

export interface Fused<T extends Ranked> {
  readonly id: string;
  /** Of the fusion; comparable within one result only. */
  readonly score: number;
  /** The item as the first list that has it gave it. */
  readonly item: T;
}

export interface FusionOptions {
  /** One weight per list, 0 or more. Default: 1 each. */
  readonly weights?: readonly number[] | undefined;
  /** How many to give. Default: all. */
  readonly limit?: number | undefined;
}

/**
 * Reciprocal rank fusion: an item's score is the sum of weight / (k + rank) over the lists, ranks from 1. Scores of the
 * lists do not matter, only their order. Ties are broken by id.
 *
 * Throws `INVALID_QUERY` for a `k` that is negative, for weights that do not go with the lists, and for a list that has
 * an id twice.
 *
 * @example
 * const texts = await db.search(query().match("quick fox").limit(50));
 * const vectors = await store.search(embedding, { k: 50 });
 * reciprocalRankFusion([texts, vectors], { weights: [0.4, 0.6], limit: 10 });
 */
export function reciprocalRankFusion<T extends Ranked>(
  lists: readonly (readonly T[])[],
  { k = 60, ...options }: FusionOptions & { readonly k?: number | undefined } = {},
): Fused<T>[] {
  if (typeof k !== "number" || !Number.isFinite(k) || k < 0) throw invalid("`k` of a fusion is a number, 0 or more.");
  return fuse(lists, options, () => (rank) => 1 / (k + rank));
}

/**
 * Weighted fusion: the scores of each list are spread over 0 to 1 (all 1 where they are equal), and an item's score is
 * their weighted sum; a list without the item adds nothing. Ties are broken by id.
 *
 * Throws `INVALID_QUERY` as `reciprocalRankFusion` does, and for an item without a finite score.
 */
export function weightedFusion<T extends Ranked>(
  lists: readonly (readonly T[])[],
  options: FusionOptions = {},
): Fused<T>[] {
  return fuse(lists, options, (list) => {
    const scores = list.map(scoreOf);
    const least = scores.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    const spread = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY) - least;
    return (rank) => (spread === 0 ? 1 : ((scores[rank - 1] as number) - least) / spread);
  });
}

function scoreOf({ id, score }: Ranked): number {
  if (typeof score === "number" && Number.isFinite(score)) return score;
  throw new DataknobsError("INVALID_QUERY", "Weighted fusion needs a finite score of every item.", { id });
}

function fuse<T extends Ranked>(
  lists: readonly (readonly T[])[],
  { weights, limit }: FusionOptions,
  partOf: (list: readonly T[]) => (rank: number) => number,
): Fused<T>[] {
  const factors = checkWeights(lists, weights);
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw invalid("`limit` of a fusion is a whole number, 0 or more.");
  }
  const fused = new Map<string, { score: number; readonly item: T }>();
  for (const [index, list] of lists.entries()) {
    const seen = new Set<string>();
    const part = partOf(list);
    for (const [place, item] of list.entries()) {
      if (seen.has(item.id))
        throw new DataknobsError("INVALID_QUERY", "A list of a fusion has an id twice.", { id: item.id });
      seen.add(item.id);
      const score = (factors[index] as number) * part(place + 1);
      const before = fused.get(item.id);
      if (before === undefined) fused.set(item.id, { score, item });
      else before.score += score;
    }
  }
  return [...fused]
    .map(([id, { score, item }]) => ({ id, score, item }))
    .sort((a, b) => b.score - a.score || compareText(a.id, b.id))
    .slice(0, limit);
}

function checkWeights(lists: readonly unknown[], weights: readonly number[] | undefined): readonly number[] {
  if (!Array.isArray(lists) || !lists.every((list) => Array.isArray(list))) {
    throw invalid("A fusion takes a list of rankings, each a list of items with an id.");
  }
  if (weights === undefined) return lists.map(() => 1);
  const good =
    Array.isArray(weights) && weights.every((one) => typeof one === "number" && Number.isFinite(one) && one >= 0);
  if (!good || weights.length !== lists.length) {
    throw invalid(`\`weights\` of a fusion has one number, 0 or more, for each of the ${lists.length} lists.`);
  }
  return weights;
}

function invalid(message: string): DataknobsError {
  return new DataknobsError("INVALID_QUERY", message);
}
