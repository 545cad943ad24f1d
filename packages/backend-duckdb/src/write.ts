/**
 * Writing. Operations are played through on what is there, in order, without touching it; what comes out is written
 * set by set. So a batch costs a few statements, and a refused one costs no undoing.
 */
import {
  type Call,
  DataknobsError,
  type DeleteOp,
  type InsertOp,
  type MergeOp,
  mergeFields,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
} from "@dataknobs/core/backend";
import { raw, sql } from "@dataknobs/sql";
import { type Change, transact } from "./access.js";
import { listOf } from "./compile.js";
import { isConflict } from "./errors.js";
import type { Lane } from "./lane.js";
import { type Layout, metaTable } from "./layout.js";
import { insertRows, type Records, rowsOf, updateRows } from "./rows.js";
import { finish, recordColumn } from "./select.js";
import { uniqueKeys } from "./split.js";
import type { Table } from "./table.js";
import { recordOf } from "./values.js";

type Put = Exclude<WriteOp, DeleteOp>;
type Metadata = Pick<WireRecord, "metadata" | "metadataTypes">;

interface State {
  readonly version: string;
  readonly createdAt: number;
  readonly keys: readonly (string | null)[];
  /** Read where an operation keeps it. */
  readonly kept?: Metadata | undefined;
  /** To be written; of a state that was read, none. */
  readonly record?: WireRecord | undefined;
}

const missing: WriteOutcome = Object.freeze({ status: "missing" });
const deleted: WriteOutcome = Object.freeze({ status: "deleted" });
const exists: WriteOutcome = Object.freeze({ status: "exists" });
const rolledBack: WriteOutcome = Object.freeze({ status: "rolledBack" });

export async function writeAll(
  lane: Lane,
  table: Table,
  ops: readonly WriteOp[],
  atomic: boolean,
  call: Call,
): Promise<Change<readonly WriteOutcome[]>> {
  const { layout } = table;
  if (layout.uniques.length > 0) await queueUp(lane, layout);
  const before = await readStates(lane, layout, ops, call);
  const play = new Play(layout, before, await readOwners(lane, layout, ops, before, call));
  const outcomes = ops.map((op) => play.apply(op));
  const refused =
    atomic && outcomes.some(({ status }) => status === "exists" || status === "stale" || status === "duplicate");
  if (refused) {
    const undone = outcomes.map((outcome) =>
      outcome.status === "written" || outcome.status === "deleted" ? rolledBack : outcome,
    );
    return { result: undone, undo: true };
  }
  await play.write(lane, table, call);
  return { result: outcomes };
}

/**
 * Many new records, whose ids lie where there are none. `undefined`: nothing was written, and the general way has to
 * look why.
 */
export async function insertNew(
  lane: Lane,
  table: Table,
  ops: readonly WriteOp[],
  call: Call,
): Promise<readonly WriteOutcome[] | undefined> {
  const { layout } = table;
  const range = layout.uniques.length > 0 ? undefined : rangeOf(ops);
  if (range === undefined || !(await isFree(lane, layout, range, call))) return undefined;
  const inserts = ops as readonly InsertOp[];
  const records: Records = {
    length: inserts.length,
    slice: (start, end) => inserts.slice(start, end).map((op) => recordFrom(op, op.at, op)),
  };
  try {
    return await transact(lane, async () => {
      await insertRows(lane, layout, records, () => table.markOdd(), call);
      return { result: outcomesOf(inserts) };
    });
  } catch (error) {
    if (isConflict(error)) return undefined;
    throw error;
  }
}

/** One new record by one statement. `undefined`: as for {@link insertNew}. */
export async function insertOne(
  lane: Lane,
  table: Table,
  op: InsertOp,
  call: Call,
): Promise<readonly WriteOutcome[] | undefined> {
  const { layout } = table;
  if (layout.uniques.length > 0) return undefined;
  const { source, odd } = rowsOf(layout, [recordFrom(op, op.at, op)]);
  if (odd) table.markOdd();
  try {
    const insert = sql`INSERT INTO ${raw(layout.source)} ${source} ON CONFLICT DO NOTHING`;
    const count = await lane.run(finish(insert, true), call);
    return count === 0 ? [exists] : outcomesOf([op]);
  } catch (error) {
    if (isConflict(error)) return undefined;
    throw error;
  }
}

function recordFrom(
  { id, data, types, version, at }: Put,
  createdAt: number,
  { metadata, metadataTypes }: Metadata,
): WireRecord {
  return { id, data, types, metadata, metadataTypes, version, createdAt, updatedAt: at };
}

/** So many are worth a look at the range of their ids. */
export const manyRecords = 64;

/**
 * The least and the greatest id of a batch of nothing but inserts of different ids. In the order of JavaScript, which
 * for a few ids is not that of DuckDB: what is overlooked then is a conflict later.
 */
