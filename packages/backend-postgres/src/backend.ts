/** The PostgreSQL backend: one table, a pool for single statements, connections for streams and transactions. */
import {
  type Backend,
  type Call,
  type Capabilities,
  type Compiler,
  DataknobsError,
  type ExistingIndex,
  type IndexSpec,
  leafKinds,
  type OpenRequest,
  type ScanRequest,
  type Store,
  type Transaction,
} from "@dataknobs/core/backend";
import type { Sql } from "@dataknobs/sql";
import { Pool, type Within } from "./access.js";
import { guarded } from "./errors.js";
import { canHaveExtension, provideExtension } from "./extension.js";
import { createIndex, dropIndex, listIndexes } from "./indexes.js";
import { emptyLayout } from "./layout.js";
import type { Settings } from "./options.js";
import { Replicas } from "./replicas.js";
import { checkServer, inspect, openTable } from "./schema.js";
import { TableStore } from "./store.js";
import { Table } from "./table.js";
import { isVector, mostDimensions } from "./vectors.js";

interface Opened {
  readonly pool: Pool;
  readonly replicas: Replicas | undefined;
  readonly table: Table;
  readonly store: TableStore;
}

export class PostgresBackend implements Backend<Sql> {
  readonly name = "postgres";
  /** Records become text run by run, while the server works on the run before. */
  readonly ownership = "keep";
  readonly capabilities: Capabilities;
  readonly #settings: Settings;
  readonly #unopened: Table;
  #opened: Opened | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#unopened = new Table(emptyLayout(settings.schema, settings.table));
    this.capabilities = capabilitiesOf(this.#unopened.compiler);
  }

  get location(): string | undefined {
    const { schema, table } = this.#settings;
    return this.#opened && `${this.#opened.pool.place}/${schema}.${table}`;
  }

