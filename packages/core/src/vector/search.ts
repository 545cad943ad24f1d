/**
 * Searching: the engine is asked for more and more until k hits pass what core filters, or there are no more; where an
 * index answers short, core sees to it that k rows are given whenever k match.
 */
import { checkOptions, type OptionSpec } from "../backend/options.js";
import type { Call, MaybePromise } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import type { Condition } from "../query/ast.js";
import { checkKeys } from "../query/checks.js";
import { type FilterPlan, planFilter, refuseEmulation, rowMatcherOf } from "./filter.js";
import { copyVector, type VectorInput } from "./matrix.js";
import { distanceOf, scoreOf, tidyDistance } from "./metric.js";
import { compareHits, NearestRows } from "./nearest-rows.js";
import { neededParts, scanRows } from "./scan.js";
import { checkInclude, type StoredVector, throwIfAborted, toStoredVector, type VectorSession } from "./session.js";
import type { VectorHit, VectorPart } from "./spi.js";

export interface SearchOptions<I extends VectorPart = VectorPart> {
  /** How many hits; a positive whole number. Default 10. */
  readonly k?: number | undefined;
  /** A condition on metadata: `where("lang", "=", "en")`. `id` is the vector's own id. */
  readonly filter?: Condition | undefined;
  /** Only hits of this score or better; fewer than k then. */
  readonly minScore?: number | undefined;
  /** Default: `metadata` and `text`. */
  readonly include?: readonly I[] | undefined;
  /** The nearest rows for certain, past an approximate index. Default false. */
  readonly exact?: boolean | undefined;
  /** Of this search, in the engine's own terms, such as `{ efSearch: 200 }`. */
  readonly tuning?: { readonly [name: string]: unknown } | undefined;
  /** `"error"`: refuse a filter of which core would evaluate a part in memory. */
  readonly residual?: "allow" | "error" | undefined;
}

export type SearchHit<I extends VectorPart = VectorPart> = StoredVector<I> & {
  /** Higher is better: the cosine; 1 / (1 + distance); the inner product. */
  readonly score: number;
  /** Smaller is nearer: 1 − cosine; the L2 distance; −(inner product). */
  readonly distance: number;
};

/** A search, checked. */
export interface CheckedSearch {
  readonly k: number;
  readonly filter: FilterPlan;
  readonly minScore: number;
  readonly include: readonly VectorPart[];
  readonly exact: boolean;
  readonly tuning: { readonly [name: string]: unknown };
}

export const searchKeys = [
  "k",
  "filter",
  "minScore",
  "include",
  "exact",
  "tuning",
  "residual",
  "signal",
  "timeout",
] as const;

const defaultParts: readonly VectorPart[] = ["metadata", "text"];

/** Throws `INVALID_QUERY` and its like; no I/O. With `explaining`, what would be refused is let pass. */
export function checkSearch(
  session: VectorSession,
  options: SearchOptions,
  { explaining = false }: { readonly explaining?: boolean } = {},
): CheckedSearch {
  checkKeys(options, searchKeys, "A search");
  const { k = 10, minScore, exact = false, tuning, residual = session.residual } = options;
  if (typeof k !== "number" || !Number.isSafeInteger(k) || k < 1) {
    throw invalid(`\`k\` is a whole number, 1 or more; got ${String(k)}.`);
  }
  if (minScore !== undefined && (typeof minScore !== "number" || !Number.isFinite(minScore))) {
    throw invalid("`minScore` is a finite number.");
  }
  if (typeof exact !== "boolean") throw invalid("`exact` is true or false.");
  if (residual !== "allow" && residual !== "error") throw invalid('`residual` is "allow" or "error".');
  const filter = planFilter(options.filter, session.backend.compiler);
  if (!explaining) refuseEmulation(filter, session.name, residual);
  return {
    k,
    filter,
    minScore: minScore ?? Number.NEGATIVE_INFINITY,
    include: checkInclude(options.include, defaultParts),
    exact,
    tuning: tuning === undefined ? {} : checkTuning(session, tuning),
  };
}

