/** The reference's answers: the pure functions of core over the same records, without any backend. */

import type { Aggregation } from "../aggregate/ast.js";
import { finishRows, type ResultRow } from "../aggregate/finish.js";
import { lowerAggregation } from "../aggregate/parse.js";
import { aggregatorOf } from "../aggregate/run.js";
import { comparatorOf, compareText } from "../match/compare.js";
import { isHit, wordCounter } from "../match/fulltext.js";
import { closureOf } from "../match/matcher.js";
import { projectorOf } from "../plan/project.js";
import type { Query } from "../query/ast.js";
import type { Lowered, Match } from "../query/lowered.js";
import { lowerQuery } from "../query/parse.js";
import type { WireRecord } from "../record/json.js";
import { decode, encodeFields, type Fields } from "../record/values.js";
import type { RandomRecord } from "./random-records.js";

export interface Answer {
  readonly rows: readonly { readonly id: string; readonly data: Fields; readonly metadata: Fields }[];
  /** `"exact"`, any order, or the engine's ranking of which so many are given. */
  readonly order: "exact" | "any" | "ranked";
  /** How many of a ranking. */
  readonly size: number;
}

export function wireOf({ id, data, metadata }: RandomRecord): WireRecord {
  const [one, other] = [encodeFields(data), encodeFields(metadata)];
  return {
    id,
    data: one.json,
    types: one.types,
    metadata: other.json,
    metadataTypes: other.types,
    version: "",
    createdAt: 0,
    updatedAt: 0,
  };
}

export class Reference {
  readonly #records: readonly WireRecord[];

  constructor(records: readonly RandomRecord[]) {
    this.#records = records.map(wireOf);
  }

  search(query: Query): Answer {
    const { where, match, order, byScore, limit, offset, select } = lowerQuery(query);
    const hits = this.#hits(where, match);
    const order_ = order.length > 0 ? "exact" : byScore && (limit !== undefined || offset > 0) ? "ranked" : "any";
    const sorted = hits.sort(order.length > 0 ? comparatorOf(order) : (a, b) => compareText(a.id, b.id));
    const end = limit === undefined ? undefined : offset + limit;
    const window = order_ === "ranked" ? sorted : sorted.slice(offset, end);
    const rows = window.map(projectorOf(select)).map(({ id, data, types, metadata, metadataTypes }) => ({
      id,
      data: decode(data, types) as Fields,
      metadata: decode(metadata, metadataTypes) as Fields,
    }));
    return { rows, order: order_, size: sorted.slice(offset, end).length };
  }

  count(query: Query): number {
    const { where, match } = lowerQuery(query);
    return this.#hits(where, match).length;
  }

  aggregate(aggregation: Aggregation): ResultRow[] {
    const lowered = lowerAggregation(aggregation, { textFields: [], vectorFields: [] });
    const aggregator = aggregatorOf(lowered.plan);
    for (const record of this.#hits(lowered.where, undefined)) aggregator.add(record);
    return finishRows(aggregator.rows(), lowered);
  }

  #hits(where: Lowered | undefined, match: Match | undefined): WireRecord[] {
    const test = where === undefined ? () => true : closureOf(where);
    const counter = match === undefined ? undefined : wordCounter(match);
    return this.#records.filter(
      (record) => test(record) && (match === undefined || counter === undefined || isHit(match, counter(record))),
    );
  }
}
