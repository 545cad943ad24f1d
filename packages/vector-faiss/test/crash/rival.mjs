// A process that adds a row of its own and saves, loading anew where another was first; prints how often it was told.
import { existsSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { DataknobsError, openVectorStore } from "@dataknobs/core";
import { faiss } from "../../dist/index.js";

const { path, name, names, rounds } = JSON.parse(process.argv[2]);
const store = await openVectorStore(faiss({ path, indexType: "HNSW8" }), { dimensions: 8, metric: "euclidean" });
// all have the store open before the first one saves: then one of them has to be told
writeFileSync(`${dirname(path)}.${name}`, "");
while (!names.every((one) => existsSync(`${dirname(path)}.${one}`))) await setTimeout(2);
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
