/**
 * Tries again what may succeed later: calls that fail with `UNAVAILABLE`, or `TIMEOUT` of the store's own.
 *
 * Guaranteed: a write whose answer was lost is not done twice. The version that core gave each write tells whether a
 * record has it already; a batch with deletes, of which nothing is left to tell by, is not tried again.
 * Streams are tried again until they have given something. Nothing within a transaction is: `retries` runs it anew.
 */
import type { Backend, Call, MaybePromise, ScanRequest, WriteOp, WriteOutcome } from "../backend/spi.js";
import { abortError } from "../database/steps.js";
import { DataknobsError } from "../errors.js";
import type { WireRecord } from "../record/json.js";
import { forward } from "./forward.js";
import { checkKeys, milliseconds, wholeNumber } from "./options.js";

export interface RetryOptions {
  /** Tries in all. Default 4. */
  readonly attempts?: number;
  /** Milliseconds before the second try; twice as many before each further one, and a random part less. Default 100. */
  readonly delay?: number;
  /** At most so many milliseconds between two tries. Default 5,000. */
  readonly maxDelay?: number;
  /** Told of every failure that is tried again. */
  readonly onRetry?: (error: DataknobsError, attempt: number) => void;
}

type Settings = Required<Omit<RetryOptions, "onRetry">> & Pick<RetryOptions, "onRetry">;

/**
 * A backend that tries again where the one below is not available for a moment. Errors of the last try are thrown.
 *
 * @example
 * const db = await openDatabase(retrying(postgres({ host: "db" }), { attempts: 6 }));
 */
export function retrying(backend: Backend, options: RetryOptions = {}): Backend {
  checkKeys("retrying", options, ["attempts", "delay", "maxDelay", "onRetry"]);
  const settings: Settings = {
    attempts: wholeNumber("retrying", "attempts", options.attempts ?? 4, 1),
    delay: milliseconds("retrying", "delay", options.delay ?? 100),
    maxDelay: milliseconds("retrying", "maxDelay", options.maxDelay ?? 5000),
    ...(options.onRetry !== undefined && { onRetry: options.onRetry }),
  };
  const again = <R>(call: Call, work: () => MaybePromise<R>): Promise<R> => tryAgain(settings, call, work);
  const { count, aggregate, merge, nativePlan, listIndexes, begin, settle } = backend;
  return forward(backend, {
    // promises from here on
    capabilities: Object.freeze({ ...backend.capabilities, synchronous: false }),
    open: (request) => again(request, async () => backend.open?.(request)),
    read: (ids, call) => again(call, () => backend.read(ids, call)),
    write: (ops, { atomic, ...call }) => writeAgain(backend, settings, ops, atomic, call),
    scan: (request) => scanAgain(backend, settings, request),
    count: count && ((where, match, call) => again(call, () => count.call(backend, where, match, call))),
    aggregate: aggregate && ((request) => again(request, () => aggregate.call(backend, request))),
    merge:
      merge &&
      (async (op, call) => {
        let lost = false;
        return again(call, async () => {
          // a merge that was done has given the record its version
          const [record] = lost ? await backend.read([op.id], call) : [];
          if (record?.version === op.version) return { status: "written", createdAt: record.createdAt, record };
          lost = true;
          return merge.call(backend, op, call);
        });
      }),
    begin: begin && ((call) => again(call, () => begin.call(backend, call))),
    settle: settle && ((call) => again(call, () => settle.call(backend, call))),
    nativePlan: nativePlan && ((request, call) => again(call, () => nativePlan.call(backend, request, call))),
    listIndexes: listIndexes && ((call) => again(call, () => listIndexes.call(backend, call))),
    toSync: undefined,
  });
}

async function tryAgain<R>(
  settings: Settings,
  { signal }: Call,
  work: () => MaybePromise<R>,
  mayAgain: () => boolean = () => true,
): Promise<R> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (signal?.aborted === true || attempt >= settings.attempts || !isPassing(error) || !mayAgain()) throw error;
      settings.onRetry?.(error, attempt);
      await pause(settings, attempt, signal);
    }
  }
}

function isPassing(error: unknown): error is DataknobsError {
  return DataknobsError.is(error, "UNAVAILABLE") || DataknobsError.is(error, "TIMEOUT");
}

/** Random, so that many who failed together do not come back together. */
function pause({ delay, maxDelay }: Settings, attempt: number, signal: AbortSignal | undefined): Promise<void> {
  const longest = Math.min(maxDelay, delay * 2 ** (attempt - 1));
  const time = longest / 2 + (Math.random() * longest) / 2;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, time);
    const abort = (): void => {
      clearTimeout(timer);
      reject(abortError(signal as AbortSignal));
    };
    signal?.addEventListener("abort", abort, { once: true });
  });
}

function writeAgain(
  backend: Backend,
  settings: Settings,
  ops: readonly WriteOp[],
  atomic: boolean,
  call: Call,
): Promise<readonly WriteOutcome[]> {
  let lost = false;
  const work = async (): Promise<readonly WriteOutcome[]> => {
    const done = lost ? await doneAlready(backend, ops, call) : ops.map(() => undefined);
    lost = true;
    const left = ops.filter((_, index) => done[index] === undefined);
    const outcomes = left.length === 0 ? [] : await backend.write(left, { ...call, atomic });
    let next = 0;
    return done.map((outcome) => outcome ?? (outcomes[next++] as WriteOutcome));
  };
  // of a delete nothing is left that would tell whether it was this one
  return tryAgain(settings, call, work, () => ops.every(({ kind }) => kind !== "delete"));
}

/** What a try before this one has written, by the versions that core gave. */
async function doneAlready(
  backend: Backend,
  ops: readonly WriteOp[],
  call: Call,
): Promise<readonly (WriteOutcome | undefined)[]> {
  const records = await backend.read(
    ops.map(({ id }) => id),
    call,
  );
  return ops.map((op, index) => {
    const record = records[index];
    if (op.kind === "delete" || record === undefined || record.version !== op.version) return undefined;
    return { status: "written", createdAt: record.createdAt, record };
  });
}

/** A stream that has given nothing yet can begin anew; later a record might come twice. */
async function* scanAgain(
  backend: Backend,
  settings: Settings,
  request: ScanRequest<unknown>,
): AsyncGenerator<readonly WireRecord[], void> {
  let given = false;
  for (let attempt = 1; ; attempt++) {
    try {
      for await (const batch of backend.scan(request)) {
        given = true;
        yield batch;
      }
      return;
    } catch (error) {
      const { signal } = request;
      if (given || signal?.aborted === true || attempt >= settings.attempts || !isPassing(error)) throw error;
      settings.onRetry?.(error, attempt);
      await pause(settings, attempt, signal);
    }
  }
}
