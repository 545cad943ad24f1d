/** Every write operation on vectors. Everything is checked, copied and encoded before any I/O. */
import type { Call } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import type { Condition } from "../query/ast.js";
import { checkKeys } from "../query/checks.js";
import { checkId, newId } from "../record/ids.js";
import type { JsonObject, TypeMap } from "../record/json.js";
import { mergeFields } from "../record/merge.js";
import { isPortableText, utf8Length } from "../record/text.js";
import { encodeFields, type Fields } from "../record/values.js";
import { planFilter, refuseEmulation, rowMatcherOf } from "./filter.js";
import { copyVector, type VectorInput } from "./matrix.js";
import { scanRows } from "./scan.js";
import { chunksOf, throwIfAborted, type VectorSession } from "./session.js";
import { type VectorRow, vectorParts } from "./spi.js";

/** One vector to add. */
export interface VectorEntry {
  /** Default: a UUIDv7. */
  readonly id?: string | undefined;
  readonly vector: VectorInput;
  /** What filters ask for: values as records have them. Default: none. */
  readonly metadata?: Fields | undefined;
  /** The text that the vector stands for, given back as it is. */
  readonly text?: string | undefined;
}

const entryKeys = ["id", "vector", "metadata", "text"] as const;

/** The rows of a list of entries: the last of an id wins. Throws `INVALID_RECORD` or `LIMIT_EXCEEDED`. */
function rowsOf(
  session: VectorSession,
  entries: readonly VectorEntry[],
): { readonly ids: string[]; readonly rows: VectorRow[] } {
  if (!Array.isArray(entries)) throw invalid("add takes a list of { id, vector, metadata, text }.");
  const { dimensions } = session;
  const ids: string[] = [];
  const last = new Map<string, number>();
  for (const [index, entry] of entries.entries()) {
    checkEntryKeys(entry);
    const { id = newId() } = entry as VectorEntry;
    checkId(id);
    ids.push(id);
    last.set(id, index);
  }
  const matrix = new Float32Array(last.size * dimensions);
  const rows: VectorRow[] = [];
  for (const [index, entry] of (entries as readonly VectorEntry[]).entries()) {
    const id = ids[index] as string;
    const wins = last.get(id) === index;
    const vector = wins
      ? matrix.subarray(rows.length * dimensions, (rows.length + 1) * dimensions)
      : new Float32Array(dimensions);
    withId(id, () => copyVector(entry.vector, vector, session, "INVALID_RECORD", "The vector"));
    const { metadata, metadataTypes } = withId(id, () => encodeMetadata(session, entry.metadata));
    checkText(entry.text, id);
    // an entry that loses against a later one is checked all the same
    if (wins) rows.push({ id, vector, metadata, metadataTypes, text: entry.text });
  }
  return { ids, rows };
}

/**
 * The row that a store may keep of one that another store gave, or of an entry; its vector goes into `into`. Throws
 * `INVALID_RECORD` or `LIMIT_EXCEEDED`.
 */
export function rowOf(
  session: VectorSession,
  given: VectorRow | VectorEntry,
  id: string,
  into: Float32Array,
): VectorRow {
  withId(id, () => copyVector(given.vector, into, session, "INVALID_RECORD", "The vector"));
  if (isRow(given)) {
    withId(id, () => checkSize(session, given.metadata, id));
    const { metadata, metadataTypes, text } = given;
    return { id, vector: into, metadata: freeze(metadata), metadataTypes, text };
  }
  checkEntryKeys(given);
  checkId(id);
  checkText(given.text, id);
  return { id, vector: into, ...withId(id, () => encodeMetadata(session, given.metadata)), text: given.text };
}

function isRow(given: VectorRow | VectorEntry): given is VectorRow {
  return "metadataTypes" in given;
}

/** Inserts or replaces; the ids in the order of the entries. */
export async function add(session: VectorSession, entries: readonly VectorEntry[], call: Call): Promise<string[]> {
  const { ids, rows } = rowsOf(session, entries);
  await session.turns.shared(() => upsertRows(session, rows, call));
  return ids;
}

