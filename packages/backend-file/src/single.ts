/** A store in one file. */
import { sweepTemporaries } from "./atomic.js";
import type { DataFile } from "./data-file.js";
import { fault } from "./fault.js";
import type { Image } from "./image.js";
import type { Steps } from "./steps.js";
import type { Commit, PartFile, Storage } from "./storage.js";

export class SingleFile implements Storage {
  readonly path: string;
  readonly #file: DataFile;

  constructor(file: DataFile) {
    this.#file = file;
    this.path = file.path;
  }

  files(): readonly PartFile[] {
    return [{ path: this.path, prefix: "", listed: false }];
  }

  isCurrent(): boolean {
    return this.#file.isCurrent();
  }

  get torn(): Storage["torn"] {
    const bytes = this.#file.tornBytes;
    return bytes === 0 ? undefined : { path: this.path, position: this.#file.end, bytes };
  }

  *refresh(image: Image | undefined, fresh: () => Image): Steps<Image> {
    if (image !== undefined && this.#file.isLonger()) {
      try {
        yield* this.#file.loadTail(sinkOf(image));
        return image;
      } catch {
        // it does not continue what was read: written anew in place by another program, or damaged. Reading it from
        // the beginning tells which, and nothing of the half-read image is kept
      }
    }
    const next = fresh();
    yield* this.#file.load(sinkOf(next));
    return next;
  }

  *commit({ image, batches, check, anew }: Commit): Steps<void> {
    const file = this.#file;
    if (anew || !file.isAppendable) {
      yield* file.rewrite(image.all(), check);
      return;
    }
    yield* file.append(batches, check);
    if (!file.isWasteful(image.size)) return;
    try {
      yield* fault({ point: "compaction", path: this.path });
      yield* file.rewrite(image.all(), check);
    } catch {
      // the write itself is in the log; tidying up is tried again with the next one
      return;
    }
  }

  sweep(): void {
    sweepTemporaries(this.path);
  }

  close(): void {
    this.#file.close();
  }
}

function sinkOf(image: Image): Parameters<DataFile["load"]>[0] {
  return { put: (record) => image.put(record.id, record), delete: (id) => image.put(id, undefined) };
}
