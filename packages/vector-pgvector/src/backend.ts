/** The pgvector store: one table, searched exactly or by an index. */
import {
  candidatesOf,
  checkServer,
  compilerOf,
  dialectOf,
  fitsIndex,
  knobsOf,
  mostIndexed,
  Pool,
  type Rows,
  setText,
  vectorText,
} from "@dataknobs/backend-postgres/kit";
import { type Call, type Compiler, DataknobsError, leafKinds } from "@dataknobs/core/backend";
import {
  type DeleteRequest,
  type GetRequest,
  type MergeMetadataRequest,
  type MetadataRequest,
  metrics,
  type PartialRow,
  type SearchPlan,
  type UpsertRequest,
  type VectorBackend,
  type VectorCapabilities,
  type VectorHit,
  type VectorOpenRequest,
  type VectorRow,
  type VectorScanRequest,
  type VectorSearchRequest,
  type WhereRequest,
} from "@dataknobs/core/vector";
import type { Sql, Statement } from "@dataknobs/sql";
import { classify, guarded } from "./errors.js";
import { conditionLayout, emptyLayout, type VectorIndex, type VectorLayout } from "./layout.js";
import { bad, type Settings, searchOptions } from "./options.js";
import { buildIndex, checkExtension, countUpTo, inspect, openTable } from "./schema.js";
import { countSelect, isOneOf, nearestSelect, rowSelect, rowsWhere } from "./select.js";
import { checkVector, fittingQuery, rowOf, rowWidth } from "./values.js";
import {
  checkColumns,
  deleteStatement,
  deleteWhereStatement,
  mergeStatement,
  piecesOf,
  replaceStatement,
  upsertParams,
  upsertText,
} from "./write.js";

const name = "pgvector";
/** Numbers in a vector that is stored. */
const mostDimensions = 16_000;
/** Milliseconds after which a store without its index looks whether another process made it. */
const lookAgainAfter = 30_000;

interface Opened {
  readonly pool: Pool;
  readonly layout: VectorLayout;
  readonly compiler: Compiler<Sql>;
}

export class PgvectorBackend implements VectorBackend<Sql> {
  readonly name: string = name;
  readonly searchOptions: NonNullable<VectorBackend["searchOptions"]> = searchOptions;
  readonly capabilities: VectorCapabilities;
  readonly #settings: Settings;
  readonly #unopened: Pick<Opened, "layout" | "compiler">;
  #opened: Opened | undefined;
  /** Rows when they were last counted, up to `buildAt`, and those that were written here since. */
  #counted = 0;
  #written = 0;
  #building: Promise<unknown> | undefined;
  #looked = 0;

  get location(): string | undefined {
    const { schema, table } = this.#settings;
    return this.#opened && `${this.#opened.pool.place}/${schema}.${table}`;
  }

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#unopened = compiled(emptyLayout(settings));
    const exact = settings.indexType === "none";
    this.capabilities = Object.freeze({
      persistence: "always",
      metrics,
      index: exact ? "exact" : "approximate",
      exactSearch: true,
      complete: exact,
      ties: exact ? "id" : "any",
      atomicBatch: true,
      cancel: true,
      pushdown: leafKinds(this.#unopened.compiler),
      limits: Object.freeze({ dimensions: mostDimensions }),
    });
  }

  get compiler(): Compiler<Sql> {
    return (this.#opened ?? this.#unopened).compiler;
  }

  get #here(): Opened {
    if (this.#opened !== undefined) return this.#opened;
    throw new DataknobsError("NOT_OPEN", "The pgvector store is not open.", { backend: name });
  }

  open(request: VectorOpenRequest): Promise<undefined> {
    const settings = this.#settings;
    if (settings.indexType !== "none" && request.dimensions > mostIndexed) {
      throw bad(
        `has no index for more than ${mostIndexed} dimensions, and ${request.dimensions} were asked for: ` +
          'open it with `indexType: "none"`, which searches exactly, or shorten the vectors',
      );
    }
    return guarded(async () => {
      const { dimensions, metric, ...call } = request;
      const pool = new Pool(settings.client);
      try {
        await checkServer((text, ...params) => pool.run({ text, params }, call));
        const extension = await checkExtension(pool, settings, call);
        const layout = await openTable(pool, settings, extension, { dimensions, metric, ...call });
        this.#counted = this.#buildsAlone(layout) ? await countUpTo(pool, layout, settings.buildAt, call) : 0;
        this.#looked = Date.now();
        this.#opened = { pool, ...compiled(layout) };
      } catch (error) {
        await pool.close();
        throw error;
      }
      return undefined;
    });
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.pool.close();
  }

  upsert({ scope, rows, ...call }: UpsertRequest): Promise<void> {
    const { pool, layout } = this.#here;
    return guarded(async () => {
      rowsWhere(layout, scope, undefined);
      for (const row of rows) {
        checkColumns(layout, row);
        checkVector(layout, row.id, row.vector, this.#settings.indexType !== "none");
      }
      const text = upsertText(layout);
      const [first = [], ...others] = piecesOf(layout, rows);
      const make = (piece: readonly VectorRow[]): Statement => ({ text, params: upsertParams(scope, piece) });
      if (others.length === 0) {
        const statement = make(first);
        await pool.again(call, () => pool.run(statement, call));
      } else {
        await pool.change(call, async (lane) => {
          let sent: Promise<Rows> | undefined;
          for (const piece of [first, ...others]) {
            // made while the server works on the piece before
            const statement = make(piece);
            await sent;
            sent = lane.run(statement, call);
            sent.catch(() => undefined);
            // the driver sends when the program next pauses
            await new Promise((resolve) => setImmediate(resolve));
          }
          await sent;
          return { result: undefined };
        });
      }
      this.#written += rows.length;
      await this.#buildWhereDue().catch((error: unknown) => {
        throw writtenBefore(error, rows.length);
      });
    });
  }

