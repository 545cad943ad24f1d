/** Everything that a database and an open transaction have in common. */
import {
  type AggregateRequest,
  type AggregateRow,
  type Call,
  getterOf,
  type InsertOp,
  type MergeOp,
  type NativeRow,
  type Order,
  type ScanRequest,
  type Store,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
  type WriteRequest,
} from "@dataknobs/core/backend";
import type { Sql, Statement } from "@dataknobs/sql";
import type { Access, Change } from "./access.js";
import { classifyStatement, codeOf, constraintOf, guarded } from "./errors.js";
import { cutLength } from "./keys.js";
import type { Lane, Rows } from "./lane.js";
import { declaredAt, hasUnique } from "./layout.js";
import { setText } from "./pgvector.js";
import { recordOf, recordWidth, withNumbers } from "./rows.js";
import { countSelect, deleteStatement, readStatement } from "./select.js";
import type { Table } from "./table.js";
import { nearestRecordOf } from "./vectors.js";
import { refreshWords, staleSelect } from "./words.js";
import type { Run, Writer } from "./write.js";

/** Where reads go; it is told of writes. */
type Reader = Pick<Access, "run" | "tuned" | "open"> & { wrote?(): void };

const rolledBack: WriteOutcome = Object.freeze({ status: "rolledBack" });

/** Reads that nothing is written by go to `reader`, all else to `access`. */
export class TableStore implements Store<Sql> {
  readonly #access: Access;
  readonly #reader: Reader;
  readonly #table: Table;
  /** Looks at the table anew: another process may have changed its indexes. */
  readonly #lookAgain: () => Promise<void>;

  constructor(access: Access, table: Table, lookAgain: () => Promise<void>, reader: Reader = access) {
    this.#access = access;
    this.#reader = reader;
    this.#table = table;
    this.#lookAgain = lookAgain;
  }

  read(ids: readonly string[], call: Call): Promise<(WireRecord | undefined)[]> {
    return guarded(async () => {
      const rows = await this.#reader.run(readStatement(this.#table.layout, ids), call);
      if (ids.length === 1) return [rows[0] && recordOf(rows[0])];
      const records = new Map(rows.map((row) => [row[0] as string, recordOf(row)]));
      return ids.map((id) => records.get(id));
    });
  }

  write(ops: readonly WriteOp[], { atomic, ...call }: WriteRequest): Promise<readonly WriteOutcome[]> {
    const { writer } = this.#table;
    const runs = writer.plan(ops);
    return this.#writing(() => this.#afresh(writer, runs, ops, (now, list) => this.#write(now, list, atomic, call)));
  }

