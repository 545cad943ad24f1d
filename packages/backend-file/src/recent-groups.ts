/** Row groups that were decoded or encoded last, for reads and writes of records that lie together. Bounded by their size. */
import type { WireRecord } from "@dataknobs/core/backend";

/** Of JSON, about; in memory they take some times as much. */
const mostBytes = 2 * 1024 * 1024;
const sampled = 20;

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

  put(group: object, records: readonly WireRecord[]): void {
    const bytes = sizeOf(records);
    this.#groups.set(group, { records, bytes });
    this.#bytes += bytes;
    for (const [oldest, { bytes: freed }] of this.#groups) {
      if (this.#bytes <= mostBytes) return;
      this.#groups.delete(oldest);
      this.#bytes -= freed;
    }
  }
}

/** By a few of them. */
function sizeOf(records: readonly WireRecord[]): number {
  const step = Math.max(1, Math.floor(records.length / sampled));
  let [bytes, count] = [0, 0];
  for (let at = 0; at < records.length; at += step, count++) {
    const { data, metadata } = records[at] as WireRecord;
    bytes += JSON.stringify(data).length + JSON.stringify(metadata).length + 100;
  }
  return count === 0 ? 0 : (bytes / count) * records.length;
}
