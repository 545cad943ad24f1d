/** The asynchronous backend: compiles on this thread, runs on others, so that no query holds up the event loop. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AggregateRequest,
  type AggregateRow,
  type Backend,
  type Call,
  type Capabilities,
  type Compiler,
  DataknobsError,
  type ExistingIndex,
  type IndexSpec,
  type MergeOp,
  type NativeRow,
  type OpenRequest,
  type ScanRequest,
  type Store,
  type Transaction,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
  type WriteRequest,
} from "@dataknobs/core/backend";
import type { Sql, SqlValue } from "@dataknobs/sql";
import { capabilitiesOf } from "./capabilities.js";
import type { Settings } from "./options.js";
import { Pool } from "./pool.js";
import type { Argument, CursorBatch, OperationName, Result, RowBatch, WrittenBatch } from "./protocol.js";
import { emptyLayout, planLines, Queries } from "./queries.js";
import { recordAt, textMerge, textOp } from "./rows.js";
import { recordWidth } from "./select.js";
import { SyncSqlite } from "./sync.js";

/** How calls travel: straight to the pool, or within a transaction. */
interface Route {
  query<N extends OperationName>(name: N, argument: Argument<N>): Promise<Result<N>>;
  write<N extends OperationName>(name: N, argument: Argument<N>): Promise<Result<N>>;
  read(ids: readonly string[]): Promise<readonly (string | number | null)[]>;
  /** A cursor lives on one thread. */
  cursors(): { call: Route["query"]; ownConnection: boolean };
}

let lastCursor = 0;

/** What a database and a transaction have in common. */
abstract class AsyncStore implements Store<Sql> {
  protected abstract readonly route: Route;
  protected abstract readonly queries: Queries;

  async read(ids: readonly string[]): Promise<(WireRecord | undefined)[]> {
    const columns = await this.route.read(ids);
    return ids.map((_, index) =>
      columns[index * recordWidth] === null ? undefined : recordAt(columns, index * recordWidth),
    );
  }

  async write(ops: readonly WriteOp[], { atomic }: WriteRequest): Promise<readonly WriteOutcome[]> {
    // text before the first await: what the caller does to its objects afterwards is its own affair
    const request = { ops: ops.map(textOp), atomic };
    const { all, each }: WrittenBatch = await this.route.write("write", request);
    return each ?? new Array<WriteOutcome>(ops.length).fill(all as WriteOutcome);
  }

  merge(op: MergeOp): Promise<WriteOutcome> {
    return this.route.write("merge", textMerge(op));
  }

  deleteWhere(where: Sql | undefined): Promise<number> {
    return this.route.write("deleteWhere", { statement: this.queries.delete(where), all: where === undefined });
  }

  async *scan(request: ScanRequest<Sql>): AsyncGenerator<readonly WireRecord[], void> {
    const { queries } = this;
    const search = queries.nearest(request);
    if (search !== undefined) {
      const rows = await this.route.query("nearest", search);
      yield recordsOf({ width: rows[0]?.length ?? 0, columns: rows.flat() });
      return;
    }
    const statement = queries.scan(request);
    await this.refresh(request.match);
    if (request.limit !== undefined && request.limit <= request.batchSize) {
      const rows = await this.route.query("all", statement);
      if (rows.length > 0) yield recordsOf({ width: rows[0]?.length ?? 0, columns: rows.flat() });
      return;
    }
    const { call, ownConnection } = this.route.cursors();
    const cursor = ++lastCursor;
    const refetch = ownConnection ? undefined : queries.refetch(request);
    let batch: CursorBatch = await call("open", { cursor, statement, batchSize: request.batchSize, refetch });
    let ahead: Promise<CursorBatch> | undefined;
    try {
      for (;;) {
        // the worker reads on while these rows are looked at, one batch ahead and no more
        ahead = batch.done ? undefined : call("next", cursor);
        ahead?.catch(() => undefined);
        if (batch.columns.length > 0) yield recordsOf(batch);
        if (ahead === undefined) return;
        batch = await ahead;
      }
    } finally {
      if (ahead !== undefined) await call("leave", cursor);
    }
  }

  async count(where: Sql | undefined, match: Sql | undefined): Promise<number> {
    await this.refresh(match);
    const [row] = await this.route.query("all", this.queries.count(where, match));
    return row?.[0] as number;
  }

  async aggregate(request: AggregateRequest<Sql>): Promise<AggregateRow[]> {
    await this.refresh(request.match);
    const { text, params, read } = this.queries.aggregate(request);
    return (await this.route.query("all", { text, params })).map(read);
  }

  sql(statement: string, parameters: readonly unknown[]): Promise<readonly NativeRow[]> {
    return this.route.write("sql", { statement, parameters: parameters as readonly SqlValue[] });
  }

  protected async refresh(match: Sql | undefined): Promise<void> {
    if (this.queries.needsRefresh(match)) await this.route.write("refresh", null);
  }
}

function recordsOf({ width, columns }: RowBatch): WireRecord[] {
  const records: WireRecord[] = [];
  const scored = width > recordWidth;
  for (let at = 0; at < columns.length; at += width) {
    const record = recordAt(columns, at);
    records.push(scored ? { ...record, score: columns[at + recordWidth] as number } : record);
  }
  return records;
}

