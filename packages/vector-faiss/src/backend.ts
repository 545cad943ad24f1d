/**
 * Vectors in Faiss. Ids, metadata and texts are here, vectors in memory shared with the engine, indexes with the engine.
 * What is changed here and what the engine is asked go in one order, so that every answer is of one moment.
 */
import { resolve } from "node:path";
import {
  type Compiler,
  DataknobsError,
  isThenable,
  type JsonObject,
  type Lowered,
  leafKinds,
  mergeFields,
} from "@dataknobs/core/backend";
import {
  type DeleteRequest,
  type FileRequest,
  type GetRequest,
  type LoadedFile,
  type MergeMetadataRequest,
  type MetadataRequest,
  type Metric,
  matchingCompiler,
  matrixOf,
  metrics,
  type PartialRow,
  rowMatcherOf,
  SavedStore,
  type SearchPlan,
  type UpsertRequest,
  type VectorBackend,
  type VectorCapabilities,
  type VectorHit,
  type VectorOpenRequest,
  type VectorPart,
  type VectorScanRequest,
  type VectorSearchRequest,
  type WhereRequest,
} from "@dataknobs/core/vector";
import { type Client, LocalClient, type Now, ThreadClient } from "./client.js";
import { name } from "./errors.js";
import { noStore, type SavedInfo, type SavedRow, sectionsOf, storeOf } from "./image.js";
import { checkDimensions } from "./index-type.js";
import type { CheckedOptions } from "./options.js";
import type { LoadRequest, ShelfState } from "./protocol.js";
import { Segments } from "./segments.js";
import { Shelf, type ShelfRow } from "./shelf.js";

export class FaissVectors implements VectorBackend<Lowered> {
  readonly name: string = name;
  readonly compiler: Compiler<Lowered> = matchingCompiler;
  readonly capabilities: VectorCapabilities;
  readonly #options: CheckedOptions;
  #client: Client | undefined;
  #shelves = new Map<string, Shelf>();
  #shelfNumber = 0;
  #dimensions = 0;
  #metric: Metric = "cosine";
  #segments = new Segments(1);
  /** By slot, as they were when a search began: replaced, not changed, while one is under way. */
  #rows: ShelfRow[] = [];
  #searching = 0;
  #free: number[] = [];
  #slots = 0;
  /** `undefined`: nothing is kept. */
  readonly #file: SavedStore | undefined;

  get location(): string | undefined {
    return this.#options.path && resolve(this.#options.path);
  }

  constructor(options: CheckedOptions) {
    this.#options = options;
    this.#file = options.path === undefined ? undefined : new SavedStore(options.path, name);
    this.capabilities = Object.freeze({
      persistence: options.path === undefined ? false : "save",
      metrics,
      index: options.type.text === "Flat" ? "exact" : "approximate",
      exactSearch: true,
      complete: true,
      ties: "any",
      atomicBatch: true,
      cancel: false,
      pushdown: leafKinds(matchingCompiler),
      limits: Object.freeze({ dimensions: 65_536 }),
    });
  }

  get unsaved(): boolean {
    return this.#file?.changed === true;
  }