function rangeOf(ops: readonly WriteOp[]): readonly [least: string, greatest: string] | undefined {
  let least = ops[0]?.id ?? "";
  let greatest = "";
  let ascending = true;
  for (const { kind, id } of ops) {
    if (kind !== "insert") return undefined;
    if (id > greatest) greatest = id;
    else ascending = false;
    if (id < least) least = id;
  }
  if (!ascending && new Set(ops.map(({ id }) => id)).size < ops.length) return undefined;
  return [least, greatest];
}

function outcomesOf(ops: readonly InsertOp[]): readonly WriteOutcome[] {
  let outcome: WriteOutcome = { status: "written", createdAt: Number.NaN };
  return ops.map(({ at }) => {
    if (outcome.status !== "written" || outcome.createdAt !== at) outcome = { status: "written", createdAt: at };
    return outcome;
  });
}

/** Two transactions must not both find a unique value free: they meet at this row, and the later one has a conflict. */
async function queueUp(lane: Lane, { table }: Layout): Promise<void> {
  await lane.run(
    {
      text: `UPDATE ${metaTable} SET value = (value::BIGINT + 1)::VARCHAR WHERE table_name = $1 AND key = 'writes'`,
      params: [table],
    },
    {},
  );
}

async function readStates(
  lane: Lane,
  layout: Layout,
  ops: readonly WriteOp[],
  call: Call,
): Promise<Map<string, State>> {
  const states = new Map<string, State>();
  const ids = [...new Set(ops.map(({ id }) => id))];
  const wanted =
    ids.length === 1 ? sql`id = ${ids[0] as string}` : sql`id IN (SELECT unnest(${listOf(ids, "VARCHAR")}))`;
  const full = ops.some((op) => op.kind === "update" && op.metadata === undefined);
  const keys = raw(layout.uniques.map((column) => `, '.' || ${column}`).join(""));
  const what = full ? sql`${recordColumn(layout)}` : raw("NULL");
  const select = sql`SELECT '.' || id, version, epoch_ms(created_at)::DOUBLE, ${what}${keys} FROM ${raw(layout.source)} WHERE ${wanted}`;
  for (const [id, version, createdAt, text, ...uniques] of await lane.rows(finish(select, true), call)) {
    states.set(unmarked(id), {
      version: version as string,
      createdAt: createdAt as number,
      keys: uniques.map((key) => (key === null ? null : unmarked(key))),
      kept: text === null ? undefined : recordOf(layout, text as string),
    });
  }
  return states;
}

/** The driver drops U+FEFF from the beginning of a text, so that texts are asked for with a dot before them. */
function unmarked(text: unknown): string {
  return (text as string).slice(1);
}

/** Whether there is no id in the range: with ids in order of time that is told at once. */
async function isFree(
  lane: Lane,
  { source }: Layout,
  range: readonly [least: string, greatest: string],
  call: Call,
): Promise<boolean> {
  const text = `SELECT 1 FROM ${source} WHERE id BETWEEN $1 AND $2 LIMIT 1`;
  return (await lane.rows({ text, params: range }, call)).length === 0;
}

/** Of each unique index: who has the values that are written, and those that the records written had. */
async function readOwners(
  lane: Lane,
  layout: Layout,
  ops: readonly WriteOp[],
  before: ReadonlyMap<string, State>,
  call: Call,
): Promise<Map<string, string>[]> {
  const owners: Map<string, string>[] = [];
  for (let index = 0; index < layout.uniques.length; index++) {
    const wanted = new Set<string>();
    for (const op of ops) {
      // an update's own metadata is not known yet; a value that it keeps there is no other's
      const key = op.kind === "delete" ? null : uniqueKeys(layout, { ...op, metadata: op.metadata ?? {} })[index];
      if (key !== null && key !== undefined) wanted.add(key);
    }
    const owner = new Map<string, string>();
    for (const [id, { keys }] of before) if (keys[index] !== null) owner.set(keys[index] as string, id);
    if (wanted.size > 0) {
      const column = raw(layout.uniques[index] as string);
      const select = sql`SELECT '.' || id, '.' || ${column} FROM ${raw(layout.source)} WHERE ${column} IN (SELECT unnest(${listOf([...wanted], "VARCHAR")}))`;
      for (const [id, key] of await lane.rows(finish(select, true), call)) owner.set(unmarked(key), unmarked(id));
    }
    owners.push(owner);
  }
  return owners;
}

/** Operations on the states of records, in memory. */
class Play {
  readonly #layout: Layout;
  readonly #before: ReadonlyMap<string, State>;
  readonly #owners: readonly Map<string, string>[];
  readonly #after = new Map<string, State | undefined>();

