// A process that adds a row of its own and saves, loading anew where another was first; prints how often it was told.
import { DataknobsError, openVectorStore } from "@dataknobs/core";
import { faiss } from "../../dist/index.js";

const { path, name, rounds } = JSON.parse(process.argv[2]);
const store = await openVectorStore(faiss({ path, indexType: "HNSW8" }), { dimensions: 8, metric: "euclidean" });
let told = 0;
for (let round = 0; round < rounds; ) {
  await store.add([{ id: `${name}-${round}`, vector: new Array(8).fill(round) }]);
  try {
    await store.save();
    round++;
  } catch (error) {
    if (!DataknobsError.is(error, "VERSION_CONFLICT")) throw error;
    told++;
    await store.load({ force: true });
  }
}
await store.close();
process.stdout.write(`${told}\n`);
