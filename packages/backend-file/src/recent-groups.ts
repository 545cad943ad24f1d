/** Row groups that were decoded or encoded last, for reads and writes of records that lie together. Bounded by their size. */
import type { WireRecord } from "@dataknobs/core/backend";

/** Of columns, before compression; records take some times as much. */
const mostBytes = 8 * 1024 * 1024;

export class RecentGroups {
  /** The least recently used first. */
  readonly #groups: Map<object, { readonly records: readonly WireRecord[]; readonly bytes: number }> = new Map();
  #bytes = 0;

  get(group: object): readonly WireRecord[] | undefined {
    const found = this.#groups.get(group);
    if (found === undefined) return undefined;
    this.#groups.delete(group);
    this.#groups.set(group, found);
    return found.records;
  }

  put(group: object, records: readonly WireRecord[], bytes: number): void {
    this.#groups.set(group, { records, bytes });
    this.#bytes += bytes;
    for (const [oldest, { bytes: freed }] of this.#groups) {
      if (this.#bytes <= mostBytes) return;
      this.#groups.delete(oldest);
      this.#bytes -= freed;
    }
  }
}
