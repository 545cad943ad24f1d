/**
 * How many records go into one write, where nobody said: more as long as writes are quick, for then much of their time is
 * what every write costs, whatever is in it: a commit, a file written anew. Within a bound of records and of their size.
 */
import type { WireRecord } from "../record/json.js";

const first = 1000;
export const mostRecords = 10_000;
/** Of JSON, about. */
const mostBytes = 4 * 1024 * 1024;
/** Milliseconds within which writes grow, and beyond which they shrink: progress and an abort wait for one. */
const quick = 1000;
const slow = 10_000;
const growth = 4;

export class Pace {
  readonly #fixed: number | undefined;
  #size = first;
  #bytes = 0;

  /** `fixed`: as the caller has it. */
  constructor(fixed: number | undefined) {
    this.#fixed = fixed;
  }

  get size(): number {
    if (this.#fixed !== undefined) return this.#fixed;
    const fitting = this.#bytes === 0 ? first : Math.max(1, Math.floor(mostBytes / this.#bytes));
    // large records make even the first writes short
    return Math.min(this.#size, fitting, mostRecords);
  }

  /** Told of every write: a few of its records tell how large they are. */
  wrote(records: readonly WireRecord[], milliseconds: number): void {
    if (this.#fixed !== undefined || records.length === 0) return;
    const step = Math.max(1, Math.floor(records.length / 8));
    let [bytes, count] = [0, 0];
    for (let at = 0; at < records.length; at += step) {
      const { data, metadata } = records[at] as WireRecord;
      bytes += JSON.stringify(data).length + JSON.stringify(metadata).length;
      count++;
    }
    this.#bytes = Math.max(1, bytes / count);
    // a last, short list says nothing of full ones
    if (records.length < this.size) return;
    if (milliseconds < quick) this.#size = Math.min(mostRecords, this.#size * growth);
    else if (milliseconds > slow) this.#size = Math.max(first, Math.floor(this.#size / 2));
  }
}
