/** `match` and `nearest` in one query: one ranking of both, the same on every store. */
import fc from "fast-check";
import { rankByWords, wordCounter } from "../match/fulltext.js";
import type { FusionClause, Query } from "../query/ast.js";
import { where } from "../query/builder.js";
import { lowerQuery } from "../query/parse.js";
import type { Fields } from "../record/values.js";
import { reciprocalRankFusion, weightedFusion } from "../vector/fusion.js";
import { distanceOf, scoreOf } from "../vector/metric.js";
import type { Case } from "./case.js";
import { load } from "./conditions.js";
import type { SuiteSize } from "./differential.js";
import { collect, idsOf, refuses, same } from "./expect.js";
import { wireOf } from "./reference.js";
import type { Session } from "./session.js";
import { clustered } from "./vector/vectors.js";

const metric = "cosine";
const indexes = [
  { path: "e", vector: { dimensions: 2, metric } },
  { path: "t", text: true },
] as const;

const vector = (...numbers: readonly number[]): Float32Array => new Float32Array(numbers);

export const hybridCases: readonly Case[] = [
  {
    id: "hybrid/fuses-by-rank",
    indexes,
    run: async ({ db }) => {
      // by words: c, then b (one of many words); by vector: a, b, c, d
      await load(db, {
        a: { e: vector(2, 0), t: "hen", side: "east" },
        b: { e: vector(8, 8), t: "fox and a long tail of other words", side: "east" },
        c: { e: vector(0, 3), t: "fox", side: "north" },
        d: { e: vector(-1, 0), t: "cow", side: "west" },
      });
      const both: Query = {
        nearest: { path: "e", vector: [1, 0], k: 4, metric },
        match: { text: "fox", fields: ["t"] },
      };
      const found = await db.search(both);
      // b: 1/62 + 1/62, c: 1/61 + 1/63, a: 1/61, d: 1/64
      same(idsOf(found), ["c", "b", "a", "d"]);
      same(
        found.map(({ score }) => score),
        [1 / 61 + 1 / 63, 1 / 62 + 1 / 62, 1 / 61, 1 / 64],
      );
      same(await db.count(both), 4);
      same(idsOf(await db.search({ ...both, limit: 2, offset: 1, select: ["side"] })), ["b", "a"]);
      same(idsOf(await db.search({ ...both, where: where("side", "=", "east") })), ["b", "a"]);
      same(idsOf(await db.search({ ...both, fusion: { weights: { match: 0 } } })), ["a", "b", "c", "d"]);
      same(idsOf(await db.search({ ...both, fusion: { weights: { nearest: 0 } } })), ["c", "b", "a", "d"]);
      same(idsOf(await db.search({ ...both, sort: [{ path: "side", direction: "desc" }] })), ["d", "c", "a", "b"]);
      // scores of each spread over 0 to 1: a 1, b .85 + 0, c .5 + 1, d 0
      same(idsOf(await db.search({ ...both, fusion: { by: "score" } })), ["c", "a", "b", "d"]);
      same(idsOf(await collect(db.stream(both))), ["c", "b", "a", "d"]);
    },
  },
  {
    id: "hybrid/knows-no-analyzers",
    indexes,
    run: async ({ db }) => {
      const match = { text: "red", fields: ["t"], analyzer: "english" };
      await refuses("INVALID_QUERY", () => db.search({ match, nearest: { path: "e", vector: [1, 0], k: 1, metric } }));
    },
  },
];

const vocabulary = ["red", "blue", "fox", "hen", "quick", "slow", "of", "the"];
const count = 60;

/** Random texts, vectors and fusions: ids and scores are those of core's functions over the same records. */
export function hybridDifferentialCases({ seed }: SuiteSize): readonly Case[] {
  return [
    {
      id: "hybrid/random",
      modes: ["plain", "indexed", "emulated"],
      indexes: [
        { path: "e", vector: { dimensions: 4, metric } },
        { path: "t", text: true },
        { path: "n", type: "number" },
      ],
      run: (session) => runRandom(session, seed),
    },
  ];
}

interface Made {
  readonly id: string;
  readonly data: Fields & { readonly n: number; readonly e: Float32Array };
}

function makeRecords(seed: number): Made[] {
  const vectors = clustered(seed, { count, dimensions: 4, clusters: 5 });
  return vectors.map((e, n) => {
    const words = Array.from(
      { length: (n * 7) % 11 },
      (_, at) => vocabulary[(n * 5 + at * at * 3) % vocabulary.length],
    );
    return { id: `r${n}`, data: { n, e, t: words.join(" ") } };
  });
}

async function runRandom({ db }: Session, seed: number): Promise<void> {
  const records = makeRecords(seed);
  await db.createMany(records);
  const questions = clustered(seed + 1, { count: 8, dimensions: 4, clusters: 5 });
  const weight = fc.constantFrom(0, 0.5, 1, 3);
  const weights = fc.record({ match: weight, nearest: weight }, { requiredKeys: [] });
  const fusions: fc.Arbitrary<FusionClause> = fc.oneof(
    fc.record({ by: fc.constant("rank" as const), k: fc.constantFrom(0, 10, 60), weights }, { requiredKeys: [] }),
    fc.record({ by: fc.constant("score" as const), weights }),
  );
  const property = fc.asyncProperty(
    fc.uniqueArray(fc.constantFrom(...vocabulary), { minLength: 1, maxLength: 3 }),
    fc.constantFrom("all" as const, "any" as const),
    fc.nat(questions.length - 1),
    fc.integer({ min: 1, max: 20 }),
    fc.nat(count),
    fusions,
    async (words, mode, at, k, below, fusion) => {
      const asked: Query = {
        where: where("n", "<", below),
        match: { text: words.join(" "), fields: ["t"], mode },
        nearest: { path: "e", vector: [...(questions[at] as Float32Array)], k, metric, exact: true },
        fusion,
      };
      const found = await db.search(asked);
      same(
        found.map(({ id, score }) => [id, score]),
        expectedOf(
          records.filter(({ data }) => data.n < below),
          asked,
        ),
        JSON.stringify(asked),
      );
    },
  );
  await fc.assert(property, { seed, numRuns: 25 });
}

function expectedOf(records: readonly Made[], asked: Query): (readonly [string, number])[] {
  const { match, nearest, fusion } = lowerQuery(asked);
  if (match === undefined || nearest === undefined || fusion === undefined) throw new TypeError("Nothing to fuse.");
  const counter = wordCounter(match);
  const hits = records
    .map((record) => wireOf({ ...record, metadata: {} } as never))
    .map((record) => ({ record, words: counter(record) }))
    .filter(({ words: { counts } }) =>
      match.mode === "all" ? counts.every((one) => one > 0) : counts.some((one) => one > 0),
    );
  const byWords = rankByWords(hits, match.words.length).slice(0, nearest.k);
  const distance = distanceOf(metric);
  const byVector = records
    .map(({ id, data }) => ({ id, score: scoreOf(metric, distance(nearest.vector, data.e)) }))
    .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
    .slice(0, nearest.k);
  const lists = [byWords, byVector].map((list) => list.map(({ id, score = 0 }) => ({ id, score })));
  const { by, k, weights } = fusion;
  const fused = by === "rank" ? reciprocalRankFusion(lists, { k, weights }) : weightedFusion(lists, { weights });
  return fused.map(({ id, score }) => [id, score] as const);
}
