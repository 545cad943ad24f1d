/** A complete third-party backend: records as JSON text in a Map. Core emulates whatever is not here. */
import { applyWrite, defineBackend, isRefusal, leafKinds } from "@dataknobs/core/backend";

/** @typedef {import("@dataknobs/core/backend").WireRecord} WireRecord */

/** Register it with `registerBackend(shelf)` and `openDatabase({ backend: "shelf" })` works too. */
export const shelf = defineBackend({
  name: "shelf",
  options: { batchSize: { type: "number", min: 1, integer: true } },
  create: ({ batchSize = 500 }) => makeShelf(batchSize),
});

function makeShelf(batchSize) {
  /** @type {Map<string, string>} */
  let rows = new Map();
  const parse = (text) => (text === undefined ? undefined : /** @type {WireRecord} */ (JSON.parse(text)));

  /** One operation on `into`; what became of it. Core turns refusals into errors. */
  function apply(op, into) {
    const outcome = applyWrite(op, parse(into.get(op.id)));
    if (outcome.status === "written") into.set(op.id, JSON.stringify(outcome.record));
    if (outcome.status === "deleted") into.delete(op.id);
    return outcome;
  }

  return {
    name: "shelf",
    // write() turns what it is given into text at once, so core need not copy it
    ownership: /** @type {const} */ ("serialise"),
    capabilities: Object.freeze({
      durable: false,
      transactions: false,
      atomicBatch: true,
      unique: false,
      snapshotStreams: true,
      fullText: "emulated",
      analyzers: [],
      aggregation: "emulated",
      percentile: "exact",
      cancel: false,
      synchronous: false,
      pushdown: leafKinds(undefined),
      limits: {},
    }),
    read: async (ids) => ids.map((id) => parse(rows.get(id))),
    write: async (ops, { atomic }) => {
      const next = new Map(rows);
      const outcomes = ops.map((op) => apply(op, next));
      if (!atomic || !outcomes.some(isRefusal)) rows = next;
      if (rows === next) return outcomes;
      return outcomes.map((one) => (/written|deleted/.test(one.status) ? { status: "rolledBack" } : one));
    },
    async *scan({ limit = Number.POSITIVE_INFINITY, offset }) {
      const texts = [...rows.values()].slice(offset, offset + limit);
      for (let at = 0; at < texts.length; at += batchSize) yield texts.slice(at, at + batchSize).map(parse);
    },
  };
}
