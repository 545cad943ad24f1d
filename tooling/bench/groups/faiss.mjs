// The Faiss store against faiss-node by hand, and the memory store against Faiss Flat. Vectors in clusters, never uniform
// noise. By hand: labels for ids, no filters, no deletes, and what cosine needs done beforehand.
import { createRequire } from "node:module";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { openVectorStore } from "@dataknobs/core";
import { faiss } from "@dataknobs/vector-faiss";
import { vectorMemory } from "@dataknobs/vector-memory";
import { provideFaiss } from "../../faiss/build.mjs";
import { clustered, questionsNear } from "../clusters.mjs";

// as the peers of the memory store are: one thread
process.env.OMP_NUM_THREADS ??= "1";
const k = 10;
const dimensions = 384;

export default async function measure(bench, { rows }) {
  provideFaiss();
  const { Index } = createRequire(import.meta.url)("faiss-node");
  /** faiss-node as a competent user would: vectors as lists, of length 1, made beforehand. */
  const byHand = (type, vectors) => {
    const numbers = vectors.map(unit);
    const index = Index.fromFactory(dimensions, type, 0);
    // as many as Faiss looks at
    if (!index.isTrained()) index.train(numbers.slice(0, 25_600).flat());
    const search = (question, k) => {
      const { labels, distances } = index.search(unit(question), k);
      return labels.map((label, at) => ({ id: `v${label}`, score: distances[at] }));
    };
    return { index, numbers, search };
  };

  const all = clustered(Math.min(rows, 50_000), dimensions);
  const base = 4000;
  const questions = questionsNear(all, 100);
  const lists = questions.map(unit);
  const flat = lists.flat();
  const searchEach = async (search) => {
    for (const question of questions) await search(question);
  };

  // a graph of all of them takes minutes to make
  for (const [type, vectors] of [
    ["HNSW32", all.slice(0, 20_000)],
    ["IVF100,Flat", all],
  ]) {
    const count = vectors.length;
    const entries = vectors.map((vector, n) => ({ id: `v${n}`, vector }));
    const raw = byHand(type, vectors);
    for (let from = 0; from < count; from += 1000) raw.index.add(raw.numbers.slice(from, from + 1000).flat());
    // faiss-node has no way to set nprobe: it looks through one list
    const options = { indexType: type, ...(type.startsWith("IVF") && { nprobe: 1 }) };
    const local = await openVectorStore(faiss({ ...options, thread: false }), { dimensions });
    const aside = await openVectorStore(faiss(options), { dimensions });
    await local.add(entries);
    await aside.add(entries);

    await bench.compare({
      what: `faiss: the ${k} nearest of ${count} × ${dimensions} by ${type}, in process`,
      against: "faiss-node by hand: length 1, ids for labels",
      goal: { atMost: 1.2 },
      per: questions.length,
      ours: () => searchEach((question) => local.search(question, { k, include: [] })),
      theirs: () => searchEach((question) => raw.search(question, k)),
    });
    // for the record: with the questions made ready, and nothing made of the answer
    await bench.compare({
      what: `faiss: the same by ${type}`,
      against: "faiss-node's search call alone",
      per: questions.length,
      ours: () => searchEach((question) => local.search(question, { k, include: [] })),
      theirs: () => {
        for (const list of lists) raw.index.search(list, k);
      },
    });
    await bench.compare({
      what: `faiss: 100 queries in one batch by ${type}, on a thread of its own`,
      against: "faiss-node by hand, the same 100",
      goal: { atMost: 1.4 },
      per: questions.length,
      ours: async () => {
        await aside.searchMany(questions, { k, include: [] });
      },
      theirs: () => {
        raw.index.search(flat, k);
      },
    });
    bench.difference({
      what: `faiss: the longest that such a batch by ${type} holds up the event loop`,
      against: "an idle event loop",
      goal: { below: 10, unit: "ms" },
      ours: await longestDelay(() => aside.searchMany(questions, { k, include: [] })),
      theirs: await longestDelay(() => new Promise((resolve) => setTimeout(resolve, 20))),
    });
    await bench.compare({
      what: `faiss: add 1000 to ${base} × ${dimensions}, ${type}, in process`,
      against: "faiss-node by hand",
      goal: { atLeast: 0.8 },
      per: 1000,
      rounds: 5,
      ours: {
        setUp: async () => {
          const store = await openVectorStore(faiss({ ...options, thread: false }), { dimensions });
          await store.add(entries.slice(0, base));
          return store;
        },
        run: (store) => store.add(entries.slice(base, base + 1000)).then(() => undefined),
        tearDown: (store) => store.close(),
      },
      theirs: {
        setUp: () => {
          const one = byHand(type, vectors.slice(0, base));
          one.index.add(one.numbers.flat());
          return one.index;
        },
        run: (index) => index.add(raw.numbers.slice(base, base + 1000).flat()),
      },
    });
    await local.close();
    await aside.close();
  }

  const many = all.length;
  const few = questions.slice(0, 4);
  const raw = byHand("Flat", all);
  for (let from = 0; from < many; from += 1000) raw.index.add(raw.numbers.slice(from, from + 1000).flat());
  const fewLists = few.map(unit);
  for (const quantization of ["none", "int8"]) {
    const memory = await openVectorStore(vectorMemory({ quantization }), { dimensions });
    await memory.add(all.map((vector, n) => ({ id: `${n}`, vector })));
    await bench.compare({
      what: `vectors in memory, \`quantization: "${quantization}"\`: the ${k} nearest of ${many} × ${dimensions}`,
      against: "Faiss Flat on one thread, by faiss-node",
      goal: { atMost: 1.2 },
      per: few.length,
      ours: async () => {
        const answers = [];
        for (const question of few) {
          answers.push((await memory.search(question, { k, include: [] })).map(({ id }) => id));
        }
        return same(answers);
      },
      theirs: () => same(fewLists.map((list) => raw.index.search(list, k).labels.map(String))),
    });
    await memory.close();
  }
}

/** Which ids, whatever their order: 32-bit floats have near neighbours the other way round. */
function same(answers) {
  return answers.map((ids) => ids.toSorted().join(",")).join(";");
}

function unit(vector) {
  let square = 0;
  for (let index = 0; index < dimensions; index++) square += vector[index] * vector[index];
  const scale = 1 / Math.sqrt(square);
  const list = new Array(dimensions);
  for (let index = 0; index < dimensions; index++) list[index] = vector[index] * scale;
  return list;
}

/** The longest turn of the event loop while this is done ten times. */
async function longestDelay(work) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  for (let time = 0; time < 3; time++) await work();
  delay.enable();
  for (let time = 0; time < 10; time++) await work();
  delay.disable();
  return delay.max / 1e6;
}
