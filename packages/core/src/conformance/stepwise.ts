/**
 * One body for both kinds of database: a synchronous database behind promises that remember their outcome, and
 * transaction bodies as generators.
 */

import type { Fields } from "../record/values.js";
import type { SyncDatabase, SyncTransaction } from "../sync/database.js";
import type { Steps, TestDatabase, TestTransaction } from "./session.js";

type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/** Promises made by {@link asAsync}, with what is known of them already. */
const outcomes = new WeakMap<object, Outcome>();

function settled(call: () => unknown): Promise<unknown> {
  let outcome: Outcome;
  try {
    outcome = { ok: true, value: call() };
  } catch (error) {
    outcome = { ok: false, error };
  }
  const promise = outcome.ok ? Promise.resolve(outcome.value) : Promise.reject(outcome.error);
  promise.catch(() => undefined);
  outcomes.set(promise, outcome);
  return promise;
}

/** What is no promise in an asynchronous database either. */
const immediate: ReadonlySet<string | symbol> = new Set(["explain"]);

interface SyncStream {
  [Symbol.iterator](): Iterator<unknown>;
  batches(size?: number): Iterable<unknown>;
}

/** The synchronous database with the methods of an asynchronous one. */
export function asAsync(db: SyncDatabase<Fields>): TestDatabase {
  return wrap(db) as unknown as TestDatabase;
}

function wrap(target: object): object {
  return new Proxy(target, {
    get: (_, name) => {
      if (name === Symbol.asyncDispose) return () => settled(() => (target as Disposable)[Symbol.dispose]());
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return name === "indexes" ? wrap(value as object) : value;
      const method = (...args: readonly unknown[]): unknown => Reflect.apply(value, target, args);
      if (name === "stream") return (...args: readonly unknown[]) => asyncStream(method(...args) as SyncStream);
      if (immediate.has(name)) return method;
      return (...args: readonly unknown[]) => settled(() => method(...args));
    },
  });
}

function asyncStream(stream: SyncStream): object {
  return {
    [Symbol.asyncIterator]: () => asyncIterator(stream),
    batches: (size?: number) => ({ [Symbol.asyncIterator]: () => asyncIterator(stream.batches(size)) }),
  };
}

function asyncIterator(items: Iterable<unknown>): AsyncIterator<unknown> {
  const iterator = items[Symbol.iterator]();
  return {
    next: async () => iterator.next(),
    return: async () => iterator.return?.() ?? { done: true, value: undefined },
  };
}

/** Runs a transaction's steps, awaiting what they yield. */
export function transactAsync<R>(
  db: TestDatabase,
  steps: Steps<R>,
  options: Parameters<TestDatabase["transaction"]>[1],
): Promise<R> {
  return db.transaction(async (tx) => {
    const generator = steps(tx);
    let step = generator.next();
    while (step.done !== true) {
      let value: unknown;
      try {
        value = await step.value;
      } catch (error) {
        step = generator.throw(error);
        continue;
      }
      step = generator.next(value);
    }
    return step.value;
  }, options);
}

/** The same without waiting. */
export async function transactSync<R>(db: SyncDatabase<Fields>, steps: Steps<R>): Promise<R> {
  return db.transaction((tx: SyncTransaction<Fields>) => {
    const generator = steps(wrap(tx) as unknown as TestTransaction);
    let step = generator.next();
    while (step.done !== true) {
      const outcome = outcomes.get(step.value as object);
      if (outcome === undefined) step = generator.next(step.value);
      else step = outcome.ok ? generator.next(outcome.value) : generator.throw(outcome.error);
    }
    return step.value;
  });
}