export class AsyncSqlite extends AsyncStore implements Backend<Sql> {
  readonly name = "sqlite";
  readonly ownership = "serialise";
  readonly capabilities: Capabilities;
  readonly #settings: Settings;
  #opened: Pool | undefined;
  #temporary: string | undefined;
  protected override queries: Queries;

  constructor(settings: Settings) {
    super();
    this.#settings = settings;
    this.queries = new Queries(emptyLayout(settings.table), settings.readOnly);
    this.capabilities = capabilitiesOf(this.queries, { durable: settings.path !== ":memory:", snapshotStreams: true });
  }

  get location(): string | undefined {
    const { path, table } = this.#settings;
    return path === ":memory:" ? undefined : `${path}#${table}`;
  }

  get compiler(): Compiler<Sql> {
    return this.queries.compiler;
  }

  get #pool(): Pool {
    if (this.#opened !== undefined) return this.#opened;
    throw new DataknobsError("NOT_OPEN", "The SQLite backend is not open.", { backend: this.name });
  }

  protected override get route(): Route {
    const pool = this.#pool;
    return {
      query: (name, argument) => pool.query(name, argument),
      write: (name, argument) => pool.write(name, argument),
      read: (ids) => pool.read(ids),
      cursors: () => {
        if (!pool.hasReaders || this.#locksReaders)
          return { call: (name, argument) => pool.write(name, argument), ownConnection: false };
        const reader = pool.reader();
        return { call: (name, argument) => reader.call(name, argument), ownConnection: true };
      },
    };
  }

  /** Without a write-ahead log an open read keeps the writer waiting. */
  get #locksReaders(): boolean {
    const { path, journalMode, readOnly } = this.#settings;
    return path !== ":memory:" && journalMode !== "wal" && !readOnly;
  }

  async open({ indexes }: OpenRequest): Promise<undefined> {
    const settings = this.#settings.path === ":memory:" ? this.#onTemporaryFile() : this.#settings;
    try {
      const { pool, layout } = await Pool.open(settings, indexes);
      this.#opened = pool;
      this.queries = new Queries(layout, settings.readOnly);
    } catch (error) {
      this.#removeTemporary();
      throw error;
    }
  }

  /**
   * SQLite's own memory databases have one connection, and so no reader beside an open transaction. A file in the
   * system's temporary folder that is never synced and goes with the database does the same, and lets threads share it.
   */
  #onTemporaryFile(): Settings {
    this.#temporary = mkdtempSync(join(tmpdir(), "dataknobs-"));
    process.once("exit", this.#removeTemporary);
    return { ...this.#settings, path: join(this.#temporary, "memory.db"), journalMode: "wal", synchronous: "off" };
  }

  readonly #removeTemporary = (): void => {
    process.off("exit", this.#removeTemporary);
    if (this.#temporary !== undefined) rmSync(this.#temporary, { recursive: true, force: true });
    this.#temporary = undefined;
  };

  async close(): Promise<void> {
    const pool = this.#opened;
    this.#opened = undefined;
    try {
      await pool?.close();
    } finally {
      this.#removeTemporary();
    }
  }

  clear(): Promise<number> {
    return this.deleteWhere(undefined);
  }

  async begin(call: Call): Promise<Transaction<Sql>> {
    const pool = this.#pool;
    await pool.begin(call.signal);
    return new AsyncTransaction(pool, this.queries);
  }

  native(request: ScanRequest<Sql>): unknown {
    return this.queries.native(request);
  }

  async nativePlan(request: ScanRequest<Sql>): Promise<unknown> {
    return planLines(await this.#pool.query("all", this.queries.plan(request)));
  }

  listIndexes(): Promise<readonly ExistingIndex[]> {
    return this.#pool.write("listIndexes", null);
  }

  async createIndex(spec: IndexSpec): Promise<void> {
    this.queries = new Queries(await this.#pool.write("createIndex", spec), this.#settings.readOnly);
  }

  async dropIndex(name: string): Promise<void> {
    this.queries = new Queries(await this.#pool.write("dropIndex", name), this.#settings.readOnly);
  }

  async backup(path: string): Promise<void> {
    await this.#pool.write("backup", path);
  }

  toSync(): Backend<Sql> {
    return new SyncSqlite(this.#settings);
  }
}

class AsyncTransaction extends AsyncStore implements Transaction<Sql> {
  readonly #pool: Pool;
  protected override readonly queries: Queries;
  protected override readonly route: Route;

  constructor(pool: Pool, queries: Queries) {
    super();
    this.#pool = pool;
    this.queries = queries;
    const call: Route["query"] = (name, argument) => pool.writer.call(name, argument);
    this.route = {
      query: call,
      write: call,
      read: (ids) => call("read", ids),
      cursors: () => ({ call, ownConnection: false }),
    };
  }

  commit(): Promise<void> {
    return this.#pool.end("commit");
  }

  rollback(): Promise<void> {
    return this.#pool.end("rollback");
  }
}
