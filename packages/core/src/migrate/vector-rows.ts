/** Vectors between two stores, batch by batch: read, made anew, compared, written. */
import type { Call } from "../backend/spi.js";
import { asDataknobsError } from "../database/session.js";
import { DataknobsError, toError } from "../errors.js";
import { toBase64 } from "../record/base64.js";
import { type FilterPlan, planFilter } from "../vector/filter.js";
import { scanRows } from "../vector/scan.js";
import { chunksOf, throwIfAborted, toStoredVector, type VectorSession } from "../vector/session.js";
import { type PartialRow, type VectorRow, vectorParts } from "../vector/spi.js";
import { rowOf, upsertRows, type VectorEntry } from "../vector/writes.js";
import { contentText } from "./digest.js";
import type { MigrationFailure, MigrationTally } from "./options.js";
import type { CheckedVectorOptions } from "./vector-options.js";

export interface VectorSide {
  readonly session: VectorSession;
  readonly call: Call;
}

/** The same text for the same content: scope, id, every bit of the vector, metadata with its types, text. */
export function vectorText({ id, vector, metadata, metadataTypes, text }: PartialRow, scope: string): string {
  const numbers = vector as Float32Array;
  const bits = new DataView(new ArrayBuffer(numbers.length * 4));
  // the sum makes a negative zero, which other programs may have written, the zero that we would write
  for (let index = 0; index < numbers.length; index++) bits.setFloat32(index * 4, (numbers[index] as number) + 0, true);
  const data = { vector: toBase64(new Uint8Array(bits.buffer)), ...(text !== undefined && { text }), scope };
  return contentText({ id, data, types: null, metadata: metadata ?? {}, metadataTypes: metadataTypes ?? null });
}

export function filterOf({ session }: VectorSide, { filter }: Pick<CheckedVectorOptions, "filter">): FilterPlan {
  return planFilter(filter, session.backend.compiler);
}

/** Whole rows in lists of `size`; the last may be shorter. */
export async function* rowsIn(
  side: VectorSide,
  plan: FilterPlan,
  size: number,
): AsyncGenerator<readonly VectorRow[], void> {
  const { session, call } = side;
  let pending: VectorRow[] = [];
  try {
    for await (const batch of scanRows({ ...session, batchSize: size }, plan, vectorParts, call)) {
      for (const row of batch) {
        pending.push(row as VectorRow);
        if (pending.length < size) continue;
        yield pending;
        pending = [];
      }
    }
  } catch (error) {
    throw asDataknobsError(error, session, "migrateVectors");
  }
  if (pending.length > 0) yield pending;
}

/** What the target has of these ids, by id. */
async function thereOf(
  { session, call }: VectorSide,
  ids: readonly string[],
  whole: boolean,
): Promise<Map<string, PartialRow>> {
  const found = new Map<string, PartialRow>();
  for (const chunk of chunksOf([...new Set(ids)], session.capabilities.limits.batch)) {
    throwIfAborted(call);
    const include = whole ? vectorParts : [];
    const rows = await session.backend.get({ ...call, scope: session.scope, ids: chunk, include });
    for (const row of rows) if (row !== undefined) found.set(row.id, row);
  }
  return found;
}

interface Wanted {
  readonly from: VectorRow;
  readonly row: VectorRow;
}

interface Prepared {
  readonly wanted: readonly Wanted[];
  readonly dropped: number;
  readonly failed: readonly { readonly from: VectorRow; readonly error: Error }[];
}

/** The rows that the target should have of these; their vectors lie in one buffer. */
async function prepare(
  rows: readonly VectorRow[],
  { session }: VectorSide,
  { transform }: CheckedVectorOptions,
): Promise<Prepared> {
  const { dimensions } = session;
  const matrix = new Float32Array(rows.length * dimensions);
  const wanted: Wanted[] = [];
  const failed: { readonly from: VectorRow; readonly error: Error }[] = [];
  let dropped = 0;
  for (const from of rows) {
    try {
      const given = transform === undefined ? from : await asTransformed(transform, from);
      if (given === null) {
        dropped++;
        continue;
      }
      const into = matrix.subarray(wanted.length * dimensions, (wanted.length + 1) * dimensions);
      wanted.push({ from, row: rowOf(session, given, given.id ?? from.id, into) });
    } catch (error) {
      const known = asDataknobsError(error, session, "migrateVectors");
      // a programmer's mistake is no vector's failure
      if (!DataknobsError.is(known)) throw known;
      failed.push({ from, error: known });
    }
  }
  return { wanted, dropped, failed };
}

