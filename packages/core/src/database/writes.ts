/** Every write operation, once, as steps. */
import type { Call, DeleteOp, InsertOp, MergeOp, UpdateOp, UpsertOp, WriteOp, WriteOutcome } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import { matcherOf } from "../match/matcher.js";
import { planQuery } from "../plan/plan.js";
import type { Condition } from "../query/ast.js";
import { lowerCondition } from "../query/parse.js";
import { checkId, newVersion } from "../record/ids.js";
import type { JsonObject, TypeMap, WireRecord } from "../record/json.js";
import { mergeFields } from "../record/merge.js";
import { type StoredRecord, toStored } from "../record/stored.js";
import { decode } from "../record/values.js";
import { batchError, outcomeError, versionConflict, writtenRecord } from "./outcomes.js";
import { scanAll } from "./scans.js";
import { validate } from "./schema.js";
import { misuse, type Session } from "./session.js";
import { type Steps, wait } from "./steps.js";
import { checkVersion, deleteOp, encodeData, insertOf, insertOp, updateOp, upsertOp } from "./write-ops.js";

export interface CreateOptions {
  /** Default: a UUIDv7. */
  readonly id?: string | undefined;
  readonly metadata?: object | undefined;
}
export interface UpdateOptions {
  /** Write only where the record still has this version. */
  readonly ifVersion?: string | undefined;
  /** Replaces the metadata; not given, it stays (`update`) or becomes empty (`upsert`). */
  readonly metadata?: object | undefined;
}
export interface DeleteOptions {
  readonly ifVersion?: string | undefined;
}
export interface CreateInput<T = unknown> extends CreateOptions {
  readonly data: T;
}
export interface UpsertInput<T = unknown> extends UpdateOptions {
  /** Default: a UUIDv7, so that the record is inserted. */
  readonly id?: string | undefined;
  readonly data: T;
}
export interface UpdateInput<T = unknown> extends UpdateOptions {
  readonly id: string;
  readonly data: T;
}

const createKeys: ReadonlySet<string> = new Set(["id", "metadata", "signal", "timeout"]);
const updateKeys: ReadonlySet<string> = new Set(["ifVersion", "metadata", "signal", "timeout"]);
const deleteKeys: ReadonlySet<string> = new Set(["ifVersion", "signal", "timeout"]);
const createInputKeys: ReadonlySet<string> = new Set(["id", "data", "metadata"]);
const updateInputKeys: ReadonlySet<string> = new Set(["id", "data", "metadata", "ifVersion"]);

export function* create(session: Session, data: unknown, options: CreateOptions, call: Call): Steps<StoredRecord> {
  checkOptionKeys(options, createKeys, "create");
  const op = yield* insertOp(session, { ...options, data });
  return (yield* writeOne(session, op, call, "create")) as StoredRecord;
}

export function* update(
  session: Session,
  id: string,
  data: unknown,
  options: UpdateOptions,
  call: Call,
): Steps<StoredRecord | undefined> {
  checkOptionKeys(options, updateKeys, "update");
  const op = yield* updateOp(session, { ...options, id, data });
  return yield* writeOne(session, op, call, "update");
}

export function* upsert(
  session: Session,
  id: string,
  data: unknown,
  options: UpdateOptions,
  call: Call,
): Steps<StoredRecord> {
  checkOptionKeys(options, updateKeys, "upsert");
  checkId(id);
  const op = yield* upsertOp(session, { ...options, id, data });
  return (yield* writeOne(session, op, call, "upsert")) as StoredRecord;
}

export function* remove(session: Session, id: string, options: DeleteOptions, call: Call): Steps<boolean> {
  checkOptionKeys(options, deleteKeys, "delete");
  const op = deleteOp(id, options.ifVersion);
  const [outcome] = yield* writeAll(session, [op], call);
  const error = outcomeError(outcome, op, session.name, "delete");
  if (error !== undefined) throw error;
  return outcome?.status === "deleted";
}

/** Attempts of a compare-and-set loop before giving up with `CONFLICT`. */
const maxAttempts = 100;

export function* patch(
  session: Session,
  id: string,
  partial: unknown,
  options: DeleteOptions,
  call: Call,
): Steps<StoredRecord | undefined> {
  checkOptionKeys(options, deleteKeys, "patch");
  checkId(id);
  checkVersion(options.ifVersion);
  const { json: data, types } = encodeData(session, "data", partial, "the patch");
  if (session.store.merge !== undefined && session.schema === undefined) {
    const op: MergeOp = { id, data, types, version: newVersion(), at: Date.now(), ifVersion: options.ifVersion };
    const outcome = yield* wait(session.store.merge(op, call));
    const error = outcomeError(outcome, op, session.name, "patch");
    if (error !== undefined) throw error;
    return outcome.status === "written" && outcome.record !== undefined ? toStored(outcome.record) : undefined;
  }
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const [current] = yield* wait(session.store.read([id], call));
    if (options.ifVersion !== undefined && current?.version !== options.ifVersion) {
      throw versionConflict(id, options.ifVersion, current?.version ?? null, session.name, "patch");
    }
    if (current === undefined) return undefined;
    const op = yield* mergedUpdate(session, current, data, types);
    const [outcome] = yield* writeAll(session, [op], call);
    if (outcome?.status === "written") return toStored(writtenRecord(op, outcome) as WireRecord);
    if (outcome?.status === "missing") return undefined;
    if (outcome?.status === "stale" && options.ifVersion === undefined) continue;
    throw outcomeError(outcome, op, session.name, "patch") as Error;
  }
  throw new DataknobsError("CONFLICT", `The record "${id}" kept changing under ${maxAttempts} attempts to patch it.`, {
    backend: session.name,
    operation: "patch",
    id,
  });
}

