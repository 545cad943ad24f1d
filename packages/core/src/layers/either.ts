/** Work on what a backend gives, at once where it gave it at once: layers leave synchronous backends synchronous. */
import type { Batches, MaybePromise } from "../backend/spi.js";
import { isThenable } from "../database/steps.js";
import type { WireRecord } from "../record/json.js";

export function then<T, R>(value: MaybePromise<T>, work: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return isThenable(value) ? value.then(work) : work(value);
}

/** Every batch through a function; `return()` reaches the store. */
export function mapBatches(batches: Batches, each: (batch: readonly WireRecord[]) => readonly WireRecord[]): Batches {
  return Symbol.iterator in batches ? mapNow(batches, each) : mapLater(batches, each);
}

type Each = (batch: readonly WireRecord[]) => readonly WireRecord[];

function* mapNow(batches: Iterable<readonly WireRecord[]>, each: Each): Generator<readonly WireRecord[], void> {
  for (const batch of batches) yield each(batch);
}

async function* mapLater(
  batches: AsyncIterable<readonly WireRecord[]>,
  each: Each,
): AsyncGenerator<readonly WireRecord[], void> {
  for await (const batch of batches) yield each(batch);
}
