/** The synchronous database: the same operations run at once, for backends that never wait. */
import type { Aggregation } from "../aggregate/ast.js";
import type { ResultRow } from "../aggregate/finish.js";
import type { Backend, Capabilities, NativeRow } from "../backend/spi.js";
import { underneath } from "../backend/under.js";
import { notOpen } from "../database/database.js";
import { type ApplyOptions, applyIndexes, type IndexPlan, planIndexes } from "../database/index-plan.js";
import type { Page, PageOptions, QueryInput, ReadOptions } from "../database/reads.js";
import * as reads from "../database/reads.js";
import { BatchMachine } from "../database/scans.js";
import { asDataknobsError, misuse, noCall, type Session } from "../database/session.js";
import { atOnce, isThenable, runSync, type Steps } from "../database/steps.js";
import { SyncRecordStream } from "../database/stream.js";
import type {
  CreateInput,
  CreateOptions,
  DeleteOptions,
  UpdateInput,
  UpdateOptions,
  UpsertInput,
} from "../database/writes.js";
import * as writes from "../database/writes.js";
import { DataknobsError } from "../errors.js";
import { type AggregateExplanation, type Explanation, explainPlan } from "../plan/explain.js";
import type { Condition } from "../query/ast.js";
import type { WireRecord } from "../record/json.js";
import type { StoredRecord } from "../record/stored.js";
import type { Fields } from "../record/values.js";

/** Reading and writing records, at once. As `Operations`, without promises and signals. */
abstract class SyncOperations<I = Fields, T = I> {
  /** @internal */
  protected abstract session(operation: string): Session;

  create(data: I, options: CreateOptions = {}): StoredRecord<T> {
    return this.run("create", (session) => writes.create(session, data, options, noCall));
  }

  read(id: string, options?: ReadOptions): StoredRecord<T> | undefined {
    if (options !== undefined) return this.readMany([id], options)[0];
    const session = this.session("read");
    try {
      return reads.readNow(session, id) as StoredRecord<T> | undefined;
    } catch (error) {
      throw asDataknobsError(error, session, "read");
    }
  }

  readMany(ids: readonly string[], options: ReadOptions = {}): (StoredRecord<T> | undefined)[] {
    return this.run("readMany", (session) => reads.readMany(session, ids, options, noCall));
  }

  exists(id: string): boolean {
    return this.read(id) !== undefined;
  }

  update(id: string, data: I, options: UpdateOptions = {}): StoredRecord<T> | undefined {
    return this.run("update", (session) => writes.update(session, id, data, options, noCall));
  }

  patch(id: string, partial: Partial<I>, options: DeleteOptions = {}): StoredRecord<T> | undefined {
    return this.run("patch", (session) => writes.patch(session, id, partial, options, noCall));
  }

  upsert(id: string, data: I, options: UpdateOptions = {}): StoredRecord<T> {
    return this.run("upsert", (session) => writes.upsert(session, id, data, options, noCall));
  }

  delete(id: string, options: DeleteOptions = {}): boolean {
    return this.run("delete", (session) => writes.remove(session, id, options, noCall));
  }

  createMany(inputs: readonly CreateInput<I>[]): StoredRecord<T>[] {
    return this.run("createMany", (session) => writes.createMany(session, inputs, noCall));
  }

  upsertMany(inputs: readonly UpsertInput<I>[]): StoredRecord<T>[] {
    return this.run("upsertMany", (session) => writes.upsertMany(session, inputs, noCall));
  }

  updateMany(inputs: readonly UpdateInput<I>[]): (StoredRecord<T> | undefined)[] {
    return this.run("updateMany", (session) => writes.updateMany(session, inputs, noCall));
  }

  deleteMany(ids: readonly string[]): boolean[] {
    return this.run("deleteMany", (session) => writes.deleteMany(session, ids, noCall));
  }

  updateWhere(condition: Condition, partial: Partial<I>): number {
    return this.run("updateWhere", (session) => writes.updateWhere(session, condition, partial, noCall));
  }

  deleteWhere(condition: Condition): number {
    return this.run("deleteWhere", (session) => writes.deleteWhere(session, condition, noCall));
  }

  clear(): number {
    return this.run("clear", (session) => writes.clear(session, noCall));
  }

  search(query?: QueryInput, options: ReadOptions = {}): StoredRecord<T>[] {
    return this.run("search", (session) => reads.search(session, query, options, noCall));
  }

  first(query?: QueryInput): StoredRecord<T> | undefined {
    return this.run("first", (session) => reads.first(session, query, noCall));
  }

  count(query?: QueryInput): number {
    return this.run("count", (session) => reads.count(session, query, noCall));
  }

  page(query: QueryInput, options: PageOptions = {}): Page<T> {
    return this.run("page", (session) => reads.page(session, query, options, noCall));
  }

  aggregate(aggregation: Aggregation): ResultRow[] {
    return this.run("aggregate", (session) => reads.aggregate(session, aggregation, noCall));
  }

  /** A statement in the engine's own dialect. */
  sql(statement: string, parameters: readonly unknown[] = []): readonly NativeRow[] {
    return this.run("sql", (session) => reads.sql(session, statement, parameters, noCall));
  }