function checkTuning(session: VectorSession, tuning: object): { readonly [name: string]: unknown } {
  const options: { readonly [name: string]: OptionSpec } = session.backend.searchOptions ?? {};
  return checkOptions({ name: session.name, options }, tuning, "INVALID_QUERY") as { readonly [name: string]: unknown };
}

export function checkQueries(session: VectorSession, vectors: readonly VectorInput[]): Float32Array[] {
  const { dimensions } = session;
  if (!Array.isArray(vectors)) throw invalid("searchMany takes a list of vectors.");
  const matrix = new Float32Array(vectors.length * dimensions);
  return (vectors as readonly VectorInput[]).map((vector, index) => {
    const into = matrix.subarray(index * dimensions, (index + 1) * dimensions);
    copyVector(vector, into, session, "INVALID_QUERY", "The query vector");
    return into;
  });
}

/** Who answers: the engine by its index or without, or core by measuring every row of a scan. */
export type Way = "index" | "engine-exact" | "scan";

/** How a search begins. */
export function firstWay(session: VectorSession, search: CheckedSearch): Way {
  const { index, exactSearch, limits } = session.capabilities;
  if (firstFetch(session, search) > (limits.results ?? Number.POSITIVE_INFINITY)) return "scan";
  if (!search.exact || index === "exact") return "index";
  return exactSearch ? "engine-exact" : "scan";
}

/** One more than k where the engine leaves ties to chance: it tells whether there are more at the same distance. */
export function firstFetch(session: VectorSession, { k, filter }: CheckedSearch): number {
  if (filter.residual !== undefined) return k * growth;
  return session.capabilities.ties === "id" ? k : k + 1;
}

const growth = 4;
/** Rounds of an index before the exact way is the shorter one. */
const maxRounds = 5;

export async function searchRows(
  session: VectorSession,
  queries: readonly Float32Array[],
  search: CheckedSearch,
  call: Call,
): Promise<SearchHit[][]> {
  const answers: (readonly VectorHit[] | undefined)[] = new Array(queries.length).fill(undefined);
  let way = firstWay(session, search);
  let fetch = firstFetch(session, search);
  for (let round = 1; ; round++) {
    const open = queries.flatMap((_, index) => (answers[index] === undefined ? [index] : []));
    if (open.length === 0) break;
    throwIfAborted(call);
    if (way === "scan") {
      const found = await measureAll(
        session,
        open.map((index) => queries[index] as Float32Array),
        search,
        call,
      );
      for (const [at, index] of open.entries()) answers[index] = found[at];
      break;
    }
    const raw = await ask(
      session,
      open.map((index) => queries[index] as Float32Array),
      search,
      way,
      fetch,
      call,
    );
    const verdicts = raw.map((hits) => judge(hits, fetch, session, search, way));
    const known = verdicts.some(({ isShort }) => isShort) ? await matching(session, search, call) : undefined;
    for (const [at, index] of open.entries()) {
      const { hits, enough, isShort, received } = verdicts[at] as Verdict;
      if (enough || (isShort && known !== undefined && received >= known)) answers[index] = hits;
    }
    const someShort = open.some((index, at) => answers[index] === undefined && verdicts[at]?.isShort === true);
    fetch *= growth;
    const tooMany = fetch > (session.capabilities.limits.results ?? Number.POSITIVE_INFINITY);
    if (tooMany) way = "scan";
    else if (way === "index" && !isExact(session, way) && (someShort || round >= maxRounds)) {
      way = session.capabilities.exactSearch ? "engine-exact" : "scan";
    }
  }
  return answers.map((hits) => (hits as readonly VectorHit[]).map((hit) => toHit(hit, session, search)));
}

interface Verdict {
  /** The hits to give, if it is enough. */
  readonly hits: readonly VectorHit[];
  readonly enough: boolean;
  /** Fewer than asked for, from an index that may have missed some. */
  readonly isShort: boolean;
  readonly received: number;
}

