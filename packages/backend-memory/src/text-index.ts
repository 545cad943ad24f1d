/** An inverted index of one field: word → record → how often. Built at its first use, then changed with every write. */
import { type Path, type WireRecord, wordsOf } from "@dataknobs/core/backend";

const none: ReadonlyMap<WireRecord, number> = new Map();

export class TextIndex {
  readonly path: Path;
  readonly #wordsOf: (record: WireRecord) => string[];
  readonly #all: () => Iterable<WireRecord>;
  #postings: Map<string, Map<WireRecord, number>> | undefined;
  readonly #lengths: Map<WireRecord, number> = new Map();
  #total = 0;

  constructor(path: Path, all: () => Iterable<WireRecord>) {
    this.path = path;
    this.#wordsOf = wordsOf(path);
    this.#all = all;
  }

  change(before: WireRecord | undefined, after: WireRecord | undefined): void {
    if (this.#postings === undefined) return;
    if (before !== undefined) this.#remove(this.#postings, before);
    if (after !== undefined) this.#add(this.#postings, after);
  }

  forget(): void {
    this.#postings = undefined;
    this.#lengths.clear();
    this.#total = 0;
  }

  /** The records with the word, and how often each has it. */
  postings(word: string): ReadonlyMap<WireRecord, number> {
    if (this.#postings === undefined) {
      this.#postings = new Map();
      for (const record of this.#all()) this.#add(this.#postings, record);
    }
    return this.#postings.get(word) ?? none;
  }

  /** How many words the record has in this field. */
  lengthOf(record: WireRecord): number {
    return this.#lengths.get(record) ?? 0;
  }

  /** How many words all records have in this field. */
  get total(): number {
    return this.#total;
  }

  #add(postings: Map<string, Map<WireRecord, number>>, record: WireRecord): void {
    const words = this.#wordsOf(record);
    if (words.length === 0) return;
    this.#lengths.set(record, words.length);
    this.#total += words.length;
    for (const word of words) {
      let counts = postings.get(word);
      if (counts === undefined) {
        counts = new Map();
        postings.set(word, counts);
      }
      counts.set(record, (counts.get(record) ?? 0) + 1);
    }
  }

  #remove(postings: Map<string, Map<WireRecord, number>>, record: WireRecord): void {
    this.#total -= this.lengthOf(record);
    if (!this.#lengths.delete(record)) return;
    for (const word of new Set(this.#wordsOf(record))) {
      const counts = postings.get(word);
      if (counts?.delete(record) && counts.size === 0) postings.delete(word);
    }
  }
}