  get({ scope, ids, include, ...call }: GetRequest): Promise<(PartialRow | undefined)[]> {
    const { pool, layout } = this.#here;
    return guarded(async () => {
      const rows = await pool.run(rowSelect(layout, include, rowsWhere(layout, scope, isOneOf(layout, ids))), call);
      const found = new Map(rows.map((row) => [row[0] as string, rowOf(row)]));
      return ids.map((id) => found.get(id));
    });
  }

  delete({ scope, ids, ...call }: DeleteRequest): Promise<boolean[]> {
    const { pool, layout } = this.#here;
    return guarded(async () => {
      const statement = deleteStatement(layout, scope, ids);
      const rows = await pool.again(call, () => pool.run(statement, call));
      const gone = new Set(rows.map(([id]) => id));
      return ids.map((id) => gone.has(id));
    });
  }

  search(request: VectorSearchRequest<Sql>): Promise<VectorHit[][]> {
    return guarded(async () => {
      await this.#lookForIndex(request);
      const { pool, layout } = this.#here;
      const vectors = request.vectors.map((vector) => fittingQuery(layout.metric, vector));
      const index = this.#indexFor(request, layout, vectors);
      const statement = nearestSelect(layout, vectors.map(vectorText), { ...request, exact: index === undefined });
      const rows =
        index === undefined
          ? await pool.run(statement, request)
          : // for one transaction only: the connection is used by others afterwards
            await pool.use(request, (lane) =>
              lane.together([{ text: setText, params: this.#knobs(index, layout, request) }, statement], request),
            );
      const hits: VectorHit[][] = vectors.map(() => []);
      for (const row of rows) {
        const distance = Number(row[rowWidth]);
        // another program's vector of zeros has no direction
        if (layout.foreign && Number.isNaN(distance)) continue;
        hits[Number(row[rowWidth + 1]) - 1]?.push({ ...rowOf(row), distance });
      }
      return hits;
    });
  }

  async *scan({
    scope,
    where,
    include,
    batchSize,
    ...call
  }: VectorScanRequest<Sql>): AsyncGenerator<PartialRow[], void> {
    const { pool, layout } = this.#here;
    const statement = await guarded(async () => rowSelect(layout, include, rowsWhere(layout, scope, where)));
    const cursor = await guarded(() => pool.open(statement, batchSize, call));
    try {
      for (;;) {
        const rows = await guarded(() => cursor.next());
        if (rows.length === 0) return;
        yield rows.map(rowOf);
        if (rows.length < batchSize) return;
      }
    } finally {
      await guarded(() => cursor.close());
    }
  }

  count({ scope, where, ...call }: WhereRequest<Sql>): Promise<number> {
    const { pool, layout } = this.#here;
    return guarded(async () => Number((await pool.run(countSelect(layout, scope, where), call))[0]?.[0]));
  }

  deleteWhere({ scope, where, ...call }: WhereRequest<Sql>): Promise<number> {
    return this.#change(call, (layout) => deleteWhereStatement(layout, scope, where));
  }

  async updateMetadata({ scope, id, metadata, metadataTypes, ...call }: MetadataRequest): Promise<boolean> {
    const described = { metadata, metadataTypes };
    const changed = await this.#change(call, (layout) => {
      checkColumns(layout, described);
      return replaceStatement(layout, rowsWhere(layout, scope, isOneOf(layout, [id])), described);
    });
    return changed > 0;
  }

  mergeMetadata({ scope, where, metadata, metadataTypes, ...call }: MergeMetadataRequest<Sql>): Promise<number> {
    const described = { metadata, metadataTypes };
    return this.#change(call, (layout) => {
      checkColumns(layout, described);
      return mergeStatement(layout, rowsWhere(layout, scope, where), described);
    });
  }

  #change(call: Call, make: (layout: VectorLayout) => Statement): Promise<number> {
    const { pool, layout } = this.#here;
    return guarded(async () => {
      const statement = make(layout);
      return (await pool.again(call, () => pool.run(statement, call))).count ?? 0;
    });
  }

  buildIndex(call: Call): Promise<boolean> {
    const settings = this.#settings;
    const { pool, layout } = this.#here;
    return guarded(async () => {
      if (settings.indexType === "none") return false;
      if (!settings.manage) throw bad("was opened with `manage: false`: it makes no index");
      await buildIndex(pool, layout, settings, call, { anew: true });
      await this.#inspect(call);
      return true;
    });
  }

  plan(request: VectorSearchRequest<Sql>): SearchPlan {
    const { layout } = this.#opened ?? this.#unopened;
    const index = this.#indexFor(request, layout, request.vectors);
    const given = request.vectors.map(vectorText);
    const vectors = given.length === 0 ? ["[…]"] : given;
    const { text, params } = nearestSelect(layout, vectors, { ...request, exact: index === undefined });
    const native = { sql: text, params };
    if (index === undefined) return { search: "exact", why: this.#whyExact(request, layout), native };
    const [, , knob, value] = this.#knobs(index, layout, request);
    return { search: "approximate", index: index.name, native: { ...native, [knob as string]: Number(value) } };
  }

  #whyExact({ exact }: VectorSearchRequest<Sql>, { index }: VectorLayout): string | undefined {
    const { indexType, manage, buildAt } = this.#settings;
    if (indexType === "none") return undefined;
    if (index !== undefined) return exact ? "an exact search was asked for" : "the query is beyond 16-bit floats";
    if (!manage) return `the table has no ${indexType} index for this metric, and \`manage: false\` makes none`;
    return buildAt === 0
      ? `the ${indexType} index is not made yet: store.buildIndex() makes it`
      : `the ${indexType} index is not made yet: store.buildIndex() makes it, or the row that is number ${buildAt}`;
  }

  #indexFor(
    { exact }: VectorSearchRequest<Sql>,
    layout: VectorLayout,
    vectors: readonly Float32Array[],
  ): VectorIndex | undefined {
    return exact || !vectors.every((vector) => fitsIndex(layout, vector)) ? undefined : layout.index;
  }

  /** `[setting, value]` of iterative scans and `[setting, value]` of how far an index looks. */
  #knobs(index: VectorIndex, layout: VectorLayout, { limit, tuning }: VectorSearchRequest<Sql>): string[] {
    const { efSearch, probes } = this.#settings;
    const wanted = {
      efSearch: Number(tuning["efSearch"] ?? efSearch),
      probes: tuning["probes"] === undefined ? probes : Number(tuning["probes"]),
    };
    return knobsOf(index, candidatesOf(layout, limit), wanted);
  }

  #buildsAlone({ index }: VectorLayout): boolean {
    const { indexType, manage, buildAt } = this.#settings;
    return indexType !== "none" && manage && buildAt > 0 && index === undefined;
  }

  /** Makes the index once enough rows are there. Who comes meanwhile waits too. */
  async #buildWhereDue(): Promise<void> {
    const { pool, layout } = this.#here;
    const settings = this.#settings;
    if (!this.#buildsAlone(layout)) return;
    // others write too, and rows that were replaced are none: it is counted before it is thought to be reached
    if (this.#written * 8 < settings.buildAt - this.#counted) return;
    // for all who wait for it: who gives up does not end it
    const call = {};
    this.#building ??= (async () => {
      this.#written = 0;
      this.#counted = await countUpTo(pool, layout, settings.buildAt, call);
      if (this.#counted < settings.buildAt) return;
      await buildIndex(pool, layout, settings, call, { anew: false });
      await this.#inspect(call);
    })().finally(() => {
      this.#building = undefined;
    });
    await this.#building;
  }

  async #lookForIndex(call: Call): Promise<void> {
    const { layout } = this.#here;
    if (this.#settings.indexType === "none" || layout.index !== undefined) return;
    if (Date.now() - this.#looked < lookAgainAfter) return;
    await this.#inspect(call);
  }

  async #inspect(call: Call): Promise<void> {
    const { pool, layout } = this.#here;
    this.#looked = Date.now();
    const found = await inspect(pool, this.#settings, layout.extension, layout, call);
    if (found !== undefined && this.#opened !== undefined) this.#opened = { pool, ...compiled(found) };
  }
}

function compiled(layout: VectorLayout): Pick<Opened, "layout" | "compiler"> {
  const conditions = conditionLayout(layout);
  return { layout, compiler: compilerOf(conditions, dialectOf(conditions)) };
}

/** Of an add whose vectors are there, and whose index is not. */
function writtenBefore(error: unknown, written: number): Error {
  const known = classify(error);
  if (!DataknobsError.is(known)) return known;
  const message = `The vectors were written, but making the index failed. ${known.message}`;
  return new DataknobsError(known.code, message, { ...known.details, written }, { cause: known });
}
