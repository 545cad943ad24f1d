/**
 * The indexes, one for each scope, and the searches. Faiss deletes from some indexes, shifts labels in others and ends the
 * process in the rest: here a deleted row stays in the index and is passed over, until so many are dead that the
 * index is made anew. The index only proposes: every hit is measured by its vector as it was given.
 */
import { DataknobsError } from "@dataknobs/core/backend";
import { type Driver, loadDriver } from "./driver.js";
import { classify, name } from "./errors.js";
import { type Hit, marksOf, nearestOf, pack } from "./hits.js";
import { type IndexShape, NativeIndex } from "./native-index.js";
import type {
  AddRequest,
  Argument,
  Found,
  Image,
  ImageRequest,
  LoadRequest,
  OpenRequest,
  OperationName,
  Operations,
  Result,
  SearchRequest,
  ShelfState,
} from "./protocol.js";
import { fitNorm, normOf, Queries } from "./queries.js";
import { Segments } from "./segments.js";

interface Indexed {
  readonly native: NativeIndex;
  /** The slot of each label; -1 for a deleted row. */
  readonly slotAt: number[];
  dead: number;
}

interface Shelf {
  readonly number: number;
  /** All rows, in no order. */
  readonly slots: number[];
  indexed: Indexed | undefined;
  unfit: number;
}

/** Numbers of hits that Faiss is asked for at once. */
const hitsAtOnce = 1 << 20;

/** Fewer dead rows are not worth a new index. */
const fewDead = 32;

export class Engine implements Operations {
  readonly #lock: Int32Array;
  #driver!: Driver;
  #shape!: IndexShape;
  #trainAt = 0;
  #segments!: Segments;
  #shelves = new Map<number, Shelf>();
  /** By slot: its place in the shelf, its label, 1 / its norm. */
  readonly #place: number[] = [];
  readonly #label: number[] = [];
  readonly #scale: number[] = [];
  /** Room for one query. */
  #wide!: Float64Array;

  constructor(lock: Int32Array) {
    this.#lock = lock;
  }

  /** Throws what the store is to throw. */
  call<N extends OperationName>(operation: N, argument: Argument<N>): Result<N> {
    try {
      return (this[operation] as (argument: Argument<N>) => Result<N>)(argument);
    } catch (error) {
      throw classify(error);
    }
  }

  open({ shape, trainAt }: OpenRequest): null {
    this.#driver = loadDriver(this.#lock);
    this.#shape = shape;
    this.#trainAt = trainAt;
    this.#segments = new Segments(shape.dimensions);
    this.#wide = new Float64Array(shape.dimensions);
    return null;
  }

