/**
 * A store in a folder of parts, one file each: by the value of a field, or of a limited size.
 *
 * A list of the parts, `dataknobs.json`, says which files count. A write into one part of a log format is appended there;
 * any other writes the parts that it touches as new files and then replaces the list, which is the moment when it counts.
 * A folder without the list is read as all its files of the format, in the order of their names.
 */

import { mkdirSync, readdirSync, readFileSync, rmSync, type Stats, statSync } from "node:fs";
import { extname, join } from "node:path";
import { type IndexSpec, resolvePath, type WireRecord } from "@dataknobs/core/backend";
import { replaceFile, sweepTemporaries } from "./atomic.js";
import { DataFile, type FileContext, sameState } from "./data-file.js";
import { corrupt, errnoOf } from "./errors.js";
import { recordLine } from "./formats/jsonl.js";
import { formatOf } from "./formats.js";
import type { Change, Image } from "./image.js";
import type { Settings } from "./options.js";
import { ParquetTable, Wanted } from "./parquet-table.js";
import { changesByPart, type Homes, touchedBy } from "./part-changes.js";
import { listName, listText, parseList, partitionOf } from "./part-list.js";
import { RecentGroups } from "./recent-groups.js";
import type { Steps } from "./steps.js";
import { type Commit, changesOf, type Found, type PartFile, type Place, type Storage, type Table } from "./storage.js";

interface Part {
  /** What its records have in common; for a part of limited size just its name. */
  readonly key: string;
  readonly name: string;
  readonly file: DataFile;
  /** Of a Parquet file. */
  readonly table: ParquetTable | undefined;
}

const extensions = { jsonl: ["jsonl", "ndjson"], json: ["json"], csv: ["csv"], parquet: ["parquet"] } as const;

export class Folder implements Storage {
  readonly path: string;
  readonly table: Table | undefined;
  readonly #recent = new RecentGroups();
  readonly #settings: Settings;
  readonly #context: Omit<FileContext, "prefix">;
  readonly #partition: ((record: WireRecord) => string) | undefined;
  #parts: Map<string, Part> = new Map();
  /** id → the key of its part; of the records in memory. */
  #homes: Map<string, string> = new Map();
  #next = 1;
  #listStats: Stats | undefined;
  #listed = false;

