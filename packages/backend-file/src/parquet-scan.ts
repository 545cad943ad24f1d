/** Queries over Parquet files that are not in memory: plan by footer, read row group by row group. */
import { closeSync, fstatSync, openSync, type Stats } from "node:fs";
import type { Compiler, Path, ScanRequest, WireRecord } from "@dataknobs/core/backend";
import { decodeContext, type FileContext, sameState } from "./data-file.js";
import { classify, errnoOf } from "./errors.js";
import { missingPart } from "./folder.js";
import { ParquetReader, type ReadPlan, type Source } from "./formats/parquet-reader.js";
import { columnOf, type Skip, skipCompiler, statsOf } from "./formats/parquet-skip.js";
import { readRange, type Steps } from "./steps.js";
import type { PartFile, Storage } from "./storage.js";

interface Opened {
  readonly reader: ParquetReader;
  readonly source: Source;
  close(): void;
}

/** What `explain` shows. */
export interface ParquetPlan {
  readonly columns: readonly string[];
  readonly rowGroups: { readonly read: number; readonly of: number };
  readonly bytes: { readonly read: number; readonly of: number };
}

export class ParquetScanner {
  readonly #context: Omit<FileContext, "prefix">;
  /** Footers by path, for as long as the file stays the same. */
  readonly #known: Map<string, { readonly reader: ParquetReader; readonly stats: Stats }> = new Map();
  readonly compiler: Compiler<Skip>;

  constructor(context: Omit<FileContext, "prefix">) {
    this.#context = context;
    this.compiler = skipCompiler((path) => this.#columnName(path));
  }

  /** Reads the footers. */
  *prepare(storage: Pick<Storage, "files">): Steps<void> {
    for (const one of yield* this.#openAll(storage)) one.close();
  }

  *start(storage: Pick<Storage, "files">, request: ScanRequest<Skip>): Steps<ParquetCursor> {
    return new ParquetCursor(yield* this.#openAll(storage), request);
  }

  *#openAll(storage: Pick<Storage, "files">): Steps<Opened[]> {
    for (let attempt = 1; ; attempt++) {
      const opened: Opened[] = [];
      const close = (): void => {
        for (const one of opened) one.close();
      };
      const files = storage.files();
      let missing: string | undefined;
      try {
        for (const file of files) {
          const one = yield* this.#open(file);
          if (one !== undefined) opened.push(one);
          else if (file.listed) missing = file.path;
        }
      } catch (error) {
        close();
        throw error;
      }
      if (missing === undefined) {
        const paths = new Set(files.map(({ path }) => path));
        for (const path of this.#known.keys()) if (!paths.has(path)) this.#known.delete(path);
        return opened;
      }
      close();
      // a writer replaced the list and removed the part between our reading of the two
      if (attempt === 5) throw missingPart(missing);
    }
  }

  /** By the footers as last seen; reads nothing. */
  plan(request: Pick<ScanRequest<Skip>, "where" | "select">): ParquetPlan {
    const columns = new Set<string>();
    const total = { groups: 0, ofGroups: 0, bytes: 0, ofBytes: 0 };
    for (const { reader } of this.#known.values()) {
      const plan = planOf(reader, request);
      for (const name of plan.columns) columns.add(name);
      total.groups += plan.groups.length;
      total.bytes += plan.bytes;
      total.ofGroups += reader.metadata.row_groups.length;
      total.ofBytes += reader.plan(undefined, () => true).bytes;
    }
    return {
      columns: [...columns],
      rowGroups: { read: total.groups, of: total.ofGroups },
      bytes: { read: total.bytes, of: total.ofBytes },
    };
  }

  *#open({ path, prefix }: PartFile): Steps<Opened | undefined> {
    let fd: number;
    try {
      fd = openSync(path, "r");
    } catch (error) {
      this.#known.delete(path);
      if (errnoOf(error) === "ENOENT") return undefined;
      throw classify(error, path);
    }
    try {
      const stats = fstatSync(fd);
      const source: Source = { size: stats.size, read: (start, end) => readRange(fd, start, end) };
      const known = this.#known.get(path);
      const reader = sameState(known?.stats, stats)
        ? (known as { reader: ParquetReader }).reader
        : yield* ParquetReader.open(source, decodeContext(path, stats, { ...this.#context, prefix }));
      this.#known.set(path, { reader, stats });
      return { reader, source, close: () => closeSync(fd) };
    } catch (error) {
      closeSync(fd);
      throw classify(error, path);
    }
  }

  #columnName(path: Path): string | undefined {
    const names = [...this.#known.values()].map(({ reader }) => columnOf(reader, path)?.name);
    return names.includes(undefined) ? undefined : names[0];
  }
}

function planOf(
  reader: ParquetReader,
  { where, select, bare }: Pick<ScanRequest<Skip>, "where" | "select" | "bare">,
): ReadPlan {
  return reader.plan(select, (group) => where === undefined || where.mayMatch((path) => statsOf(reader, group, path)), {
    bare,
  });
}

/** A scan in progress, over files as they were when it began. */
export class ParquetCursor {
  readonly #parts: Opened[];
  readonly #work: { readonly part: Opened; readonly group: number; readonly columns: ReadonlySet<string> }[];
  #toSkip: number;
  #toTake: number;

  constructor(parts: Opened[], request: ScanRequest<Skip>) {
    this.#parts = parts;
    this.#toSkip = request.offset;
    this.#toTake = request.limit ?? Number.POSITIVE_INFINITY;
    this.#work = parts.flatMap((part) => {
      const { groups, columns } = planOf(part.reader, request);
      return groups.map((group) => ({ part, group, columns }));
    });
  }

  /** The next records; `undefined` at the end. */
  *next(): Steps<readonly WireRecord[] | undefined> {
    const next = this.#toTake > 0 ? this.#work.shift() : undefined;
    if (next === undefined) return undefined;
    const { part, group, columns } = next;
    const rows = Number(part.reader.metadata.row_groups[group]?.num_rows);
    if (this.#toSkip >= rows) {
      this.#toSkip -= rows;
      return [];
    }
    const records = (yield* part.reader.readGroup(part.source, group, columns)).slice(
      this.#toSkip,
      this.#toSkip + this.#toTake,
    );
    this.#toSkip = 0;
    this.#toTake -= records.length;
    return records;
  }

  close(): void {
    for (const part of this.#parts.splice(0)) part.close();
  }
}
