/** Transactions: the engine's own, or buffered where asked for. */
import type { Call, MaybePromise, Transaction as StoreTransaction } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import type { Fields } from "../record/values.js";
import { type Access, Operations } from "./operations.js";
import { batchError } from "./outcomes.js";
import { Overlay } from "./overlay.js";
import { asDataknobsError, type Session } from "./session.js";
import { abortError, orAborted } from "./steps.js";
import type { BatchSource } from "./stream.js";

export interface TransactionOptions {
  /** `"buffered"`: collect writes and flush them at the end; for stores without transactions of their own. */
  readonly mode?: "interactive" | "buffered" | undefined;
  /** Run the body again, at most so often, after `CONFLICT`. Default 0. */
  readonly retries?: number | undefined;
}

/** What a transaction's body works with: reads see its own writes. Of no use after the body's end. */
export class Transaction<I = Fields, T = I> extends Operations<I, T> {
  /** Whether all its writes will be seen together or not at all. */
  readonly atomic: boolean;
  readonly #session: () => Session;
  readonly #streams = new Set<BatchSource>();
  #ended = false;

  constructor(session: () => Session, atomic: boolean) {
    super();
    this.#session = session;
    this.atomic = atomic;
  }

  /** @internal */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all([...this.#streams].map((stream) => stream.close()));
  }

  protected override session(_access: Access, operation: string): Session {
    if (!this.#ended) return this.#session();
    throw new DataknobsError("NOT_OPEN", `${operation} was called on a transaction that has ended.`, { operation });
  }

  protected override track<R>(work: Promise<R>): Promise<R> {
    return work;
  }

  protected override opened(source: BatchSource): () => void {
    this.#streams.add(source);
    return () => this.#streams.delete(source);
  }
}

/** Runs the body once, in a transaction of the engine. */
export async function runInteractive<R, I, T>(
  session: Session,
  body: (tx: Transaction<I, T>) => Promise<R>,
  call: Call,
): Promise<R> {
  const { backend } = session;
  if (session.capabilities.transactions !== "interactive" || backend.begin === undefined) {
    throw new DataknobsError(
      "UNSUPPORTED",
      `The ${session.name} backend has no transactions. transaction(body, { mode: "buffered" }) collects the writes and ` +
        `flushes them at the end, ${session.capabilities.atomicBatch ? "atomically" : "though not atomically"}.`,
      { backend: session.name, operation: "transaction" },
    );
  }
  const begin = backend.begin.bind(backend);
  const native: StoreTransaction = await known(session, () => begin(call));
  const tx = new Transaction<I, T>(() => ({ ...session, store: native }), true);
  let result: R;
  try {
    if (call.signal?.aborted === true) throw abortError(call.signal);
    result = await orAborted(Promise.resolve(body(tx)), call.signal);
    await tx.end();
  } catch (error) {
    await tx.end();
    await known(session, () => native.rollback());
    throw error;
  }
  await known(session, () => native.commit());
  return result;
}

/** What the engine throws at a border of the transaction, as an error of ours; the body's own errors stay theirs. */
async function known<R>(session: Session, work: () => MaybePromise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    throw asDataknobsError(error, session, "transaction");
  }
}

/** Runs the body once; its writes go to the store together at the end. */
export async function runBuffered<R, I, T>(
  session: Session,
  body: (tx: Transaction<I, T>) => Promise<R>,
  call: Call,
): Promise<R> {
  const overlay = new Overlay(session.store);
  // what is staged is in no index and no engine: core evaluates all as soon as there is any
  const staged: Session = {
    ...session,
    store: overlay,
    compiler: undefined,
    capabilities: { ...session.capabilities, atomicBatch: true },
  };
  const reading: Session = { ...staged, compiler: session.compiler };
  const tx = new Transaction<I, T>(() => (overlay.isEmpty ? reading : staged), session.capabilities.atomicBatch);
  let result: R;
  try {
    result = await orAborted(Promise.resolve(body(tx)), call.signal);
  } finally {
    await tx.end();
  }
  const ops = overlay.flushOps();
  if (ops.length === 0) return result;
  const outcomes = await session.store.write(ops, { ...call, atomic: session.capabilities.atomicBatch });
  const error = batchError(ops, outcomes, session.name, "transaction");
  if (error !== undefined) throw asConflict(error);
  const gone = ops.find((op, index) => op.kind === "update" && outcomes[index]?.status === "missing");
  if (gone !== undefined) throw asConflict(undefined, gone.id);
  return result;
}

function asConflict(error: Error | undefined, id = ""): Error {
  if (error !== undefined && !DataknobsError.is(error, "VERSION_CONFLICT")) return error;
  const details = DataknobsError.is(error) ? error.details : { id };
  return new DataknobsError(
    "CONFLICT",
    "A record that this transaction changes was changed by another meanwhile. Run it again, or pass `retries`.",
    details,
    error === undefined ? undefined : { cause: error },
  );
}
