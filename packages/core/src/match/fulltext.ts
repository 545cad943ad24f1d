/** Full text by scan: which records match is the contract; the rank is BM25 over the records seen. */

import type { Match, Path } from "../query/lowered.js";
import type { WireRecord } from "../record/json.js";
import { getterOf, typesOf } from "./access.js";
import { compareText } from "./compare.js";
import { tokenize } from "./tokens.js";

/** How often each word of the match occurs in the record's fields, and how many words those have in all. */
export interface WordCounts {
  readonly counts: readonly number[];
  readonly length: number;
}

/** A function that gives the words of a record's field: of a string, or of the strings in a list. */
export function wordsOf(path: Path): (record: WireRecord) => string[] {
  const get = getterOf(path);
  const types = typesOf(path);
  const { pointer } = path;
  return (record) => {
    const value = get(record);
    const map = types(record);
    // a bigint or bytes is stored as text but is none
    const isText = (at: string): boolean => map === null || (map[at] !== "bigint" && map[at] !== "bytes");
    if (typeof value === "string") return isText(pointer) ? tokenize(value) : [];
    if (!Array.isArray(value)) return [];
    return value.flatMap((item, index) =>
      typeof item === "string" && isText(`${pointer}/${index}`) ? tokenize(item) : [],
    );
  };
}

/** Counts the match's words in records. */
export function wordCounter(match: Match): (record: WireRecord) => WordCounts {
  const readers = match.fields.map(wordsOf);
  const places = new Map(match.words.map((word, index) => [word, index]));
  return (record) => {
    const counts: number[] = new Array(match.words.length).fill(0);
    let length = 0;
    for (const read of readers) {
      for (const word of read(record)) {
        length++;
        const place = places.get(word);
        if (place !== undefined) counts[place] = (counts[place] as number) + 1;
      }
    }
    return { counts, length };
  };
}

/** Whether every word, or any word, occurs. */
export function isHit(match: Match, { counts }: WordCounts): boolean {
  return match.mode === "all" ? counts.every((count) => count > 0) : counts.some((count) => count > 0);
}

export interface Corpus {
  /** Records in all. */
  readonly size: number;
  /** Mean number of words per record. */
  readonly meanLength: number;
  /** In how many records each word of the match occurs. */
  readonly frequencies: readonly number[];
}

const k1 = 1.2;
const b = 0.75;

/** Okapi BM25 (Robertson and Zaragoza 2009) with the non-negative idf that Lucene uses. */
export function bm25({ counts, length }: WordCounts, { size, meanLength, frequencies }: Corpus): number {
  let score = 0;
  for (let index = 0; index < counts.length; index++) {
    const count = counts[index] as number;
    if (count === 0) continue;
    const frequency = frequencies[index] as number;
    const rarity = Math.log(1 + (size - frequency + 0.5) / (frequency + 0.5));
    score += (rarity * count * (k1 + 1)) / (count + k1 * (1 - b + (b * length) / (meanLength || 1)));
  }
  return score;
}

export interface RankedHit {
  readonly record: WireRecord;
  readonly words: WordCounts;
}

/** Best first, with scores; ties by id. The corpus is that of these records alone: the same on every store. */
export function rankByWords(hits: readonly RankedHit[], words: number): WireRecord[] {
  const frequencies: number[] = new Array(words).fill(0);
  let length = 0;
  for (const hit of hits) {
    length += hit.words.length;
    for (let word = 0; word < words; word++) {
      if ((hit.words.counts[word] as number) > 0) frequencies[word] = (frequencies[word] as number) + 1;
    }
  }
  const corpus = { size: hits.length, meanLength: hits.length === 0 ? 0 : length / hits.length, frequencies };
  return hits
    .map((hit) => ({ ...hit.record, score: bm25(hit.words, corpus) }))
    .sort((a, b) => b.score - a.score || compareText(a.id, b.id));
}