/** Conditional on the version that was read, so that the merge is atomic as others see it. */
function* mergedUpdate(
  session: Session,
  current: WireRecord,
  patchData: JsonObject,
  patchTypes: TypeMap | null,
): Steps<UpdateOp> {
  const merged = mergeFields(current.data, current.types, patchData, patchTypes);
  const valid =
    session.schema === undefined
      ? { json: merged.data, types: merged.types }
      : encodeData(session, "data", yield* validate(session.schema, decode(merged.data, merged.types)));
  return {
    kind: "update",
    id: current.id,
    data: session.backend.ownership === "keep" ? Object.freeze(valid.json) : valid.json,
    types: valid.types,
    metadata: undefined,
    metadataTypes: null,
    version: newVersion(),
    at: Date.now(),
    ifVersion: current.version,
  };
}

export function* createMany(session: Session, inputs: readonly CreateInput[], call: Call): Steps<StoredRecord[]> {
  checkList(inputs, "createMany", "{ id, data, metadata }");
  const ops: InsertOp[] = [];
  const at = Date.now();
  for (const input of inputs) {
    checkOptionKeys(input, createInputKeys, "createMany");
    const validated = session.schema === undefined ? input.data : yield* validate(session.schema, input.data);
    ops.push(insertOf(session, input, validated, at));
  }
  // where a batch is all or nothing, the store itself finds the second of an id, and has written nothing
  const { atomicBatch } = session.capabilities;
  if (!atomicBatch) refuseTwice(session, ops);
  try {
    return (yield* writeMany(session, ops, call, "createMany")) as StoredRecord[];
  } catch (error) {
    if (atomicBatch && DataknobsError.is(error, "ALREADY_EXISTS")) refuseTwice(session, ops);
    throw error;
  }
}

/** Throws `ALREADY_EXISTS` where an id is in the batch twice. */
function refuseTwice(session: Session, ops: readonly InsertOp[]): void {
  const ids = new Set<string>();
  for (const { id } of ops) {
    if (ids.has(id)) {
      throw new DataknobsError("ALREADY_EXISTS", `The id ${JSON.stringify(id)} is in this createMany twice.`, {
        backend: session.name,
        operation: "createMany",
        id,
      });
    }
    ids.add(id);
  }
}

export function* upsertMany(session: Session, inputs: readonly UpsertInput[], call: Call): Steps<StoredRecord[]> {
  checkList(inputs, "upsertMany", "{ id, data, metadata, ifVersion }");
  const last = new Map<string, UpsertOp>();
  const ids: string[] = [];
  for (const input of inputs) {
    checkOptionKeys(input, updateInputKeys, "upsertMany");
    const op = yield* upsertOp(session, input);
    last.set(op.id, op);
    ids.push(op.id);
  }
  const records = (yield* writeMany(session, [...last.values()], call, "upsertMany")) as StoredRecord[];
  const byId = new Map(records.map((record) => [record.id, record]));
  return ids.map((id) => byId.get(id) as StoredRecord);
}

export function* updateMany(
  session: Session,
  inputs: readonly UpdateInput[],
  call: Call,
): Steps<(StoredRecord | undefined)[]> {
  checkList(inputs, "updateMany", "{ id, data, metadata, ifVersion }");
  const ops: UpdateOp[] = [];
  for (const input of inputs) {
    checkOptionKeys(input, updateInputKeys, "updateMany");
    ops.push(yield* updateOp(session, input));
  }
  return yield* writeMany(session, ops, call, "updateMany");
}

export function* deleteMany(session: Session, ids: readonly string[], call: Call): Steps<boolean[]> {
  checkList(ids, "deleteMany", "ids");
  const ops = new Map<string, DeleteOp>();
  for (const id of ids) ops.set(id, deleteOp(id, undefined));
  const list = [...ops.values()];
  const outcomes = yield* writeAll(session, list, call);
  const error = batchError(list, outcomes, session.name, "deleteMany");
  if (error !== undefined) throw error;
  const deleted = new Set(list.filter((_, index) => outcomes[index]?.status === "deleted").map(({ id }) => id));
  // an id given twice was deleted once
  return ids.map((id) => deleted.delete(id));
}

export function* updateWhere(session: Session, condition: Condition, partial: unknown, call: Call): Steps<number> {
  checkCondition(condition, "updateWhere");
  const { json, types } = encodeData(session, "data", partial, "the patch");
  return yield* changeWhere(session, condition, call, "updateWhere", (current) =>
    mergedUpdate(session, current, json, types),
  );
}

