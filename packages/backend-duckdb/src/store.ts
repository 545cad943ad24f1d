/** Everything that a database and an open transaction have in common. */
import {
  type AggregateRequest,
  type AggregateRow,
  aggregatorOf,
  type Call,
  DataknobsError,
  type MergeOp,
  type NativeRow,
  type ScanRequest,
  type Store,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
  type WriteRequest,
} from "@dataknobs/core/backend";
import { raw, type Sql, type Statement, sql } from "@dataknobs/sql";
import type { Access, Change, Cursor } from "./access.js";
import { aggregateStatement } from "./aggregate.js";
import { listOf } from "./compile.js";
import { classifyStatement, guarded } from "./errors.js";
import type { Lane } from "./lane.js";
import type { Layout } from "./layout.js";
import { nativeRows } from "./native.js";
import { countSelect, deleteStatement, finish, recordColumn, scanSelect } from "./select.js";
import type { Table } from "./table.js";
import { recordOf } from "./values.js";
import { insertNew, insertOne, manyRecords, mergeOne, writeAll } from "./write.js";

export class TableStore implements Store<Sql> {
  readonly #access: Access;
  readonly #table: Table;
  readonly #readOnly: boolean;

  constructor(access: Access, table: Table, readOnly: boolean) {
    this.#access = access;
    this.#table = table;
    this.#readOnly = readOnly;
  }

  read(ids: readonly string[], call: Call): Promise<(WireRecord | undefined)[]> {
    return guarded(async () => {
      const { layout } = this.#table;
      const [only] = ids;
      const which =
        ids.length === 1 && only !== undefined
          ? sql`id = ${only}`
          : sql`id IN (SELECT unnest(${listOf(ids, "VARCHAR")}))`;
      const select = finish(sql`SELECT ${recordColumn(layout)} FROM ${raw(layout.source)} WHERE ${which}`, true);
      this.#check(layout);
      const rows = await this.#access.use((lane) => lane.rows(select, call));
      this.#check(layout);
      const records = new Map<string, WireRecord>();
      for (const [text] of rows) {
        const record = recordOf(layout, text as string);
        records.set(record.id, record);
      }
      return ids.map((id) => records.get(id));
    });
  }

  write(ops: readonly WriteOp[], { atomic, ...call }: WriteRequest): Promise<readonly WriteOutcome[]> {
    return guarded(async () => {
      const written = this.#readOnly ? undefined : await this.#insertAlone(ops, call);
      if (written !== undefined) return written;
      return this.#change((lane) => writeAll(lane, this.#table, ops, atomic, call), call);
    });
  }

  /** New records, one or many, need no transaction around the statement that inserts them. */
  async #insertAlone(ops: readonly WriteOp[], call: Call): Promise<readonly WriteOutcome[] | undefined> {
    const [first] = ops;
    if (ops.length === 1 && first?.kind === "insert") {
      return this.#access.alone?.((lane) => insertOne(lane, this.#table, first, call));
    }
    return ops.length < manyRecords
      ? undefined
      : this.#access.alone?.((lane) => insertNew(lane, this.#table, ops, call));
  }

  merge(op: MergeOp, call: Call): Promise<WriteOutcome> {
    return this.#change((lane) => mergeOne(lane, this.#table, op, call), call);
  }

  deleteWhere(where: Sql | undefined, call: Call): Promise<number> {
    const { layout } = this.#table;
    return this.#change(async (lane) => {
      this.#check(layout);
      return { result: await lane.run(deleteStatement(layout, where, false), call) };
    }, call);
  }

  /** One statement reads one state of the table, and so does what is made of it. */
  async *scan(request: ScanRequest<Sql>): AsyncGenerator<readonly WireRecord[], void> {
    const { layout, dialect } = this.#table;
    const make = (clean: boolean): Statement => scanSelect(layout, dialect, request, clean);
    const cursor = await guarded(() => this.#open(make, request));
    try {
      for (;;) {
        const texts = await guarded(() => cursor.next());
        if (texts.length === 0) return;
        yield await guarded(async () => texts.map((text) => recordOf(layout, text)));
      }
    } finally {
      await cursor.close();
    }
  }

  /** The stream's snapshot is taken when it is open: if the table is clean after that, the snapshot is. */
  async #open(make: (clean: boolean) => Statement, call: Call): Promise<Cursor> {
    const { clean, layout } = this.#table;
    this.#check(layout);
    const cursor = await this.#access.open(make(clean), call);
    if (clean === this.#table.clean && this.#table.still(layout)) return cursor;
    await cursor.close();
    this.#check(layout);
    return this.#access.open(make(false), call);
  }

  /** What was compiled for other columns would find other records. */
  #check(layout: Layout): void {
    if (this.#table.still(layout)) return;
    const message = "The table's declared fields were changed meanwhile. Nothing was read; try again.";
    throw new DataknobsError("CONFLICT", message, { backend: "duckdb" });
  }

  async #rows(make: (clean: boolean) => Statement, call: Call): Promise<readonly (readonly unknown[])[]> {
    const { clean, layout } = this.#table;
    this.#check(layout);
    const rows = await this.#access.use((lane) => lane.rows(make(clean), call));
    this.#check(layout);
    if (clean === this.#table.clean) return rows;
    return this.#access.use((lane) => lane.rows(make(false), call));
  }

  count(where: Sql | undefined, _match: undefined, call: Call): Promise<number> {
    return guarded(async () => {
      const [row] = await this.#rows((clean) => countSelect(this.#table.layout, where, clean), call);
      return row?.[0] as number;
    });
  }

  aggregate(request: AggregateRequest<Sql>): Promise<AggregateRow[]> {
    return guarded(async () => {
      const { layout, dialect } = this.#table;
      const { plan, where } = request;
      let { read } = aggregateStatement(layout, dialect, plan, where, false);
      const rows = await this.#rows((clean) => {
        const statement = aggregateStatement(layout, dialect, plan, where, clean);
        read = statement.read;
        return statement;
      }, request);
      const groups: AggregateRow[] = [];
      for (const row of rows) {
        const group = read(row);
        if (group === undefined) return this.#aggregateHere(request);
        groups.push(group);
      }
      return groups;
    });
  }

  /** Arrays and objects as keys are told apart by core. */
  async #aggregateHere({ plan, where, signal }: AggregateRequest<Sql>): Promise<AggregateRow[]> {
    const aggregator = aggregatorOf(plan);
    const request: ScanRequest<Sql> = {
      where,
      match: undefined,
      order: [],
      limit: undefined,
      offset: 0,
      select: undefined,
      batchSize: 2048,
      signal,
    };
    for await (const batch of this.scan(request)) for (const record of batch) aggregator.add(record);
    return aggregator.rows();
  }

  async sql(statement: string, parameters: readonly unknown[], call: Call): Promise<readonly NativeRow[]> {
    try {
      return await this.#access.use((lane) => nativeRows(lane, statement, parameters, call));
    } catch (error) {
      throw classifyStatement(error);
    }
  }

  #change<R>(body: (lane: Lane) => Promise<Change<R>>, call: Call): Promise<R> {
    return guarded(async () => {
      if (this.#readOnly) {
        throw new DataknobsError("PERMISSION_DENIED", "This DuckDB store is open for reading only.", {
          backend: "duckdb",
        });
      }
      return this.#access.change(call, body);
    });
  }
}