async function asTransformed(
  transform: NonNullable<CheckedVectorOptions["transform"]>,
  row: VectorRow,
): Promise<VectorEntry | null> {
  let made: VectorEntry | null;
  try {
    made = await transform(toStoredVector({ ...row, vector: row.vector.slice() }, vectorParts));
  } catch (cause) {
    if (DataknobsError.is(cause)) throw cause;
    const told = toError(cause);
    const message = `The transform threw on the vector ${JSON.stringify(row.id)}: ${told.message}`;
    throw new DataknobsError("UNEXPECTED", message, { operation: "migrateVectors", id: row.id }, { cause: told });
  }
  if (made === null || (typeof made === "object" && "vector" in made)) return made;
  throw new DataknobsError(
    "INVALID_RECORD",
    `The transform gave no vector for ${JSON.stringify(row.id)}: it gives { vector, id?, metadata?, text? }, or null to drop it.`,
    { operation: "migrateVectors", id: row.id },
  );
}

export interface VectorBatch {
  readonly tally: MigrationTally;
  readonly replaced: number;
  readonly failures: readonly MigrationFailure[];
  /** What ends the migration, after all of the batch was told. */
  readonly stop: Error | undefined;
}

/** Copies one list of rows. `resumed`: some may have been written by a run that did not live to count them. */
export async function copyRows(
  rows: readonly VectorRow[],
  target: VectorSide,
  options: CheckedVectorOptions,
  resumed: boolean,
): Promise<VectorBatch> {
  const { session, call } = target;
  const { onConflict, verify, dryRun, onError } = options;
  const failures: MigrationFailure[] = [];
  let stop: Error | undefined;
  const fail = (from: VectorRow, error: Error): void => {
    const code = DataknobsError.is(error) ? error.code : "UNEXPECTED";
    failures.push({ id: from.id, code, message: error.message });
    if (onError?.(error, toStoredVector({ ...from, vector: from.vector.slice() }, vectorParts)) !== true)
      stop ??= error;
  };
  const { wanted, dropped, failed } = await prepare(rows, target, options);
  for (const { from, error } of failed) fail(from, error);
  const ids = wanted.map(({ row }) => row.id);
  const asks = resumed || onConflict !== "replace" || verify === "count" || dryRun;
  const there = stop === undefined && asks ? await thereOf(target, ids, resumed) : new Map<string, PartialRow>();
  const todo = new Map<string, VectorRow>();
  let [written, skipped, replaced] = [0, 0, 0];
  for (const { from, row } of stop === undefined ? wanted : []) {
    const other = todo.get(row.id) ?? there.get(row.id);
    if (resumed && other !== undefined && vectorText(other, "") === vectorText(row, "")) {
      written++;
      continue;
    }
    if (other === undefined || onConflict === "replace") {
      if (other !== undefined) replaced++;
      todo.set(row.id, row);
      written++;
    } else if (onConflict === "skip") skipped++;
    else fail(from, exists(session, row.id));
  }
  // as `onConflict: "fail"` has it: nothing of what follows the first failure
  if (stop !== undefined) {
    const unwritten = rows.length - dropped;
    return {
      tally: { read: rows.length, written: 0, skipped: 0, dropped, failed: unwritten },
      replaced: 0,
      failures,
      stop,
    };
  }
  if (!dryRun && todo.size > 0) {
    try {
      await session.turns.shared(() => upsertRows(session, [...todo.values()], call));
    } catch (error) {
      const known = asDataknobsError(error, session, "migrateVectors");
      if (!DataknobsError.is(known)) throw known;
      // some of it may be written: the next run finds out
      for (const id of todo.keys()) failures.push({ id, code: known.code, message: known.message });
      const tally = { read: rows.length, written: written - todo.size, skipped, dropped, failed: failures.length };
      return { tally, replaced: 0, failures, stop: known };
    }
  }
  return { tally: { read: rows.length, written, skipped, dropped, failed: failures.length }, replaced, failures, stop };
}

function exists({ name }: VectorSession, id: string): DataknobsError {
  const shown = JSON.stringify(id.length > 80 ? `${id.slice(0, 80)}…` : id);
  return new DataknobsError("ALREADY_EXISTS", `A vector with the id ${shown} exists already.`, {
    backend: name,
    operation: "migrateVectors",
    id,
  });
}

interface Compared {
  /** Content as the source has it, and what the target has of it. */
  readonly theirs: readonly string[];
  readonly ours: readonly string[];
  readonly missing: readonly string[];
  readonly different: readonly string[];
}

/** Whether the target has what these rows should be there. */
export async function compareRows(
  rows: readonly VectorRow[],
  target: VectorSide,
  options: CheckedVectorOptions,
): Promise<Compared> {
  const { scope } = target.session;
  const { wanted } = await prepare(rows, target, options);
  const there = await thereOf(
    target,
    wanted.map(({ row }) => row.id),
    true,
  );
  const [theirs, ours, missing, different]: [string[], string[], string[], string[]] = [[], [], [], []];
  for (const { row } of wanted) {
    const other = there.get(row.id);
    const text = vectorText(row, scope);
    const its = other === undefined ? undefined : vectorText(other, scope);
    theirs.push(text);
    if (its === undefined) missing.push(row.id);
    else ours.push(its);
    if (its !== undefined && its !== text) different.push(row.id);
  }
  return { theirs, ours, missing, different };
}
