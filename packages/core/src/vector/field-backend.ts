/**
 * The vectors of a database's field as a vector store. A row is a record with such a vector: its metadata are the
 * record's metadata, its text is a field of the data. Other fields of the data are kept, and are no part of the row.
 */
import { leafKinds } from "../backend/kinds.js";
import type { Call, Compiled, Compiler, InsertOp, UpdateOp, WriteOutcome } from "../backend/spi.js";
import { BatchMachine, nearestRows } from "../database/scans.js";
import type { Session } from "../database/session.js";
import { runAsync } from "../database/steps.js";
import { DataknobsError } from "../errors.js";
import { walk } from "../match/access.js";
import { Digest } from "../migrate/digest.js";
import { planQuery } from "../plan/plan.js";
import type { Leaf, LeafKind, Lowered, LoweredQuery, Nearest, Path } from "../query/lowered.js";
import { resolvePath } from "../query/paths.js";
import { freezeDeep } from "../record/freeze.js";
import { newVersion } from "../record/ids.js";
import type { TypeMap, WireRecord } from "../record/json.js";
import { putAt } from "../record/put.js";
import { filterTypes } from "../record/type-map.js";
import { matchingCompiler } from "./filter.js";
import { distanceOf, type Metric, metrics } from "./metric.js";
import type {
  DeleteRequest,
  GetRequest,
  PartialRow,
  SearchPlan,
  UpsertRequest,
  VectorBackend,
  VectorCapabilities,
  VectorHit,
  VectorOpenRequest,
  VectorRow,
  VectorScanRequest,
  VectorSearchRequest,
} from "./spi.js";

/** Where the parts of a row are in a record's data. */
export interface FieldPlaces {
  readonly vector: Path;
  readonly text: Path;
  /** `{ name, id }` of rows of a scope: their records have ids of their own. */
  readonly scope: Path;
}

/** Attempts to replace a record that others keep changing. */
const maxAttempts = 100;

/**
 * Conditions on metadata go to the database as they are, where its engine proves them; it is asked twice, since what is
 * pushed of a filter and what is not has to be known before.
 */
function compilerOver(session: () => Session): Compiler<Lowered> {
  const kinds = Object.keys(matchingCompiler.leaf) as LeafKind[];
  const ask = (leaf: Leaf): Compiled<Lowered> | undefined => {
    // the id of a scoped row is not its record's
    if (leaf.path.root !== "metadata") return undefined;
    const handler = session().compiler?.leaf[leaf.kind] as ((leaf: Leaf) => Compiled<unknown> | undefined) | undefined;
    const compiled = handler?.(leaf);
    return compiled?.exact === true ? { code: leaf, exact: true, index: compiled.index } : undefined;
  };
  const has = session().capabilities.pushdown;
  const leaf = Object.fromEntries(kinds.filter((kind) => has.includes(kind)).map((kind) => [kind, ask]));
  return { ...matchingCompiler, leaf };
}

export class FieldVectors implements VectorBackend<Lowered> {
  readonly name: string;
  readonly compiler: Compiler<Lowered>;
  readonly capabilities: VectorCapabilities;
  readonly #session: () => Session;
  readonly #places: FieldPlaces;
  #dimensions: number;
  #metric: Metric;

  /** `session` throws where the database is closed. */
  constructor(session: () => Session, places: FieldPlaces, shape: VectorOpenRequest) {
    const { name, capabilities } = session();
    this.name = name;
    this.#session = session;
    this.compiler = compilerOver(session);
    this.#places = places;
    this.#dimensions = shape.dimensions;
    this.#metric = shape.metric;
    this.capabilities = Object.freeze({
      persistence: capabilities.durable ? "always" : false,
      metrics,
      index: capabilities.nearest === "approximate" ? "approximate" : "exact",
      exactSearch: true,
      complete: true,
      // of scoped rows the records have other ids
      ties: "any",
      atomicBatch: capabilities.atomicBatch,
      cancel: capabilities.cancel,
      pushdown: leafKinds(this.compiler),
      limits: Object.freeze(capabilities.limits.batch === undefined ? {} : { batch: capabilities.limits.batch }),
    });
  }

  open({ dimensions, metric }: VectorOpenRequest): undefined {
    this.#dimensions = dimensions;
    this.#metric = metric;
  }

