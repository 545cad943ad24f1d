/** The operations on the vectors of one scope. */
import type { Call } from "../backend/spi.js";
import { internals } from "../database/internals.js";
import { asDataknobsError, type CallOptions, callOf } from "../database/session.js";
import { abortError, orAborted } from "../database/steps.js";
import { type BatchSource, RowStream } from "../database/stream.js";
import type { Condition } from "../query/ast.js";
import { checkKeys } from "../query/checks.js";
import type { Fields } from "../record/values.js";
import { explainSearch, type VectorExplanation } from "./explain.js";
import { planFilter, refuseEmulation } from "./filter.js";
import type { VectorInput } from "./matrix.js";
import { countRows, scanRows } from "./scan.js";
import { checkQueries, checkSearch, type SearchHit, type SearchOptions, searchKeys, searchRows } from "./search.js";
import {
  checkInclude,
  chunksOf,
  type StoredVector,
  throwIfAborted,
  toStoredVector,
  type VectorSession,
} from "./session.js";
import { type PartialRow, type VectorPart, vectorParts } from "./spi.js";
import { add, checkIds, clear, remove, updateMetadata, updateMetadataWhere, type VectorEntry } from "./writes.js";

/** The vectors that a stream gives, one by one or in batches. */
export class VectorStream<I extends VectorPart> extends RowStream<PartialRow, StoredVector<I>> {}

export interface IncludeOptions<I extends VectorPart> extends CallOptions {
  /** Default: all parts. */
  readonly include?: readonly I[] | undefined;
}

const callKeys = ["signal", "timeout"] as const;
const includeKeys = ["include", ...callKeys] as const;

/** Searching and changing the vectors of one scope. Every method rejects with a `DataknobsError`. */
export abstract class VectorOperations {
  /** The store and its settings. Throws `NOT_OPEN`. @internal */
  protected abstract session(operation: string): VectorSession;
  /** Called around whatever takes time, so that closing can wait for it. @internal */
  protected abstract track<R>(work: Promise<R>): Promise<R>;
  /** Called when a stream begins; the function it gives is called when it ends. @internal */
  protected abstract opened(source: BatchSource<PartialRow>): () => void;

  /**
   * Adds vectors, or replaces those of the same id: vector, metadata and text. The last of an id in one list wins.
   * Gives the ids, in order. Nothing is written where one entry is refused with `INVALID_RECORD`: wrong dimensions,
   * NaN, zeros only under cosine, values that no store can keep.
   */
  add(entries: readonly VectorEntry[], options: CallOptions = {}): Promise<string[]> {
    return this.run("add", options, (session, call) => add(session, entries, call));
  }

  /** The vectors in the order of the ids, `undefined` for those that are not there. */
  get<I extends VectorPart = VectorPart>(
    ids: readonly string[],
    options: IncludeOptions<I> = {},
  ): Promise<(StoredVector<I> | undefined)[]> {
    const work = async (session: VectorSession, call: Call): Promise<(StoredVector<I> | undefined)[]> => {
      checkIds(ids, "get");
      const include = checkInclude(options.include, vectorParts);
      const found = new Map<string, StoredVector>();
      for (const chunk of chunksOf([...new Set(ids)], session.capabilities.limits.batch)) {
        throwIfAborted(call);
        const rows = await session.backend.get({ ...call, scope: session.scope, ids: chunk, include });
        for (const row of rows) if (row !== undefined) found.set(row.id, toStoredVector(row, include));
      }
      return ids.map((id) => found.get(id)) as (StoredVector<I> | undefined)[];
    };
    return this.run("get", options, work, includeKeys);
  }

  /** Deletes vectors; whether each was there. */
  delete(ids: readonly string[], options: CallOptions = {}): Promise<boolean[]> {
    return this.run("delete", options, (session, call) => remove(session, ids, call));
  }

  /** Replaces the metadata of a vector; whether it was there. */
  updateMetadata(id: string, metadata: Fields, options: CallOptions = {}): Promise<boolean> {
    return this.run("updateMetadata", options, (session, call) => updateMetadata(session, id, metadata, call));
  }

  /**
   * Merges top-level fields into the metadata of every vector that satisfies the filter; how many. `undefined` leaves
   * a field, `null` sets it to null.
   */
  updateMetadataWhere(filter: Condition, patch: Fields, options: CallOptions = {}): Promise<number> {
    return this.run("updateMetadataWhere", options, (session, call) =>
      updateMetadataWhere(session, filter, patch, call),
    );
  }

