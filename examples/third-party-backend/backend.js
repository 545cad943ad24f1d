/** A complete third-party backend: records as JSON text in a Map. Core emulates whatever is not here. */
import { defineBackend, leafKinds } from "@dataknobs/core/backend";

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
    const current = parse(into.get(op.id));
    if (op.kind === "insert" && current) return { status: "exists" };
    if (op.kind !== "insert" && op.ifVersion !== undefined && op.ifVersion !== current?.version) {
      return { status: "stale", actual: current?.version ?? null };
    }
    if (!current && (op.kind === "update" || op.kind === "delete")) return { status: "missing" };
    if (op.kind === "delete") {
      into.delete(op.id);
      return { status: "deleted" };
    }
    const { id, data, types, version, at: updatedAt } = op;
    // an update without metadata leaves it as it was
    const { metadata, metadataTypes } = op.metadata === undefined ? current : op;
    const createdAt = current?.createdAt ?? updatedAt;
    const record = { id, data, types, metadata, metadataTypes, version, createdAt, updatedAt };
    into.set(id, JSON.stringify(record));
    return { status: "written", createdAt, record };
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
      const refused = outcomes.some(({ status }) => status === "exists" || status === "stale");
      if (!atomic || !refused) rows = next;
      if (rows === next) return outcomes;
      return outcomes.map((one) => (/written|deleted/.test(one.status) ? { status: "rolledBack" } : one));
    },
    async *scan({ limit = Number.POSITIVE_INFINITY, offset }) {
      const texts = [...rows.values()].slice(offset, offset + limit);
      for (let at = 0; at < texts.length; at += batchSize) yield texts.slice(at, at + batchSize).map(parse);
    },
  };
}
