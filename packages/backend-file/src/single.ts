/** A store in one file. */
import { sweepTemporaries } from "./atomic.js";
import { DataFile, type FileContext } from "./data-file.js";
import { fault } from "./fault.js";
import { formatOf } from "./formats.js";
import type { Image } from "./image.js";
import { ParquetTable, Wanted } from "./parquet-table.js";
import { RecentGroups } from "./recent-groups.js";
import type { Steps } from "./steps.js";
import { type Commit, changesOf, type Found, type PartFile, type Storage, type Table } from "./storage.js";

export class SingleFile implements Storage {
  readonly path: string;
  readonly table: Table | undefined;
  readonly #context: FileContext;
  readonly #file: DataFile;
  #parquet: ParquetTable | undefined;

  constructor(path: string, context: FileContext) {
    this.path = path;
    this.#context = context;
    this.#file = new DataFile(path, formatOf(context.settings), context);
    if (context.settings.format !== "parquet") return;
    this.#parquet = new ParquetTable(path, context, new RecentGroups());
    this.table = { find: (ids) => this.#find(ids), count: () => this.#count() };
  }

  files(): readonly PartFile[] {
    return [{ path: this.path, prefix: "", listed: false, footer: this.#parquet?.footer }];
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

  *commit(commit: Commit): Steps<void> {
    const { image, batches, check, anew } = commit;
    const file = this.#file;
    if (this.#parquet !== undefined && !anew) {
      this.#parquet = yield* this.#change(this.#parquet, commit);
      file.renew();
      return;
    }
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

  *#change(table: ParquetTable, { batches, found, check }: Commit): Steps<ParquetTable> {
    const { changes, old } = changesOf(batches);
    const places = found ?? (yield* this.#find(old));
    const { fsync } = this.#context.settings;
    return yield* table.change(this.path, changes, (id) => places.get(id)?.group, { fsync, check });
  }

  *#find(ids: Iterable<string>): Steps<Found> {
    const found = yield* (this.#parquet as ParquetTable).find(new Wanted(ids));
    return new Map([...found].map(([id, { record, group }]) => [id, { record, group, part: "" }]));
  }

  *#count(): Steps<number> {
    return (yield* (this.#parquet as ParquetTable).count()) ?? 0;
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
