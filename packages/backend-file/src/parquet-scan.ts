/** Queries over Parquet files that are not in memory: plan by footer, read row group by row group. */
import { closeSync } from "node:fs";
import type { Compiler, Path, ScanRequest, WireRecord } from "@dataknobs/core/backend";
import type { FileContext } from "./data-file.js";
import { missingPart } from "./folder.js";
import type { ParquetReader, ReadPlan } from "./formats/parquet-reader.js";
import { columnOf, type Skip, skipCompiler, statsOf } from "./formats/parquet-skip.js";
import { type OpenedParquet, ParquetFooter } from "./parquet-footer.js";
import type { Steps } from "./steps.js";
import type { PartFile, Storage } from "./storage.js";

/** What `explain` shows. */
export interface ParquetPlan {
  readonly columns: readonly string[];
  readonly rowGroups: { readonly read: number; readonly of: number };
  readonly bytes: { readonly read: number; readonly of: number };
}

export class ParquetScanner {
  readonly #context: Omit<FileContext, "prefix">;
  /** By path. */
  readonly #known: Map<string, ParquetFooter> = new Map();
  readonly compiler: Compiler<Skip>;

  constructor(context: Omit<FileContext, "prefix">) {
    this.#context = context;
    this.compiler = skipCompiler((path) => this.#columnName(path));
  }

  /** Reads the footers. */
  *prepare(storage: Pick<Storage, "files">): Steps<void> {
    closeAll(yield* this.#openAll(storage));
  }

  *start(storage: Pick<Storage, "files">, request: ScanRequest<Skip>): Steps<ParquetCursor> {
    return new ParquetCursor(yield* this.#openAll(storage), request);
  }

  *#openAll(storage: Pick<Storage, "files">): Steps<OpenedParquet[]> {
    for (let attempt = 1; ; attempt++) {
      const opened: OpenedParquet[] = [];
      const files = storage.files();
      let missing: string | undefined;
      try {
        for (const file of files) {
          const one = yield* this.#open(file);
          if (one !== undefined) opened.push(one);
          else if (file.listed) missing = file.path;
        }
      } catch (error) {
        closeAll(opened);
        throw error;
      }
      if (missing === undefined) {
        const paths = new Set(files.map(({ path }) => path));
        for (const path of this.#known.keys()) if (!paths.has(path)) this.#known.delete(path);
        return opened;
      }
      closeAll(opened);
      // a writer replaced the list and removed the part between our reading of the two
      if (attempt === 5) throw missingPart(missing);
    }
  }

  /** By the footers as last seen; reads nothing. */
  plan(request: Pick<ScanRequest<Skip>, "where" | "select">): ParquetPlan {
    const columns = new Set<string>();
    const total = { groups: 0, ofGroups: 0, bytes: 0, ofBytes: 0 };
    for (const reader of this.#readers()) {
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

  *#open({ path, prefix, footer = this.#known.get(path) }: PartFile): Steps<OpenedParquet | undefined> {
    const known = footer ?? new ParquetFooter(path, { ...this.#context, prefix });
    this.#known.set(path, known);
    return yield* known.open();
  }

  #readers(): readonly ParquetReader[] {
    return [...this.#known.values()].flatMap(({ reader }) => reader ?? []);
  }

  #columnName(path: Path): string | undefined {
    const names = this.#readers().map((reader) => columnOf(reader, path)?.name);
    return names.includes(undefined) ? undefined : names[0];
  }
}

function closeAll(opened: readonly OpenedParquet[]): void {
  for (const { fd } of opened) closeSync(fd);
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
  readonly #parts: OpenedParquet[];
  readonly #work: { readonly part: OpenedParquet; readonly group: number; readonly columns: ReadonlySet<string> }[];
  #toSkip: number;
  #toTake: number;

  constructor(parts: OpenedParquet[], request: ScanRequest<Skip>) {
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
    closeAll(this.#parts.splice(0));
  }
}