  async open({ dimensions, metric, signal }: VectorOpenRequest): Promise<undefined> {
    const { type, parameters, trainAt, thread } = this.#options;
    checkDimensions(type, dimensions);
    this.#dimensions = dimensions;
    this.#metric = metric;
    this.#segments = new Segments(dimensions);
    this.#client = thread ? new ThreadClient() : new LocalClient();
    try {
      await this.#client.call("open", { shape: { dimensions, metric, type, parameters }, trainAt });
      await this.load({ force: true, signal });
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#shelves = new Map();
    this.#rows = [];
    await client?.close();
  }

  upsert({ scope, rows }: UpsertRequest): Now<void> {
    const shelf = this.#shelfOf(scope);
    const gone: number[] = [];
    const slots = Int32Array.from(rows, () => this.#free.pop() ?? this.#slots++);
    const grown = this.#segments.reserve(this.#slots);
    for (const [index, { vector, ...row }] of rows.entries()) {
      const before = shelf.get(row.id);
      if (before !== undefined) gone.push(before.slot);
      const slot = slots[index] as number;
      this.#segments.set(slot, vector);
      this.#rows[slot] = shelf.set({ ...row, slot });
    }
    this.#file?.change();
    const answer = this.#engine.call("add", { shelf: shelf.number, slots, gone: Int32Array.from(gone), grown });
    return this.#changed(shelf, gone, answer);
  }

  get({ scope, ids, include }: GetRequest): (PartialRow | undefined)[] {
    const shelf = this.#shelves.get(scope);
    return ids.map((id) => {
      const row = shelf?.get(id);
      return row && this.#give(row, include);
    });
  }

  delete({ scope, ids }: DeleteRequest): Now<boolean[]> {
    const shelf = this.#shelves.get(scope);
    if (shelf === undefined) return ids.map(() => false);
    const gone: number[] = [];
    const was = ids.map((id) => {
      const row = shelf.delete(id);
      if (row !== undefined) gone.push(row.slot);
      return row !== undefined;
    });
    const done = this.#remove(shelf, gone);
    return done === undefined ? was : done.then(() => was);
  }

  search({ scope, vectors, limit, where, include, exact }: VectorSearchRequest<Lowered>): Now<VectorHit[][]> {
    const shelf = this.#shelves.get(scope);
    if (shelf === undefined || shelf.size === 0) return vectors.map(() => []);
    const queries = matrixOf(vectors.map((vector) => ({ vector })));
    const among = where === undefined ? undefined : slotsOf(shelf, where);
    if (among?.length === 0) return vectors.map(() => []);
    const rows = this.#rows;
    const answer = this.#engine.call("search", { shelf: shelf.number, queries, k: limit, among, exact });
    const hits = ({ counts, slots, distances }: Awaited<typeof answer>): VectorHit[][] => {
      let at = 0;
      const answers: VectorHit[][] = [];
      for (let query = 0; query < counts.length; query++) {
        const own: VectorHit[] = [];
        for (let hit = 0; hit < (counts[query] as number); hit++, at++) {
          own.push(this.#hit(rows[slots[at] as number] as ShelfRow, distances[at] as number, include));
        }
        answers.push(own);
      }
      return answers;
    };
    if (!isThenable(answer)) return hits(answer);
    this.#searching++;
    return answer.then(hits).finally(() => this.#searching--);
  }

  *scan({ scope, where, include, batchSize }: VectorScanRequest<Lowered>): Generator<PartialRow[]> {
    const shelf = this.#shelves.get(scope);
    if (shelf === undefined) return;
    // a copy of the list: rows change their places when others are deleted
    const ids = matching(shelf, where).map(({ id }) => id);
    for (let from = 0; from < ids.length; from += batchSize) {
      yield ids.slice(from, from + batchSize).flatMap((id) => {
        const row = shelf.get(id);
        return row === undefined ? [] : [this.#give(row, include)];
      });
    }
  }

  count({ scope, where }: WhereRequest<Lowered>): number {
    const shelf = this.#shelves.get(scope);
    if (shelf === undefined) return 0;
    return where === undefined ? shelf.size : rowMatcherOf(where).count(shelf.rows);
  }

  deleteWhere({ scope, where }: WhereRequest<Lowered>): Now<number> {
    const shelf = this.#shelves.get(scope);
    if (shelf === undefined) return 0;
    const rows = matching(shelf, where);
    for (const { id } of rows) shelf.delete(id);
    const done = this.#remove(
      shelf,
      rows.map(({ slot }) => slot),
    );
    return done === undefined ? rows.length : done.then(() => rows.length);
  }

  updateMetadata({ scope, id, metadata, metadataTypes }: MetadataRequest): boolean {
    const shelf = this.#shelves.get(scope);
    const row = shelf?.get(id);
    if (shelf === undefined || row === undefined) return false;
    this.#describe(shelf, [{ ...row, metadata, metadataTypes }]);
    return true;
  }

  mergeMetadata({ scope, where, metadata, metadataTypes }: MergeMetadataRequest<Lowered>): number {
    const shelf = this.#shelves.get(scope);
    if (shelf === undefined) return 0;
    const rows = matching(shelf, where).map((row) => {
      const { data, types } = mergeFields(row.metadata, row.metadataTypes, metadata, metadataTypes);
      return { ...row, metadata: Object.freeze(data), metadataTypes: types };
    });
    this.#describe(shelf, rows);
    return rows.length;
  }

  async buildIndex(): Promise<boolean> {
    let built = false;
    for (const shelf of this.#shelves.values()) {
      if (shelf.size === 0) continue;
      shelf.state = await this.#engine.call("build", { shelf: shelf.number });
      built ||= shelf.state.indexed !== undefined;
    }
    return built;
  }

  plan({ scope, exact }: VectorSearchRequest<Lowered>): SearchPlan {
    const { type, trainAt } = this.#options;
    const shelf = this.#shelves.get(scope);
    if (exact) return { search: "exact", why: "the search asks for it" };
    if (shelf?.state.indexed === undefined) {
      const why =
        type.leastTraining === 0 || (shelf?.size ?? 0) >= trainAt
          ? "there is no index yet"
          : `${type.text} is trained with ${trainAt} vectors, and there are ${shelf?.size ?? 0}; \`buildIndex\` trains ` +
            `it with ${type.leastTraining}`;
      return { search: "exact", why };
    }
    if (shelf.state.unfit > 0) {
      return { search: "exact", why: `${shelf.state.unfit} vectors have numbers that 32-bit distances do not hold` };
    }
    return { search: type.text === "Flat" ? "exact" : "approximate", index: type.text };
  }

  async save(request: FileRequest): Promise<void> {
    await this.#file?.write(() => this.#image(), request);
  }

  async load(request: FileRequest): Promise<void> {
    const shape = { dimensions: this.#dimensions, metric: this.#metric };
    await this.#file?.read(shape, (file) => this.#take(file), request);
  }

  async #image(): ReturnType<typeof sectionsOf> {
    const shelves = [...this.#shelves].filter(([, { size }]) => size > 0);
    const rows: SavedRow[] = shelves.flatMap(([scope, shelf]) => shelf.rows.map((row) => ({ ...row, scope })));
    const slots = Int32Array.from(shelves.flatMap(([, shelf]) => shelf.rows.map(({ slot }) => slot)));
    const scopes = new Map(shelves.map(([scope, { number }]) => [number, scope]));
    const { vectors, natives } = await this.#engine.call("image", { shelves: [...scopes.keys()], slots });
    const rowOf = new Map([...slots].map((slot, row) => [slot, row]));
    const indexes = natives.map(({ shelf, image, slotAt }) => ({
      scope: scopes.get(shelf) as string,
      image,
      labels: slotAt.map((slot) => (slot < 0 ? -1 : (rowOf.get(slot) as number))),
    }));
    return sectionsOf(rows, vectors, indexes, this.#info());
  }

  /** Gives the engine what was loaded, then shows it; false where it does not go together. */
  async #take(file: LoadedFile | undefined): Promise<boolean> {
    const store = file === undefined ? noStore : storeOf(file, this.#dimensions, this.#options.path as string);
    if (store === undefined) return false;
    const { rows, vectors, indexes } = store;
    const info = file?.info;
    const segments = new Segments(this.#dimensions);
    const grown = segments.reserve(rows.length);
    const shelves = new Map<string, Shelf>();
    const bySlot: ShelfRow[] = [];
    for (const [slot, { scope, ...row }] of rows.entries()) {
      segments.set(slot, vectors.subarray(slot * this.#dimensions, (slot + 1) * this.#dimensions));
      let shelf = shelves.get(scope);
      if (shelf === undefined) {
        shelf = new Shelf(++this.#shelfNumber);
        shelves.set(scope, shelf);
      }
      bySlot.push(shelf.set({ ...row, slot }));
    }
    // of another index type, or built otherwise: made anew from the vectors
    const { indexType, efConstruction } = this.#info();
    const same = info?.["indexType"] === indexType && info["efConstruction"] === efConstruction;
    const request: LoadRequest = {
      grown,
      shelves: [...shelves].map(([scope, shelf]) => {
        const index = same ? indexes.find((one) => one.scope === scope) : undefined;
        return {
          shelf: shelf.number,
          slots: Int32Array.from(shelf.rows, ({ slot }) => slot),
          native: index && { shelf: shelf.number, image: index.image, slotAt: index.labels },
        };
      }),
    };
    const states = await this.#engine.call("load", request);
    if (states === null) return false;
    const byNumber = new Map(states.map((state) => [state.shelf, state]));
    for (const shelf of shelves.values()) shelf.state = byNumber.get(shelf.number) as ShelfState;
    this.#shelves = shelves;
    this.#segments = segments;
    this.#rows = bySlot;
    this.#free = [];
    this.#slots = rows.length;
    return true;
  }

  #info(): SavedInfo & JsonObject {
    const { type, parameters } = this.#options;
    return {
      dimensions: this.#dimensions,
      metric: this.#metric,
      indexType: type.text,
      efConstruction: parameters.efConstruction ?? null,
    };
  }

  get #engine(): Client {
    if (this.#client !== undefined) return this.#client;
    throw new DataknobsError("NOT_OPEN", "The faiss store is closed.", { backend: name });
  }

  #shelfOf(scope: string): Shelf {
    let shelf = this.#shelves.get(scope);
    if (shelf === undefined) {
      shelf = new Shelf(++this.#shelfNumber);
      this.#shelves.set(scope, shelf);
    }
    return shelf;
  }

  #remove(shelf: Shelf, gone: readonly number[]): Promise<void> | undefined {
    if (gone.length === 0) return undefined;
    this.#file?.change();
    const answer = this.#engine.call("remove", { shelf: shelf.number, slots: Int32Array.from(gone) });
    return this.#changed(shelf, gone, answer) ?? undefined;
  }

  /** Slots are free once the engine has let go of them: searches asked before may still look at them. */
  #changed(shelf: Shelf, gone: readonly number[], answer: Now<ShelfState>): Promise<void> | undefined {
    const done = (state: ShelfState): void => {
      shelf.state = state;
      for (const slot of gone) this.#free.push(slot);
    };
    if (isThenable(answer)) return answer.then(done);
    done(answer);
    return undefined;
  }

  #describe(shelf: Shelf, rows: readonly ShelfRow[]): void {
    if (rows.length === 0) return;
    if (this.#searching > 0) this.#rows = this.#rows.slice();
    for (const row of rows) this.#rows[row.slot] = shelf.set(row);
    this.#file?.change();
  }

  #hit(
    { slot, id, metadata, metadataTypes, text }: ShelfRow,
    distance: number,
    include: readonly VectorPart[],
  ): VectorHit {
    return include.includes("vector")
      ? { id, metadata, metadataTypes, text, vector: this.#segments.vectorAt(slot), distance }
      : { id, metadata, metadataTypes, text, distance };
  }

  #give({ slot, id, metadata, metadataTypes, text }: ShelfRow, include: readonly VectorPart[]): PartialRow {
    return include.includes("vector")
      ? { id, metadata, metadataTypes, text, vector: this.#segments.vectorAt(slot) }
      : { id, metadata, metadataTypes, text };
  }
}

function matching(shelf: Shelf, where: Lowered | undefined): ShelfRow[] {
  return where === undefined ? [...shelf.rows] : rowMatcherOf(where).filter(shelf.rows);
}

function slotsOf(shelf: Shelf, where: Lowered): Int32Array {
  const slots = new Int32Array(shelf.size);
  let count = 0;
  rowMatcherOf(where).each(shelf.rows, ({ slot }) => {
    slots[count++] = slot;
  });
  return slots.slice(0, count);
}
