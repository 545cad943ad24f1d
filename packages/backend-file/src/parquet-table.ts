/**
 * A Parquet file of which only parts are in memory: records are found by id, and some of them changed. What is kept of the
 * file is its footer, hashes of ids (`id-set.ts`), and the row groups used last. A change writes the file anew, most of it
 * copied byte for byte; foreign files are brought into our layout.
 */
import { closeSync, type Stats, statSync } from "node:fs";
import { compareText, DataknobsError, type WireRecord } from "@dataknobs/core/backend";
import { type FileSink, type ReplaceOptions, replaceFile } from "./atomic.js";
import { type FileContext, sameState } from "./data-file.js";
import { classify, corrupt } from "./errors.js";
import { pointerOf } from "./formats/parquet-columns.js";
import { type Layout, markPosition, ParquetEncoder } from "./formats/parquet-encoder.js";
import { type Origin, planPieces } from "./formats/parquet-pieces.js";
import type { ParquetReader } from "./formats/parquet-reader.js";
import { declaredPaths, Survey } from "./formats/parquet-survey.js";
import { hashOf, IdSet } from "./id-set.js";
import { type OpenedParquet, ParquetFooter } from "./parquet-footer.js";
import type { RecentGroups } from "./recent-groups.js";
import { perform, readRange, type Steps } from "./steps.js";

/** A row group; the object stays the same for as long as its bytes do. */
interface Group {
  readonly rows: number;
  /** Made when first needed. */
  ids: IdSet | undefined;
}

/** Ids to be found, prepared once for many row groups. */
export class Wanted {
  readonly ids: readonly string[];
  readonly hashes: readonly number[];
  readonly #low: string;
  readonly #high: string;

  constructor(ids: Iterable<string>) {
    this.ids = [...new Set(ids)];
    this.hashes = this.ids.map(hashOf);
    this.#low = this.ids.reduce((a, b) => (compareText(a, b) <= 0 ? a : b), this.ids[0] ?? "");
    this.#high = this.ids.reduce((a, b) => (compareText(a, b) >= 0 ? a : b), "");
  }

  /** Whether any may lie between two bounds; `undefined`: unknown. */
  mayLieWithin(low: unknown, high: unknown): boolean {
    if (typeof low !== "string" || typeof high !== "string") return true;
    return compareText(this.#high, low) >= 0 && compareText(this.#low, high) <= 0;
  }
}

/** New states of records by id; `undefined`: deleted. */
export type Changes = ReadonlyMap<string, WireRecord | undefined>;

const copiedAtOnce = 4 * 1024 * 1024;

export class ParquetTable {
  readonly footer: ParquetFooter;
  readonly #context: FileContext;
  readonly #recent: RecentGroups;
  /** Of the file that the groups are of; `undefined`: there was none. */
  #stats: Stats | undefined;
  #groups: readonly Group[] = [];

  constructor(path: string, context: FileContext, recent: RecentGroups) {
    this.footer = new ParquetFooter(path, context);
    this.#context = context;
    this.#recent = recent;
  }

  get path(): string {
    return this.footer.path;
  }

  /** Rows of the file as last seen; `undefined`: there was none. */
  get rows(): number | undefined {
    return this.#stats && this.#groups.reduce((sum, { rows }) => sum + rows, 0);
  }

