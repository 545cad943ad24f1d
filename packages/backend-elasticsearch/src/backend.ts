/** The Elasticsearch backend: lifecycle, freshness, and which layout a call runs with. */
import {
  type AggregateRequest,
  type AggregateRow,
  aggregatorOf,
  type Backend,
  type Call,
  type Capabilities,
  type Compiler,
  DataknobsError,
  type ExistingIndex,
  type IndexSpec,
  leafKinds,
  type MergeOp,
  type OpenRequest,
  type Path,
  type ScanRequest,
  samePath,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
  type WriteRequest,
} from "@dataknobs/core/backend";
import { Client, type ClientOptions } from "@elastic/elasticsearch";
import { aggregate } from "./aggregate.js";
import { changed, compilerOf, fuzzy, type Query } from "./compile.js";
import { nativeType } from "./errors.js";
import {
  adding,
  busy,
  type Column,
  columnOf,
  ensureLayout,
  findLayout,
  type Layout,
  plannedLayout,
  specOf,
  usableOf,
} from "./layout.js";
import { mostDimensions, nearestBody, scanNearest } from "./nearest.js";
import { type ElasticsearchClient, locationOf, type Settings } from "./options.js";
import { rebuild, staleCount } from "./rebuild.js";
import { bodyOf, queryOf, type Scope, scan, searchType, whole } from "./search.js";
import { type Answer, Wire } from "./wire.js";
import { type Place, readCurrent, writeAll } from "./write.js";

/** To declare fields while others do so too. */
const maxAttempts = 100;

export class ElasticsearchBackend implements Backend<Query> {
  readonly name = "elasticsearch";
  readonly ownership = "keep";
  readonly capabilities: Capabilities;
  readonly #settings: Settings;
  #wire: Wire | undefined;
  #layout: Layout;
  #compiler: Compiler<Query>;
  /** Acknowledged writes that no refresh has followed yet. */
  #dirty = false;
  #refreshing: Promise<unknown> = Promise.resolve();