/** In pieces that the engine takes; a failure tells how many rows were written before it. */
export async function upsertRows(session: VectorSession, rows: readonly VectorRow[], call: Call): Promise<void> {
  let written = 0;
  for (const chunk of chunksOf(rows, session.capabilities.limits.batch)) {
    try {
      throwIfAborted(call);
      await session.backend.upsert({ ...call, scope: session.scope, rows: chunk });
    } catch (error) {
      if (written === 0 || !DataknobsError.is(error)) throw error;
      throw new DataknobsError(
        error.code,
        `${error.message} ${written} of ${rows.length} vectors had been written before.`,
        { ...error.details, written: written + numberOf(error.details["written"]) },
        { cause: error },
      );
    }
    written += chunk.length;
  }
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

/** Whether each was there, in the order of the ids. */
export async function remove(session: VectorSession, ids: readonly string[], call: Call): Promise<boolean[]> {
  checkIds(ids, "delete");
  return session.turns.shared(() => removeIds(session, ids, call));
}

async function removeIds(session: VectorSession, ids: readonly string[], call: Call): Promise<boolean[]> {
  const found = new Set<string>();
  for (const chunk of chunksOf([...new Set(ids)], session.capabilities.limits.batch)) {
    throwIfAborted(call);
    const was = await session.backend.delete({ ...call, scope: session.scope, ids: chunk });
    for (const [index, id] of chunk.entries()) if (was[index] === true) found.add(id);
  }
  // an id that is listed twice is there the first time only
  return ids.map((id) => found.delete(id));
}

/** Throws `INVALID_QUERY`. */
export function checkIds(ids: unknown, operation: string): asserts ids is readonly string[] {
  if (!Array.isArray(ids)) throw new DataknobsError("INVALID_QUERY", `${operation} takes a list of ids.`);
  for (const id of ids) checkId(id, "INVALID_QUERY");
}

/** Replaces the metadata of one row; whether it was there. */
export async function updateMetadata(
  session: VectorSession,
  id: string,
  metadata: Fields,
  call: Call,
): Promise<boolean> {
  checkId(id, "INVALID_QUERY");
  if (metadata === undefined) throw invalid("updateMetadata takes the metadata to put in place of the old.");
  const encoded = withId(id, () => encodeMetadata(session, metadata));
  const { backend, scope, turns } = session;
  if (backend.updateMetadata !== undefined) {
    const native = backend.updateMetadata.bind(backend);
    return turns.shared(async () => native({ ...call, scope, id, ...encoded }));
  }
  return turns.exclusive(async () => {
    throwIfAborted(call);
    const [row] = await backend.get({ ...call, scope, ids: [id], include: vectorParts });
    if (row === undefined) return false;
    await upsertRows(session, [{ ...(row as VectorRow), ...encoded }], call);
    return true;
  });
}

/** Merges fields into the metadata of every row that satisfies the filter; how many. */
export async function updateMetadataWhere(
  session: VectorSession,
  filter: Condition,
  patch: Fields,
  call: Call,
): Promise<number> {
  if (filter === undefined) {
    throw new DataknobsError("INVALID_QUERY", "updateMetadataWhere takes a filter; { and: [] } is every vector.");
  }
  const plan = planFilter(filter, session.backend.compiler);
  refuseEmulation(plan, session.name, session.residual);
  const encoded = encodeMetadata(session, patch);
  const { backend, scope, turns } = session;
  if (plan.residual === undefined && backend.mergeMetadata !== undefined) {
    const native = backend.mergeMetadata.bind(backend);
    return turns.shared(async () => native({ ...call, scope, where: plan.pushed, ...encoded }));
  }
  return turns.exclusive(async () => {
    const matcher = plan.whole === undefined ? undefined : rowMatcherOf(plan.whole);
    let changed = 0;
    for (const ids of chunksOf(await idsOf(session, plan, call), chunkSize(session))) {
      throwIfAborted(call);
      const rows = await backend.get({ ...call, scope, ids, include: vectorParts });
      const merged = rows.flatMap((row) => {
        // another process may have changed it meanwhile
        if (row === undefined || matcher?.test(row) === false) return [];
        const { data, types } = mergeFields(
          row.metadata ?? {},
          row.metadataTypes ?? null,
          encoded.metadata,
          encoded.metadataTypes,
        );
        checkSize(session, data, row.id);
        return [{ ...(row as VectorRow), metadata: freeze(data), metadataTypes: types }];
      });
      if (merged.length > 0) await upsertRows(session, merged, call);
      changed += merged.length;
    }
    return changed;
  });
}

/** Deletes every row of the scope, or those that satisfy the filter; how many. */
export async function clear(session: VectorSession, filter: Condition | undefined, call: Call): Promise<number> {
  const plan = planFilter(filter, session.backend.compiler);
  refuseEmulation(plan, session.name, session.residual);
  const { backend, scope, turns } = session;
  if (plan.residual === undefined && backend.deleteWhere !== undefined) {
    const native = backend.deleteWhere.bind(backend);
    return turns.shared(async () => native({ ...call, scope, where: plan.pushed }));
  }
  return turns.exclusive(async () => {
    let deleted = 0;
    for (const ids of chunksOf(await idsOf(session, plan, call), chunkSize(session))) {
      deleted += (await removeIds(session, ids, call)).filter(Boolean).length;
    }
    return deleted;
  });
}

/** The ids first: what is changed while it is scanned may come again or be passed over. */
async function idsOf(session: VectorSession, plan: ReturnType<typeof planFilter>, call: Call): Promise<string[]> {
  const ids: string[] = [];
  for await (const rows of scanRows(session, plan, [], call)) for (const { id } of rows) ids.push(id);
  return ids;
}

function chunkSize({ batchSize, capabilities: { limits } }: VectorSession): number {
  return Math.min(batchSize, limits.batch ?? batchSize);
}

function encodeMetadata(
  session: VectorSession,
  metadata: Fields | undefined,
): { readonly metadata: JsonObject; readonly metadataTypes: TypeMap | null } {
  const { json, types } = encodeFields(metadata ?? {}, { subject: "metadata", code: "INVALID_RECORD", freeze: true });
  checkSize(session, json, undefined);
  return { metadata: json, metadataTypes: types };
}

function checkSize({ name, capabilities }: VectorSession, metadata: JsonObject, id: string | undefined): void {
  const limit = capabilities.limits.metadataBytes;
  if (limit === undefined) return;
  const size = utf8Length(JSON.stringify(metadata));
  if (size <= limit) return;
  throw new DataknobsError(
    "LIMIT_EXCEEDED",
    `The ${name} store keeps at most ${limit} bytes of metadata for one vector; this has ${size}.`,
    { backend: name, limit, ...(id !== undefined && { id }) },
  );
}

function checkText(text: unknown, id: string): void {
  if (text === undefined || (typeof text === "string" && isPortableText(text))) return;
  throw new DataknobsError("INVALID_RECORD", "`text` is a well-formed string without U+0000.", { id });
}

function checkEntryKeys(entry: unknown): void {
  try {
    checkKeys(entry, entryKeys, "An entry of add");
  } catch (error) {
    throw DataknobsError.is(error) ? invalid(error.message) : error;
  }
}

/** Runs a check; its error tells on which row. */
function withId<R>(id: string, check: () => R): R {
  try {
    return check();
  } catch (error) {
    if (!DataknobsError.is(error)) throw error;
    throw new DataknobsError(error.code, error.message, { id: id.slice(0, 80), ...error.details });
  }
}

function freeze(data: JsonObject): JsonObject {
  return Object.freeze(data);
}

function invalid(message: string): DataknobsError {
  return new DataknobsError("INVALID_RECORD", message);
}
