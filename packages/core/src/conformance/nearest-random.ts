/** Random filters around random vectors: what a store finds is the exact answer. */
import fc from "fast-check";
import { closureOf } from "../match/matcher.js";
import { lowerCondition } from "../query/parse.js";
import { distanceOf, type Metric, metrics, scoreOf } from "../vector/metric.js";
import type { Case } from "./case.js";
import type { SuiteSize } from "./differential.js";
import { same } from "./expect.js";
import { conditionOf } from "./random-queries.js";
import { declared, poolOf, randomRecords } from "./random-records.js";
import { wireOf } from "./reference.js";
import type { Session } from "./session.js";
import { clustered } from "./vector/vectors.js";

const perCase = 25;

/** Random filters over seeded clusters: what a store answers is the exact answer, scores included. */
export function nearestDifferentialCases({ runs, seed }: SuiteSize): readonly Case[] {
  return metrics.map(
    (metric): Case => ({
      id: `nearest/random-filters-by-${metric}`,
      modes: ["plain", "indexed", "emulated"],
      indexes: [...declared, { path: "e", vector: { dimensions: 6, metric } }],
      run: (session) => runRandom(session, metric, seed, Math.max(perCase, Math.ceil(runs / 80))),
    }),
  );
}

async function runRandom({ db }: Session, metric: Metric, seed: number, numRuns: number): Promise<void> {
  const records = randomRecords(seed, 90).map((record, n) => ({ ...record, n }));
  const vectors = clustered(seed, { count: records.length, dimensions: 6, clusters: 8 });
  const filled = records.map(({ n, data, ...rest }) => {
    const { e: _, ...others } = data;
    return { ...rest, data: n % 7 === 0 ? others : { ...others, e: vectors[n] as Float32Array } };
  });
  await db.createMany(filled);
  const questions = clustered(seed + 1, { count: 12, dimensions: 6, clusters: 8 });
  const measured = filled.flatMap((record) => ("e" in record.data ? [{ record, wire: wireOf(record as never) }] : []));
  const distance = distanceOf(metric);
  const property = fc.asyncProperty(
    fc.option(conditionOf(poolOf(randomRecords(seed, 90))), { nil: undefined }),
    fc.nat(questions.length - 1),
    fc.integer({ min: 1, max: 40 }),
    async (condition, at, k) => {
      const asked = questions[at] as Float32Array;
      const test = condition === undefined ? () => true : closureOf(lowerCondition(condition));
      const expected = measured
        .filter(({ wire }) => test(wire))
        .map(({ record }) => ({ id: record.id, distance: distance(asked, record.data["e"] as Float32Array) }))
        .sort((a, b) => a.distance - b.distance)
        .slice(0, k)
        .map(({ id, distance: far }) => [id, scoreOf(metric, far)]);
      const found = await db.search({
        ...(condition !== undefined && { where: condition }),
        nearest: { path: "e", vector: [...asked], k, metric, exact: true },
      });
      same(
        found.map(({ id, score }) => [id, score]),
        expected,
        `the ${k} nearest of ${JSON.stringify(condition)}`,
      );
    },
  );
  await fc.assert(property, { seed, numRuns });
}
