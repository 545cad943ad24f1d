/** `match` over text indexes: which records is the contract, ranked by BM25 over the whole store. */
import { bm25, type Corpus, type Match, type WireRecord, type WordCounts } from "@dataknobs/core/backend";
import type { Table } from "./table.js";
import type { TextIndex } from "./text-index.js";

/** The records that match, in no order. */
export function hitsOf(table: Table, { fields, words, mode }: Match): readonly WireRecord[] {
  const texts = textsOf(table, fields);
  const [rarest, ...others] = words
    .map((word) => texts.map((text) => text.postings(word)))
    .sort((a, b) => total(a) - total(b)) as Postings[] as [Postings, ...Postings[]];
  const hits = new Set(rarest.flatMap((postings) => [...postings.keys()]));
  if (mode === "any") {
    for (const other of others) for (const postings of other) for (const record of postings.keys()) hits.add(record);
    return [...hits];
  }
  return [...hits].filter((record) => others.every((other) => other.some((postings) => postings.has(record))));
}

type Postings = readonly ReadonlyMap<WireRecord, number>[];

function total(postings: Postings): number {
  return postings.reduce((sum, { size }) => sum + size, 0);
}

function textsOf(table: Table, fields: Match["fields"]): readonly TextIndex[] {
  return fields.flatMap((path) => table.indexes.text(path) ?? []);
}

/** The score of a record of the store, or of a record that a transaction holds, by its words. */
export function scorerOf(
  table: Table,
  match: Match,
): { readonly stored: (record: WireRecord) => number; readonly counted: (words: WordCounts) => number } {
  const texts = textsOf(table, match.fields);
  const postings = match.words.map((word) => texts.map((text) => text.postings(word)));
  const length = texts.reduce((sum, text) => sum + text.total, 0);
  const corpus: Corpus = {
    size: table.size,
    meanLength: table.size === 0 ? 0 : length / table.size,
    frequencies: postings.map((one) =>
      one.length === 1 ? total(one) : new Set(one.flatMap((map) => [...map.keys()])).size,
    ),
  };
  return {
    stored: (record) => {
      const counts = postings.map((one) => one.reduce((sum, map) => sum + (map.get(record) ?? 0), 0));
      return bm25({ counts, length: texts.reduce((sum, text) => sum + text.lengthOf(record), 0) }, corpus);
    },
    counted: (words) => bm25(words, corpus),
  };
}
