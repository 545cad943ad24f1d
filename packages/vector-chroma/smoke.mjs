// Run in an empty folder with the installed tarballs: throws where the package does not work. With a server behind
// DATAKNOBS_CHROMA_URL it stores and searches too.
import assert from "node:assert/strict";
import { DataknobsError, openVectorStore, where } from "@dataknobs/core";
import { chroma } from "@dataknobs/vector-chroma";

assert.throws(
  () => chroma({ collection: "a/b" }),
  (error) => DataknobsError.is(error, "INVALID_CONFIG"),
);
await assert.rejects(
  () => openVectorStore(chroma({ url: "http://127.0.0.1:1" }), { dimensions: 2 }),
  (error) => DataknobsError.is(error, "UNAVAILABLE"),
);

const url = process.env.DATAKNOBS_CHROMA_URL;
if (url) {
  const collection = `smoke-${process.pid}-${Date.now()}`;
  const store = await openVectorStore(chroma({ url, collection }), { dimensions: 2 });
  await store.add([
    { id: "a", vector: [1, 0], metadata: { lang: "en", at: new Date(0) } },
    { id: "b", vector: [1, 1], metadata: { lang: "de" } },
  ]);
  assert.equal((await store.search([1, 0], { k: 1, filter: where("lang", "=", "de") }))[0].id, "b");
  assert.deepEqual((await store.get(["a"]))[0].metadata, { lang: "en", at: new Date(0) });
  await store.clear();
  await store.close();
  const { ChromaClient } = await import("chromadb");
  const { hostname, port } = new URL(url);
  await new ChromaClient({ host: hostname, port: Number(port), ssl: false }).deleteCollection({ name: collection });
}
