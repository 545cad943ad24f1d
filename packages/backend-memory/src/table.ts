/** The records and their indexes. Every change goes through `put`, which keeps both in step. */
import { idPath, type WireRecord } from "@dataknobs/core/backend";
import type { ChangeableStore } from "./apply.js";
import { Indexes } from "./indexes.js";
import { SortedIndex } from "./sorted-index.js";

export class Table implements ChangeableStore {
  readonly indexes: Indexes;
  /** All records in id order. */
  readonly ids: SortedIndex;
  readonly #records: Map<string, WireRecord> = new Map();
  /** Whether a read or a write makes a record the youngest. */
  readonly #touches: boolean;
  #all: readonly WireRecord[] | undefined;
  /** Kept between evictions: a new one would step over all the deleted entries at the map's beginning. */
  #oldest: MapIterator<string> | undefined;

  constructor(options: { readonly touches: boolean }) {
    this.#touches = options.touches;
    const all = (): readonly WireRecord[] => this.all();
    this.indexes = new Indexes(all);
    this.ids = new SortedIndex(idPath, all);
  }

  get size(): number {
    return this.#records.size;
  }

  get(id: string): WireRecord | undefined {
    return this.#records.get(id);
  }

  /** As `get`; under LRU the record becomes the youngest. */
  touch(id: string): WireRecord | undefined {
    const record = this.#records.get(id);
    if (this.#touches && record !== undefined) {
      this.#records.delete(id);
      this.#records.set(id, record);
    }
    return record;
  }

  /** Every record, in no order. The array is a snapshot: a write makes a new one. */
  all(): readonly WireRecord[] {
    this.#all ??= Array.from(this.#records.values());
    return this.#all;
  }

  put(id: string, before: WireRecord | undefined, after: WireRecord | undefined): void {
    this.#all = undefined;
    if (after === undefined || (this.#touches && before !== undefined)) this.#records.delete(id);
    if (after !== undefined) this.#records.set(id, after);
    this.ids.change(before, after);
    this.indexes.change(before, after);
  }

  duplicate(record: WireRecord): string | undefined {
    for (const { name, values } of this.indexes.uniques) {
      for (const key of values.keysOf(record)) {
        for (const other of values.records(key)) if (other.id !== record.id) return name;
      }
    }
    return undefined;
  }

  /** The record to evict first. What was named before must be gone by now. */
  oldest(): WireRecord | undefined {
    let next = this.#oldest?.next();
    if (next === undefined || next.done === true) {
      this.#oldest = this.#records.keys();
      next = this.#oldest.next();
    }
    return next.done === true ? undefined : this.#records.get(next.value);
  }

  clear(): void {
    this.#records.clear();
    this.#all = undefined;
    this.#oldest = undefined;
    this.ids.forget();
    this.indexes.forget();
  }
}