function judge(
  raw: readonly VectorHit[],
  fetch: number,
  session: VectorSession,
  { k, filter, minScore }: CheckedSearch,
  way: Way,
): Verdict {
  const sorted = raw.map((hit) => measured(hit, session)).sort(compareHits);
  const matcher = filter.residual === undefined ? undefined : rowMatcherOf(filter.residual);
  const passing = matcher === undefined ? sorted : matcher.filter(sorted);
  const good = passing.filter(({ distance }) => scoreOf(session.metric, distance) >= minScore);
  const farthest = sorted.at(-1)?.distance ?? Number.POSITIVE_INFINITY;
  const last = good[k - 1]?.distance;
  const filled = last !== undefined && (session.capabilities.ties === "id" || last < farthest);
  const past = sorted.length > 0 && scoreOf(session.metric, farthest) < minScore;
  const fewer = raw.length < fetch;
  const exhausted = fewer && (session.capabilities.complete || isExact(session, way));
  return {
    hits: good.slice(0, k),
    enough: filled || past || exhausted,
    isShort: fewer && !exhausted,
    received: raw.length,
  };
}

function isExact({ capabilities }: VectorSession, way: Way): boolean {
  return way === "engine-exact" || (capabilities.index === "exact" && capabilities.complete);
}

/** How many rows the engine should have found; `undefined` where telling costs as much as searching. */
async function matching(session: VectorSession, { filter }: CheckedSearch, call: Call): Promise<number | undefined> {
  const { backend } = session;
  return backend.count === undefined
    ? undefined
    : backend.count({ ...call, scope: session.scope, where: filter.pushed });
}

function ask(
  session: VectorSession,
  vectors: readonly Float32Array[],
  { filter, include, tuning }: CheckedSearch,
  way: Way,
  limit: number,
  call: Call,
): MaybePromise<readonly (readonly VectorHit[])[]> {
  return session.backend.search({
    ...call,
    scope: session.scope,
    vectors,
    limit,
    where: filter.pushed,
    include: neededParts(include, filter),
    exact: way === "engine-exact",
    tuning,
  });
}

/** The exact answer by a scan: in memory that does not grow with the store. */
async function measureAll(
  session: VectorSession,
  queries: readonly Float32Array[],
  { k, filter, minScore, include }: CheckedSearch,
  call: Call,
): Promise<VectorHit[][]> {
  const distance = distanceOf(session.metric);
  const kept = queries.map(() => new NearestRows<VectorHit>(k));
  const parts: readonly VectorPart[] = include.includes("vector") ? include : [...include, "vector"];
  for await (const rows of scanRows(session, filter, parts, call)) {
    for (const [index, query] of queries.entries()) {
      const nearest = kept[index] as NearestRows<VectorHit>;
      for (const row of rows) {
        const far = tidyDistance(session.metric, distance(query, row.vector as Float32Array));
        if (far <= nearest.bound && scoreOf(session.metric, far) >= minScore) nearest.add({ ...row, distance: far });
      }
    }
  }
  return kept.map((nearest) => nearest.sorted());
}

function measured(hit: VectorHit, session: VectorSession): VectorHit {
  const distance = tidyDistance(session.metric, hit.distance);
  if (Number.isNaN(distance)) {
    throw new DataknobsError("UNEXPECTED", `The ${session.name} store gave a distance that is not a number.`, {
      backend: session.name,
      id: hit.id,
    });
  }
  return Object.is(distance, hit.distance) ? hit : { ...hit, distance };
}

function toHit(hit: VectorHit, { metric }: VectorSession, { include }: CheckedSearch): SearchHit {
  const { distance } = hit;
  return Object.assign(toStoredVector(hit, include), { score: scoreOf(metric, distance), distance });
}

function invalid(message: string): DataknobsError {
  return new DataknobsError("INVALID_QUERY", message);
}