  /** Rows of the file as it is now. */
  *count(): Steps<number | undefined> {
    return yield* this.#opened(function* (this: ParquetTable) {
      return this.rows;
    });
  }

  /** The records that there are, and the row group of each. */
  *find(wanted: Wanted): Steps<Map<string, { readonly record: WireRecord; readonly group: number }>> {
    const found = new Map<string, { record: WireRecord; group: number }>();
    yield* this.#opened(function* (this: ParquetTable, opened: OpenedParquet): Steps<void> {
      for (const index of this.#groups.keys()) {
        const maybe = yield* this.#candidates(opened, index, wanted);
        if (maybe.size === 0) continue;
        for (const record of yield* this.#records(opened, index))
          if (maybe.has(record.id)) found.set(record.id, { record, group: index });
      }
    });
    return found;
  }

  /**
   * Writes the file with changes, to its own path or another, and gives the table of it. `groupOf`: where `find` has just
   * found the record. `CONFLICT` where another program wrote meanwhile.
   */
  *change(
    target: string,
    changes: Changes,
    groupOf: (id: string) => number | undefined,
    options: ReplaceOptions,
  ): Steps<ParquetTable> {
    const work = new Work(changes, groupOf);
    const next = new ParquetTable(target, this.#context, this.#recent);
    const seen = this.#stats;
    const unchanged = (): void => {
      if (this.#stats !== seen) throw changedMeanwhile(this.path);
    };
    const opened = yield* this.#opened(function* (this: ParquetTable, source: OpenedParquet): Steps<true> {
      unchanged();
      yield* this.#write(next, source, work, options);
      return true;
    });
    if (opened !== undefined) return next;
    unchanged();
    yield* this.#write(next, undefined, work, options);
    return next;
  }

  *#write(next: ParquetTable, opened: OpenedParquet | undefined, work: Work, options: ReplaceOptions): Steps<void> {
    const { settings } = this.#context;
    const { layout, anew } = yield* this.#layout(opened, work);
    const states = this.#groups.map(({ rows }, index) => ({
      rows: rows - work.deletedIn(index),
      touched: anew || work.touches(index),
    }));
    const pieces = planPieces(states, work.added.length, settings.rowGroupSize);
    const encoder = new ParquetEncoder(layout, settings);
    const groups: Group[] = [];
    let footer: Buffer = Buffer.alloc(0);
    const content = function* (this: ParquetTable, sink: FileSink): Steps<void> {
      for (const piece of pieces) {
        if ("keep" in piece) {
          groups.push(this.#groups[piece.keep] as Group);
          yield* copy(opened as OpenedParquet, encoder, piece.keep, sink);
        } else {
          for (const group of yield* this.#encode(opened, encoder, piece.encode, work, sink)) groups.push(group);
        }
      }
      const end = encoder.finish();
      ({ footer } = end);
      yield* sink.append(end.bytes);
      yield* sink.patch(end.mark, markPosition);
    };
    yield* replaceFile(next.path, (sink) => content.call(this, sink), options);
    const stats = statSync(next.path);
    next.footer.wrote(footer, stats);
    next.#stats = stats;
    next.#groups = groups;
  }

  /** Row groups of what is left of old ones, and of new records. */
  *#encode(
    opened: OpenedParquet | undefined,
    encoder: ParquetEncoder,
    origins: readonly Origin[],
    work: Work,
    sink: FileSink,
  ): Steps<readonly Group[]> {
    const size = this.#context.settings.rowGroupSize;
    const groups: Group[] = [];
    const made = function* (this: ParquetTable, records: readonly WireRecord[]): Steps<void> {
      encoder.encode(records);
      const bytes = encoder.take();
      const group: Group = { rows: records.length, ids: new IdSet(records.map(({ id }) => id)) };
      groups.push(group);
      this.#recent.put(group, records);
      yield* sink.append(bytes);
    };
    let rest: readonly WireRecord[] = [];
    for (const origin of origins) {
      const records =
        origin === "new" ? work.added : work.applied(origin, yield* this.#records(opened as OpenedParquet, origin));
      rest = rest.length === 0 ? records : [...rest, ...records];
      let at = 0;
      for (; rest.length - at >= size; at += size) yield* made.call(this, rest.slice(at, at + size));
      if (at > 0) rest = rest.slice(at);
    }
    if (rest.length > 0) yield* made.call(this, rest);
    return groups;
  }

  /** The columns to write; `anew`: not those of the row groups that are there. */
  *#layout(opened: OpenedParquet | undefined, work: Work): Steps<{ readonly layout: Layout; readonly anew: boolean }> {
    const notes = opened?.reader.notes;
    const known = new Map(
      [...(notes?.declared ?? []), ...declaredPaths(this.#context.declared)].map((path) => [pointerOf(path), path]),
    );
    const declared = [...known.values()];
    const survey = new Survey(declared);
    survey.add(work.changed);
    // a field that was not declared may be anywhere in the rest
    if (opened !== undefined && notes !== undefined && declared.length === (notes.declared ?? []).length) {
      const { fields: before, metadata, rest } = notes;
      const cells = (name: string): number => cellsOf(opened.reader, name);
      const fields = survey.evolved(before, { cells, hasRest: rest });
      if (fields !== undefined) return { layout: { fields, declared, metadata, rest }, anew: false };
    }
    const all = new Survey(declared);
    for (const index of this.#groups.keys())
      all.add(work.applied(index, yield* this.#records(opened as OpenedParquet, index)));
    all.add(work.added);
    return { layout: { fields: all.columns(), declared, metadata: false, rest: false }, anew: true };
  }

  // ---------- reading

  *#opened<R>(work: (this: ParquetTable, opened: OpenedParquet) => Steps<R>): Steps<R | undefined> {
    const opened = yield* this.footer.open();
    if (!sameState(this.#stats, opened?.stats)) {
      this.#stats = opened?.stats;
      const groups = opened?.reader.metadata.row_groups ?? [];
      this.#groups = groups.map(({ num_rows: rows }) => ({ rows: Number(rows), ids: undefined }));
    }
    if (opened === undefined) return undefined;
    try {
      return yield* work.call(this, opened);
    } catch (error) {
      throw classify(error, this.path);
    } finally {
      closeSync(opened.fd);
    }
  }

  /** Those of the ids that a row group may have. */
  *#candidates(opened: OpenedParquet, index: number, wanted: Wanted): Steps<ReadonlySet<string>> {
    const none: ReadonlySet<string> = new Set();
    const group = this.#groups[index] as Group;
    const { notes, metadata } = opened.reader;
    // the ids of another program's file may be no column of it
    const first = notes && metadata.row_groups[index]?.columns[0]?.meta_data?.statistics;
    if (wanted.ids.length === 0 || !wanted.mayLieWithin(first?.min_value, first?.max_value)) return none;
    group.ids ??= new IdSet((yield* this.#ids(opened, index)).map(({ id }) => id));
    const { ids } = group;
    return new Set(wanted.ids.filter((_, at) => ids.mayHave(wanted.hashes[at] as number)));
  }

  *#ids(opened: OpenedParquet, index: number): Steps<readonly WireRecord[]> {
    if (opened.reader.notes === undefined) return yield* this.#records(opened, index);
    return yield* opened.reader.readGroup(opened.source, index, idColumn);
  }

  *#records({ reader, source }: OpenedParquet, index: number): Steps<readonly WireRecord[]> {
    const group = this.#groups[index] as Group;
    const known = this.#recent.get(group);
    if (known !== undefined) return known;
    const { columns } = reader.plan(undefined, () => false);
    const records = yield* reader.readGroup(source, index, columns);
    this.#recent.put(group, records);
    return records;
  }
}

const idColumn: ReadonlySet<string> = new Set(["id"]);

/** Changes by the row group that they concern. */
class Work {
  readonly added: readonly WireRecord[];
  /** All new states. */
  readonly changed: readonly WireRecord[];
  readonly #byGroup: Map<number, Map<string, WireRecord | undefined>> = new Map();

  constructor(changes: Changes, groupOf: (id: string) => number | undefined) {
    const added: WireRecord[] = [];
    for (const [id, after] of changes) {
      const group = groupOf(id);
      if (group !== undefined) {
        const list = this.#byGroup.get(group);
        if (list === undefined) this.#byGroup.set(group, new Map([[id, after]]));
        else list.set(id, after);
      } else if (after !== undefined) added.push(after);
    }
    this.added = added;
    this.changed = [...changes.values()].filter((after) => after !== undefined);
  }

  touches(group: number): boolean {
    return this.#byGroup.has(group);
  }

  deletedIn(group: number): number {
    let deleted = 0;
    for (const after of this.#byGroup.get(group)?.values() ?? []) if (after === undefined) deleted++;
    return deleted;
  }

  /** The records of a row group after the changes. */
  applied(group: number, records: readonly WireRecord[]): readonly WireRecord[] {
    const changes = this.#byGroup.get(group);
    if (changes === undefined) return records;
    return records.flatMap((record) => {
      const after = changes.has(record.id) ? changes.get(record.id) : record;
      return after === undefined ? [] : [after];
    });
  }
}

function* copy(
  { reader, fd, path }: OpenedParquet,
  encoder: ParquetEncoder,
  group: number,
  sink: FileSink,
): Steps<void> {
  const { bytes, ranges } = encoder.keep(reader, group);
  if (bytes.length > 0) yield* sink.append(bytes);
  for (const { start, end } of ranges) {
    for (let at = start; at < end; at += copiedAtOnce) {
      const stop = Math.min(end, at + copiedAtOnce);
      const part = yield* perform(readRange(fd, at, stop));
      // another program cut it off under our eyes
      if (part.length < stop - at)
        throw corrupt(path, "it ends before its footer says", { position: at + part.length });
      yield* sink.append(part);
    }
  }
}

function changedMeanwhile(path: string): DataknobsError {
  return new DataknobsError("CONFLICT", `Another program wrote the file ${path} meanwhile. Nothing was written.`, {
    backend: "file",
    path,
  });
}

/** Values that a column has, in all of the file. */
function cellsOf({ metadata }: ParquetReader, name: string): number {
  let cells = 0n;
  for (const { columns } of metadata.row_groups) {
    const meta = columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === name)?.meta_data;
    cells += (meta?.num_values ?? 0n) - (meta?.statistics?.null_count ?? 0n);
  }
  return Number(cells);
}
