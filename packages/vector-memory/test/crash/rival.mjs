// A process that saves beside others; prints how often it was told that another was first.
import { openVectorStore } from "@dataknobs/core";
import { rival } from "../../../../tooling/testing/saving.mjs";
import { vectorMemory } from "../../dist/index.js";

const plan = JSON.parse(process.argv[2]);
await rival(await openVectorStore(vectorMemory({ path: plan.path }), { dimensions: 8, metric: "euclidean" }), plan);
