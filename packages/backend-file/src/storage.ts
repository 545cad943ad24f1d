/** Where a store's records lie: in one file, or in a folder of parts. */
import type { Change, Image } from "./image.js";
import type { Steps } from "./steps.js";

export interface PartFile {
  readonly path: string;
  /** Put before derived ids. */
  readonly prefix: string;
  /** Whether it must be there: a part that a list names. */
  readonly listed: boolean;
}

export interface Commit {
  /** The state to reach. */
  readonly image: Image;
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
