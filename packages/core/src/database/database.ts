/** The database that users hold: lifecycle, transactions and plans over a backend. */
import type { Aggregation } from "../aggregate/ast.js";
import type { Backend, Call, Capabilities } from "../backend/spi.js";
import { underneath } from "../backend/under.js";
import { type EmbeddingProgress, type RefreshOptions, refresh, stale } from "../embed/refresh.js";
import { DataknobsError } from "../errors.js";
import { type AggregateExplanation, type Explanation, explainPlan } from "../plan/explain.js";
import type { Fields } from "../record/values.js";
import { isInside, runInside } from "./context.js";
import { type ApplyOptions, applyIndexes, type IndexPlan, planIndexes } from "./index-plan.js";
import { type Access, Operations } from "./operations.js";
import { explainAggregation, planToExplain, type QueryInput } from "./reads.js";
import { asDataknobsError, type CallOptions, callOf, misuse, type Session } from "./session.js";
import { type CheckedSettings, checkUnique, indexesFor, makeSession, narrowed } from "./settings.js";
import { abortError, orAborted, runAsync, type Steps } from "./steps.js";
import type { BatchSource } from "./stream.js";
import { runBuffered, runInteractive, type Transaction, type TransactionOptions } from "./transaction.js";
import { type WriteRecord, type WriteStreamOptions, type WriteSummary, writeStream } from "./write-stream.js";

export type DatabaseStatus = "open" | "closing" | "closed";

export class Database<I = Fields, T = I> extends Operations<I, T> implements AsyncDisposable {
  readonly #session: Session;
  readonly #streams = new Set<BatchSource>();
  readonly #working = new Set<Promise<unknown>>();
  #status: DatabaseStatus = "open";
  #closed: Promise<void> | undefined;

  /** Use `openDatabase`. @internal */
  constructor(session: Session) {
    super();
    this.#session = session;
  }

  /** The backend's name: `sqlite`. */
  get name(): string {
    return this.#session.name;
  }

  get status(): DatabaseStatus {
    return this.#status;
  }

  /** What this store can do: plain data, frozen. */
  get capabilities(): Capabilities {
    return this.#session.capabilities;
  }

  /** For `backendOf`. @internal */
  get [underneath](): Backend {
    return this.session("read", "backendOf").backend;
  }

  /** Declared against existing indexes. */
  get indexes(): {
    plan(options?: CallOptions): Promise<IndexPlan>;
    apply(options?: ApplyOptions & CallOptions): Promise<IndexPlan>;
  } {
    return {
      plan: (options) => this.#steps("read", "indexes.plan", options, planIndexes),
      apply: (options = {}) =>
        this.#steps("write", "indexes.apply", options, (session, call) => applyIndexes(session, options, call)),
    };
  }

  /** Vectors that `embed` makes: how many are not of their text by the present model, and making those anew. */
  get embeddings(): {
    stale(options?: CallOptions): Promise<number>;
    refresh(options?: RefreshOptions & CallOptions): Promise<EmbeddingProgress>;
  } {
    return {
      stale: (options) => this.#steps("read", "embeddings.stale", options, stale),
      refresh: (options = {}) =>
        this.#steps("write", "embeddings.refresh", options, (session, call) => refresh(session, options, call)),
    };
  }

