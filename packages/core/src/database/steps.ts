/**
 * One definition of every operation, two ways to run it: a generator that yields what it waits for, driven with
 * promises or without.
 */
import type { MaybePromise } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";

export type Steps<R> = Generator<unknown, R, unknown>;

/** Waits for a value within steps. */
export function* wait<T>(value: MaybePromise<T>): Generator<MaybePromise<T>, T, unknown> {
  return (yield value) as T;
}

export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | null | undefined)?.then === "function";
}

/** The value of something that never waits; `UNSUPPORTED` where it does after all. */
export function atOnce<T>(value: MaybePromise<T>): T {
  if (!isThenable(value)) return value;
  throw new DataknobsError("UNSUPPORTED", syncOnly);
}

const syncOnly =
  "A synchronous database met something asynchronous (a schema, or its backend). Use openDatabase instead.";

/** Runs the steps, awaiting promises; `signal` ends the wait at once. */
export async function runAsync<R>(steps: Steps<R>, signal: AbortSignal | undefined): Promise<R> {
  let step = steps.next();
  while (!step.done) {
    let value: unknown;
    try {
      value = isThenable(step.value) ? await orAborted(step.value, signal) : step.value;
      if (signal?.aborted === true) throw abortError(signal);
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(value);
  }
  return step.value;
}

/** Runs the steps at once. */
export function runSync<R>(steps: Steps<R>): R {
  let step = steps.next();
  while (!step.done) {
    if (isThenable(step.value)) {
      step = steps.throw(new DataknobsError("UNSUPPORTED", syncOnly));
      continue;
    }
    step = steps.next(step.value);
  }
  return step.value;
}

/** The promise, or a rejection as soon as the signal is aborted. */
export function orAborted<T>(promise: PromiseLike<T>, signal: AbortSignal | undefined): PromiseLike<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(abortError(signal));
    if (signal.aborted) {
      // what comes of the promise is nobody's business any more, a rejection included
      promise.then(undefined, () => undefined);
      abort();
      return;
    }
    signal.addEventListener("abort", abort, { once: true });
    const done = (): void => signal.removeEventListener("abort", abort);
    promise.then(
      (value) => {
        done();
        resolve(value);
      },
      (error: unknown) => {
        done();
        reject(error);
      },
    );
  });
}

/** `TIMEOUT` where our own timer fired, else `ABORTED` with the signal's reason as its cause. */
export function abortError(signal: AbortSignal): DataknobsError {
  const reason: unknown = signal.reason;
  if (DataknobsError.is(reason)) return reason;
  if (typeof reason === "object" && reason !== null && (reason as Error).name === "TimeoutError") {
    return new DataknobsError(
      "TIMEOUT",
      "The call took longer than its timeout. A write may have been applied.",
      {},
      {
        cause: reason,
      },
    );
  }
  return new DataknobsError("ABORTED", "The call was aborted. A write may have been applied.", {}, { cause: reason });
}