  constructor(path: string, settings: Settings, declared: readonly IndexSpec[]) {
    this.path = path;
    this.#settings = settings;
    this.#context = { settings, declared };
    this.#partition = settings.partitionBy === undefined ? undefined : partitionOf(resolvePath(settings.partitionBy));
    if (settings.format === "parquet") this.table = { find: (ids) => this.#find(ids), count: () => this.#count() };
  }

  files(): readonly PartFile[] {
    if (!sameState(this.#listStats, this.#statList()) || !this.#listed) this.#readList();
    return [...this.#parts.values()].map(({ name, file, table }) => ({
      path: file.path,
      prefix: this.#prefix(name),
      listed: this.#listStats !== undefined,
      footer: table?.footer,
    }));
  }

  isCurrent(): boolean {
    return (
      this.#listed &&
      sameState(this.#listStats, this.#statList()) &&
      (this.#listStats !== undefined || this.#names().length === this.#parts.size) &&
      [...this.#parts.values()].every(({ file }) => file.isCurrent())
    );
  }

  get torn(): Storage["torn"] {
    for (const { file } of this.#parts.values()) {
      if (file.tornBytes > 0) return { path: file.path, position: file.end, bytes: file.tornBytes };
    }
    return undefined;
  }

  *refresh(image: Image | undefined, fresh: () => Image): Steps<Image> {
    const changed = [...this.#parts.values()].filter(({ file }) => !file.isCurrent());
    const onlyLonger =
      this.#listed && sameState(this.#listStats, this.#statList()) && changed.every(({ file }) => file.isLonger());
    if (image !== undefined && onlyLonger) {
      try {
        for (const part of changed) yield* part.file.loadTail(this.#sink(part, image));
        return image;
      } catch {
        // it does not continue what was read: reading from the beginning tells why
      }
    }
    for (;;) {
      const next = fresh();
      this.#readList();
      this.#homes = new Map();
      for (const part of this.#parts.values()) yield* part.file.load(this.#sink(part, next));
      const missing = [...this.#parts.values()].find(({ file }) => !file.exists);
      if (missing === undefined) return next;
      // removed by a writer that replaced the list meanwhile, or by somebody who should not have
      if (sameState(this.#listStats, this.#statList())) throw missingPart(missing.file.path);
    }
  }

  *commit(commit: Commit): Steps<void> {
    const { batches, anew, found } = commit;
    const places =
      this.table === undefined || anew ? undefined : (found ?? (yield* this.#find(changesOf(batches).old)));
    const homeOf = (id: string): string | undefined => (places ? places.get(id)?.part : this.#homes.get(id));
    const homes = this.#assign(commit, homeOf);
    const touched = batches.map((changes) => touchedBy(changes, homes, homeOf));
    const appendable = touched.every(
      (keys) => keys.size === 1 && this.#parts.get([...keys][0] as string)?.file.isAppendable === true,
    );
    const keys = new Set(touched.flatMap((some) => [...some]));
    if (places !== undefined) yield* this.#change(commit, homes, places, keys);
    else if (appendable && !anew && this.#listStats !== undefined) yield* this.#append(commit, touched);
    else yield* this.#rewrite(commit, homes, keys);
    // where records are found one by one, nobody asks
    if (found !== undefined) return;
    for (const [id, key] of homes) {
      if (key === undefined) this.#homes.delete(id);
      else this.#homes.set(id, key);
    }
  }

  sweep(): void {
    if (!this.#folderExists()) return;
    sweepTemporaries(join(this.path, listName));
    this.#readList();
    if (this.#listStats === undefined) return;
    const listed = new Set([...this.#parts.values()].map(({ name }) => name));
    for (const name of this.#names()) {
      if (name.startsWith("dataknobs-") && !listed.has(name)) rmSync(join(this.path, name), { force: true });
    }
  }

  close(): void {
    for (const { file } of this.#parts.values()) file.close();
    this.#parts = new Map();
    this.#listed = false;
  }

  // ---------- records found one by one

  *#find(ids: Iterable<string>): Steps<Found> {
    const wanted = new Wanted(ids);
    return yield* this.#ofAll(function* (tables): Steps<Found> {
      const found = new Map<string, Place>();
      for (const { key, table } of tables) {
        for (const [id, { record, group }] of yield* table.find(wanted)) {
          if (found.has(id)) throw doubled(table.path, id);
          found.set(id, { record, group, part: key });
        }
      }
      return found;
    });
  }

  *#count(): Steps<number> {
    return yield* this.#ofAll(function* (tables): Steps<number> {
      let count = 0;
      for (const { table } of tables) count += (yield* table.count()) ?? 0;
      return count;
    });
  }

  /** Asks all parts, again where the list was replaced meanwhile. */
  *#ofAll<R>(ask: (tables: readonly { readonly key: string; readonly table: ParquetTable }[]) => Steps<R>): Steps<R> {
    for (let attempt = 1; ; attempt++) {
      this.files();
      const tables = [...this.#parts.values()].map(({ key, table }) => ({ key, table: table as ParquetTable }));
      const answer = yield* ask(tables);
      const missing = tables.find(({ table }) => table.rows === undefined);
      if (missing === undefined || this.#listStats === undefined) return answer;
      if (attempt === 5) throw missingPart(missing.table.path);
    }
  }

  // ---------- which record goes where

  /** The part of every changed record, after the change. */
  #assign({ batches, image, anew }: Commit, homeOf: (id: string) => string | undefined): Homes {
    const homes = new Map<string, string | undefined>();
    let last = [...this.#parts.values()].at(-1);
    let size = last === undefined ? 0 : (statSync(last.file.path, { throwIfNoEntry: false })?.size ?? 0);
    const limit = this.#settings.maxPartBytes ?? Number.POSITIVE_INFINITY;
    let fresh: string | undefined;
    for (const [id, , after] of anew
      ? image.all().map((record): Change => [record.id, undefined, record])
      : batches.flat()) {
      if (after === undefined) homes.set(id, undefined);
      else if (this.#partition !== undefined) homes.set(id, this.#partition(after));
      else if (!homes.has(id) && !anew && homeOf(id) !== undefined) homes.set(id, homeOf(id));
      else if (homes.get(id) === undefined) {
        const bytes = recordLine(after).length;
        if ((last === undefined && fresh === undefined) || size + bytes > limit) {
          fresh = `${this.#next++}`;
          last = undefined;
          size = 0;
        }
        size += bytes;
        homes.set(id, fresh ?? (last as Part).key);
      }
    }
    return homes;
  }

  // ---------- writing

  *#append({ batches, check }: Commit, touched: readonly ReadonlySet<string>[]): Steps<void> {
    const byPart = new Map<string, (readonly Change[])[]>();
    for (const [index, keys] of touched.entries()) {
      const [key] = [...keys] as [string];
      byPart.set(key, [...(byPart.get(key) ?? []), batches[index] as readonly Change[]]);
    }
    for (const [key, changes] of byPart) yield* (this.#parts.get(key) as Part).file.append(changes, check);
  }

  *#rewrite({ image, check, anew }: Commit, homes: Homes, touched: ReadonlySet<string>): Steps<void> {
    const keys = anew ? new Set([...homes.values()].filter((key) => key !== undefined)) : touched;
    const records = new Map<string, WireRecord[]>();
    for (const record of image.all()) {
      const key = homes.has(record.id) ? homes.get(record.id) : this.#homes.get(record.id);
      if (key === undefined || !keys.has(key)) continue;
      const list = records.get(key);
      if (list === undefined) records.set(key, [record]);
      else list.push(record);
    }
    const make = function* (this: Folder, key: string): Steps<Part | undefined> {
      const members = records.get(key);
      if (members === undefined) return undefined;
      const part = this.#part(key, this.#fileName(key));
      yield* part.file.rewrite(members, check);
      return part;
    };
    yield* this.#replace(keys, (key) => make.call(this, key), { check, anew });
  }

  /** Of Parquet files: what does not change is copied. */
  *#change({ batches, check }: Commit, homes: Homes, places: Found, touched: ReadonlySet<string>): Steps<void> {
    const changes = changesByPart(batches, homes, places);
    const make = function* (this: Folder, key: string): Steps<Part | undefined> {
      const part = this.#part(key, this.#fileName(key));
      const old = this.#parts.get(key)?.table ?? (part.table as ParquetTable);
      const groupOf = (id: string): number | undefined => {
        const place = places.get(id);
        return place?.part === key ? place.group : undefined;
      };
      const { fsync } = this.#settings;
      const table = yield* old.change(part.file.path, changes.get(key) ?? new Map(), groupOf, { fsync, check });
      part.file.renew();
      if (table.rows !== 0) return { ...part, table };
      part.file.close();
      rmSync(part.file.path, { force: true });
      return undefined;
    };
    yield* this.#replace(touched, (key) => make.call(this, key), { check, anew: false });
  }

  /** New files for parts, then a new list; `make` gives none for a part without records. */
  *#replace(
    keys: ReadonlySet<string>,
    make: (key: string) => Steps<Part | undefined>,
    { check, anew }: Pick<Commit, "check" | "anew">,
  ): Steps<void> {
    if (!this.#folderExists()) mkdirSync(this.path);
    // from here on, a file that is not listed is a write that was never finished
    if (this.#listStats === undefined) yield* this.#writeList(this.#parts, check);
    const parts = new Map(anew ? [] : this.#parts);
    const made: Part[] = [];
    try {
      for (const key of keys) {
        const part = yield* make(key);
        if (part === undefined) parts.delete(key);
        else {
          made.push(part);
          parts.set(key, part);
        }
      }
      yield* this.#writeList(parts, check);
    } catch (error) {
      for (const { file } of made) {
        file.close();
        rmSync(file.path, { force: true });
      }
      throw error;
    }
    for (const part of this.#parts.values()) {
      if (parts.get(part.key) === part) continue;
      part.file.close();
      rmSync(part.file.path, { force: true });
    }
    this.#parts = parts;
  }

  #fileName(key: string): string {
    const readable = this.#partition === undefined ? "" : `${key.replace(/[^\p{L}\p{N}_=.-]+/gu, "_").slice(0, 40)}-`;
    const { format, compression } = this.#settings;
    const gzip = compression === "gzip" && format !== "parquet" ? ".gz" : "";
    const taken = new Set([...this.#parts.values()].map(({ name }) => name));
    for (;;) {
      const name = `dataknobs-${readable}${String(this.#next++).padStart(6, "0")}.${format}${gzip}`;
      if (!taken.has(name)) return name;
    }
  }

  #part(key: string, name: string): Part {
    const context = { ...this.#context, prefix: this.#prefix(name) };
    const path = join(this.path, name);
    const table = this.table && new ParquetTable(path, context, this.#recent);
    return { key, name, file: new DataFile(path, formatOf(this.#settings), context), table };
  }

  #prefix(name: string): string {
    return `${name}/`;
  }

  #sink(part: Part, image: Image): Parameters<DataFile["load"]>[0] {
    return {
      put: (record) => {
        const home = this.#homes.get(record.id);
        if (home !== undefined && home !== part.key) {
          throw doubled(part.file.path, record.id);
        }
        this.#homes.set(record.id, part.key);
        image.put(record.id, record);
      },
      delete: (id) => {
        this.#homes.delete(id);
        image.put(id, undefined);
      },
    };
  }

  // ---------- the list of parts

  #statList(): Stats | undefined {
    return statSync(join(this.path, listName), { throwIfNoEntry: false });
  }

  #folderExists(): boolean {
    return statSync(this.path, { throwIfNoEntry: false })?.isDirectory() === true;
  }

  /** Files of the format, whether listed or not. */
  #names(): readonly string[] {
    const known: readonly string[] = extensions[this.#settings.format];
    try {
      return readdirSync(this.path)
        .filter((name) => !name.startsWith(".") && name !== listName)
        .filter((name) => known.includes(extname(name.replace(/\.gz$/, "")).slice(1)))
        .sort();
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  }

  #readList(): void {
    const path = join(this.path, listName);
    this.#listStats = this.#statList();
    const before = new Map([...this.#parts.values()].map((part) => [part.name, part]));
    const listed = this.#listStats === undefined ? undefined : parseList(readFileSync(path), path, this.#settings);
    const entries = listed?.parts ?? this.#names().map((name) => ({ key: `file:${name}`, file: name }));
    this.#next = listed?.next ?? 1;
    this.#parts = new Map(
      entries.map(({ key, file }) => {
        const known = before.get(file);
        before.delete(file);
        return [key, known?.key === key ? known : this.#part(key, file)];
      }),
    );
    for (const { file } of before.values()) file.close();
    this.#listed = true;
  }

  *#writeList(parts: ReadonlyMap<string, Part>, check: () => void): Steps<void> {
    const list = { next: this.#next, parts: [...parts.values()].map(({ key, name }) => ({ key, file: name })) };
    const text = Buffer.from(listText(list, this.#settings));
    yield* replaceFile(join(this.path, listName), [text], { fsync: this.#settings.fsync, check });
    this.#listStats = this.#statList();
    this.#listed = true;
  }
}

function doubled(path: string, id: string): Error {
  return corrupt(path, `the id ${JSON.stringify(id)} is in another part too`, { position: 0 });
}

export function missingPart(path: string): Error {
  return corrupt(path, "it is in the list of parts, but it is not there", { position: 0 });
}