  get compiler(): Compiler<Sql> {
    return (this.#opened?.table ?? this.#unopened).compiler;
  }

  get #here(): Opened {
    if (this.#opened !== undefined) return this.#opened;
    throw new DataknobsError("NOT_OPEN", "The PostgreSQL backend is not open.", { backend: this.name });
  }

  open({ indexes, ...call }: OpenRequest): Promise<Partial<Capabilities> | undefined> {
    return guarded(async () => {
      const pool = new Pool(this.#settings);
      try {
        await checkServer((text, ...params) => pool.run({ text, params }, call));
        const vectors = await this.#hasVectors(pool, indexes, call);
        const wanted = indexes.filter(
          (spec) => !isVector(spec) || (vectors && spec.vector.dimensions <= mostDimensions),
        );
        const table = new Table(await openTable(pool, this.#settings, wanted, call));
        const replicas = this.#settings.replicas.length > 0 ? new Replicas(pool, this.#settings) : undefined;
        this.#opened = { pool, replicas, table, store: new TableStore(pool, table, () => this.#lookAgain(), replicas) };
        return vectors ? undefined : { nearest: undefined };
      } catch (error) {
        await pool.close();
        throw error;
      }
    });
  }

  /** Whether the database has pgvector, or can have it once a field is declared for vectors. */
  async #hasVectors(pool: Pool, indexes: readonly IndexSpec[], call: Call): Promise<boolean> {
    const { manage } = this.#settings;
    const wanted = indexes.some(isVector);
    if ((await provideExtension(pool, manage && wanted, call)) !== undefined) return true;
    return manage && !wanted && (await canHaveExtension(pool, call));
  }

  async #lookAgain(): Promise<void> {
    const { pool, table } = this.#here;
    const layout = await inspect((text, ...params) => pool.run({ text, params }, {}), this.#settings);
    if (layout !== undefined) table.use(layout);
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.replicas?.close();
    await opened?.pool.close();
  }

  read: Store<Sql>["read"] = (ids, call) => this.#here.store.read(ids, call);
  write: Store<Sql>["write"] = (ops, request) => this.#here.store.write(ops, request);
  scan: Store<Sql>["scan"] = (request) => this.#here.store.scan(request);
  merge: NonNullable<Store<Sql>["merge"]> = (op, call) => this.#here.store.merge(op, call);
  deleteWhere: NonNullable<Store<Sql>["deleteWhere"]> = (where, call) => this.#here.store.deleteWhere(where, call);
  count: NonNullable<Store<Sql>["count"]> = (where, match, call) => this.#here.store.count(where, match, call);
  aggregate: NonNullable<Store<Sql>["aggregate"]> = (request) => this.#here.store.aggregate(request);
  sql: NonNullable<Store<Sql>["sql"]> = (statement, parameters, call) =>
    this.#here.store.sql(statement, parameters, call);

  clear(call: Call): Promise<number> {
    return this.#here.store.deleteWhere(undefined, call);
  }

  begin(call: Call): Promise<Transaction<Sql>> {
    const { pool, table, replicas } = this.#here;
    const { isolation } = this.#settings;
    return guarded(async () => {
      const within = await pool.begin(`ISOLATION LEVEL ${isolation.toUpperCase()}`, call);
      return new OpenTransaction(
        within,
        table,
        () => this.#lookAgain(),
        () => replicas?.wrote(),
      );
    });
  }

  native(request: ScanRequest<Sql>): unknown {
    const { text, params } = (this.#opened?.table ?? this.#unopened).scan(request, request.limit === undefined);
    return { sql: text, params };
  }

  nativePlan(request: ScanRequest<Sql>, call: Call): Promise<unknown> {
    const { pool, table } = this.#here;
    return guarded(async () => {
      const { text, params } = table.scan(request, request.limit === undefined);
      const rows = await pool.run({ text: `EXPLAIN ${text}`, params }, call);
      return rows.map(([line]) => line as string);
    });
  }

  listIndexes(call: Call): Promise<readonly ExistingIndex[]> {
    const { pool, table } = this.#here;
    return guarded(() => listIndexes(pool, table.layout, call));
  }

  createIndex(spec: IndexSpec, call: Call): Promise<void> {
    const { pool, table } = this.#changeable();
    return guarded(async () => {
      await createIndex(pool, table.layout, spec, call);
      await this.#lookAgain();
    });
  }

  dropIndex(name: string, call: Call): Promise<void> {
    const { pool, table } = this.#changeable();
    return guarded(async () => {
      const spec = table.layout.indexes.find((one) => one.name === name);
      if (spec === undefined) {
        throw new DataknobsError("NOT_FOUND", `There is no index "${name}" of this library.`, {
          backend: this.name,
          index: name,
        });
      }
      await dropIndex(pool, table.layout, spec, call);
      await this.#lookAgain();
    });
  }

  #changeable(): Opened {
    if (this.#settings.manage) return this.#here;
    throw new DataknobsError(
      "INVALID_CONFIG",
      "This PostgreSQL store was opened with `manage: false`: it changes no index.",
      {
        backend: this.name,
      },
    );
  }
}

/** A transaction of PostgreSQL's own. */
class OpenTransaction extends TableStore implements Transaction<Sql> {
  readonly #within: Within;
  readonly #ended: () => void;

  constructor(within: Within, table: Table, lookAgain: () => Promise<void>, ended: () => void) {
    super(within, table, lookAgain);
    this.#within = within;
    this.#ended = ended;
  }

  async commit(): Promise<void> {
    try {
      await guarded(() => this.#within.end("COMMIT"));
    } finally {
      this.#ended();
    }
  }

  rollback(): Promise<void> {
    return guarded(() => this.#within.end("ROLLBACK"));
  }
}

function capabilitiesOf(compiler: Compiler<Sql>): Capabilities {
  return Object.freeze({
    durable: true,
    transactions: "interactive",
    atomicBatch: true,
    unique: true,
    snapshotStreams: true,
    fullText: "indexed",
    analyzers: Object.freeze([]),
    nearest: "approximate",
    aggregation: "native",
    percentile: "exact",
    cancel: true,
    synchronous: false,
    pushdown: leafKinds(compiler),
    limits: Object.freeze({}),
  });
}
