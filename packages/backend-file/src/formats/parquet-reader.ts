/**
 * Reading Parquet: the footer first, then only the column chunks of the row groups that a query needs. At once or
 * awaited, from a file or from bytes; of our own layout or of anybody's.
 */
import { isUtf8 } from "node:buffer";
import * as zlib from "node:zlib";
import { brotliDecompressSync, crc32, gunzipSync } from "node:zlib";
import { encode, type JsonObject, type Path, parseJson, type WireRecord } from "@dataknobs/core/backend";
import { type FileMetaData, parquetMetadata, parquetSchema, type SchemaTree } from "hyparquet";
import { assembleNested } from "hyparquet/src/assemble.js";
import { readColumn } from "hyparquet/src/column.js";
import { DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { getTreePath } from "hyparquet/src/schema.js";
import { compressors as moreCompressors } from "hyparquet-compressors";
import { corrupt, type Damage } from "../errors.js";
import { type Io, perform, runNow, type Steps } from "../steps.js";
import { fromRows, isId } from "./foreign.js";
import { type DecodeContext, hex8, isFields, layout } from "./format.js";
import { newerLayout } from "./jsonl.js";
import { type Cell, type FieldColumn, ownNames, type Rest, toRecord } from "./parquet-columns.js";
import { foreignFields } from "./parquet-foreign.js";
import { chunkRange, type FileNotes, footerMark, notesKey } from "./parquet-notes.js";

/** Where bytes come from. */
export interface Source {
  readonly size: number;
  read(start: number, end: number): Io<Buffer>;
}

export function bytesSource(bytes: Buffer): Source {
  return {
    size: bytes.length,
    read: (start, end) => {
      const now = (): Buffer => bytes.subarray(start, end);
      return { now, later: async () => now() };
    },
  };
}

/** What a scan will read. */
export interface ReadPlan {
  readonly groups: readonly number[];
  /** Names of top-level columns. */
  readonly columns: ReadonlySet<string>;
  readonly bytes: number;
}

type Values = readonly unknown[];
type ChunkMeta = NonNullable<FileMetaData["row_groups"][number]["columns"][number]["meta_data"]>;

const compressors = {
  ...moreCompressors,
  GZIP: (bytes: Uint8Array): Uint8Array => gunzipSync(bytes),
  BROTLI: (bytes: Uint8Array): Uint8Array => brotliDecompressSync(bytes),
  ...(zlib.zstdDecompressSync !== undefined && {
    ZSTD: (bytes: Uint8Array): Uint8Array => zlib.zstdDecompressSync(bytes),
  }),
};

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** hyparquet's own would take U+FEFF at the beginning of a text for a mark, and drop it. */
const parsers: typeof DEFAULT_PARSERS = {
  ...DEFAULT_PARSERS,
  stringFromBytes: (bytes: Uint8Array): string => bytes && utf8.decode(bytes),
};

export class ParquetReader {
  readonly metadata: FileMetaData;
  /** Columns that stand for a field, with what is known of them. */
  readonly fields: readonly FieldColumn[];
  /** Absent in files of other programs. */
  readonly notes: FileNotes | undefined;
  readonly #context: DecodeContext;
  readonly #tree: SchemaTree;
  #foreignIds: readonly string[] | null | undefined;

  private constructor(metadata: FileMetaData, notes: FileNotes | undefined, context: DecodeContext) {
    this.metadata = metadata;
    this.notes = notes;
    this.#context = context;
    this.#tree = parquetSchema(metadata);
    this.fields = notes?.fields ?? foreignFields(this.#tree, metadata);
  }

  get isForeign(): boolean {
    return this.notes === undefined;
  }

  static *open(source: Source, context: DecodeContext): Steps<ParquetReader> {
    const head = yield* perform(source.read(0, Math.min(source.size, 4 + footerMark.length + 4)));
    let tail = yield* perform(source.read(Math.max(0, source.size - 65_536), source.size));
    const damaged = (what: string): Error => damage(context, what, { position: source.size });
    if (tail.length < 12 || tail.toString("latin1", tail.length - 4) !== "PAR1")
      throw damaged("it does not end as Parquet does");
    const length = tail.readUInt32LE(tail.length - 8) + 8;
    if (length > source.size) throw damaged("its footer is longer than the file");
    if (length > tail.length) tail = yield* perform(source.read(source.size - length, source.size));
    const footer = tail.subarray(tail.length - length);
    const marked = head.subarray(4, 4 + footerMark.length).equals(footerMark);
    if (marked && context.verify && head.readUInt32LE(4 + footerMark.length) !== crc32(footer)) {
      throw damaged("its footer does not fit its checksum");
    }
    const reader = ParquetReader.ofFooter(footer, context);
    if (reader.isForeign === marked && context.verify)
      throw damaged("its beginning and its footer do not fit each other");
    return reader;
  }

  /** From the footer, with its length and mark at the end. Compares no checksum of it. */
  static ofFooter(footer: Buffer, context: DecodeContext): ParquetReader {
    let metadata: FileMetaData;
    try {
      metadata = parquetMetadata(footer, { geoparquet: false, parsers });
    } catch (cause) {
      throw damage(context, "its footer cannot be read", { position: 0, cause });
    }
    return new ParquetReader(metadata, notesOf(metadata, context), context);
  }

  /** Where the bytes of the store's own lie. */
  get trailer(): FileNotes["trailer"] {
    return this.notes?.trailer;
  }

  /** The groups that may have what is wanted, and the columns to read of them. */
  plan(
    select: readonly Path[] | undefined,
    mayMatch: (group: number) => boolean,
    options: { readonly bare?: boolean | undefined } = {},
  ): ReadPlan {
    const columns = this.#columnsFor(select, options);
    const groups: number[] = [];
    let bytes = 0;
    for (const [index, group] of this.metadata.row_groups.entries()) {
      if (!mayMatch(index)) continue;
      groups.push(index);
      for (const { meta_data: meta } of group.columns) {
        if (meta !== undefined && columns.has(meta.path_in_schema[0] as string))
          bytes += Number(meta.total_compressed_size);
      }
    }
    return { groups, columns, bytes };
  }

  /** The records of one row group. */
  *readGroup(source: Source, group: number, columns: ReadonlySet<string>): Steps<readonly WireRecord[]> {
    const found = yield* this.#readColumns(source, group, columns);
    return this.notes === undefined
      ? yield* this.#foreignRecords(source, group, found)
      : this.#ownRecords(group, found);
  }

  *everything(source: Source): Generator<WireRecord> {
    const columns = this.#columnsFor(undefined);
    for (const group of this.metadata.row_groups.keys()) yield* runNow(this.readGroup(source, group, columns));
  }

  #columnsFor(
    select: readonly Path[] | undefined,
    { bare = false }: { readonly bare?: boolean | undefined } = {},
  ): ReadonlySet<string> {
    const notes = this.notes;
    const wanted = select?.filter(({ root }) => root === "data");
    const all = wanted === undefined || wanted.some(({ segments }) => segments.length === 0);
    if (notes === undefined) {
      const names = this.#tree.children.map(({ element }) => element.name);
      return new Set(all ? names : names.filter((name) => wanted.some(({ segments }) => segments[0] === name)));
    }
    const isWanted = ({ segments }: FieldColumn): boolean =>
      all || wanted.some((path) => path.segments.every((segment, index) => segment === segments[index]));
    const alone = (path: Path): boolean =>
      notes.fields.some(
        ({ segments, strays }) =>
          strays.length === 0 &&
          segments.length === path.segments.length &&
          segments.every((segment, index) => segment === path.segments[index]),
      );
    const { id, version, createdAt, updatedAt, rest } = ownNames;
    const roots = new Set(select?.map(({ root }) => root));
    const whole = !bare || select === undefined;
    const columns = new Set<string>([
      ...(whole || roots.has("id") ? [id] : []),
      ...(whole ? [version] : []),
      ...(whole || roots.has("createdAt") ? [createdAt] : []),
      ...(whole || roots.has("updatedAt") ? [updatedAt] : []),
      ...notes.fields.filter(isWanted).map(({ name }) => name),
    ]);
    const withMetadata = notes.metadata && (whole || roots.has("metadata"));
    if (withMetadata || (notes.rest && (all || !wanted.every(alone)))) columns.add(rest);
    return columns;
  }

  *#readColumns(source: Source, group: number, columns: ReadonlySet<string>): Steps<Map<string, Values>> {
    const { columns: chunks, num_rows } = this.metadata.row_groups[group] as FileMetaData["row_groups"][number];
    const rows = Number(num_rows);
    const leaves = new Map<string, unknown[]>();
    for (const [index, { meta_data: meta }] of chunks.entries()) {
      if (meta === undefined || !columns.has(meta.path_in_schema[0] as string)) continue;
      const { start, end } = chunkRange(meta);
      const bytes = yield* perform(source.read(start, end));
      const wanted = this.notes?.chunks[group * chunks.length + index];
      if (this.#context.verify && wanted !== undefined && wanted !== hex8(crc32(bytes))) {
        throw damage(this.#context, "a column does not fit its checksum", { position: start });
      }
      leaves.set(meta.path_in_schema.join("."), this.#decode(bytes, meta, rows, start));
    }
    const found = new Map<string, Values>();
    for (const child of this.#tree.children) {
      const { name } = child.element;
      if (!columns.has(name)) continue;
      if (child.children.length > 0) {
        const below = new Map([...leaves].filter(([path]) => path.startsWith(`${name}.`)));
        assembleNested(below, child, parsers);
        found.set(name, below.get(name) ?? []);
      } else found.set(name, leaves.get(name) ?? []);
    }
    return found;
  }

  #decode(bytes: Buffer, meta: ChunkMeta, rows: number, position: number): unknown[] {
    const schemaPath = getTreePath(this.#tree, meta.path_in_schema);
    const { element } = schemaPath.at(-1) as SchemaTree;
    try {
      const { data } = readColumn(
        { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 },
        { groupStart: 0, selectStart: 0, selectEnd: rows, groupRows: rows },
        {
          ...meta,
          pathInSchema: meta.path_in_schema,
          element,
          schemaPath,
          parsers,
          compressors,
          utf8: false,
        },
      );
      const values: unknown[] = [];
      for (const part of data) for (const value of part as Iterable<unknown>) values.push(value);
      return values;
    } catch (cause) {
      throw damage(this.#context, `the column "${meta.path_in_schema.join(".")}" cannot be read`, {
        position,
        cause,
      });
    }
  }

  #ownRecords(group: number, columns: ReadonlyMap<string, Values>): readonly WireRecord[] {
    const fields = this.fields.filter(({ name }) => columns.has(name));
    const cells = fields.map(({ name }) => columns.get(name) as readonly (Cell | Date)[]);
    const of = (name: string): Values => columns.get(name) ?? [];
    const ids = of(ownNames.id);
    const versions = of(ownNames.version);
    const created = of(ownNames.createdAt);
    const updated = of(ownNames.updatedAt);
    const rests = of(ownNames.rest);
    const rows = Number(this.metadata.row_groups[group]?.num_rows);
    for (const { length } of columns.values()) {
      if (length !== rows) throw damage(this.#context, "a column has too few values", { position: 0 });
    }
    return Array.from({ length: rows }, (_, row) => {
      const rest = rests[row];
      return toRecord(
        {
          id: (ids[row] as string | undefined) ?? "",
          version: (versions[row] as string | undefined) ?? "",
          createdAt: Number(created[row] ?? 0),
          updatedAt: Number(updated[row] ?? 0),
        },
        fields,
        cells.map((column) => column[row]),
        typeof rest === "string" ? (parseJson(rest) as Rest) : undefined,
      );
    });
  }

  // ---------- files of others

  *#foreignRecords(source: Source, group: number, columns: ReadonlyMap<string, Values>): Steps<readonly WireRecord[]> {
    const ids = yield* this.#idsOf(source);
    let first = 0;
    for (let index = 0; index < group; index++) first += Number(this.metadata.row_groups[index]?.num_rows);
    const rows = Number(this.metadata.row_groups[group]?.num_rows);
    const { prefix, state, path } = this.#context;
    return fromRows(
      Array.from({ length: rows }, (_, row) => {
        const entries: [string, unknown][] = [];
        for (const [name, values] of columns) {
          if (name === "id" && ids !== null) continue;
          const value = plain(values[row]);
          if (value !== undefined) entries.push([name, value]);
        }
        const { json, types } = encode(Object.fromEntries(entries), { subject: path, code: "CORRUPT", freeze: false });
        const id = ids?.[first + row] ?? `${prefix}row-${String(first + row + 1).padStart(9, "0")}`;
        return { id, data: json as JsonObject, types };
      }),
      { ...this.#context, state: `${state}-${first}` },
    );
  }

  /** The ids that the column `id` gives; `null` where it cannot. */
  *#idsOf(source: Source): Steps<readonly string[] | null> {
    if (this.#foreignIds !== undefined) return this.#foreignIds;
    this.#foreignIds = null;
    if (!this.#tree.children.some(({ element }) => element.name === "id")) return null;
    const ids: string[] = [];
    for (const group of this.metadata.row_groups.keys()) {
      const values = (yield* this.#readColumns(source, group, new Set(["id"]))).get("id") ?? [];
      for (const value of values) {
        const id = plain(value);
        if (typeof id === "string" ? !isId(id) : typeof id !== "bigint" && !Number.isSafeInteger(id)) return null;
        ids.push(String(id));
      }
    }
    if (new Set(ids).size === ids.length) this.#foreignIds = ids;
    return this.#foreignIds;
  }
}

/** A value as core takes it; `undefined` where it has no place in JSON: null, NaN, infinities. */
function plain(value: unknown): unknown {
  if (value === null || value === undefined) return undefined;
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? value : undefined;
    case "bigint":
      return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
    case "object":
      break;
    default:
      return value;
  }
  switch (Object.prototype.toString.call(value)) {
    case "[object Date]":
      return Number.isNaN(Number(value)) ? undefined : value;
    case "[object Uint8Array]": {
      // old writers do not say what is text
      const bytes = Buffer.from(value as Uint8Array);
      return isUtf8(bytes) && !bytes.includes(0) ? bytes.toString("utf8") : new Uint8Array(bytes);
    }
    case "[object Array]":
      return (value as unknown[]).map((item) => plain(item) ?? null);
    default:
      return ArrayBuffer.isView(value)
        ? Array.from(value as unknown as Iterable<unknown>, (item) => plain(item) ?? null)
        : Object.fromEntries(Object.entries(value as object).map(([name, item]) => [name, plain(item)]));
  }
}

function damage(context: DecodeContext, what: string, about: Damage): Error {
  return context.damaged?.(what, about) ?? corrupt(context.path, what, about);
}

function notesOf(metadata: FileMetaData, context: DecodeContext): FileNotes | undefined {
  const text = metadata.key_value_metadata?.find(({ key }) => key === notesKey)?.value;
  if (text === undefined) return undefined;
  let notes: unknown;
  try {
    notes = JSON.parse(text);
  } catch (cause) {
    throw damage(context, "its footer's notes are not JSON", { position: 0, cause });
  }
  if (!isFields(notes)) throw damage(context, "its footer's notes are not ours", { position: 0 });
  if (notes["layout"] !== layout) throw newerLayout(context.path, notes["layout"]);
  return notes as unknown as FileNotes;
}
