// The Chroma store against its client alone, on the server behind DATAKNOBS_CHROMA_URL: clusters, three fields of metadata a row.
import { openVectorStore, where } from "@dataknobs/core";
import { chroma } from "@dataknobs/vector-chroma";
import { ChromaClient } from "chromadb";
import { clustered, questionsNear } from "../clusters.mjs";

const dimensions = 128;
const k = 10;

export default async function measure(bench, { rows }) {
  const url = process.env.DATAKNOBS_CHROMA_URL;
  if (!url) throw new Error("DATAKNOBS_CHROMA_URL is not set; `npm run services -- start chroma` prints it.");
  const { hostname, port, protocol } = new URL(url);
  const client = new ChromaClient({ host: hostname, port: Number(port), ssl: protocol === "https:" });
  const names = new Set();
  const newName = () => {
    const name = `dk-bench-${process.pid}-${names.size}`;
    names.add(name);
    return name;
  };
  const make = (name, space) =>
    client.createCollection({ name, embeddingFunction: null, configuration: { hnsw: { space } } });

  const count = Math.min(rows, 10_000);
  const vectors = clustered(count, dimensions).map((vector) => [...vector]);
  const metadataOf = (n) => ({ n, lang: n % 2 === 0 ? "en" : "de", hundredth: n % 100 });
  const entries = vectors.map((vector, n) => ({ id: `v${n}`, vector, metadata: metadataOf(n) }));
  const batch = await client.getMaxBatchSize();
  /** `kept`: a text a row, from which the vector comes back: Chroma gives those of cosine back scaled. */
  const fill = async (collection, kept) => {
    for (let from = 0; from < count; from += batch) {
      const some = entries.slice(from, from + batch);
      await collection.upsert({
        ids: some.map(({ id }) => id),
        embeddings: some.map(({ vector }) => vector),
        metadatas: some.map(({ metadata, vector }) => (kept ? { ...metadata, vector: base64(vector) } : metadata)),
      });
    }
    return collection.count();
  };

  try {
    const alone = "chromadb's client alone, in the largest batches";
    const goal = { atLeast: 0.85 };
    for (const { metric, space, exactVectors, kept, against, ...rest } of [
      { metric: "euclidean", space: "l2", exactVectors: true, against: alone, goal },
      { metric: "cosine", space: "cosine", exactVectors: false, against: alone, goal },
      {
        metric: "cosine",
        space: "cosine",
        exactVectors: true,
        kept: true,
        against: `${alone}, each vector kept`,
        goal,
      },
      // for the record: what exact vectors cost
      { metric: "cosine", space: "cosine", exactVectors: true, against: `${alone}, vectors come back scaled` },
    ]) {
      await bench.compare({
        what: `chroma: load ${count} × ${dimensions}, ${metric}${exactVectors ? "" : " with `exactVectors: false`"}`,
        against,
        ...rest,
        per: count,
        ours: {
          setUp: () => openVectorStore(chroma({ url, collection: newName(), exactVectors }), { dimensions, metric }),
          run: async (store) => {
            await store.add(entries);
            return store.count();
          },
          tearDown: (store) => store.close(),
        },
        theirs: { setUp: () => make(newName(), space), run: (collection) => fill(collection, kept) },
      });
    }

    const name = newName();
    const raw = await make(name, "cosine");
    await fill(raw);
    const store = await openVectorStore(chroma({ url, collection: name }), { dimensions });
    const questions = questionsNear(vectors, 20).map((question) => [...question]);
    const each = async (ask) => {
      const answers = [];
      for (const question of questions) answers.push((await ask(question)).join(" "));
      return answers.join("\n");
    };
    const idsOf = (hits) => hits.map(({ id }) => id);
    await bench.compare({
      what: `chroma: the ${k} nearest of ${count}`,
      against: "chromadb's client alone",
      goal: { atMost: 1.15 },
      per: questions.length,
      ours: () => each(async (question) => idsOf(await store.search(question, { k }))),
      theirs: () => each(async (question) => (await raw.query({ queryEmbeddings: [question], nResults: k })).ids[0]),
    });
    await bench.compare({
      what: `chroma: the same with a filter that a hundredth satisfies`,
      against: "chromadb's client alone, its own `where`",
      goal: { atMost: 1.15 },
      per: questions.length,
      ours: () =>
        each(async (question) => idsOf(await store.search(question, { k, filter: where("hundredth", "=", 7) }))),
      theirs: () =>
        each(
          async (question) =>
            (await raw.query({ queryEmbeddings: [question], nResults: k, where: { hundredth: 7 } })).ids[0],
        ),
    });
    await store.close();
  } finally {
    for (const name of names) await client.deleteCollection({ name });
  }
}

function base64(vector) {
  return Buffer.from(new Float32Array(vector).buffer).toString("base64");
}
