import { testBackend } from "@dataknobs/core/conformance";
import { shelf } from "./backend.js";

/** The whole conformance suite, under whichever runner these come from. */
export function testShelf(describe, it) {
  testBackend({ describe, it, open: () => shelf(), capabilities: { atomicBatch: true, snapshotStreams: true } });
}
