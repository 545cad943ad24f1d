// A process that saves again and again until it kills itself at the file operation that its argument names.
import { openVectorStore } from "@dataknobs/core";
import { killAt, saveAgain } from "../../../../tooling/testing/saving.mjs";
import { vectorMemory } from "../../dist/index.js";

const plan = JSON.parse(process.argv[2]);
killAt(plan);
await saveAgain(await openVectorStore(vectorMemory({ path: plan.path }), { dimensions: 8, metric: "euclidean" }));
