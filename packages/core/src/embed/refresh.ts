/** `db.embeddings`: which vectors are not of their text by the present model, and making them anew. */
import type { Call } from "../backend/spi.js";
import { planFor } from "../database/reads.js";
import { collect } from "../database/scans.js";
import { misuse, type Session } from "../database/session.js";
import { type Steps, wait } from "../database/steps.js";
import { DataknobsError } from "../errors.js";
import { where } from "../query/builder.js";
import { newVersion } from "../record/ids.js";
import type { WireRecord } from "../record/json.js";
import { throwIfAborted } from "../vector/session.js";
import type { Embedder } from "./embedder.js";

export interface EmbeddingProgress {
  /** Records looked at. */
  readonly scanned: number;
  /** Of those, the ones that got new vectors. */
  readonly refreshed: number;
  readonly total: number;
}

export interface RefreshOptions {
  /** Records read and written together. Default 100. */
  readonly batchSize?: number | undefined;
  readonly onProgress?: ((progress: EmbeddingProgress) => void) | undefined;
}

/** How many records have a vector that is missing, of another text or by another model. Reads all of them. */
export function* stale(session: Session, call: Call): Steps<number> {
  const embedder = embedderOf(session);
  let found = 0;
  for (let after: string | undefined; ; ) {
    const records = yield* next(session, after, session.batchSize, call);
    const last = records.at(-1);
    if (last === undefined) return found;
    found += (yield* wait(staleOf(embedder, records))).length;
    after = last.id;
  }
}

/**
 * Makes the stale vectors anew, batch by batch. What is done is no longer stale, so that a run that was ended is taken up
 * by another call. Records that others change meanwhile got their vectors by that.
 */
export function* refresh(session: Session, options: RefreshOptions, call: Call): Steps<EmbeddingProgress> {
  const embedder = embedderOf(session);
  const { batchSize = 100, onProgress } = options;
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) throw misuse("`batchSize` is a whole number, 1 or more.");
  const progress = { scanned: 0, refreshed: 0, total: yield* countAll(session, call) };
  for (let after: string | undefined; ; ) {
    throwIfAborted(call);
    const records = yield* next(session, after, batchSize, call);
    const last = records.at(-1);
    if (last === undefined) return { ...progress };
    const found = yield* wait(staleOf(embedder, records));
    const ops = found.map(({ id, data, types, version }) => {
      const [metadata, metadataTypes] = [undefined, null];
      const at = Date.now();
      return {
        kind: "update",
        id,
        data,
        types,
        metadata,
        metadataTypes,
        version: newVersion(),
        at,
        ifVersion: version,
      } as const;
    });
    if (ops.length > 0) {
      // the store is the layer that makes the vectors
      const outcomes = yield* wait(session.store.write(ops, { ...call, atomic: false }));
      for (const outcome of outcomes) {
        if (outcome.status === "failed") throw outcome.error;
        if (outcome.status === "written") progress.refreshed++;
      }
    }
    progress.scanned += records.length;
    onProgress?.({ ...progress });
    after = last.id;
  }
}

function* countAll(session: Session, call: Call): Steps<number> {
  if (session.store.count !== undefined) return yield* wait(session.store.count(undefined, undefined, call));
  return (yield* collect(session, planFor(session, { select: [] }), call)).length;
}

function next(session: Session, after: string | undefined, limit: number, call: Call): Steps<WireRecord[]> {
  const plan = planFor(session, {
    ...(after !== undefined && { where: where("id", ">", after) }),
    sort: [{ path: "id" }],
    limit,
  });
  return collect(session, plan, call);
}

async function staleOf(embedder: Embedder, records: readonly WireRecord[]): Promise<WireRecord[]> {
  const found: WireRecord[] = [];
  for (const record of records) if (!(await embedder.isCurrent(record))) found.push(record);
  return found;
}

function embedderOf({ embedder, name }: Session): Embedder {
  if (embedder !== undefined) return embedder;
  throw new DataknobsError("UNSUPPORTED", "The database was opened without `embed`, so that it makes no vectors.", {
    backend: name,
  });
}
