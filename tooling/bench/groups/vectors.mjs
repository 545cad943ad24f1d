// The vector store in memory: 50,000 × 384 in clusters, the ten nearest.
import { openVectorStore, where } from "@dataknobs/core";
import { vectorMemory } from "@dataknobs/vector-memory";
import { clustered, questionsNear } from "../clusters.mjs";

const dimensions = 384;
const k = 10;

export default async function measure(bench, { rows }) {
  const count = Math.min(rows, 50_000);
  const vectors = clustered(count, dimensions);
  const questions = questionsNear(vectors, 4);
  /** All questions, one after another. */
  const each = async (ask) => {
    const answers = [];
    for (const question of questions) answers.push(await ask(question));
    return answers.join("\n");
  };

  const store = await openVectorStore(vectorMemory(), { dimensions });
  await store.add(vectors.map((vector, n) => ({ id: `v${n}`, vector, metadata: { n, tenth: n % 10 } })));
  const peer = arrayStore(vectors);

  await bench.compare({
    what: `vectors: the ${k} nearest of ${count} × ${dimensions}, cosine`,
    against: "a store of arrays, as LangChain's: every row an object, all scores sorted",
    goal: { atLeast: 4 },
    per: questions.length,
    ours: () => each(async (question) => idsOf(await store.search(question, { k, include: [] }))),
    theirs: () => each((question) => peer.search(question, k)),
  });
  await bench.compare({
    what: "vectors: the same with a filter that a tenth satisfies",
    against: "the same unfiltered",
    goal: { atMost: 0.5 },
    per: questions.length,
    ours: () =>
      each(
        async (question) => (await store.search(question, { k, include: [], filter: where("tenth", "=", 3) })).length,
      ),
    theirs: () => each(async (question) => (await store.search(question, { k, include: [] })).length),
  });

  const quantised = await openVectorStore(vectorMemory({ quantization: "int8" }), { dimensions });
  await quantised.add(vectors.map((vector, n) => ({ id: `v${n}`, vector, metadata: { n, tenth: n % 10 } })));
  await bench.compare({
    what: 'vectors: the same with `quantization: "int8"`, the same answer',
    against: "the same without",
    goal: { atMost: 0.5 },
    per: questions.length,
    ours: () => each(async (question) => idsOf(await quantised.search(question, { k, include: [] }))),
    theirs: () => each(async (question) => idsOf(await store.search(question, { k, include: [] }))),
  });
  await quantised.close();
  await store.close();
}

function idsOf(hits) {
  return hits.map(({ id }) => id).join(" ");
}

/** What the in-memory stores of agent frameworks do. */
function arrayStore(vectors) {
  const rows = vectors.map((vector, n) => ({ id: `v${n}`, embedding: Array.from(vector), metadata: { n } }));
  const cosine = (a, b) => {
    let [dot, x, y] = [0, 0, 0];
    for (let index = 0; index < a.length; index++) {
      dot += a[index] * b[index];
      x += a[index] * a[index];
      y += b[index] * b[index];
    }
    return dot / Math.sqrt(x * y);
  };
  return {
    search(query, limit) {
      const embedding = Array.from(query);
      return rows
        .map((row) => ({ similarity: cosine(embedding, row.embedding), id: row.id }))
        .sort((a, b) => b.similarity - a.similarity)
        .slice(0, limit)
        .map(({ id }) => id)
        .join(" ");
    },
  };
}
