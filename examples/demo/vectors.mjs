// The films as vectors: nearest by a filter, in every vector store at hand, and joined with full text by rank.
import { openVectorStore, query, reciprocalRankFusion, where } from "@dataknobs/core";
import { dimensions, embed } from "./embedder.mjs";
import { dim, green, heading, line, red, table, wrap } from "./print.mjs";

const wish = "starship troopers in space";
const filter = where("rating", ">=", 6);
const k = 5;

/** Films with a title; the text is what a person would search in. */
function rowsOf(movies) {
  return movies
    .filter(({ data }) => typeof data.Title === "string" && data.Title !== "")
    .map(({ id, data }) => {
      const text = [data.Title, data["Major Genre"], data["Creative Type"]].filter(Boolean).join(", ");
      return { id, vector: embed(text), metadata: { title: data.Title, rating: data["IMDB Rating"] }, text };
    });
}

/** Whether all stores gave the same hits, in the same order. */
export async function searchVectors(movies, sources, records) {
  heading("8. Vectors");
  line(wrap(`Films near “${wish}” with a rating of 6 or better`, "  "));
  line(dim("  The vectors are of a toy that knows how words are spelled and nothing of what they mean: embedder.mjs."));
  line();
  const rows = rowsOf(movies);
  const answers = [];
  for (const source of sources) {
    const store = await openVectorStore(source, { dimensions, metric: "cosine" });
    try {
      await store.clear();
      await store.add(rows);
      const started = performance.now();
      const hits = await store.search(embed(wish), { k, filter, include: ["metadata"] });
      answers.push({ store, hits, plan: store.explain({ filter }), ms: performance.now() - started });
    } finally {
      await store.clear();
      await store.close();
    }
  }
  const [{ hits }] = answers;
  table(
    ["title", "rating", "score"],
    hits.map(({ metadata, score }) => [metadata.title, metadata.rating, score]),
  );
  line();
  table(
    ["store", "search", "filter", "time"],
    answers.map(({ store, plan, ms }) => [store.name, plan.search, filterOf(plan), `${ms.toFixed(1)} ms`]),
  );
  const same = answers.every((one) => one.hits.map(({ id }) => id).join() === hits.map(({ id }) => id).join());
  line();
  line(same ? `  ${green("✓ equal")}: the same ${hits.length} films in the same order` : `  ${red("✗ NOT EQUAL")}`);

  const words = await records.search(
    query()
      .match("space", { fields: ["Title"] })
      .limit(k),
  );
  const fused = reciprocalRankFusion([words, hits]);
  const titles = new Map([
    ...words.map(({ id, data }) => [id, data.Title]),
    ...hits.map(({ id, metadata }) => [id, metadata.title]),
  ]);
  line(
    dim(
      wrap(
        `Fused by rank with the films that have “space” in the title: ${fused
          .slice(0, k)
          .map(({ id }) => titles.get(id))
          .join("; ")}.`,
        "  ",
      ),
    ),
  );
  return same;
}

function filterOf({ clauses }) {
  return clauses.every(({ how }) => how === "pushed") ? "store" : "core";
}