  /**
   * What the engine does of a query and what core does, clause by clause; no I/O. With `{ native: true }` a
   * promise of the same with the engine's own plan.
   */
  explain(query?: QueryInput): Explanation;
  explain(query: QueryInput | undefined, options: CallOptions & { readonly native: true }): Promise<Explanation>;
  explain(
    query?: QueryInput,
    options?: CallOptions & { readonly native?: boolean },
  ): Explanation | Promise<Explanation> {
    const session = this.session("read", "explain");
    const plan = planToExplain(session, query);
    const explanation = explainPlan(plan, session.backend);
    if (options?.native !== true) return explanation;
    return this.#steps("read", "explain", options, function* (_, call) {
      const nativePlan: unknown = yield session.backend.nativePlan?.(plan.request, call);
      return Object.freeze({ ...explanation, nativePlan });
    });
  }

  /** As `explain`, for an aggregation: what is pushed of its input, and whether the engine computes the groups. */
  explainAggregate(aggregation: Aggregation): AggregateExplanation {
    return explainAggregation(this.session("read", "explainAggregate"), aggregation);
  }

  /**
   * Runs the body in a transaction: its writes are seen together or not at all, a throw undoes them. Gives what the
   * body gives. `UNSUPPORTED` where the store has none, unless `{ mode: "buffered" }`.
   *
   * @example
   * await db.transaction(async (tx) => {
   *   const from = await tx.read("a");
   *   await tx.patch("a", { amount: from.data.amount - 10 });
   *   await tx.patch("b", { amount: 10 });
   * });
   */
  transaction<R>(
    body: (tx: Transaction<I, T>) => Promise<R> | R,
    options: TransactionOptions & CallOptions = {},
  ): Promise<R> {
    return this.track(this.#transaction(async (tx: Transaction<I, T>) => body(tx), options));
  }

  async #transaction<R>(
    body: (tx: Transaction<I, T>) => Promise<R>,
    options: TransactionOptions & CallOptions,
  ): Promise<R> {
    const { mode = "interactive", retries = 0 } = options;
    if (typeof body !== "function") throw misuse("transaction takes a function.");
    if (mode !== "interactive" && mode !== "buffered") throw misuse('`mode` is "interactive" or "buffered".');
    const session = this.session("write", "transaction");
    const call = callOf(options);
    if (call.signal?.aborted === true) throw abortError(call.signal);
    const inside = (tx: Transaction<I, T>): Promise<R> => runInside(this, () => body(tx));
    const run = mode === "buffered" ? runBuffered : runInteractive;
    for (let attempt = 0; ; attempt++) {
      try {
        return await run(session, inside, call);
      } catch (error) {
        if (attempt >= retries || !DataknobsError.is(error, "CONFLICT")) throw error;
      }
    }
  }

  /**
   * Writes records from any iterable, in bounded memory: read = written + skipped + failed.
   *
   * @example
   * await db.write(other.stream(), { onConflict: "skip" });
   */
  write(
    source: Iterable<WriteRecord<I>> | AsyncIterable<WriteRecord<I>>,
    options: WriteStreamOptions<I> = {},
  ): Promise<WriteSummary> {
    return this.track((async () => writeStream(this.session("write", "write"), source, options))());
  }

  /** Makes acknowledged writes visible to queries of others, where that takes a step. */
  settle(options: CallOptions = {}): Promise<void> {
    return this.#steps("read", "settle", options, function* (session, call): Steps<void> {
      yield session.backend.settle?.(call);
    });
  }

  /** A consistent copy of the store in a file, while it is in use. `UNSUPPORTED` where it does not live in one. */
  backup(path: string, options: CallOptions = {}): Promise<void> {
    return this.#steps("read", "backup", options, function* (session, call): Steps<void> {
      if (session.backend.backup === undefined) {
        throw new DataknobsError("UNSUPPORTED", `The ${session.name} backend has no backup.`, {
          backend: session.name,
        });
      }
      yield session.backend.backup(path, call);
    });
  }

  /** Ends open streams, waits for what is under way, closes the backend. Again: nothing. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#status = "closing";
    await Promise.allSettled([...this.#streams].map((stream) => stream.close()));
    await Promise.allSettled(this.#working);
    try {
      await this.#session.backend.close?.();
    } finally {
      this.#status = "closed";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  protected override session(access: Access, operation: string): Session {
    if (this.#status !== "open") throw notOpen(this.name, operation);
    if (access === "write" && isInside(this)) throw outsideWrite(this.name, operation);
    return this.#session;
  }

  protected override track<R>(work: Promise<R>): Promise<R> {
    this.#working.add(work);
    const done = (): boolean => this.#working.delete(work);
    work.then(done, done);
    return work;
  }

  protected override opened(source: BatchSource): () => void {
    this.#streams.add(source);
    return () => this.#streams.delete(source);
  }

  #steps<R>(
    access: Access,
    operation: string,
    options: CallOptions | undefined,
    steps: (session: Session, call: Call) => Steps<R>,
  ): Promise<R> {
    const work = async (): Promise<R> => {
      const session = this.session(access, operation);
      const call = callOf(options);
      if (call.signal?.aborted === true) throw abortError(call.signal);
      try {
        return await runAsync(steps(session, call), call.signal);
      } catch (error) {
        throw asDataknobsError(error, session, operation);
      }
    };
    return this.track(work());
  }
}

/** Opens a backend with checked settings. */
export async function openBackend(backend: Backend, settings: CheckedSettings, call: Call): Promise<Session> {
  checkUnique(backend, settings.indexes);
  try {
    const opening = Promise.resolve(
      backend.open?.({ ...call, indexes: indexesFor(backend.capabilities, settings.indexes) }),
    );
    const found = await orAborted(opening, call.signal).then(undefined, async (error: unknown) => {
      // what was opened in spite of an abort is closed again
      await opening.then(
        () => backend.close?.(),
        () => undefined,
      );
      throw error;
    });
    return makeSession(backend, narrowed(backend.capabilities, found), settings);
  } catch (error) {
    throw asDataknobsError(error, backend, "open");
  }
}

export function notOpen(name: string, operation: string): DataknobsError {
  return new DataknobsError("NOT_OPEN", `${operation} was called on a ${name} database that is closed.`, {
    backend: name,
    operation,
  });
}

function outsideWrite(name: string, operation: string): DataknobsError {
  return new DataknobsError(
    "UNSUPPORTED",
    `${operation} was called on the database inside the body of its own transaction, where it would wait for that ` +
      "transaction's end. Call it on the transaction, the body's argument.",
    { backend: name, operation },
  );
}
