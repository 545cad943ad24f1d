import { testBackend } from "@dataknobs/core/conformance";
import { describe, it } from "@jest/globals";
import { memory } from "../src/index.js";

for (const sync of [false, true]) {
  testBackend({
    describe,
    it,
    sync,
    open: () => memory(),
    modes: ["plain", "indexed"],
    capabilities: {
      transactions: "interactive",
      atomicBatch: true,
      unique: true,
      snapshotStreams: true,
      fullText: "indexed",
      aggregation: "native",
      synchronous: true,
    },
    deviations: {},
  });
}