  /** Where the table has other columns than it had, once more with those. */
  async #afresh<R>(
    writer: Writer,
    runs: readonly Run[],
    ops: readonly WriteOp[],
    body: (writer: Writer, runs: readonly Run[]) => Promise<R>,
  ): Promise<R> {
    try {
      return await body(writer, runs);
    } catch (error) {
      if (codeOf(error) !== "42703" || this.#access.inTransaction) throw error;
      await this.#lookAgain();
      const { writer: now } = this.#table;
      return body(now, now.plan(ops));
    }
  }

  async #write(writer: Writer, runs: readonly Run[], atomic: boolean, call: Call): Promise<readonly WriteOutcome[]> {
    const [only] = runs;
    if (only === undefined) return [];
    if (runs.length === 1 && this.#isSafeAlone(writer, only) && (!atomic || writer.isWhole(only))) {
      const outcomes = await this.#alone(writer, only, atomic && only.ops.length > 1, call);
      if (outcomes !== undefined) return outcomes;
    }
    if (atomic && runs.every(({ kind }) => kind === "insert")) {
      const outcomes = await this.#insertAll(writer, runs, call);
      if (outcomes !== undefined) return outcomes;
    }
    return this.#access.change(call, (lane) => writeRuns(writer, runs, lane, call, atomic, this.#nameOf(writer)));
  }

  /** New records, by statements that fail at an id or a value that is taken; nothing then: what to tell is looked for after. */
  async #insertAll(writer: Writer, runs: readonly Run[], call: Call): Promise<readonly WriteOutcome[] | undefined> {
    try {
      return await this.#access.change(call, async (lane) => {
        await inTurn(runs, (run) => lane.run(writer.statement(run, true), call));
        return { result: runs.flatMap(insertedAll) };
      });
    } catch (error) {
      if (constraintOf(error) === undefined) throw error;
      return undefined;
    }
  }

  /** A failing statement would end an open transaction. */
  #isSafeAlone({ layout }: Writer, { ops }: Run): boolean {
    return !this.#access.inTransaction || (!hasUnique(layout) && ops.length === 1);
  }

  /** By a statement that is a transaction itself; nothing where it met an id or a value that is taken. */
  async #alone(writer: Writer, run: Run, whole: boolean, call: Call): Promise<readonly WriteOutcome[] | undefined> {
    let rows: Rows;
    try {
      rows = await this.#access.again(call, () => this.#access.run(writer.statement(run, whole), call));
    } catch (error) {
      if (constraintOf(error) === undefined) throw error;
      return undefined;
    }
    if (whole && run.kind === "insert") return insertedAll(run);
    return settled(writer, run, writer.outcomes(run, rows), (statement) => this.#access.run(statement, call));
  }

  /** The name of the index that refused a write. */
  #nameOf(writer: Writer): (error: unknown) => Promise<string | undefined> {
    return async (error) => {
      const known = writer.duplicateOf(error);
      if (known !== undefined || this.#access.inTransaction) return known;
      await this.#lookAgain();
      return this.#table.writer.duplicateOf(error);
    };
  }

  merge(op: MergeOp, call: Call): Promise<WriteOutcome> {
    const { writer } = this.#table;
    const statement = writer.merge(op);
    const body = async (run: Access["run"]): Promise<WriteOutcome> => {
      const [row] = await run(statement, call);
      if (row !== undefined) {
        const record = recordOf(row);
        return { status: "written", createdAt: record.createdAt, record };
      }
      if (op.ifVersion === undefined) return { status: "missing" };
      const [found] = await run(writer.versions([op.id]), call);
      return { status: "stale", actual: (found?.[1] as string | undefined) ?? null };
    };
    return this.#writing(async () => {
      try {
        if (!this.#access.inTransaction || !hasUnique(writer.layout)) {
          return await this.#access.again(call, () => body((one, its) => this.#access.run(one, its)));
        }
        return await this.#access.change(call, async (lane) => ({
          result: await body((one, its) => lane.run(one, its)),
        }));
      } catch (error) {
        const index = constraintOf(error) === undefined ? undefined : await this.#nameOf(writer)(error);
        if (index === undefined) throw error;
        return { status: "duplicate", index };
      }
    });
  }

  deleteWhere(where: Sql | undefined, call: Call): Promise<number> {
    const statement = deleteStatement(this.#table.layout, where);
    return this.#writing(() =>
      this.#access.again(call, async () => (await this.#access.run(statement, call)).count ?? 0),
    );
  }

  /** However it ends: what was written, or may have been, is from then on read. */
  async #writing<R>(body: () => Promise<R>): Promise<R> {
    try {
      return await guarded(body);
    } finally {
      this.#reader.wrote?.();
    }
  }

  async *scan(request: ScanRequest<Sql>): AsyncGenerator<readonly WireRecord[], void> {
    const { limit, batchSize } = request;
    if (request.nearest !== undefined) {
      const records = await guarded(() => this.#nearest(request));
      if (records.length > 0) yield records;
      return;
    }
    if (limit !== undefined && limit <= batchSize) {
      const records = await guarded(() => this.#page(request));
      if (records.length > 0) yield records;
      return;
    }
    const { sizes } = this.#table;
    const probe = limit === undefined ? { ...request, limit: batchSize + 1 } : undefined;
    const small = probe && this.#table.scan(probe, false);
    if (probe !== undefined && small !== undefined && sizes.isSmall(small.text)) {
      const records = await guarded(() => this.#page(probe, small));
      if (records.length > 0 && records.length <= batchSize) yield records;
      if (records.length <= batchSize) return;
    }
    const statement = this.#table.scan(request, true);
    await guarded(() => this.#refresh(request.match));
    const reader = request.match === undefined ? this.#reader : this.#access;
    const cursor = await guarded(() => reader.open(statement, batchSize, request));
    let ahead: Promise<Rows> | undefined;
    try {
      let rows = await guarded(() => cursor.next());
      if (small !== undefined) sizes.note(small.text, rows.length < batchSize);
      while (rows.length > 0) {
        // the server works on while these rows are looked at, one batch ahead and no more
        ahead = rows.length < batchSize ? undefined : guarded(() => cursor.next());
        ahead?.catch(() => undefined);
        yield rows.map(recordOf);
        if (ahead === undefined) return;
        rows = await ahead;
      }
      ahead = undefined;
    } finally {
      await cursor.close();
    }
  }

  /** By the index; and where that came to its end before there were enough, past it. */
  async #nearest(request: ScanRequest<Sql>): Promise<readonly WireRecord[]> {
    const call = { signal: request.signal };
    const { knobs, statement } = this.#table.nearest(request, false);
    let rows: Rows | undefined;
    if (knobs !== undefined) {
      rows = await this.#reader.tuned({ text: setText, params: knobs }, statement, call);
      const fitting = rows.filter((row) => row[recordWidth] !== null).length;
      if (fitting < (request.limit as number)) rows = undefined;
    }
    rows ??= await this.#reader.run(this.#table.nearest(request, true).statement, call);
    return rows.map((row) => nearestRecordOf(request.nearest as Sql, row));
  }

  /** By what indexes have of the sort keys, and once more by the whole where that may have made a difference. */
  async #page(
    request: ScanRequest<Sql>,
    first: Statement = this.#table.scan(request, false),
  ): Promise<readonly WireRecord[]> {
    const get = async (statement: Statement): Promise<readonly WireRecord[]> =>
      (await this.#query(request.match, statement, request)).map(recordOf);
    const records = await get(first);
    const cut = request.order.filter(({ path }) => declaredAt(this.#table.layout, path) !== undefined);
    return cut.length > 0 && records.some((record) => cut.some((order) => mayBeCut(record, order)))
      ? get(this.#table.scan(request, true))
      : records;
  }

  count(where: Sql | undefined, match: Sql | undefined, call: Call): Promise<number> {
    return guarded(async () => {
      const [row] = await this.#query(match, countSelect(this.#table.layout, where, match), call);
      return Number(row?.[0]);
    });
  }

  aggregate(request: AggregateRequest<Sql>): Promise<AggregateRow[]> {
    return guarded(async () => {
      const statement = this.#table.aggregate(request);
      const rows = await this.#query(request.match, statement, request);
      return rows.map((row) => statement.read(withNumbers(row, rows.columns)));
    });
  }

  sql(statement: string, parameters: readonly unknown[], call: Call): Promise<readonly NativeRow[]> {
    const run = (): Promise<readonly NativeRow[]> =>
      this.#access.native(statement, parameters, call) as Promise<readonly NativeRow[]>;
    return this.#writing(() =>
      run().then(
        (rows) => rows.map((row) => ({ ...row })),
        (error: unknown) => {
          throw classifyStatement(error);
        },
      ),
    );
  }

  async #query(match: Sql | undefined, statement: Statement, call: Call): Promise<Rows> {
    await this.#refresh(match);
    // words that were just made may not have come to a replica
    return (match === undefined ? this.#reader : this.#access).run(statement, { signal: call.signal });
  }

  async #refresh(match: Sql | undefined): Promise<void> {
    const { layout, hasWords } = this.#table;
    if (match === undefined || !hasWords) return;
    const run: Access["run"] = (statement, call) => this.#access.run(statement, call);
    const [row] = await run({ text: staleSelect(layout), params: [] }, {});
    if (row?.[0] === true || row?.[0] === "t") await refreshWords(run, layout);
  }
}

/** Whether the key of a text may be longer than what an index has of it. */
function mayBeCut(record: WireRecord, { path }: Order): boolean {
  const value = getterOf(path)(record);
  // bytes become longer as keys, by a third at most
  return typeof value === "string" && value.length >= cutLength / 2;
}

const insertedAll = ({ ops }: Run): WriteOutcome[] =>
  ops.map((op) => ({ status: "written", createdAt: (op as InsertOp).at }));

type RunStatement = (statement: Statement) => Promise<Rows>;

/** Outcomes with the versions that are there instead of those that were expected. */
async function settled(
  writer: Writer,
  { ops }: Run,
  outcomes: readonly (WriteOutcome | undefined)[],
  run: RunStatement,
): Promise<WriteOutcome[]> {
  const unknown = ops.filter((_, index) => outcomes[index] === undefined).map(({ id }) => id);
  if (unknown.length === 0) return outcomes as WriteOutcome[];
  const versions = new Map(
    (await run(writer.versions(unknown))).map(([id, version]) => [id as string, version as string]),
  );
  return outcomes.map(
    (outcome, index) => outcome ?? { status: "stale", actual: versions.get((ops[index] as WriteOp).id) ?? null },
  );
}

/** One after the other; while the server does one, the text of the next is made. */
async function inTurn(runs: readonly Run[], send: (run: Run) => Promise<unknown>): Promise<void> {
  for (const [index, run] of runs.entries()) {
    const sent = send(run);
    const next = runs[index + 1];
    if (next !== undefined) {
      // once what was sent is on its way
      await Promise.race([sent, new Promise(setImmediate)]);
      next.prepare();
    }
    await sent;
  }
}

/** All runs in an open transaction, in their order. */
async function writeRuns(
  writer: Writer,
  runs: readonly Run[],
  lane: Lane,
  call: Call,
  atomic: boolean,
  nameOf: (error: unknown) => Promise<string | undefined>,
): Promise<Change<readonly WriteOutcome[]>> {
  const outcomes: WriteOutcome[] = [];
  const run: RunStatement = (statement) => lane.run(statement, call);
  const careful = hasUnique(writer.layout);
  await inTurn(runs, async (one) => {
    const part = careful ? await byHalves(writer, one, lane, run, nameOf) : await writeRun(writer, one, run);
    for (const outcome of part) outcomes.push(outcome);
  });
  const refused =
    atomic && outcomes.some(({ status }) => status === "exists" || status === "stale" || status === "duplicate");
  if (!refused) return { result: outcomes };
  const undone = outcomes.map((outcome) =>
    outcome.status === "written" || outcome.status === "deleted" ? rolledBack : outcome,
  );
  return { result: undone, undo: true };
}

async function writeRun(writer: Writer, one: Run, run: RunStatement): Promise<WriteOutcome[]> {
  return settled(writer, one, writer.outcomes(one, await run(writer.statement(one, false))), run);
}

/** Of a run that meets a value that is taken, the operation that does is found by halving. */
async function byHalves(
  writer: Writer,
  one: Run,
  lane: Lane,
  run: RunStatement,
  nameOf: (error: unknown) => Promise<string | undefined>,
): Promise<WriteOutcome[]> {
  await lane.exec("SAVEPOINT dk_part");
  try {
    const outcomes = await writeRun(writer, one, run);
    await lane.exec("RELEASE dk_part");
    return outcomes;
  } catch (error) {
    const index = constraintOf(error) === undefined ? undefined : await nameOf(error);
    if (index === undefined) throw error;
    await lane.exec("ROLLBACK TO dk_part");
    await lane.exec("RELEASE dk_part");
    if (one.ops.length === 1) return [{ status: "duplicate", index }];
    const middle = Math.ceil(one.ops.length / 2);
    const parts = [one.ops.slice(0, middle), one.ops.slice(middle)];
    const outcomes: WriteOutcome[] = [];
    for (const half of parts.flatMap((ops) => writer.plan(ops))) {
      for (const outcome of await byHalves(writer, half, lane, run, nameOf)) outcomes.push(outcome);
    }
    return outcomes;
  }
}
