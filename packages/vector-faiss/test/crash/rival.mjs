// A process that saves beside others; prints how often it was told that another was first.
import { openVectorStore } from "@dataknobs/core";
import { rival } from "../../../../tooling/testing/saving.mjs";
import { faiss } from "../../dist/index.js";

const plan = JSON.parse(process.argv[2]);
await rival(
  await openVectorStore(faiss({ path: plan.path, indexType: "HNSW8" }), { dimensions: 8, metric: "euclidean" }),
  plan,
);
