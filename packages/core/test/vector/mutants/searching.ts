/** Bugs in searching, filters and scopes. */
import { rowMatcherOf } from "../../../src/vector/index.js";
import type { TinyVectors } from "../tiny.js";
import { measuring, mutant, storing, type VectorMutant, withoutScope, wrapping } from "./mutant.js";

function normalised(vector: Float32Array): Float32Array {
  const norm = Math.hypot(...vector);
  return vector.map((number) => number / norm);
}

export const searchMutants: readonly VectorMutant[] = [
  mutant(
    "vectors come back normalised",
    "get/vectors-come-back-as-they-were-given/cosine",
    storing((row) => ({ ...row, vector: normalised(row.vector) })),
  ),
  mutant(
    "the squared distance",
    "search/euclidean/distances-and-scores-by-hand",
    measuring((_a, _b, right) => right * right),
  ),
  mutant(
    "the inner product with the wrong sign",
    "search/dot/distances-and-scores-by-hand",
    measuring((_a, _b, right) => -right),
  ),
  mutant(
    "cosine without dividing by the norms",
    "search/cosine/length-does-not-matter",
    measuring((a, b) => 1 - a.reduce((sum, x, n) => sum + x * (b[n] as number), 0)),
  ),
  mutant(
    "half the cosine distance",
    "search/cosine/distances-and-scores-by-hand",
    measuring((_a, _b, right) => right / 2),
  ),
  mutant(
    "farthest first, cut, then sorted",
    "search/euclidean/the-nearest-of-clusters",
    wrapping(
      "search",
      (search) => async (request: Parameters<TinyVectors["search"]>[0]) =>
        (await search({ ...request, limit: 1e9 })).map((hits) => hits.slice(-request.limit)),
    ),
  ),
  mutant(
    "a filter after the cut, said to be complete",
    "filter/a-rare-one-far-from-the-query-still-gives-k",
    wrapping("search", (search) => async (request: Parameters<TinyVectors["search"]>[0]) => {
      const test = request.where === undefined ? () => true : rowMatcherOf(request.where).test;
      return (await search({ ...request, where: undefined })).map((hits) => hits.filter(test));
    }),
  ),
  mutant(
    "an index that finds half, said to be exact",
    "search/euclidean/the-nearest-of-clusters",
    wrapping(
      "search",
      (search) => async (request: Parameters<TinyVectors["search"]>[0]) =>
        (await search({ ...request, limit: request.limit * 2 })).map((hits) => hits.filter((_, n) => n % 2 === 0)),
    ),
  ),
  mutant(
    "one hit too few",
    "search/k/more-than-there-are-gives-all",
    wrapping(
      "search",
      (search) => async (request: Parameters<TinyVectors["search"]>[0]) =>
        (await search(request)).map((hits) => hits.slice(0, Math.max(1, hits.length - 1))),
    ),
  ),
  mutant(
    "a hit comes twice",
    "search/k/more-than-there-are-gives-all",
    wrapping(
      "search",
      (search) => async (request: Parameters<TinyVectors["search"]>[0]) =>
        (await search(request)).map((hits) => [...hits.slice(0, 1), ...hits].slice(0, request.limit)),
    ),
  ),
  mutant(
    "ties are cut as they lie",
    "search/ties-are-cut-by-id",
    wrapping(
      "search",
      (_search, tiny) => async (request: Parameters<TinyVectors["search"]>[0]) =>
        request.vectors.map((query) =>
          tiny
            .matching(request.scope, request.where)
            .map((row) => ({ ...tiny.give(row), distance: tiny.measure(query, row.vector) }))
            .sort((a, b) => a.distance - b.distance)
            .slice(0, request.limit),
        ),
    ),
  ),
  mutant(
    "only the first query is answered",
    "search/many-at-once-are-answered-each-by-itself",
    wrapping("search", (search) => async (request: Parameters<TinyVectors["search"]>[0]) => {
      const [first = []] = await search(request);
      return request.vectors.map(() => first);
    }),
  ),
  mutant("the exact search is the approximate one", "search/exact-finds-the-nearest-for-certain", (tiny) => {
    tiny.capabilities = { ...tiny.capabilities, index: "approximate", complete: false };
    const search = tiny.search.bind(tiny);
    tiny.search = async (request) =>
      (await search({ ...request, limit: request.limit * 2 })).map((hits) => hits.filter((_, n) => n % 2 === 0));
  }),
  mutant("a filter that selects too much and says exact", "filter/truth/=", (tiny) => {
    tiny.compileLeaf = (leaf) => ({
      code: leaf.kind === "equals" ? { kind: "and", conditions: [] } : leaf,
      exact: true,
    });
  }),
  mutant("a filter that selects too little", "filter/truth/>", (tiny) => {
    tiny.compileLeaf = (leaf) => ({
      code: leaf.kind === "compare" ? { kind: "or", conditions: [] } : leaf,
      exact: true,
    });
  }),
  mutant("not leaves rows without the field out", "filter/truth/in", (tiny) => {
    const { compiler } = tiny;
    if (compiler === undefined) return;
    tiny.compiler = {
      ...compiler,
      not: (part) => ({
        kind: "and",
        conditions: [
          { kind: "not", condition: part },
          ...("path" in part ? [{ kind: "exists", path: part.path, source: part.source } as const] : []),
        ],
      }),
    };
  }),
  mutant(
    "count counts the whole store",
    "filter/truth/exists",
    wrapping(
      "count",
      (count) => (request: Parameters<TinyVectors["count"]>[0]) => count({ ...request, where: undefined }),
    ),
  ),
  mutant(
    "deleteWhere deletes everything",
    "clear/by-filter-removes-what-satisfies-it",
    wrapping(
      "deleteWhere",
      (all) => (request: Parameters<TinyVectors["deleteWhere"]>[0]) => all({ ...request, where: undefined }),
    ),
  ),
  mutant("get sees other scopes", "scope/one-id-in-two-scopes-and-in-none", withoutScope("get")),
  mutant("delete reaches into other scopes", "scope/one-id-in-two-scopes-and-in-none", withoutScope("delete")),
  mutant("search sees other scopes", "scope/may-be-any-text", (tiny) => {
    tiny.matching = (_scope, where) =>
      [...tiny.scopes.values()].flatMap((rows) => [...rows.values()]).filter(tiny.test(where));
  }),
  mutant(
    "updateMetadata reaches into other scopes",
    "scope/every-write-changes-its-own-only",
    withoutScope("updateMetadata"),
  ),
  mutant(
    "mergeMetadata reaches into other scopes",
    "scope/every-write-changes-its-own-only",
    withoutScope("mergeMetadata"),
  ),
  mutant(
    "scopes differ by case only are one",
    "scope/may-be-any-text",
    wrapping("rowsOf", (rowsOf) => (scope: string) => rowsOf(scope.toLowerCase())),
  ),
  mutant("no scope sees every row", "scope/every-read-sees-its-own-only", (tiny) => {
    const matching = tiny.matching.bind(tiny);
    tiny.matching = (scope, where) =>
      scope === "" ? [...tiny.scopes.keys()].flatMap((one) => matching(one, where)) : matching(scope, where);
  }),
];
