/**
 * Writes: bulk requests with an outcome per record. What depends on the stored record (a version, `createdAt`,
 * metadata that stay) is read first and written on condition of its `_seq_no`, again and again until it holds.
 *
 * A request that was cut off and made again meets its own write; that is told by the version, which nobody else has.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Call,
  DataknobsError,
  type MergeOp,
  mergeFields,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
} from "@dataknobs/core/backend";
import { documentOf, recordOf } from "./documents.js";
import { classify, ServerError, serverError } from "./errors.js";
import type { Layout } from "./layout.js";
import type { Answer, Wire } from "./wire.js";

export interface Current {
  readonly record: WireRecord;
  readonly seqNo: number;
  readonly term: number;
}

/** How requests find the index. */
export interface Place {
  readonly wire: Wire;
  readonly routing: string | undefined;
  readonly refresh: string;
  /** Runs with the layout of now; again where it was changed under way. */
  layout(): Layout;
  moved(call: Call): Promise<void>;
}

const maxAttempts = 1000;
/** As the client's own bulk helper has them. */
const flushBytes = 5_000_000;
const flushItems = 5000;
const inFlight = 5;
/** Delays after "too many requests", in ms. */
const backOff = [50, 200, 800, 3200];

/** The stored records as they are now, refreshed or not. */
export async function readCurrent(place: Place, ids: readonly string[], call: Call): Promise<(Current | undefined)[]> {
  const found: (Current | undefined)[] = [];
  for (let at = 0; at < ids.length; at += flushItems) {
    const answer: Answer = await place.wire.ask({
      method: "POST",
      path: [place.layout().target, "_mget"],
      query: { routing: place.routing },
      body: { ids: ids.slice(at, at + flushItems) },
      ...call,
    });
    for (const doc of answer.docs) {
      if (doc.error !== undefined) throw classify(serverError(404, doc));
      found.push(doc.found ? { record: recordOf(doc), seqNo: doc._seq_no, term: doc._primary_term } : undefined);
    }
  }
  return found;
}

interface Entry {
  readonly op: WriteOp | MergeOp;
  readonly index: number;
  delays: number;
}

/** One outcome per operation, in order. Operations on the same id see each other. */
export async function writeAll(
  place: Place,
  ops: readonly (WriteOp | MergeOp)[],
  call: Call,
): Promise<readonly WriteOutcome[]> {
  const outcomes: WriteOutcome[] = new Array(ops.length);
  for (const wave of wavesOf(ops)) {
    let pending: readonly Entry[] = wave;
    for (let attempt = 0; pending.length > 0; attempt++) {
      if (attempt === maxAttempts) {
        for (const { op, index } of pending) outcomes[index] = { status: "failed", error: kept(op.id) };
        break;
      }
      pending = await attemptAll(place, pending, outcomes, call);
    }
  }
  return outcomes;
}

/** Lists in which no id occurs twice, nearly always one. */
function wavesOf(ops: readonly (WriteOp | MergeOp)[]): readonly (readonly Entry[])[] {
  const waves: Entry[][] = [];
  const times = new Map<string, number>();
  for (let index = 0; index < ops.length; index++) {
    const op = ops[index] as WriteOp;
    const time = times.get(op.id) ?? 0;
    times.set(op.id, time + 1);
    const wave = waves[time] ?? [];
    wave.push({ op, index, delays: 0 });
    waves[time] = wave;
  }
  return waves;
}

/** Reads what has to be read, writes, and gives back what has to be tried again. */
async function attemptAll(
  place: Place,
  entries: readonly Entry[],
  outcomes: WriteOutcome[],
  call: Call,
): Promise<readonly Entry[]> {
  const dependent = entries.filter(({ op }) => dependsOnStored(op));
  const stored = new Map<string, Current>();
  if (dependent.length > 0) {
    const ids = dependent.map(({ op }) => op.id);
    try {
      for (const current of await readCurrent(place, ids, call))
        if (current !== undefined) stored.set(current.record.id, current);
    } catch (error) {
      if (!isMoved(error)) throw error;
      await place.moved(call);
      return entries;
    }
  }
  const again: Entry[] = [];
  const flights = new Set<Promise<void>>();
  let failure: unknown;
  for (const batch of batchesOf(place.layout(), entries, stored, outcomes)) {
    const flight: Promise<void> = send(place, batch, outcomes, again, call)
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => flights.delete(flight));
    flights.add(flight);
    // what was made goes on its way before the next is made
    await new Promise(setImmediate);
    if (flights.size >= inFlight) await Promise.race(flights);
  }
  await Promise.all(flights);
  if (failure !== undefined) throw failure;
  const delay = Math.max(0, ...again.map(({ delays }) => (delays === 0 ? 0 : (backOff[delays - 1] as number))));
  if (delay > 0) await sleep(delay, undefined, call.signal === undefined ? {} : { signal: call.signal });
  return again;
}

function dependsOnStored(op: WriteOp | MergeOp): boolean {
  return (
    !("kind" in op) ||
    op.kind === "update" ||
    op.kind === "upsert" ||
    (op.kind === "delete" && op.ifVersion !== undefined)
  );
}

interface Item {
  readonly entry: Entry;
  readonly outcome: WriteOutcome;
}
interface Batch {
  readonly items: Item[];
  readonly parts: string[];
  size: number;
}