  stream(query?: QueryInput): SyncRecordStream<T> {
    reads.planFor(this.session("stream"), query);
    return new SyncRecordStream<T>(() => this.#batches(query));
  }

  *#batches(query: QueryInput | undefined): Generator<readonly WireRecord[], void> {
    const session = this.session("stream");
    const machine = new BatchMachine(session, reads.planFor(session, query), noCall);
    try {
      for (;;) {
        const batch = this.run("stream", () => machine.next()) as readonly WireRecord[] | undefined;
        if (batch === undefined) return;
        yield batch;
      }
    } finally {
      runSync(machine.close());
    }
  }

  /** @internal */
  protected run(operation: string, steps: (session: Session) => Steps<unknown>): never {
    const session = this.session(operation);
    try {
      return runSync(steps(session)) as never;
    } catch (error) {
      throw asDataknobsError(error, session, operation);
    }
  }
}

/** What a synchronous transaction's body works with. */
export class SyncTransaction<I = Fields, T = I> extends SyncOperations<I, T> {
  readonly atomic = true;
  readonly #session: Session;
  #ended = false;

  constructor(session: Session) {
    super();
    this.#session = session;
  }

  /** @internal */
  end(): void {
    this.#ended = true;
  }

  protected override session(operation: string): Session {
    if (!this.#ended) return this.#session;
    throw new DataknobsError("NOT_OPEN", `${operation} was called on a transaction that has ended.`, { operation });
  }
}

export class SyncDatabase<I = Fields, T = I> extends SyncOperations<I, T> implements Disposable {
  readonly #session: Session;
  #open = true;
  #inside = false;

  /** Use `openDatabaseSync`. @internal */
  constructor(session: Session) {
    super();
    this.#session = session;
  }

  get name(): string {
    return this.#session.name;
  }

  get status(): "open" | "closed" {
    return this.#open ? "open" : "closed";
  }

  get capabilities(): Capabilities {
    return this.#session.capabilities;
  }

  /** For `backendOf`. @internal */
  get [underneath](): Backend {
    return this.session("backendOf").backend;
  }

  get indexes(): { plan(): IndexPlan; apply(options?: ApplyOptions): IndexPlan } {
    return {
      plan: () => this.run("indexes.plan", (session) => planIndexes(session, noCall)),
      apply: (options = {}) => this.run("indexes.apply", (session) => applyIndexes(session, options, noCall)),
    };
  }

  /** What the engine does of a query and what core does; with `{ native: true }` the engine's own plan too. */
  explain(query?: QueryInput, options: { readonly native?: boolean } = {}): Explanation {
    return this.run("explain", function* (session): Steps<Explanation> {
      const plan = reads.planToExplain(session, query);
      const explanation = explainPlan(plan, session.backend);
      if (options.native !== true) return explanation;
      const nativePlan: unknown = yield session.backend.nativePlan?.(plan.request, noCall);
      return Object.freeze({ ...explanation, nativePlan });
    });
  }

  /** As `explain`, for an aggregation. */
  explainAggregate(aggregation: Aggregation): AggregateExplanation {
    return reads.explainAggregation(this.session("explainAggregate"), aggregation);
  }

  /** Runs the body in a transaction; it must not be asynchronous. */
  transaction<R>(body: (tx: SyncTransaction<I, T>) => R): R {
    const session = this.session("transaction");
    const { backend } = session;
    if (session.capabilities.transactions !== "interactive" || backend.begin === undefined) {
      throw new DataknobsError("UNSUPPORTED", `The ${session.name} backend has no synchronous transactions.`, {
        backend: session.name,
        operation: "transaction",
      });
    }
    const native = atOnce(backend.begin(noCall));
    const tx = new SyncTransaction<I, T>({ ...session, compiler: session.compiler, store: native });
    this.#inside = true;
    let result: R;
    try {
      result = body(tx);
      if (isThenable(result)) throw misuse("The body of a synchronous transaction must not be asynchronous.");
    } catch (error) {
      atOnce(native.rollback());
      throw error;
    } finally {
      tx.end();
      this.#inside = false;
    }
    atOnce(native.commit());
    return result;
  }

  /** A consistent copy of the store in a file. */
  backup(path: string): void {
    this.run("backup", function* (session): Steps<void> {
      if (session.backend.backup === undefined) {
        throw new DataknobsError("UNSUPPORTED", `The ${session.name} backend has no backup.`, {
          backend: session.name,
        });
      }
      yield session.backend.backup(path, noCall);
    });
  }

  close(): void {
    if (!this.#open) return;
    if (this.#inside) throw misuse("close was called inside a transaction.");
    this.#open = false;
    atOnce(this.#session.backend.close?.());
  }

  [Symbol.dispose](): void {
    this.close();
  }

  protected override session(operation: string): Session {
    if (!this.#open) throw notOpen(this.name, operation);
    if (this.#inside) {
      throw new DataknobsError(
        "UNSUPPORTED",
        `${operation} was called on the database inside the body of its own transaction. Call it on the transaction.`,
        { backend: this.name, operation },
      );
    }
    return this.#session;
  }
}
