/**
 * Searches: one request where the answer is small, else a point in time and `search_after`, any number of records.
 *
 * Keys that are cut are in no order among themselves. Records whose sort keys are cut and alike come one after the
 * other; they are kept back and put in order here, so the order is exact whatever the length of the values.
 */
import { type Call, type Comparator, comparatorOf, type ScanRequest, type WireRecord } from "@dataknobs/core/backend";
import { all, type Query, sortOf } from "./compile.js";
import { recordOf } from "./documents.js";
import { isCut } from "./keys.js";
import type { Layout } from "./layout.js";
import type { Answer, Wire } from "./wire.js";

/** `from + size` that Elasticsearch takes; `index.max_result_window` by default. */
const window_ = 10_000;
const keepAlive = "5m";
/** Half an answer is an error. */
export const whole = { allow_partial_search_results: false } as const;

export interface Scope {
  readonly wire: Wire;
  readonly layout: Layout;
  readonly routing: string | undefined;
}

export function queryOf(where: Query | undefined, match: Query | undefined, ranked: boolean): object {
  if (match === undefined) return (where === undefined ? all([]) : all([where])).dsl;
  if (!ranked) return all(where === undefined ? [match] : [match, where]).dsl;
  return { bool: { must: [match.dsl], ...(where !== undefined && { filter: [where.dsl] }) } };
}

/** The body of a search, as `explain` shows it. */
export function bodyOf(layout: Layout, { where, match, order }: ScanRequest<Query>): Answer {
  const ranked = match !== undefined && order.length === 0;
  return {
    query: queryOf(where, match, ranked),
    ...(ranked && { sort: [{ _score: "desc" }, { id: "asc" }] }),
    ...(!ranked && { sort: order.length > 0 ? sortOf(layout, order) : ["_doc"] }),
  };
}

/** With several shards the words' rarity is counted over all of them, so that scores compare. */
export function searchType({ shards }: Layout, { match, order }: ScanRequest<Query>): string | undefined {
  return shards > 1 && match !== undefined && order.length === 0 ? "dfs_query_then_fetch" : undefined;
}

export async function* scan(scope: Scope, request: ScanRequest<Query>): AsyncGenerator<readonly WireRecord[], void> {
  const { wire, layout, routing } = scope;
  const { limit, offset, order, match, signal } = request;
  const scored = match !== undefined && order.length === 0;
  const size = Math.max(1, Math.min(request.batchSize, window_));
  const end = limit === undefined ? Number.POSITIVE_INFINITY : offset + limit;
  const body = { ...bodyOf(layout, request), track_total_hits: false };
  // most answers fit into one, which needs no point in time; else its page was in vain
  const small = end <= size;
  const first = await wire.ask({
    method: "POST",
    path: [layout.target, "_search"],
    query: { routing, search_type: searchType(layout, request), ...whole },
    body: { ...body, ...(small ? { from: offset, size: end - offset } : { size }) },
    signal,
  });
  const { hits } = first.hits;
  if ((small || hits.length < size) && !hits.some(hasCutKey)) {
    const records = small ? hits : hits.slice(offset, end);
    if (records.length > 0) yield records.map((hit: Answer) => recordOf(hit, scored));
    return;
  }
  // the order of the shards themselves is the cheapest that can be continued
  const sort = order.length > 0 || scored ? body.sort : ["_shard_doc"];
  const compare = comparatorOf(order);
  const runs = new Runs(compare, scored);
  let skip = offset;
  let left = end - offset;
  const shown = (records: readonly WireRecord[]): readonly WireRecord[] => {
    const part = records.slice(skip, skip + left);
    skip = Math.max(0, skip - records.length);
    left -= part.length;
    return part;
  };
  for await (const page of pages(scope, { ...body, sort, size }, { signal }, searchType(layout, request))) {
    const records = shown(runs.push(page));
    if (records.length > 0) yield records;
    if (left <= 0) return;
  }
  const rest = shown(runs.end());
  if (rest.length > 0) yield rest;
}

/** Hits of a body, page by page, as the index was at the first. */
export async function* pages(
  scope: Scope,
  body: Answer,
  call: Call,
  type?: string,
): AsyncGenerator<readonly Answer[], void> {
  const left = new AbortController();
  const signal = call.signal === undefined ? left.signal : AbortSignal.any([call.signal, left.signal]);
  const pit = await openPit(scope, { signal }, type);
  let ahead: Promise<Answer> | undefined = pit.search(body);
  try {
    while (ahead !== undefined) {
      const { hits }: { readonly hits: readonly Answer[] } = (await ahead).hits;
      // the server reads on while these are looked at, one page ahead and no more
      ahead = hits.length < body.size ? undefined : pit.search({ ...body, search_after: hits.at(-1)?.sort });
      ahead?.catch(() => undefined);
      if (hits.length > 0) yield hits;
    }
  } finally {
    left.abort();
    await ahead?.catch(() => undefined);
    await pit.close();
  }
}

/** The index as it is at one point in time. */
export interface PointInTime {
  search(body: object): Promise<Answer>;
  close(): Promise<void>;
}

export async function openPit({ wire, layout, routing }: Scope, { signal }: Call, type?: string): Promise<PointInTime> {
  const opened = await wire.ask({
    method: "POST",
    path: [layout.target, "_pit"],
    query: { keep_alive: keepAlive, routing },
    signal,
  });
  let id: string = opened.id;
  return {
    async search(body: object): Promise<Answer> {
      const answer = await wire.ask({
        method: "POST",
        path: ["_search"],
        query: { search_type: type, ...whole },
        body: { ...body, pit: { id, keep_alive: keepAlive } },
        signal,
      });
      id = answer.pit_id ?? id;
      return answer;
    },
    async close(): Promise<void> {
      try {
        await wire.ask({ method: "DELETE", path: ["_pit"], body: { id }, allow: [404] });
      } catch {
        // the server drops it when `keep_alive` has passed; whatever ended the stream is the error to tell
        return;
      }
    },
  };
}

function hasCutKey(hit: Answer): boolean {
  return hit.sort?.some(isCut) === true;
}

/** Puts in order what Elasticsearch takes for level since its keys are cut. */
class Runs {
  readonly #compare: Comparator;
  readonly #scored: boolean;
  #run: WireRecord[] = [];
  #name: string | undefined;

  constructor(compare: Comparator, scored: boolean) {
    this.#compare = compare;
    this.#scored = scored;
  }

  /** The records that are in their place. */
  push(hits: readonly Answer[]): WireRecord[] {
    const records: WireRecord[] = [];
    for (const hit of hits) {
      const at: number = hit.sort?.findIndex(isCut) ?? -1;
      const name = at < 0 ? undefined : JSON.stringify(hit.sort.slice(0, at + 1));
      if (name !== this.#name) for (const record of this.end()) records.push(record);
      this.#name = name;
      (name === undefined ? records : this.#run).push(recordOf(hit, this.#scored));
    }
    return records;
  }

  end(): WireRecord[] {
    const run = this.#run.sort(this.#compare);
    this.#run = [];
    return run;
  }
}
