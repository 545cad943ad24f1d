/** The records of one side, in lists of a size. */
import type { Call } from "../backend/spi.js";
import { planFor, type QueryInput } from "../database/reads.js";
import { BatchMachine } from "../database/scans.js";
import { asDataknobsError, type Session } from "../database/session.js";
import { abortError, orAborted, runAsync } from "../database/steps.js";
import type { WireRecord } from "../record/json.js";

export interface Side {
  readonly session: Session;
  readonly call: Call;
}

export async function* batchesOf(
  { session, call }: Side,
  query: QueryInput,
  size: number | (() => number),
): AsyncGenerator<readonly WireRecord[], void> {
  const sizeNow = typeof size === "number" ? () => size : size;
  const sized = { ...session, batchSize: Math.min(sizeNow(), 1000) };
  const machine = new BatchMachine(sized, planFor(sized, query), call);
  let pending: WireRecord[] = [];
  try {
    for (;;) {
      if (call.signal?.aborted === true) throw abortError(call.signal);
      const batch = await asked(session, () => runAsync(machine.next(), call.signal));
      if (batch === undefined) break;
      for (const record of batch) {
        pending.push(record);
        if (pending.length < sizeNow()) continue;
        yield pending;
        pending = [];
      }
    }
    if (pending.length > 0) yield pending;
  } finally {
    await runAsync(machine.close(), undefined);
  }
}

export function recordsOf(
  { session, call }: Side,
  ids: readonly string[],
): Promise<readonly (WireRecord | undefined)[]> {
  return asked(session, () => orAborted(Promise.resolve(session.store.read(ids, call)), call.signal));
}

async function asked<R>(session: Session, work: () => PromiseLike<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    throw asDataknobsError(error, session, "migrate");
  }
}
