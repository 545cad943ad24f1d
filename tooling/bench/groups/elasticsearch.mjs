// The Elasticsearch backend against the official client by hand, on a real server: DATAKNOBS_ELASTICSEARCH_URL.
import { randomUUID } from "node:crypto";
import { elasticsearch } from "@dataknobs/backend-elasticsearch";
import { avg, count, openDatabase } from "@dataknobs/core";
import { Client } from "@elastic/elasticsearch";
import { makePeople, rareCity } from "../data.mjs";

const name = (what) => `dk-bench-${what}-${randomUUID().slice(0, 8)}`;
/** No answers from the request cache, which would leave nothing of an aggregation to measure from the second time on. */
const more = { "index.requests.cache.enable": false };
const index = { number_of_shards: 1, number_of_replicas: 0, ...more };

/** What someone who knows Elasticsearch would map for these records. */
const handMapping = {
  properties: {
    name: { type: "keyword" },
    age: { type: "integer" },
    city: { type: "keyword" },
    active: { type: "boolean" },
    score: { type: "double" },
    tags: { type: "keyword" },
    joined: { type: "date" },
    bio: { type: "text" },
  },
};

export default async function measure(bench, { rows }) {
  const hosts = process.env.DATAKNOBS_ELASTICSEARCH_URL;
  if (!hosts) throw new Error("Set DATAKNOBS_ELASTICSEARCH_URL: `npm run services -- start elasticsearch` prints it.");
  const client = new Client({ node: hosts });
  const many = Math.min(rows, 50_000);
  const people = makePeople(many).map((person, at) => ({ ...person, bio: bioOf(person, at) }));
  const inputs = people.map((data, at) => ({ id: `person-${String(at).padStart(7, "0")}`, data }));
  try {
    await writing(bench, { hosts, client, inputs });
    await reading(bench, { hosts, client, inputs });
  } finally {
    await client.indices.delete({ index: "dk-bench-*", expand_wildcards: "all" });
    await client.close();
  }
}

function bioOf({ name: who, tags, city }, at) {
  return `${who} of ${city} likes ${tags.join(" and ") || "nothing"} ${at % 100 === 0 ? "very much" : ""}`;
}

async function bulkByHand(client, datasource, lineOf) {
  const { successful } = await client.helpers.bulk({
    datasource,
    onDocument: (one) => lineOf(one),
    onDrop: () => {
      throw new Error("a document was dropped");
    },
  });
  return successful;
}

async function writing(bench, { hosts, client, inputs }) {
  const ours = (indexes) => ({
    setUp: () => openDatabase(elasticsearch({ hosts, index: name("ours"), replicas: 0, settings: more }), { indexes }),
    run: async (db) => (await db.createMany(inputs)).length,
    tearDown: async (db) => {
      const { index: made } = db.explain().native;
      await db.close();
      await client.indices.delete({ index: made });
    },
  });
  const theirs = (settings, datasource, lineOf) => ({
    setUp: async () => {
      const target = name("hand");
      await client.indices.create({ index: target, ...settings });
      return target;
    },
    run: (target) => bulkByHand(client, datasource, (one) => lineOf(target, one)),
    tearDown: (target) => client.indices.delete({ index: target }),
  });
  const what = `createMany ${inputs.length.toLocaleString("en")}`;
  for (const indexes of [[], declared]) {
    const made = await madeByUs({ client, inputs, indexes });
    await bench.compare({
      what: `${what}, ${indexes.length} declared fields`,
      against: "helpers.bulk, the same documents",
      goal: { atLeast: 0.8 },
      rounds: 5,
      ours: ours(indexes),
      theirs: theirs(made.settings, made.documents, (target, document) => [
        { create: { _index: target, _id: document.id } },
        document,
      ]),
    });
  }
  // no goal: it makes no version, no time, and finds a number as a text
  await bench.compare({
    what,
    against: "helpers.bulk, bare data, dynamic mapping",
    rounds: 5,
    ours: ours([]),
    theirs: theirs({ settings: index }, inputs, (target, { id, data }) => [
      { create: { _index: target, _id: id } },
      data,
    ]),
  });
}

/** The documents that createMany sends, and the index for them. */
async function madeByUs({ client, inputs, indexes }) {
  const made = name("made");
  const documents = [];
  const listening = {
    transport: {
      request(params, options) {
        const lines = params.bulkBody?.split("\n") ?? [];
        for (let at = 1; at < lines.length; at += 2) documents.push(JSON.parse(lines[at]));
        return client.transport.request(params, options);
      },
    },
    close: async () => undefined,
  };
  await using db = await openDatabase(elasticsearch({ client: listening, index: made, replicas: 0 }), { indexes });
  await db.createMany(inputs);
  const { settings, mappings } = (await client.indices.get({ index: made }))[made];
  await client.indices.delete({ index: made });
  return { documents, settings: { mappings, settings: { ...index, analysis: settings.index.analysis } } };
}