  constructor(layout: Layout, before: ReadonlyMap<string, State>, owners: readonly Map<string, string>[]) {
    this.#layout = layout;
    this.#before = before;
    this.#owners = owners;
  }

  apply(op: WriteOp): WriteOutcome {
    const state = this.#after.has(op.id) ? this.#after.get(op.id) : this.#before.get(op.id);
    if (op.kind === "insert") {
      if (state !== undefined) return exists;
    } else {
      if (op.ifVersion !== undefined && state?.version !== op.ifVersion)
        return { status: "stale", actual: state?.version ?? null };
      if (state === undefined && op.kind !== "upsert") return missing;
    }
    if (op.kind !== "delete") return this.#put(op, state);
    this.#set(op.id, state, undefined);
    return deleted;
  }

  #put(op: Put, state: State | undefined): WriteOutcome {
    const { id, version, metadata, metadataTypes } = op;
    const createdAt = state?.createdAt ?? op.at;
    const keeps = metadata === undefined;
    const kept = keeps ? (state?.kept ?? { metadata: {}, metadataTypes: null }) : { metadata, metadataTypes };
    const record = recordFrom(op, createdAt, kept);
    const keys = this.#owners.length === 0 ? [] : uniqueKeys(this.#layout, record);
    const taken = keys.findIndex((key, index) => key !== null && (this.#owners[index]?.get(key) ?? id) !== id);
    if (taken >= 0) return { status: "duplicate", index: uniqueName(this.#layout, taken) };
    this.#set(id, state, { version, createdAt, keys, kept, record });
    return keeps ? { status: "written", createdAt, record } : { status: "written", createdAt };
  }

  #set(id: string, before: State | undefined, after: State | undefined): void {
    this.#after.set(id, after);
    this.#owners.forEach((owner, index) => {
      const old = before?.keys[index] ?? null;
      if (old !== null && owner.get(old) === id) owner.delete(old);
      const key = after?.keys[index] ?? null;
      if (key !== null) owner.set(key, id);
    });
  }

  async write(lane: Lane, table: Table, call: Call): Promise<void> {
    const gone: string[] = [];
    const added: WireRecord[] = [];
    const changed: WireRecord[] = [];
    for (const [id, state] of this.#after) {
      if (state?.record !== undefined) (this.#before.has(id) ? changed : added).push(state.record);
      else if (this.#before.has(id)) gone.push(id);
    }
    await deleteRows(lane, this.#layout, gone, call);
    const beforeOdd = (): void => table.markOdd();
    await updateRows(lane, this.#layout, changed, beforeOdd, call);
    await insertRows(lane, this.#layout, added, beforeOdd, call);
  }
}

async function deleteRows(lane: Lane, { source }: Layout, ids: readonly string[], call: Call): Promise<void> {
  if (ids.length === 0) return;
  const which =
    ids.length === 1 ? sql`id = ${ids[0] as string}` : sql`id IN (SELECT unnest(${listOf(ids, "VARCHAR")}))`;
  await lane.run(finish(sql`DELETE FROM ${raw(source)} WHERE ${which}`, true), call);
}

function uniqueName({ fields, indexes }: Layout, at: number): string {
  const field = fields.filter(({ unique }) => unique !== undefined)[at];
  return (
    indexes.find(
      (spec) => spec.unique && spec.path.pointer === field?.path.pointer && spec.path.root === field.path.root,
    )?.name ?? ""
  );
}

/** One record, if it is there. */
async function readRecord(lane: Lane, layout: Layout, id: string, call: Call): Promise<WireRecord | undefined> {
  const select = sql`SELECT ${recordColumn(layout)} FROM ${raw(layout.source)} WHERE id = ${id}`;
  const [row] = await lane.rows(finish(select, true), call);
  return row === undefined ? undefined : recordOf(layout, row[0] as string);
}

export async function mergeOne(lane: Lane, table: Table, op: MergeOp, call: Call): Promise<Change<WriteOutcome>> {
  const before = await readRecord(lane, table.layout, op.id, call);
  if (before === undefined) return { result: op.ifVersion === undefined ? missing : { status: "stale", actual: null } };
  const { id, version, at, ifVersion } = op;
  const merged = mergeFields(before.data, before.types, op.data, op.types);
  const { metadata, metadataTypes } = before;
  const update: WriteOp = { kind: "update", id, ...merged, metadata, metadataTypes, version, at, ifVersion };
  const { result, undo } = await writeAll(lane, table, [update], true, call);
  const [outcome] = result;
  if (outcome === undefined)
    throw new DataknobsError("UNEXPECTED", "A write has no outcome.", { backend: "duckdb", id });
  if (outcome.status !== "written") return { result: outcome, undo: undo ?? false };
  return { result: { ...outcome, record: { ...before, ...merged, version, updatedAt: at } } };
}
