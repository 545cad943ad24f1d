/** The synchronous backend: one connection on this thread. Every call blocks until SQLite is done. */
import {
  type AggregateRequest,
  type AggregateRow,
  type Backend,
  type Capabilities,
  type Compiler,
  DataknobsError,
  type ExistingIndex,
  type IndexSpec,
  type MergeOp,
  type NativeRow,
  type OpenRequest,
  type ScanRequest,
  type Transaction,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
  type WriteRequest,
} from "@dataknobs/core/backend";
import type { Sql, SqlValue } from "@dataknobs/sql";
import { capabilitiesOf } from "./capabilities.js";
import { guarded } from "./connection.js";
import { nativeRows } from "./native.js";
import type { Settings } from "./options.js";
import { emptyLayout, planLines, Queries } from "./queries.js";
import { recordOf, textMerge, textOp } from "./rows.js";
import { Store } from "./store.js";

export class SyncSqlite implements Backend<Sql>, Transaction<Sql> {
  readonly name = "sqlite";
  readonly ownership = "serialise";
  readonly capabilities: Capabilities;
  readonly #settings: Settings;
  #queries: Queries;
  #opened: Store | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#queries = new Queries(emptyLayout(settings.table), settings.readOnly);
    this.capabilities = capabilitiesOf(this.#queries, {
      durable: settings.path !== ":memory:",
      snapshotStreams: false,
    });
  }

  get compiler(): Compiler<Sql> {
    return this.#queries.compiler;
  }

  get #store(): Store {
    if (this.#opened !== undefined) return this.#opened;
    throw new DataknobsError("NOT_OPEN", "The SQLite backend is not open.", { backend: this.name });
  }

  open({ indexes }: OpenRequest): undefined {
    guarded(() => {
      const store = new Store(this.#settings);
      try {
        this.#queries = new Queries(store.open(indexes), this.#settings.readOnly);
      } catch (error) {
        store.close();
        throw error;
      }
      this.#opened = store;
    });
  }

  close(): void {
    const store = this.#opened;
    this.#opened = undefined;
    guarded(() => store?.close());
  }

  read(ids: readonly string[]): (WireRecord | undefined)[] {
    return guarded(() =>
      ids.map((id) => {
        const row = this.#store.read(id);
        return row === undefined ? undefined : recordOf(row);
      }),
    );
  }

  write(ops: readonly WriteOp[], { atomic }: WriteRequest): readonly WriteOutcome[] {
    return guarded(() => this.#store.write(ops, atomic, textOp));
  }

  merge(op: MergeOp): WriteOutcome {
    return guarded(() => this.#store.merge(textMerge(op)));
  }

  deleteWhere(where: Sql | undefined): number {
    return guarded(() => this.#store.deleteWhere(this.#queries.delete(where), where === undefined));
  }

  clear(): number {
    return this.deleteWhere(undefined);
  }

  *scan(request: ScanRequest<Sql>): Generator<readonly WireRecord[], void> {
    const queries = this.#queries;
    const search = queries.nearest(request);
    if (search !== undefined) {
      yield guarded(() => this.#store.nearest(search).map(recordOf));
      return;
    }
    const statement = queries.scan(request);
    const { connection } = this.#refreshed(request.match);
    if (request.limit !== undefined && request.limit <= request.batchSize) {
      const rows = guarded(() => connection.all(statement).map(recordOf));
      if (rows.length > 0) yield rows;
      return;
    }
    const cursor = guarded(() => connection.open(statement, request.batchSize, queries.refetch(request)));
    try {
      for (;;) {
        const rows = guarded(() => cursor.next().map(recordOf));
        if (rows.length === 0) return;
        yield rows;
      }
    } finally {
      cursor.close();
    }
  }

  count(where: Sql | undefined, match: Sql | undefined): number {
    const { text, params } = this.#queries.count(where, match);
    return guarded(() => this.#refreshed(match).connection.get(text, ...params)?.[0] as number);
  }

  aggregate(request: AggregateRequest<Sql>): AggregateRow[] {
    const statement = this.#queries.aggregate(request);
    return guarded(() => this.#refreshed(request.match).connection.all(statement).map(statement.read));
  }

  sql(statement: string, parameters: readonly unknown[]): readonly NativeRow[] {
    return guarded(() => nativeRows(this.#store.connection, statement, parameters as readonly SqlValue[]));
  }

  begin(): Transaction<Sql> {
    guarded(() => this.#store.connection.begin());
    return this;
  }

  commit(): void {
    guarded(() => this.#store.connection.commit());
  }

  rollback(): void {
    guarded(() => this.#store.connection.rollback());
  }

  native(request: ScanRequest<Sql>): unknown {
    return this.#queries.native(request);
  }

  nativePlan(request: ScanRequest<Sql>): unknown {
    return guarded(() => planLines(this.#store.connection.all(this.#queries.plan(request))));
  }

  listIndexes(): readonly ExistingIndex[] {
    return guarded(() => this.#store.listIndexes());
  }

  createIndex(spec: IndexSpec): void {
    guarded(() => {
      this.#queries = new Queries(this.#store.createIndex(spec), this.#settings.readOnly);
    });
  }

  dropIndex(name: string): void {
    guarded(() => {
      this.#queries = new Queries(this.#store.dropIndex(name), this.#settings.readOnly);
    });
  }

  backup(path: string): void {
    guarded(() => this.#store.backup(path));
  }

  #refreshed(match: Sql | undefined): Store {
    const store = this.#store;
    if (this.#queries.needsRefresh(match)) guarded(() => store.refresh());
    return store;
  }
}
