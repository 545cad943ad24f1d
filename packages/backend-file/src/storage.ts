/** Where a store's records lie: in one file, or in a folder of parts. */
import type { WireRecord } from "@dataknobs/core/backend";
import type { Change, Image } from "./image.js";
import type { ParquetFooter } from "./parquet-footer.js";
import type { Steps } from "./steps.js";

export interface PartFile {
  readonly path: string;
  /** Put before derived ids. */
  readonly prefix: string;
  /** Whether it must be there: a part that a list names. */
  readonly listed: boolean;
  /** Of a Parquet file: as the store knows it. */
  readonly footer?: ParquetFooter | undefined;
}

/** A record and where it lies: a part's key, and a row group. */
export interface Place {
  readonly record: WireRecord;
  readonly part: string;
  readonly group: number;
}
export type Found = ReadonlyMap<string, Place>;

/** Records that are found one by one, so that not all of them need to be in memory. */
export interface Table {
  find(ids: Iterable<string>): Steps<Found>;
  /** How many there are. */
  count(): Steps<number>;
}

export interface Commit {
  /** The state to reach; with `found`, of the records found there only. */
  readonly image: Image;
  /** What the changes were decided on, where that was not the whole image. */
  readonly found?: Found | undefined;
  /** What changed since the last commit; the lists are the writes that were asked for, each all or nothing. */
  readonly batches: readonly (readonly Change[])[];
  /** Throws where the lock was lost. */
  readonly check: () => void;
  /** Write everything anew, leaving nothing of what was. */
  readonly anew: boolean;
}

export interface Storage {
  /** What the lock belongs to. */
  readonly path: string;
  /** Absent where records can only be read all at once. */
  readonly table: Table | undefined;
  /** The files with records, as they are now. */
  files(): readonly PartFile[];
  /** Whether nobody wrote since it was last read or written here. */
  isCurrent(): boolean;
  /** Takes over what others wrote: into the image given, or, where it has to be read anew, into a fresh one. */
  refresh(image: Image | undefined, fresh: () => Image): Steps<Image>;
  /** Makes changes lasting, all or nothing for each batch. Under the lock. */
  commit(commit: Commit): Steps<void>;
  /** A write that was cut off, at the end of a log. */
  readonly torn: { readonly path: string; readonly position: number; readonly bytes: number } | undefined;
  /** Removes what crashed writers left. Under the lock. */
  sweep(): void;
  close(): void;
}

/** The last state of every record that changed, and ids of those that were there before. */
export function changesOf(batches: Commit["batches"]): {
  readonly changes: ReadonlyMap<string, WireRecord | undefined>;
  readonly old: readonly string[];
} {
  const changes = new Map<string, WireRecord | undefined>();
  const old: string[] = [];
  for (const batch of batches) {
    for (const [id, before, after] of batch) {
      if (before !== undefined && !changes.has(id)) old.push(id);
      changes.set(id, after);
    }
  }
  return { changes, old };
}
