/** What SQLite can, in both uses. */
import { type Capabilities, leafKinds } from "@dataknobs/core/backend";
import type { Queries } from "./queries.js";

export function capabilitiesOf(
  { compiler }: Queries,
  own: Pick<Capabilities, "durable" | "snapshotStreams">,
): Capabilities {
  return Object.freeze({
    ...own,
    transactions: "interactive",
    atomicBatch: true,
    unique: true,
    fullText: "indexed",
    nearest: "exact",
    analyzers: Object.freeze([]),
    aggregation: "native",
    percentile: "exact",
    cancel: false,
    synchronous: true,
    pushdown: leafKinds(compiler),
    limits: Object.freeze({}),
  });
}