const declared = [
  { path: "age", type: "integer" },
  { path: "city", type: "string" },
  { path: "score", type: "number" },
  { path: "joined", type: "date" },
  { path: "bio", text: true },
];

async function reading(bench, { hosts, client, inputs }) {
  const against = "raw client";
  const goal = { atMost: 1.2 };
  const target = name("hand");
  await client.indices.create({ index: target, settings: index, mappings: handMapping });
  await using db = await openDatabase(elasticsearch({ hosts, index: name("ours"), replicas: 0, settings: more }), {
    indexes: declared,
  });
  await db.createMany(inputs);
  await bulkByHand(client, inputs, ({ id, data }) => [{ create: { _index: target, _id: id } }, data]);
  await client.indices.refresh({ index: target });
  await db.count();
  // into how many segments a load falls is chance, and shows in every query
  await client.indices.forcemerge({ index: "dk-bench-*", max_num_segments: 1 });
  const sumOfAges = (list, dataOf) => list.reduce((sum, one) => sum + dataOf(one).age, 0);
  const ours = async (query) => sumOfAges(await db.search(query), ({ data }) => data);
  const theirs = async (body) => {
    const { hits } = await client.search({ index: target, size: 1000, track_total_hits: false, ...body });
    return sumOfAges(hits.hits, ({ _source }) => _source);
  };
  await bench.compare({
    what: "search by a declared field, 0.1 % hit",
    against,
    goal,
    ours: () => ours({ where: { path: "city", op: "=", value: rareCity } }),
    theirs: () => theirs({ query: { bool: { filter: { term: { city: rareCity } } } } }),
  });
  await bench.compare({
    what: "search by range and equality, sorted, 100 of 3 %",
    against,
    goal,
    ours: () =>
      ours({
        where: {
          and: [
            { path: "age", op: ">=", value: 88 },
            { path: "active", op: "=", value: true },
          ],
        },
        sort: [{ path: "score", direction: "desc" }],
        limit: 100,
      }),
    theirs: () =>
      theirs({
        query: { bool: { filter: [{ range: { age: { gte: 88 } } }, { term: { active: true } }] } },
        sort: [{ score: "desc" }, { _doc: "asc" }],
        size: 100,
      }),
  });
  await bench.compare({
    what: "full text, two words, the best 20",
    against,
    goal,
    ours: async () => (await db.search({ match: { text: "fishing much", fields: ["bio"] }, limit: 20 })).length,
    theirs: async () => {
      const query = { match: { bio: { query: "fishing much", operator: "and" } } };
      return (await client.search({ index: target, size: 20, query, track_total_hits: false })).hits.hits.length;
    },
  });
  await bench.compare({
    what: "aggregate: 1,000 groups, count and average",
    against,
    goal,
    ours: async () => {
      const groups = await db.aggregate({ groupBy: { city: "city" }, select: { n: count(), age: avg("age") } });
      return groups.reduce((sum, { n }) => sum + n, 0);
    },
    theirs: async () => {
      const aggs = { city: { terms: { field: "city", size: 10_000 }, aggs: { age: { avg: { field: "age" } } } } };
      const { aggregations } = await client.search({ index: target, size: 0, track_total_hits: false, aggs });
      const groups = aggregations.city.buckets.map((one) => ({ city: one.key, n: one.doc_count, age: one.age.value }));
      return groups.reduce((sum, { n }) => sum + n, 0);
    },
  });
  await bench.compare({
    what: "read by id, 100 in flight",
    against,
    goal,
    per: 1000,
    ours: () => inFlight(inputs, async (id) => (await db.read(id)).data.age),
    theirs: () => inFlight(inputs, async (id) => (await client.get({ index: target, id }))._source.age),
  });
  await bench.compare({
    what: "stream all",
    against: "raw client, point in time",
    goal,
    rounds: 3,
    ours: async () => {
      let sum = 0;
      for await (const { data } of db.stream()) sum += data.age;
      return sum;
    },
    theirs: () => streamByHand(client, target),
  });
}

async function inFlight(inputs, read) {
  let sum = 0;
  for (let start = 0; start < 1000; start += 100) {
    const ages = await Promise.all(inputs.slice(start, start + 100).map(({ id }) => read(id)));
    sum += ages.reduce((a, b) => a + b, 0);
  }
  return sum;
}

async function streamByHand(client, target) {
  const { id } = await client.openPointInTime({ index: target, keep_alive: "1m" });
  let sum = 0;
  let after;
  for (;;) {
    const { hits } = await client.search({
      pit: { id, keep_alive: "1m" },
      size: 1000,
      sort: ["_shard_doc"],
      track_total_hits: false,
      ...(after !== undefined && { search_after: after }),
    });
    for (const { _source } of hits.hits) sum += _source.age;
    if (hits.hits.length < 1000) break;
    after = hits.hits.at(-1).sort;
  }
  await client.closePointInTime({ id });
  return sum;
}
