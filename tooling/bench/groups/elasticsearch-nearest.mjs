// `nearest` on Elasticsearch against the official client with the same request: vectors of 128 numbers, in clusters.
import { randomUUID } from "node:crypto";
import { elasticsearch } from "@dataknobs/backend-elasticsearch";
import { openDatabase } from "@dataknobs/core";
import { Client } from "@elastic/elasticsearch";
import { clustered, questionsNear } from "../clusters.mjs";

const dimensions = 128;
const k = 10;

export default async function measure(bench, { rows }) {
  const hosts = process.env.DATAKNOBS_ELASTICSEARCH_URL;
  if (!hosts) throw new Error("Set DATAKNOBS_ELASTICSEARCH_URL: `npm run services -- start elasticsearch` prints it.");
  const client = new Client({ node: hosts });
  const prefix = `dk-near-${randomUUID().slice(0, 8)}`;
  const hand = `${prefix}-hand`;
  try {
    const vectors = clustered(Math.min(rows, 20_000), dimensions);
    const inputs = vectors.map((e, n) => ({ id: `v${n}`, data: { n, hundredth: n % 97, e } }));
    await using db = await openDatabase(elasticsearch({ hosts, index: `${prefix}-ours`, replicas: 0 }), {
      indexes: [
        { path: "e", vector: { dimensions, metric: "cosine" } },
        { path: "hundredth", type: "integer" },
      ],
    });
    await db.createMany(inputs);
    await client.indices.create({
      index: hand,
      // the vectors come back with the records, as they do from ours
      settings: { number_of_shards: 1, number_of_replicas: 0, "index.mapping.exclude_source_vectors": false },
      mappings: {
        properties: {
          n: { type: "integer" },
          hundredth: { type: "integer" },
          e: { type: "dense_vector", dims: dimensions, similarity: "cosine", index_options: { type: "hnsw" } },
        },
      },
    });
    await client.helpers.bulk({
      datasource: inputs,
      onDocument: ({ id, data }) => [{ create: { _index: hand, _id: id } }, { ...data, e: Array.from(data.e) }],
    });
    await db.settle();
    await client.indices.forcemerge({ index: `${prefix}-*`, max_num_segments: 1 });
    await client.indices.refresh({ index: `${prefix}-*` });
    await searching(bench, { db, client, hand, questions: questionsNear(vectors, 20) });
  } finally {
    await client.indices.delete({ index: `${prefix}-*`, expand_wildcards: "all" });
    await client.close();
  }
}

async function searching(bench, { db, client, hand, questions }) {
  const where = { path: "hundredth", op: "=", value: 7 };
  const ask = (more, exact) => (vector) =>
    db.search({ ...more, nearest: { path: "e", vector, k, ...(exact && { exact }) } });
  const theirs = (filter) => async (vector) => {
    const knn = { field: "e", query_vector: Array.from(vector), k, num_candidates: 100, ...(filter && { filter }) };
    const { hits } = await client.search({ index: hand, knn, size: k, track_total_hits: false });
    return hits.hits.map(({ _id, _source, _score }) => ({
      id: _id,
      data: { ..._source, e: Float32Array.from(_source.e) },
      score: 2 * _score - 1,
    }));
  };
  const each = async (run) => {
    let hits = 0;
    for (const question of questions) hits += (await run(question)).length;
    return hits;
  };
  for (const [what, more, filter] of [
    [`the ${k} nearest`, {}, undefined],
    ["the same where 1 % match", { where }, { term: { hundredth: 7 } }],
  ]) {
    await bench.compare({
      what,
      against: "raw client",
      goal: { atMost: 1.2 },
      per: questions.length,
      ours: () => each(ask(more)),
      theirs: () => each(theirs(filter)),
    });
    let missed = 0;
    for (const question of questions) {
      const hits = await ask(more)(question);
      if (hits.length !== k) throw new Error(`A search gave ${hits.length} hits instead of ${k}.`);
      const truth = new Set((await ask(more, true)(question)).map(({ id }) => id));
      missed += hits.filter(({ id }) => !truth.has(id)).length;
    }
    bench.difference({
      what: `${what}: missed`,
      against: "the exact answer",
      goal: { below: 5, unit: "%" },
      ours: (100 * missed) / (k * questions.length),
      theirs: 0,
    });
  }
}