export function* deleteWhere(session: Session, condition: Condition, call: Call): Steps<number> {
  checkCondition(condition, "deleteWhere");
  const { store } = session;
  if (store.deleteWhere !== undefined) {
    const plan = planFor(session, condition);
    if (plan.residual === undefined) return yield* wait(store.deleteWhere(plan.request.where, call));
  }
  return yield* changeWhere(session, condition, call, "deleteWhere", function* (current) {
    return deleteOp(current.id, current.version);
  });
}

export function* clear(session: Session, call: Call): Steps<number> {
  const { store, backend } = session;
  if (store === backend && backend.clear !== undefined) return yield* wait(backend.clear(call));
  if (store.deleteWhere !== undefined) return yield* wait(store.deleteWhere(undefined, call));
  return yield* changeWhere(session, { and: [] }, call, "clear", function* (current) {
    return deleteOp(current.id, undefined);
  });
}

/** Changes every record that satisfies the condition: ids first, then batch by batch under compare-and-set. */
function* changeWhere(
  session: Session,
  condition: Condition,
  call: Call,
  operation: string,
  makeOp: (current: WireRecord) => Steps<UpdateOp | DeleteOp>,
): Steps<number> {
  const test = matcherOf(lowerCondition(condition));
  let ids: string[] = [];
  // all ids before the first write: a record that moves under the scan must not be met twice
  yield* scanAll(session, planFor(session, condition), call, (batch) => {
    for (const { id } of batch) ids.push(id);
  });
  let changed = 0;
  for (let attempt = 0; ids.length > 0; attempt++) {
    const again: string[] = [];
    for (let start = 0; start < ids.length; start += session.batchSize) {
      const current = yield* wait(session.store.read(ids.slice(start, start + session.batchSize), call));
      const ops: (UpdateOp | DeleteOp)[] = [];
      for (const record of current) if (record !== undefined && test(record)) ops.push(yield* makeOp(record));
      if (ops.length === 0) continue;
      const outcomes = yield* wait(session.store.write(ops, { ...call, atomic: false }));
      for (let index = 0; index < ops.length; index++) {
        const outcome = outcomes[index];
        const op = ops[index] as WriteOp;
        if (outcome?.status === "written" || outcome?.status === "deleted") changed++;
        else if (outcome?.status === "stale" && attempt < maxAttempts) again.push(op.id);
        else {
          const error = outcomeError(outcome, op, session.name, operation);
          if (error !== undefined) throw error;
        }
      }
    }
    ids = again;
  }
  return changed;
}

function planFor(session: Session, condition: Condition): ReturnType<typeof planQuery> {
  const query = {
    where: lowerCondition(condition),
    match: undefined,
    order: [],
    byScore: false,
    limit: undefined,
    offset: 0,
    select: [],
    residual: undefined,
  };
  return planQuery(query, session, session.batchSize);
}

function* writeOne(
  session: Session,
  op: InsertOp | UpsertOp | UpdateOp,
  call: Call,
  operation: string,
): Steps<StoredRecord | undefined> {
  const [outcome] = yield* writeAll(session, [op], call);
  const error = outcomeError(outcome, op, session.name, operation);
  if (error !== undefined) throw error;
  const record = writtenRecord(op, outcome as WriteOutcome);
  return record === undefined ? undefined : toStored(record);
}

function* writeMany(
  session: Session,
  ops: readonly (InsertOp | UpsertOp | UpdateOp)[],
  call: Call,
  operation: string,
): Steps<(StoredRecord | undefined)[]> {
  const outcomes = yield* writeAll(session, ops, call);
  const error = batchError(ops, outcomes, session.name, operation);
  if (error !== undefined) throw error;
  const records: (StoredRecord | undefined)[] = [];
  for (let index = 0; index < ops.length; index++) {
    const op = ops[index] as (typeof ops)[number];
    const record = writtenRecord(op, outcomes[index] as WriteOutcome);
    records.push(record === undefined ? undefined : toStored(record));
  }
  return records;
}

function* writeAll(session: Session, ops: readonly WriteOp[], call: Call): Steps<readonly WriteOutcome[]> {
  if (ops.length === 0) return [];
  return yield* wait(session.store.write(ops, { ...call, atomic: session.capabilities.atomicBatch }));
}

function checkCondition(condition: unknown, operation: string): void {
  if (typeof condition === "object" && condition !== null) return;
  throw new DataknobsError(
    "INVALID_QUERY",
    `${operation} takes a condition. To say all records, use { and: [] }${operation === "deleteWhere" ? ", or clear()" : ""}.`,
  );
}

function checkList(list: unknown, operation: string, of: string): void {
  if (!Array.isArray(list)) throw misuse(`${operation} takes a list of ${of}.`);
}

function checkOptionKeys(options: object, known: ReadonlySet<string>, operation: string): void {
  for (const key in options) {
    if (!known.has(key)) {
      throw misuse(`${operation} has no option "${key}"; it has ${[...known].join(", ")}.`);
    }
  }
}