  async upsert({ scope, rows, signal }: UpsertRequest): Promise<void> {
    const session = this.#session();
    const call: Call = signal === undefined ? {} : { signal };
    let left: readonly { readonly recordId: string; readonly row: VectorRow }[] = await Promise.all(
      rows.map(async (row) => ({ recordId: await recordIdOf(scope, row.id), row })),
    );
    for (let attempt = 0; left.length > 0; attempt++) {
      if (attempt >= maxAttempts) throw conflict(this.name, left[0]?.row.id);
      const found = await session.store.read(
        left.map(({ recordId }) => recordId),
        call,
      );
      const ops = left.map(({ recordId, row }, index) => this.#put(session, scope, recordId, row, found[index]));
      const outcomes = await session.store.write(ops, { ...call, atomic: session.capabilities.atomicBatch });
      left = left.filter((one, index) => isToDo(outcomes[index] as WriteOutcome, one.row.id, this.name));
    }
  }

  #put(
    { backend }: Session,
    scope: string,
    recordId: string,
    { id, vector, metadata, metadataTypes, text }: VectorRow,
    before: WireRecord | undefined,
  ): InsertOp | UpdateOp {
    if (before !== undefined && this.#idIn(scope, before) === undefined) throw conflict(this.name, id);
    const places = this.#places;
    const numbers: readonly number[] = Array.from(vector, (number) => (number === 0 ? 0 : number));
    let data = putAt(before?.data ?? {}, places.vector.segments, numbers);
    data = putAt(data, places.text.segments, text);
    if (scope !== "") data = putAt(data, places.scope.segments, { name: scope, id });
    const kept = filterTypes(before?.types ?? null, (pointer) => {
      return ![places.vector, places.text].some(
        (one) => pointer === one.pointer || pointer.startsWith(`${one.pointer}/`),
      );
    });
    const types: TypeMap = { ...kept, [places.vector.pointer]: "float32" };
    // a copy of our own, as far as it differs
    if (backend.ownership === "keep") freezeDeep(data);
    const content = {
      id: recordId,
      data,
      types,
      metadata,
      metadataTypes,
      version: newVersion(),
      at: Date.now(),
    };
    return before === undefined
      ? { ...content, kind: "insert" }
      : { ...content, kind: "update", ifVersion: before.version };
  }

  async get({ scope, ids, signal }: GetRequest): Promise<(PartialRow | undefined)[]> {
    const recordIds = await Promise.all(ids.map((id) => recordIdOf(scope, id)));
    const found = await this.#session().store.read(recordIds, { signal });
    return found.map((record) => (record === undefined ? undefined : this.#rowOf(scope, record)));
  }

  /** The whole record goes. */
  async delete({ scope, ids, signal }: DeleteRequest): Promise<boolean[]> {
    const { store, capabilities } = this.#session();
    const rows = await this.get({ scope, ids, include: [], signal });
    const there = ids.filter((_, index) => rows[index] !== undefined);
    const ops = await Promise.all(
      there.map(async (id) => ({ kind: "delete", id: await recordIdOf(scope, id) }) as const),
    );
    if (ops.length === 0) return ids.map(() => false);
    const outcomes = await store.write(ops, { signal, atomic: capabilities.atomicBatch });
    const gone = new Set(there.filter((id, index) => !isToDo(outcomes[index] as WriteOutcome, id, this.name)));
    return ids.map((id) => gone.has(id));
  }

  async search(request: VectorSearchRequest<Lowered>): Promise<VectorHit[][]> {
    const { scope, vectors, signal } = request;
    const session = this.#session();
    const distance = distanceOf(this.#metric);
    const answers: VectorHit[][] = [];
    for (const vector of vectors) {
      const plan = planQuery(this.#queryOf(request, vector), session, session.batchSize);
      const records = await runAsync(nearestRows(session, plan, { signal }), signal);
      answers.push(
        records.flatMap((record) => {
          const row = this.#rowOf(scope, record);
          return row === undefined ? [] : [{ ...row, distance: distance(vector, row.vector) }];
        }),
      );
    }
    return answers;
  }

  async *scan({ scope, where, batchSize, signal }: VectorScanRequest<Lowered>): AsyncGenerator<readonly PartialRow[]> {
    const session = this.#session();
    const exists = { path: this.#places.vector.text, op: "exists" } as const;
    const query = {
      ...everything,
      where: this.#within(scope, where, { kind: "exists", path: this.#places.vector, source: exists }),
    };
    const machine = new BatchMachine(session, planQuery(query, session, batchSize), { signal });
    try {
      for (;;) {
        const batch = await runAsync(machine.next(), signal);
        if (batch === undefined) return;
        const rows = batch.flatMap((record) => this.#rowOf(scope, record) ?? []);
        if (rows.length > 0) yield rows;
      }
    } finally {
      await runAsync(machine.close(), undefined);
    }
  }

  plan(request: VectorSearchRequest<Lowered>): SearchPlan {
    const session = this.#session();
    const vector = request.vectors[0] ?? new Float32Array(this.#dimensions);
    const { nearest } = planQuery(this.#queryOf(request, vector), session, session.batchSize);
    return {
      search: nearest?.exact === false ? "approximate" : "exact",
      ...(nearest?.index !== undefined && { index: nearest.index }),
      ...(nearest?.code === undefined && { why: "core measures every record" }),
    };
  }

  #queryOf({ scope, limit, where, exact }: VectorSearchRequest<Lowered>, vector: Float32Array): LoweredQuery {
    const nearest: Nearest = {
      path: this.#places.vector,
      vector,
      k: limit,
      metric: this.#metric,
      minScore: undefined,
      exact,
    };
    return { ...everything, where: this.#within(scope, where), nearest, byScore: true };
  }

  /** The filter, on records of the scope. */
  #within(scope: string, where: Lowered | undefined, more?: Lowered): Lowered {
    const { scope: place } = this.#places;
    const path = resolvePath(["data", ...place.segments, "name"]);
    const name: Lowered =
      scope === ""
        ? { kind: "not", condition: { kind: "exists", path, source: { path: path.text, op: "exists" } } }
        : {
            kind: "equals",
            path,
            operand: { value: scope, types: null, class: "string" },
            source: { path: path.text, op: "=", value: scope },
          };
    return {
      kind: "and",
      conditions: [name, ...(where === undefined ? [] : [where]), ...(more === undefined ? [] : [more])],
    };
  }

  /** The row's id; `undefined` for a record of another scope. */
  #idIn(scope: string, { id, data }: WireRecord): string | undefined {
    const { segments } = this.#places.scope;
    const name = walk(data, [...segments, "name"], 0);
    if (scope === "") return name === undefined || name === null ? id : undefined;
    const own = walk(data, [...segments, "id"], 0);
    return name === scope && typeof own === "string" ? own : undefined;
  }

  /** `undefined` where the record is none of the scope's rows. */
  #rowOf(scope: string, record: WireRecord): VectorRow | undefined {
    const { vector: at, text: textAt } = this.#places;
    const id = this.#idIn(scope, record);
    const numbers = walk(record.data, at.segments, 0);
    if (id === undefined || !Array.isArray(numbers) || numbers.length !== this.#dimensions) return undefined;
    if (record.types?.[at.pointer] !== "float32") return undefined;
    const text = walk(record.data, textAt.segments, 0);
    return {
      id,
      vector: Float32Array.from(numbers as readonly number[]),
      metadata: record.metadata,
      metadataTypes: record.metadataTypes,
      text: typeof text === "string" ? text : undefined,
    };
  }
}

const everything: LoweredQuery = Object.freeze({
  where: undefined,
  match: undefined,
  order: [],
  byScore: false,
  limit: undefined,
  offset: 0,
  select: undefined,
  residual: undefined,
});

async function recordIdOf(scope: string, id: string): Promise<string> {
  if (scope === "") return id;
  // both may be as long as an id may be
  const digest = new Digest();
  await digest.add([JSON.stringify([scope, id])]);
  return digest.result().hash;
}

/** Whether the write has to be tried again; throws what cannot be mended so. */
function isToDo(outcome: WriteOutcome, id: string, backend: string): boolean {
  switch (outcome.status) {
    case "written":
    case "deleted":
      return false;
    case "failed":
      throw outcome.error;
    case "duplicate":
      throw new DataknobsError(
        "ALREADY_EXISTS",
        `The unique index "${outcome.index}" has a value of this row already.`,
        {
          backend,
          id,
          index: outcome.index,
        },
      );
    default:
      // another was first, or the batch was undone for one that was
      return true;
  }
}

function conflict(backend: string, id: string | undefined): DataknobsError {
  return new DataknobsError("CONFLICT", "The record of a vector is another scope's, or others keep changing it.", {
    backend,
    ...(id !== undefined && { id }),
  });
}
