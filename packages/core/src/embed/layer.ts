/**
 * A backend whose writes get the vectors of their texts. Whatever way a record is written, in a transaction too, its
 * vectors are made before the write; a failure of the model is a failure of the write, and nothing is written.
 */
import type { Backend, MergeOp, Store, Transaction, WriteOp, WriteOutcome, WriteRequest } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import { forward, forwardTransaction } from "../layers/forward.js";
import { mergeFields } from "../record/merge.js";
import type { Content, Embedder } from "./embedder.js";

/** Attempts at a patch of a record that others keep changing. */
const maxAttempts = 100;

export function embedding(inner: Backend, embedder: Embedder): Backend {
  const { begin } = inner;
  return forward(inner, {
    ...writesOf(inner, embedder),
    capabilities: Object.freeze({ ...inner.capabilities, synchronous: false }),
    begin:
      begin &&
      (async (call): Promise<Transaction> => {
        const transaction = await begin.call(inner, call);
        return forwardTransaction(transaction, writesOf(transaction, embedder));
      }),
  });
}

function writesOf(store: Store, embedder: Embedder): Pick<Store, "write" | "merge"> {
  const { merge } = store;
  return {
    write: (ops, request) => write(store, embedder, ops, request),
    ...(merge !== undefined && {
      merge: async (op, call) =>
        embedder.touches(op.data)
          ? patch(store, embedder, op, { ...call, atomic: false })
          : merge.call(store, op, call),
    }),
  };
}

async function write(
  store: Store,
  embedder: Embedder,
  ops: readonly WriteOp[],
  request: WriteRequest,
): Promise<readonly WriteOutcome[]> {
  const filled = ops.filter((op) => op.kind !== "delete");
  // what a new record has in place of another is kept where it still fits
  const replacing = new Set(filled.filter(({ kind }) => kind !== "insert").map(({ id }) => id));
  const ids = [...replacing];
  const rows = ids.length === 0 ? [] : await store.read(ids, request);
  const before = new Map(ids.map((id, index) => [id, rows[index]]));
  const contents = await embedder.fill(
    filled,
    filled.map(({ id }) => before.get(id)),
    request,
  );
  const byOp = new Map(filled.map((op, index) => [op, contents[index] as Content]));
  const made = ops.map((op): WriteOp => {
    const content = op.kind === "delete" ? undefined : byOp.get(op);
    return content === undefined || content === op
      ? op
      : ({ ...op, data: content.data, types: content.types } as WriteOp);
  });
  const outcomes = await store.write(made, request);
  // what was asked for is not all that was written
  return outcomes.map((outcome, index) => {
    const op = made[index] as WriteOp;
    if (outcome.status !== "written" || outcome.record !== undefined || op === ops[index] || op.kind === "delete") {
      return outcome;
    }
    const { id, data, types, metadata = {}, metadataTypes, version, at } = op;
    const { createdAt } = outcome;
    return { ...outcome, record: { id, data, types, metadata, metadataTypes, version, createdAt, updatedAt: at } };
  });
}

/** As an update of what is there, and anew where that changed meanwhile. */
async function patch(store: Store, embedder: Embedder, op: MergeOp, request: WriteRequest): Promise<WriteOutcome> {
  const { id, version, at, ifVersion } = op;
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const [current] = await store.read([id], request);
    if (ifVersion !== undefined && current?.version !== ifVersion) {
      return { status: "stale", actual: current?.version ?? null };
    }
    if (current === undefined) return { status: "missing" };
    const merged = mergeFields(current.data, current.types, op.data, op.types);
    const [content = merged] = await embedder.fill([merged], [current], request);
    const data = Object.freeze(content.data);
    const { metadata, metadataTypes } = current;
    const update: WriteOp = {
      kind: "update",
      id,
      data,
      types: content.types,
      metadata,
      metadataTypes,
      version,
      at,
      ifVersion: current.version,
    };
    const [outcome] = await store.write([update], request);
    if (outcome?.status === "stale" && ifVersion === undefined) continue;
    if (outcome?.status !== "written") return outcome as WriteOutcome;
    return { ...outcome, record: { ...current, data, types: content.types, version, updatedAt: at } };
  }
  throw new DataknobsError("CONFLICT", `The record "${id}" kept changing under ${maxAttempts} attempts to patch it.`, {
    operation: "patch",
    id,
  });
}
