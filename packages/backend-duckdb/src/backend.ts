/** The DuckDB backend: one table, as many connections as there are streams and transactions. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
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
import { quoteText, type Sql } from "@dataknobs/sql";
import type { DuckDBInstance } from "@duckdb/node-api";
import { Pool, Within } from "./access.js";
import { guarded } from "./errors.js";
import { openFiles } from "./files.js";
import { openInstance, shareTable } from "./instance.js";
import { makeLayout } from "./layout.js";
import type { Settings } from "./options.js";
import { hasOdd, openTable, sameIndex, setIndexes } from "./schema.js";
import { scanSelect } from "./select.js";
import { TableStore } from "./store.js";
import { Table } from "./table.js";

interface Opened {
  readonly instance: DuckDBInstance;
  readonly pool: Pool;
  readonly table: Table;
  readonly store: TableStore;
  leave(): void;
}

export class DuckdbBackend implements Backend<Sql> {
  readonly name = "duckdb";
  /** What is written stays as it is until it is: retries need it again, and it becomes text row by row. */
  readonly ownership = "keep";
  readonly capabilities: Capabilities;
  readonly #settings: Settings;
  readonly #unopened: Table;
  #opened: Opened | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#unopened = new Table(makeLayout(settings.table, [], []));
    this.capabilities = capabilitiesOf(settings, this.#unopened.compiler);
  }

  get location(): string | undefined {
    const { path, table, from } = this.#settings;
    if (from !== undefined) return from.files.join(", ");
    return path === ":memory:" ? undefined : `${path}#${table}`;
  }

  get compiler(): Compiler<Sql> {
    return (this.#opened?.table ?? this.#unopened).compiler;
  }

  get #here(): Opened {
    if (this.#opened !== undefined) return this.#opened;
    throw new DataknobsError("NOT_OPEN", "The DuckDB backend is not open.", { backend: this.name });
  }

  open({ indexes }: OpenRequest): Promise<undefined> {
    return guarded(async () => {
      const settings = this.#settings;
      const instance = await openInstance(settings);
      try {
        const { table, leave } = await shareTable(settings, () => makeTable(instance, settings));
        try {
          const pool = new Pool(instance, table, settings.timeoutMs);
          if (!settings.readOnly) await ensureIndexes(pool, table, indexes);
          this.#opened = { instance, pool, table, store: new TableStore(pool, table, settings.readOnly), leave };
        } catch (error) {
          leave();
          throw error;
        }
      } catch (error) {
        instance.closeSync();
        throw error;
      }
      return undefined;
    });
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    if (opened === undefined) return;
    this.#opened = undefined;
    opened.leave();
    await opened.pool.close();
    opened.instance.closeSync();
  }

  read: Store<Sql>["read"] = (ids, call) => this.#here.store.read(ids, call);
  write: Store<Sql>["write"] = (ops, request) => this.#here.store.write(ops, request);
  scan: Store<Sql>["scan"] = (request) => this.#here.store.scan(request);
  merge: NonNullable<Store<Sql>["merge"]> = (op, call) => this.#here.store.merge(op, call);
  deleteWhere: NonNullable<Store<Sql>["deleteWhere"]> = (where, call) => this.#here.store.deleteWhere(where, call);
  count: NonNullable<Store<Sql>["count"]> = (where, _match, call) => this.#here.store.count(where, undefined, call);
  aggregate: NonNullable<Store<Sql>["aggregate"]> = (request) => this.#here.store.aggregate(request);
  sql: NonNullable<Store<Sql>["sql"]> = (statement, parameters, call) =>
    this.#here.store.sql(statement, parameters, call);

  begin(): Promise<Transaction<Sql>> {
    const { pool, table } = this.#here;
    return guarded(async () => {
      for (;;) {
        const { layout } = table;
        const lane = await pool.take();
        await lane.exec("BEGIN TRANSACTION");
        // the snapshot is taken by the first statement: it shall be that of now, and of these columns
        await lane.exec(`SELECT 1 FROM ${layout.source} LIMIT 0`);
        if (table.still(layout))
          return new OpenTransaction(new Within(pool, lane), table.pinned(), this.#settings.readOnly);
        pool.give(lane, true);
        await table.exclusively(async () => undefined);
      }
    });
  }

  native(request: ScanRequest<Sql>): unknown {
    const { layout, dialect, clean } = this.#opened?.table ?? this.#unopened;
    const { text, params } = scanSelect(layout, dialect, request, clean);
    return { sql: text, params };
  }

  nativePlan(request: ScanRequest<Sql>, call: Call): Promise<unknown> {
    const { pool, table } = this.#here;
    return guarded(async () => {
      const { text, params } = scanSelect(table.layout, table.dialect, request, table.clean);
      const rows = await pool.use((lane) => lane.rows({ text: `EXPLAIN ${text}`, params }, call));
      return rows
        .map((row) => row[1])
        .join("\n")
        .split("\n");
    });
  }

  listIndexes(): readonly ExistingIndex[] {
    return this.#here.table.layout.indexes.map((spec) => ({ name: spec.name, spec }));
  }

  createIndex(spec: IndexSpec): Promise<void> {
    const { pool, table } = this.#changeable();
    return guarded(() => setIndexes(pool, table, (now) => [...now.filter((one) => !sameIndex(one, spec)), spec]));
  }

  dropIndex(name: string): Promise<void> {
    const { pool, table } = this.#changeable();
    return guarded(async () => {
      if (!table.layout.indexes.some((spec) => spec.name === name)) {
        throw new DataknobsError("NOT_FOUND", `There is no index "${name}" of this library.`, {
          backend: this.name,
          index: name,
        });
      }
      await setIndexes(pool, table, (now) => now.filter((spec) => spec.name !== name));
    });
  }

  #changeable(): Opened {
    if (!this.#settings.readOnly) return this.#here;
    throw new DataknobsError("PERMISSION_DENIED", "This DuckDB store is open for reading only.", {
      backend: this.name,
    });
  }

  backup(path: string, call: Call): Promise<void> {
    const { pool } = this.#here;
    return guarded(async () => {
      const file = resolve(path);
      if (existsSync(file)) {
        throw new DataknobsError("ALREADY_EXISTS", `A backup does not overwrite: there is a file at ${file}.`, {
          backend: this.name,
          path: file,
        });
      }
      await pool.use(async (lane) => {
        const [row] = await lane.rows({ text: "SELECT current_database()", params: [] }, call);
        await lane.exec(`ATTACH ${quoteText(file)} AS dataknobs_backup`);
        try {
          await lane.exec(`COPY FROM DATABASE "${String(row?.[0]).replaceAll('"', '""')}" TO dataknobs_backup`);
        } finally {
          await lane.exec("DETACH dataknobs_backup");
        }
      });
    });
  }
}

async function makeTable(instance: DuckDBInstance, settings: Settings): Promise<Table> {
  const unknown = new Table(makeLayout(settings.table, [], []));
  const pool = new Pool(instance, unknown, 0);
  try {
    return await pool.use(async (lane) => {
      const { from } = settings;
      const table = new Table(
        from === undefined ? await openTable(lane, settings) : await openFiles(lane, settings, from),
      );
      table.odd = from === undefined && (await hasOdd(lane, table.layout));
      return table;
    });
  } finally {
    await pool.close();
  }
}

async function ensureIndexes(pool: Pool, table: Table, wanted: readonly IndexSpec[]): Promise<void> {
  const isThere = (spec: IndexSpec): boolean => table.layout.indexes.some((one) => sameIndex(one, spec));
  if (wanted.every(isThere)) return;
  await setIndexes(pool, table, (now) => [
    ...now,
    ...wanted.filter((spec) => !now.some((one) => sameIndex(one, spec))),
  ]);
}

/** A transaction of DuckDB's own: a snapshot, and its writes at once or not at all. */
class OpenTransaction extends TableStore implements Transaction<Sql> {
  readonly #within: Within;

  constructor(within: Within, table: Table, readOnly: boolean) {
    super(within, table, readOnly);
    this.#within = within;
  }

  commit(): Promise<void> {
    return guarded(() => this.#within.end("COMMIT"));
  }

  rollback(): Promise<void> {
    return guarded(() => this.#within.end("ROLLBACK"));
  }
}

function capabilitiesOf({ path, from }: Settings, compiler: Compiler<Sql>): Capabilities {
  const writable = from === undefined;
  return Object.freeze({
    durable: path !== ":memory:" || !writable,
    transactions: writable ? "interactive" : false,
    atomicBatch: writable,
    unique: writable,
    snapshotStreams: true,
    fullText: "emulated",
    ...(writable && { nearest: "exact" as const }),
    analyzers: Object.freeze([]),
    aggregation: "native",
    percentile: "exact",
    cancel: true,
    synchronous: false,
    pushdown: leafKinds(compiler),
    limits: Object.freeze({}),
  });
}
