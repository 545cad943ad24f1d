/**
 * The differential part: seeded clusters with random metadata, random filters; what a store answers is what the
 * reference answers over the same rows: an exact store the same distances, an approximate one enough of them, and every
 * store only rows that satisfy the filter, k of them whenever so many do.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { closureOf } from "../../match/matcher.js";
import type { Condition, PathInput } from "../../query/ast.js";
import type { WireRecord } from "../../record/json.js";
import { encodeFields, type Fields } from "../../record/values.js";
import { lowerFilter } from "../../vector/filter.js";
import { type Metric, metrics } from "../../vector/metric.js";
import type { VectorCapabilities } from "../../vector/spi.js";
import type { VectorStore } from "../../vector/store.js";
import type { SuiteSize } from "../differential.js";
import { collect, idSet, idsOf, same, show } from "../expect.js";
import { conditionOf } from "../random-queries.js";
import { poolOf, randomRecords } from "../random-records.js";
import type { VectorCase, VectorTestSession } from "./case.js";
import { clustered, distancesFrom, isNear, near } from "./vectors.js";

const dimensions = 12;
const size = 240;
const perCase = 50;

interface Row {
  readonly id: string;
  readonly vector: Float32Array;
  readonly metadata: Fields;
  readonly wire: WireRecord;
}

export function differentialCases(capabilities: VectorCapabilities, { runs, seed }: SuiteSize): readonly VectorCase[] {
  const able = metrics.filter((metric) => capabilities.metrics.includes(metric));
  const cases = Math.max(able.length, Math.ceil(runs / (2 * perCase)));
  return Array.from({ length: cases }, (_, index): VectorCase => {
    const metric = able[index % able.length] as Metric;
    return {
      id: `differential/random-filters/${index + 1}`,
      settings: { dimensions, metric, batchSize: 64 },
      run: (session) => runRandom(session, metric, seed + index),
    };
  });
}

function rowsOf(seed: number): Row[] {
  const vectors = clustered(seed, { count: size, dimensions, clusters: 12 });
  return randomRecords(seed, size).map(({ data }, n) => {
    const { json, types } = encodeFields(data);
    const row = { id: `r${(n * 37) % 1000}`, vector: vectors[n] as Float32Array, metadata: data };
    return {
      ...row,
      wire: { ...row, data: {}, types: null, metadata: json, metadataTypes: types } as unknown as WireRecord,
    };
  });
}

async function runRandom(session: VectorTestSession, metric: Metric, seed: number): Promise<void> {
  const { store } = session;
  const rows = rowsOf(seed);
  await store.add(rows.map(({ id, vector, metadata }) => ({ id, vector, metadata })));
  // what was replaced and deleted must not come back
  await store.add(rows.slice(0, 40).map(({ id }) => ({ id, vector: new Float32Array(dimensions).fill(1) })));
  await store.delete(rows.slice(20, 40).map(({ id }) => id));
  await store.add(rows.slice(0, 40).map(({ id, vector, metadata }) => ({ id, vector, metadata })));
  const queries = clustered(seed + 1, { count: 10, dimensions, clusters: 5 });
  const pool = poolOf(rows.map(({ id, metadata }) => ({ id, data: metadata, metadata: {} })));
  const question = fc.record({
    filter: fc.option(conditionOf(pool).map(onMetadata), { nil: undefined, freq: 9 }),
    query: fc.nat(queries.length - 1),
    k: fc.constantFrom(1, 3, 10, 40, size + 5),
    exact: fc.boolean(),
  });
  let [found, sought] = [0, 0];
  const property = fc.asyncProperty(question, async ({ filter, query, k, exact }) => {
    const vector = queries[query] as Float32Array;
    const score = await answersAlike(store, rows, metric, { filter, vector, k, exact: exact || session.recall === 1 });
    found += score.found;
    sought += score.sought;
  });
  await fc.assert(property, { seed, numRuns: perCase });
  assert.ok(found >= sought * session.recall, `found ${found} of the ${sought} nearest`);
}

/** Fields of data are fields of metadata here. */
function onMetadata(condition: Condition): Condition {
  if ("and" in condition) return { and: condition.and.map(onMetadata) };
  if ("or" in condition) return { or: condition.or.map(onMetadata) };
  if ("not" in condition) return { not: onMetadata(condition.not) };
  const [first, ...rest] = typeof condition.path === "string" ? [] : condition.path;
  return first === "data" ? { ...condition, path: ["metadata", ...rest] as PathInput } : condition;
}

interface Asked {
  readonly filter: Condition | undefined;
  readonly vector: Float32Array;
  readonly k: number;
  readonly exact: boolean;
}

async function answersAlike(
  store: VectorStore,
  rows: readonly Row[],
  metric: Metric,
  { filter, vector, k, exact }: Asked,
): Promise<{ readonly found: number; readonly sought: number }> {
  const test = filter === undefined ? () => true : closureOf(lowerFilter(filter));
  const matching = rows.filter(({ wire }) => test(wire));
  same(await store.count(filter), matching.length, `count of ${show(filter)}`);
  const hits = await store.search(vector, { k, exact, ...(filter !== undefined && { filter }) });
  const wanted = Math.min(k, matching.length);
  same(hits.length, wanted, `hits, k = ${k}, of ${matching.length} that satisfy ${show(filter)}`);
  const truth = distancesFrom(vector, matching, metric);
  const best = [...truth.values()].sort((a, b) => a - b).slice(0, wanted);
  same(new Set(idsOf(hits)).size, hits.length, "ids of hits, each once");
  for (const [at, { id, distance, metadata }] of hits.entries()) {
    const right = truth.get(id);
    assert.ok(right !== undefined, `${id} does not satisfy ${show(filter)}: ${show(metadata)}`);
    near(distance, right, `the distance of ${id}`);
    if (at > 0) assert.ok(distance >= (hits[at - 1]?.distance as number), "hits come nearest first");
    if (exact) near(distance, best[at] as number, `distance ${at} of ${show(filter)}`);
  }
  if (filter !== undefined && k === 3) {
    same(idSet(await collect(store.stream(filter, { include: [] }))), idSet(matching), `stream of ${show(filter)}`);
  }
  const last = best.at(-1) ?? 0;
  return { found: hits.filter(({ distance }) => distance <= last || isNear(distance, last)).length, sought: wanted };
}