/** Bulk bodies, made while those before are under way. */
function* batchesOf(
  layout: Layout,
  entries: readonly Entry[],
  stored: ReadonlyMap<string, Current>,
  outcomes: WriteOutcome[],
): Generator<Batch> {
  let batch: Batch = { items: [], parts: [], size: 0 };
  for (const entry of entries) {
    const { op } = entry;
    const current = stored.get(op.id);
    const decided = decide(op, current);
    if ("status" in decided) {
      outcomes[entry.index] = decided;
      continue;
    }
    const condition = current === undefined ? undefined : { if_seq_no: current.seqNo, if_primary_term: current.term };
    const { record, outcome } = decided;
    const action = record === undefined ? "delete" : current === undefined ? "create" : "index";
    const lines =
      `{"${action}":${JSON.stringify({ _id: op.id, ...condition })}}\n` +
      (record === undefined ? "" : `${documentOf(record, layout)}\n`);
    batch.items.push({ entry, outcome });
    batch.parts.push(lines);
    batch.size += lines.length;
    if (batch.size >= flushBytes || batch.items.length >= flushItems) {
      yield batch;
      batch = { items: [], parts: [], size: 0 };
    }
  }
  if (batch.items.length > 0) yield batch;
}

/** The outcome that needs no write, or what to write (no record: delete) and the outcome if that holds. */
function decide(
  op: WriteOp | MergeOp,
  current: Current | undefined,
): WriteOutcome | { readonly record: WireRecord | undefined; readonly outcome: WriteOutcome } {
  const before = current?.record;
  const merges = !("kind" in op);
  const ifVersion = merges || op.kind !== "insert" ? op.ifVersion : undefined;
  if (ifVersion !== undefined && before?.version !== ifVersion)
    return { status: "stale", actual: before?.version ?? null };
  if (!merges && op.kind === "delete") return { record: undefined, outcome: { status: "deleted" } };
  if (before === undefined && (merges || op.kind === "update")) return { status: "missing" };
  const fields = merges
    ? mergeFields((before as WireRecord).data, (before as WireRecord).types, op.data, op.types)
    : op;
  const { metadata, metadataTypes } = merges || op.metadata === undefined ? (before as WireRecord) : op;
  const record: WireRecord = {
    id: op.id,
    data: fields.data,
    types: fields.types,
    metadata: metadata as WireRecord["metadata"],
    metadataTypes,
    version: op.version,
    createdAt: before?.createdAt ?? op.at,
    updatedAt: op.at,
  };
  const { createdAt } = record;
  const tells = merges || op.kind === "update";
  return { record, outcome: { status: "written", createdAt, ...(tells && { record }) } };
}

async function send(place: Place, batch: Batch, outcomes: WriteOutcome[], again: Entry[], call: Call): Promise<void> {
  const layout = place.layout();
  let answer: Answer;
  try {
    answer = await place.wire.ask({
      method: "POST",
      path: [layout.target, "_bulk"],
      query: {
        refresh: place.refresh,
        routing: place.routing,
        // else a bulk to an index that is gone would make one
        require_alias: layout.target !== layout.index,
        filter_path: "items.*.status,items.*.error",
      },
      body: batch.parts.join(""),
      // a delete that came through and is made again would say that there was nothing
      retry: batch.items.every(({ outcome }) => outcome.status !== "deleted"),
      ...call,
    });
  } catch (error) {
    // the request as a whole: none of these is known to be written
    for (const { entry } of batch.items) {
      if (!isDelayed(entry, (error as Error).cause, again))
        outcomes[entry.index] = { status: "failed", error: error as Error };
    }
    return;
  }
  const lost: Entry[] = [];
  let moved = false;
  for (let at = 0; at < batch.items.length; at++) {
    const { entry, outcome } = batch.items[at] as Item;
    const [result] = Object.values(answer.items[at]) as [Answer];
    const { status } = result;
    if (status < 300) outcomes[entry.index] = outcome;
    else if (status === 404 && result.error === undefined) {
      if ("ifVersion" in entry.op && entry.op.ifVersion !== undefined) again.push(entry);
      else outcomes[entry.index] = { status: "missing" };
    } else if (status === 409) lost.push(entry);
    else {
      const native = serverError(status, result);
      const error = classify(native);
      if (isMoved(error)) {
        moved = true;
        again.push(entry);
      } else if (!isDelayed(entry, native, again)) outcomes[entry.index] = { status: "failed", error };
    }
  }
  if (moved) await place.moved(call);
  if (lost.length > 0) await settleLost(place, lost, outcomes, again, call);
}

/** Whether the server was only too busy for it, and it is tried again later. A full disk is no such thing. */
function isDelayed(entry: Entry, error: unknown, again: Entry[]): boolean {
  const isBusy = error instanceof ServerError && error.status === 429 && error.type !== "cluster_block_exception";
  if (!isBusy || entry.delays === backOff.length) return false;
  entry.delays++;
  again.push(entry);
  return true;
}

/** Who lost a race, unless to itself: then the first of two requests came through after all. */
async function settleLost(
  place: Place,
  lost: readonly Entry[],
  outcomes: WriteOutcome[],
  again: Entry[],
  call: Call,
): Promise<void> {
  const ids = lost.map(({ op }) => op.id);
  const stored = await readCurrent(place, ids, call);
  lost.forEach((entry, at) => {
    const { op, index } = entry;
    const record = stored[at]?.record;
    if ("version" in op && record?.version === op.version) {
      outcomes[index] = { status: "written", createdAt: record.createdAt, record };
    } else if ("kind" in op && op.kind === "insert" && record !== undefined) outcomes[index] = { status: "exists" };
    else again.push(entry);
  });
}

function isMoved(error: unknown): boolean {
  return DataknobsError.is(error) && error.details["native"] === "index_not_found_exception";
}

function kept(id: string): DataknobsError {
  return new DataknobsError(
    "CONFLICT",
    `The record ${JSON.stringify(id)} kept changing under ${maxAttempts} attempts.`,
    {
      backend: "elasticsearch",
      id,
    },
  );
}