  get location(): string {
    return locationOf(this.#settings);
  }

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#layout = plannedLayout(settings);
    this.#compiler = compilerOf(this.#layout);
    this.capabilities = Object.freeze({
      durable: true,
      transactions: false,
      atomicBatch: false,
      unique: false,
      snapshotStreams: true,
      fullText: "indexed",
      analyzers: Object.freeze([fuzzy, ...settings.analyzers]),
      nearest: "approximate",
      aggregation: "native",
      percentile: "exact",
      cancel: true,
      synchronous: false,
      pushdown: leafKinds(this.#compiler),
      limits: Object.freeze({}),
    });
  }

  get compiler(): Compiler<Query> {
    return this.#compiler;
  }

  /** The client of `@elastic/elasticsearch`. */
  get client(): ElasticsearchClient {
    return this.#open.client;
  }

  /** The index itself, by its own name. */
  get index(): string {
    return this.#layout.index;
  }

  get analyzers(): readonly string[] {
    return this.#layout.analyzers;
  }

  columnsAt(path: Path): readonly Column[] {
    return this.#layout.usable.filter((column) => samePath(column.path, path));
  }

  get #open(): Wire {
    if (this.#wire !== undefined) return this.#wire;
    throw new DataknobsError("NOT_OPEN", "The Elasticsearch backend is not open.", { backend: this.name });
  }

  get #scope(): Scope {
    return { wire: this.#open, layout: this.#layout, routing: this.#settings.routing };
  }

  get #place(): Place {
    const { routing, refresh } = this.#settings;
    return { wire: this.#open, routing, refresh, layout: () => this.#layout, moved: (call) => this.#reload(call) };
  }

  // ---------- opening

  async open({ indexes, signal }: OpenRequest): Promise<undefined> {
    const { client, connection } = this.#settings;
    const call = { signal };
    // longer vectors are left to core
    const kept = indexes.filter(({ vector }) => vector === undefined || vector.dimensions <= mostDimensions);
    this.#wire = new Wire(client ?? new Client(connection as ClientOptions));
    try {
      await this.#declare((columns) => adding(columns, kept.map(columnOf)), call);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const wire = this.#wire;
    this.#wire = undefined;
    if (this.#settings.client === undefined) await wire?.client.close();
  }

  /** Changes the declared fields, and every document that lacks one. */
  async #declare(wanted: (columns: readonly Column[]) => readonly Column[], call: Call): Promise<void> {
    const wire = this.#open;
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const layout = await ensureLayout(wire, this.#settings, wanted, call);
      try {
        await this.#complete({ ...this.#scope, layout }, call);
        this.#use(usableOf(layout, layout.columns));
        return;
      } catch (error) {
        // another process declared fields meanwhile: the documents have to have those too
        if (nativeType(error) !== "index_not_found_exception") throw error;
      }
    }
    throw busy(this.#settings);
  }

  /** Sees to it that every document has the layout's fields. */
  async #complete(scope: Scope, call: Call): Promise<void> {
    if (this.#settings.manage) return rebuild(scope, call);
    if ((await staleCount(scope, call)) === 0) return;
    throw new DataknobsError(
      "INVALID_CONFIG",
      `Documents of the Elasticsearch index "${scope.layout.index}" are not indexed as its layout says. Open it once ` +
        "without `manage: false`.",
      { backend: this.name },
    );
  }

  /** After the layout was changed by another process: what is left of the fields that this one knows. */
  async #reload(call: Call): Promise<void> {
    const found = await findLayout(this.#open, this.#settings, call);
    if (found === undefined) {
      throw new DataknobsError(
        "NOT_FOUND",
        `The Elasticsearch index "${this.#settings.index}" is not there any more. Open the database again.`,
        { backend: this.name },
      );
    }
    if (found.lock !== undefined) throw busy(this.#settings);
    if (found.layout.target === this.#layout.target) return;
    this.#use(usableOf(found.layout, this.#layout.usable));
  }

  #use(layout: Layout): void {
    this.#layout = layout;
    this.#compiler = compilerOf(layout);
  }

  /** Runs a query; once more where the layout was changed by another process and the query can still be asked. */
  async #asking<T>(call: Call, run: (scope: Scope) => Promise<T>): Promise<T> {
    const { usable } = this.#layout;
    try {
      return await run(this.#scope);
    } catch (error) {
      if (nativeType(error) !== "index_not_found_exception") throw error;
      await this.#reload(call);
      if (this.#layout.usable.length < usable.length) throw changed();
      return run(this.#scope);
    }
  }

  // ---------- records

  async read(ids: readonly string[], call: Call): Promise<(WireRecord | undefined)[]> {
    const found = await this.#asking(call, () => readCurrent(this.#place, ids, call));
    return found.map((current) => current?.record);
  }

  async write(ops: readonly WriteOp[], call: WriteRequest): Promise<readonly WriteOutcome[]> {
    return this.#write(ops, call);
  }

  async merge(op: MergeOp, call: Call): Promise<WriteOutcome> {
    const [outcome] = await this.#write([op], call);
    return outcome as WriteOutcome;
  }

  async #write(ops: readonly (WriteOp | MergeOp)[], call: Call): Promise<readonly WriteOutcome[]> {
    try {
      return await writeAll(this.#place, ops, call);
    } finally {
      this.#dirty ||= this.#settings.refresh === "false";
    }
  }

  async clear(call: Call): Promise<number> {
    return this.deleteWhere(undefined, call);
  }

  async deleteWhere(where: Query | undefined, call: Call): Promise<number> {
    const { refresh } = this.#settings;
    let deleted = 0;
    for (;;) {
      await this.#fresh(call);
      const answer: Answer = await this.#asking(call, ({ wire, layout, routing }) =>
        wire.ask({
          method: "POST",
          path: [layout.target, "_delete_by_query"],
          query: { conflicts: "proceed", routing, ...(refresh !== "false" && { refresh: true }) },
          body: { query: queryOf(where, undefined, false) },
          retry: false,
          ...call,
        }),
      );
      this.#dirty ||= refresh === "false";
      if (answer.failures?.length > 0) {
        throw new DataknobsError("UNAVAILABLE", "Elasticsearch could not delete some of the records. Try again.", {
          backend: this.name,
          deleted: deleted + answer.deleted,
        });
      }
      deleted += answer.deleted;
      // what another writer changed meanwhile is looked at again
      if (answer.version_conflicts === 0) return deleted;
    }
  }

  // ---------- queries

  /** Makes what was written, by whomever, visible to queries. */
  settle(call: Call): Promise<void> {
    this.#dirty = true;
    return this.#fresh(call);
  }

  /** Makes this database's acknowledged writes visible to its queries. */
  async #fresh(call: Call): Promise<void> {
    if (this.#dirty) {
      this.#dirty = false;
      const { wire, layout } = this.#scope;
      const before = this.#refreshing;
      // one after the other: who finds nothing dirty waits for the refresh that began after its write
      this.#refreshing = before
        .catch(() => undefined)
        .then(() => wire.ask({ method: "POST", path: [layout.index, "_refresh"], signal: call.signal }))
        .catch((error: unknown) => {
          this.#dirty = true;
          throw error;
        });
    }
    await this.#refreshing;
  }

  async *scan(request: ScanRequest<Query>): AsyncGenerator<readonly WireRecord[], void> {
    await this.#fresh(request);
    const { usable } = this.#layout;
    for (let mayRepeat = true; ; ) {
      try {
        const found = request.nearest === undefined ? scan : scanNearest;
        for await (const batch of found(this.#scope, request)) {
          mayRepeat = false;
          yield batch;
        }
        return;
      } catch (error) {
        if (!mayRepeat || nativeType(error) !== "index_not_found_exception") throw error;
        mayRepeat = false;
        await this.#reload(request);
        if (this.#layout.usable.length < usable.length) throw changed();
      }
    }
  }

  async count(where: Query | undefined, match: Query | undefined, call: Call): Promise<number> {
    await this.#fresh(call);
    const answer: Answer = await this.#asking(call, ({ wire, layout, routing }) =>
      wire.ask({
        method: "POST",
        path: [layout.target, "_search"],
        query: { routing, ...whole },
        body: { query: queryOf(where, match, false), size: 0, track_total_hits: true },
        ...call,
      }),
    );
    return answer.hits.total.value;
  }

  async aggregate({ where, match, plan, signal }: AggregateRequest<Query>): Promise<readonly AggregateRow[]> {
    await this.#fresh({ signal });
    const rows = await this.#asking({ signal }, (scope) =>
      aggregate(scope, queryOf(where, match, false), plan, signal),
    );
    if (rows !== undefined) return rows;
    const aggregator = aggregatorOf(plan);
    const request = {
      where,
      match,
      order: [],
      limit: undefined,
      offset: 0,
      select: undefined,
      batchSize: 1000,
      signal,
    };
    for await (const batch of this.scan(request)) {
      for (const record of batch) aggregator.add(record);
    }
    return aggregator.rows();
  }

  native(request: ScanRequest<Query>): unknown {
    const { limit, offset } = request;
    if (request.nearest !== undefined) return { index: this.#settings.index, body: nearestBody(request) };
    const type = searchType(this.#layout, request);
    return {
      index: this.#settings.index,
      ...(type !== undefined && { search_type: type }),
      body: { ...bodyOf(this.#layout, request), ...(limit !== undefined && { from: offset, size: limit }) },
    };
  }

  async nativePlan(request: ScanRequest<Query>, call: Call): Promise<unknown> {
    const body =
      request.nearest === undefined
        ? { query: bodyOf(this.#layout, request).query, size: 0 }
        : { ...nearestBody(request), _source: false };
    const answer: Answer = await this.#asking(call, ({ wire, layout, routing }) =>
      wire.ask({
        method: "POST",
        path: [layout.target, "_search"],
        query: { routing, ...whole },
        body: { ...body, profile: true },
        ...call,
      }),
    );
    return answer.profile;
  }

  // ---------- declared fields

  async listIndexes(call: Call): Promise<readonly ExistingIndex[]> {
    const found = await findLayout(this.#open, this.#settings, call);
    return (found?.layout.columns ?? []).map((column) => ({ name: column.name, spec: specOf(column) }));
  }

  async createIndex(spec: IndexSpec, call: Call): Promise<void> {
    if (spec.vector !== undefined && spec.vector.dimensions > mostDimensions) {
      throw new DataknobsError(
        "LIMIT_EXCEEDED",
        `Elasticsearch takes at most ${mostDimensions} numbers in a vector; "${spec.path.text}" is declared with ${spec.vector.dimensions}.`,
        { backend: this.name, index: spec.name },
      );
    }
    return this.#declare((columns) => adding(columns, [columnOf(spec)]), call);
  }

  async dropIndex(name: string, call: Call): Promise<void> {
    const found = await findLayout(this.#open, this.#settings, call);
    if (found?.layout.columns.some((column) => column.name === name) !== true) {
      throw new DataknobsError("NOT_FOUND", `There is no index "${name}".`, { backend: this.name, index: name });
    }
    await this.#declare((columns) => columns.filter((column) => column.name !== name), call);
  }
}