  /**
   * The `k` nearest vectors, nearest first, ties by id; with a filter `k` of them whenever so many satisfy it.
   *
   * @example
   * await store.search(embedding, { k: 5, filter: where("lang", "=", "en"), minScore: 0.4 });
   */
  search<I extends VectorPart = "metadata" | "text">(
    vector: VectorInput,
    options: SearchOptions<I> & CallOptions = {},
  ): Promise<SearchHit<I>[]> {
    const work = async (session: VectorSession, call: Call): Promise<SearchHit<I>[]> => {
      const checked = checkSearch(session, options);
      const [hits] = await searchRows(session, checkQueries(session, [vector]), checked, call);
      return hits as unknown as SearchHit<I>[];
    };
    return this.run("search", options, work, searchKeys);
  }

  /** The same for many vectors at once: the hits of each, in order. */
  searchMany<I extends VectorPart = "metadata" | "text">(
    vectors: readonly VectorInput[],
    options: SearchOptions<I> & CallOptions = {},
  ): Promise<SearchHit<I>[][]> {
    const work = async (session: VectorSession, call: Call): Promise<SearchHit<I>[][]> => {
      const checked = checkSearch(session, options);
      return (await searchRows(session, checkQueries(session, vectors), checked, call)) as unknown as SearchHit<I>[][];
    };
    return this.run("searchMany", options, work, searchKeys);
  }

  /** What the engine does of a search and what core does; no I/O. */
  explain(options: SearchOptions = {}): VectorExplanation {
    const session = this.session("explain");
    return explainSearch(session, checkSearch(session, options, { explaining: true }));
  }

  /** How many vectors there are, or satisfy the filter. */
  count(filter?: Condition, options: CallOptions = {}): Promise<number> {
    return this.run("count", options, (session, call) => {
      const plan = planFilter(filter, session.backend.compiler);
      refuseEmulation(plan, session.name, session.residual);
      return countRows(session, plan, call);
    });
  }

  /** Deletes all vectors of the scope, or those that satisfy the filter; how many. */
  clear(filter?: Condition, options: CallOptions = {}): Promise<number> {
    return this.run("clear", options, (session, call) => clear(session, filter, call));
  }

  /** All vectors, or those that satisfy the filter, in no order, in bounded memory. */
  stream<I extends VectorPart = VectorPart>(filter?: Condition, options: IncludeOptions<I> = {}): VectorStream<I> {
    const session = this.session("stream");
    checkKeys(options, includeKeys, "The options of stream");
    const include = checkInclude(options.include, vectorParts);
    const plan = planFilter(filter, session.backend.compiler);
    refuseEmulation(plan, session.name, session.residual);
    return new VectorStream<I>(
      () => this.#source(callOf(options), (call) => scanRows(session, plan, include, call)),
      (row) => toStoredVector(row, include) as unknown as StoredVector<I>,
    );
  }

  /** What operations on two stores need of each. @internal */
  get [internals](): { session(operation: string): VectorSession; track<R>(work: Promise<R>): Promise<R> } {
    return { session: (operation) => this.session(operation), track: (work) => this.track(work) };
  }

  #source(call: Call, scan: (call: Call) => AsyncGenerator<readonly PartialRow[], void>): BatchSource<PartialRow> {
    const rows = scan(call);
    let forget: (() => void) | undefined;
    let ended = false;
    let pulling = 0;
    const source: BatchSource<PartialRow> = {
      signal: call.signal,
      get ended() {
        return ended;
      },
      next: async () => {
        const session = this.session("stream");
        forget ??= this.opened(source);
        throwIfAborted(call);
        try {
          pulling++;
          const next = rows.next().finally(() => pulling--);
          const step = await orAborted(this.track(next), call.signal);
          return step.done === true ? undefined : step.value;
        } catch (error) {
          throw asDataknobsError(error, session, "stream");
        }
      },
      close: async () => {
        ended = true;
        forget?.();
        const end = rows.return();
        // a scan that is still busy ends later: who aborted does not wait for it
        if (pulling === 0) await end;
        else end.catch(() => undefined);
      },
    };
    return source;
  }

  /** @internal */
  protected run<R>(
    operation: string,
    options: CallOptions,
    work: (session: VectorSession, call: Call) => Promise<R>,
    keys: readonly string[] = callKeys,
  ): Promise<R> {
    const begin = async (): Promise<R> => {
      const session = this.session(operation);
      checkKeys(options, keys, `The options of ${operation}`);
      const call = callOf(options);
      if (call.signal?.aborted === true) throw abortError(call.signal);
      try {
        // the work itself is waited for by close, the caller is told at once
        return await orAborted(this.track(work(session, call)), call.signal);
      } catch (error) {
        throw asDataknobsError(error, session, operation);
      }
    };
    return begin();
  }
}