  add({ shelf: number, slots, gone, grown }: AddRequest): ShelfState {
    const shelf = this.#shelf(number);
    this.#segments.adopt(grown);
    for (const slot of gone) this.#forget(shelf, slot);
    for (const slot of slots) this.#keep(shelf, slot);
    return this.#indexing(shelf, slots.length, () => {
      if (shelf.indexed === undefined) this.#autoBuild(shelf);
      else {
        const { native, slotAt } = shelf.indexed;
        native.add(slots.length, (into, row, at) => this.#copy(slots[row] as number, into, at));
        for (const slot of slots) {
          this.#label[slot] = slotAt.length;
          slotAt.push(slot);
        }
        this.#renew(shelf);
      }
    });
  }

  remove({ shelf: number, slots }: { readonly shelf: number; readonly slots: Int32Array }): ShelfState {
    const shelf = this.#shelf(number);
    for (const slot of slots) this.#forget(shelf, slot);
    return this.#indexing(shelf, slots.length, () => this.#renew(shelf));
  }

  build({ shelf: number }: { readonly shelf: number }): ShelfState {
    const shelf = this.#shelf(number);
    return this.#indexing(shelf, 0, () => {
      shelf.indexed = undefined;
      if (shelf.slots.length >= Math.max(1, this.#shape.type.leastTraining)) this.#build(shelf);
    });
  }

  search({ shelf: number, queries, k, among, exact }: SearchRequest): Found {
    const shelf = this.#shelf(number);
    const { indexed } = shelf;
    const asked = new Queries(queries, this.#shape, this.#segments, this.#scale, this.#wide);
    const rows = among ?? shelf.slots;
    const useful = indexed !== undefined && !exact && shelf.unfit === 0 && asked.fit;
    const answers: (readonly Hit[] | undefined)[] = useful
      ? this.#byIndex(indexed, asked, rows, k, among !== undefined)
      : new Array(asked.count).fill(undefined);
    for (let query = 0; query < asked.count; query++) answers[query] ??= nearestOf(rows, asked.measure(query), k);
    return pack(answers as readonly (readonly Hit[])[]);
  }

  image({ shelves, slots }: ImageRequest): Image {
    const { dimensions } = this.#shape;
    const vectors = new Float32Array(slots.length * dimensions);
    for (const [row, slot] of slots.entries()) {
      const at = this.#segments.offsetOf(slot);
      vectors.set(this.#segments.segmentOf(slot).subarray(at, at + dimensions), row * dimensions);
    }
    const natives = shelves.flatMap((number) => {
      const indexed = this.#shelves.get(number)?.indexed;
      // a flat index is made from the vectors as fast as it is read
      if (indexed === undefined || this.#shape.type.text === "Flat") return [];
      return [{ shelf: number, image: indexed.native.image(), slotAt: Int32Array.from(indexed.slotAt) }];
    });
    return { vectors, natives };
  }

  load({ grown, shelves }: LoadRequest): readonly ShelfState[] | null {
    const read = new Map<number, Indexed>();
    for (const { shelf, native } of shelves) {
      if (native === undefined) continue;
      const slotAt = [...native.slotAt];
      const index = NativeIndex.read(this.#driver, this.#shape, native.image, slotAt.length);
      if (index === undefined) return null;
      read.set(shelf, { native: index, slotAt, dead: slotAt.filter((slot) => slot < 0).length });
    }
    this.#shelves = new Map();
    this.#segments = new Segments(this.#shape.dimensions);
    this.#segments.adopt(grown);
    return shelves.map(({ shelf: number, slots }) => {
      const shelf = this.#shelf(number);
      for (const slot of slots) this.#keep(shelf, slot);
      shelf.indexed = read.get(number);
      for (const [label, slot] of (shelf.indexed?.slotAt ?? []).entries()) if (slot >= 0) this.#label[slot] = label;
      if (shelf.indexed === undefined) this.#autoBuild(shelf);
      return stateOf(shelf);
    });
  }

  /**
   * Hits that the index finds: it is asked for more and more until there are k of each query, or measuring all is less
   * work; those queries have no answer then.
   */
  #byIndex(
    { native, slotAt, dead }: Indexed,
    asked: Queries,
    rows: ArrayLike<number>,
    k: number,
    filtered: boolean,
  ): (readonly Hit[] | undefined)[] {
    const answers: (readonly Hit[] | undefined)[] = new Array(asked.count).fill(undefined);
    const wanted = Math.min(k, rows.length);
    if (wanted === 0) return answers;
    const share = rows.length / native.count;
    const spare = this.#disorders ? Math.min(k + 4, 2 * k) : k;
    let fetch = Math.min(native.count, filtered || dead > 0 ? Math.ceil(((k + 4) / share) * 1.3) : spare);
    let open = [...answers.keys()];
    let marks: Uint8Array | undefined;
    // measuring just the rows that satisfy a filter may be less than asking the index for many more than k
    while (open.length > 0 && fetch <= native.count && (!filtered || this.#effort(fetch, native.count) < rows.length)) {
      if (filtered) marks ??= marksOf(rows, this.#place.length);
      const short: number[] = [];
      const step = Math.max(1, Math.floor(hitsAtOnce / fetch));
      for (let from = 0; from < open.length; from += step) {
        const part = open.slice(from, from + step);
        const { labels } = native.search(part.length, fetch, (into, row, at) =>
          asked.copy(part[row] as number, into, at),
        );
        for (let at = 0; at < part.length; at++) {
          const slots: number[] = [];
          for (let hit = at * fetch; hit < (at + 1) * fetch; hit++) {
            const label = labels[hit] as number;
            const slot = label < 0 ? -1 : (slotAt[label] as number);
            if (slot < 0 || (marks !== undefined && marks[slot] === 0)) continue;
            slots.push(slot);
            if (slots.length === k && !this.#disorders) break;
          }
          const query = part[at] as number;
          // padding: the index has no more, however many it is asked for
          if (slots.length < wanted && (labels[(at + 1) * fetch - 1] as number) >= 0) short.push(query);
          // one formula whatever the way: a filter that all rows satisfy must not change a distance
          if (slots.length >= wanted) answers[query] = nearestOf(slots, asked.measure(query), k);
        }
      }
      open = short;
      fetch *= 4;
    }
    return answers;
  }

  /**
   * Whether the index has near neighbours in another order than their vectors as they were given: where it keeps them
   * rounded, and where Faiss takes L2 from norms and an inner product, which leaves nothing of small distances.
   */
  get #disorders(): boolean {
    const { type, metric } = this.#shape;
    return type.rounds || (type.kind === "flat" && metric === "euclidean");
  }

  /** How many rows the index measures in a search, about. */
  #effort(fetch: number, total: number): number {
    const { type, parameters } = this.#shape;
    switch (type.kind) {
      case "flat":
        return total;
      case "ivf":
        return type.lists + (total / type.lists) * (parameters.nprobe ?? 1);
      case "hnsw":
        return Math.max(parameters.efSearch ?? 16, fetch) * type.links;
    }
  }

  #shelf(number: number): Shelf {
    let shelf = this.#shelves.get(number);
    if (shelf === undefined) {
      shelf = { number, slots: [], indexed: undefined, unfit: 0 };
      this.#shelves.set(number, shelf);
    }
    return shelf;
  }

  #keep(shelf: Shelf, slot: number): void {
    const norm = this.#norm(slot);
    this.#place[slot] = shelf.slots.length;
    this.#label[slot] = -1;
    this.#scale[slot] = norm === 0 ? 0 : 1 / norm;
    shelf.slots.push(slot);
    if (this.#shape.metric !== "cosine" && !fitNorm(norm)) shelf.unfit++;
  }

  #forget(shelf: Shelf, slot: number): void {
    const place = this.#place[slot] as number;
    const last = shelf.slots.pop() as number;
    if (last !== slot) {
      shelf.slots[place] = last;
      this.#place[last] = place;
    }
    if (this.#shape.metric !== "cosine" && !fitNorm(this.#norm(slot))) shelf.unfit--;
    const label = this.#label[slot] as number;
    if (label < 0 || shelf.indexed === undefined) return;
    shelf.indexed.slotAt[label] = -1;
    shelf.indexed.dead++;
  }

  /** A new index, where there are enough vectors for one that is good. */
  #autoBuild(shelf: Shelf): void {
    if (shelf.slots.length >= Math.max(1, this.#trainAt)) this.#build(shelf);
  }

  /** A new index where too much of the old one is dead. */
  #renew(shelf: Shelf): void {
    const { indexed } = shelf;
    if (indexed === undefined) return;
    if (indexed.dead < fewDead || indexed.dead * 4 < indexed.native.count) return;
    shelf.indexed = undefined;
    if (shelf.slots.length >= Math.max(1, this.#shape.type.leastTraining)) this.#build(shelf);
  }

  #build(shelf: Shelf): void {
    const { type } = this.#shape;
    const slotAt = shelf.slots.slice();
    const training = Math.min(slotAt.length, type.mostTraining);
    const stride = slotAt.length / Math.max(1, training);
    const native = NativeIndex.make(this.#driver, this.#shape, training, (into, row, at) =>
      this.#copy(slotAt[Math.floor(row * stride)] as number, into, at),
    );
    native.add(slotAt.length, (into, row, at) => this.#copy(slotAt[row] as number, into, at));
    for (const [label, slot] of slotAt.entries()) this.#label[slot] = label;
    shelf.indexed = { native, slotAt, dead: 0 };
  }

  /** Rows are written whatever becomes of the index: without one, searches are exact. */
  #indexing(shelf: Shelf, written: number, work: () => void): ShelfState {
    try {
      work();
      return stateOf(shelf);
    } catch (error) {
      shelf.indexed = undefined;
      const { code, message, details, cause } = classify(error);
      throw new DataknobsError(
        code,
        `${message} The rows are written; searches measure all of them until \`buildIndex\` succeeds.`,
        { ...details, backend: name, written },
        { cause: cause ?? error },
      );
    }
  }

  #norm(slot: number): number {
    const at = this.#segments.offsetOf(slot);
    return normOf(this.#segments.segmentOf(slot), at, at + this.#shape.dimensions);
  }

  #copy(slot: number, into: number[], to: number): void {
    const { dimensions, metric } = this.#shape;
    const at = this.#segments.offsetOf(slot);
    const segment = this.#segments.segmentOf(slot);
    const scale = metric === "cosine" ? (this.#scale[slot] as number) : 1;
    for (let index = 0; index < dimensions; index++) into[to + index] = (segment[at + index] as number) * scale;
  }
}

function stateOf({ number, indexed, unfit }: Shelf): ShelfState {
  return { shelf: number, indexed: indexed?.native.count, unfit };
}
