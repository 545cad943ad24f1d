/**
 * Writes a file piece by piece: row groups of records, and row groups of another file of ours as they are, byte for byte,
 * columns without a value added where it lacks them. Bytes are taken away as they come, so that memory holds one row group.
 */
import * as zlib from "node:zlib";
import { crc32, gzipSync } from "node:zlib";
import type { ValueClass, WireRecord } from "@dataknobs/core/backend";
import type { ColumnChunk, RowGroup } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { badConfig } from "../errors.js";
import type { CompressionName } from "../options.js";
import { hex8, layout, noFields } from "./format.js";
import { type Cell, type ColumnKind, type FieldColumn, ownNames, toColumns } from "./parquet-columns.js";
import { chunkRange, type FileNotes, footerMark, notesKey } from "./parquet-notes.js";
import type { ParquetReader } from "./parquet-reader.js";

type Element = ConstructorParameters<typeof ParquetWriter>[0]["schema"][number];
type ChunkMeta = NonNullable<ColumnChunk["meta_data"]>;

const elements: { readonly [K in ColumnKind]: Omit<Element, "name" | "repetition_type"> } = {
  number: { type: "DOUBLE" },
  integer: { type: "INT64" },
  bigint: { type: "INT64" },
  boolean: { type: "BOOLEAN" },
  string: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  date: { type: "INT64", converted_type: "TIMESTAMP_MILLIS" },
  bytes: { type: "BYTE_ARRAY" },
};

const codecs = { none: "UNCOMPRESSED", gzip: "GZIP", snappy: "SNAPPY", zstd: "ZSTD" } as const;

/** What is known of a file's records before they are written. */
export interface Layout {
  readonly fields: readonly FieldColumn[];
  readonly declared: readonly (readonly string[])[];
  /** Of the row groups that are kept. */
  readonly metadata: boolean;
  readonly rest: boolean;
}

/** Bytes `start` up to `end` of the other file. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Where a mark of our own is put, in place of zeros, once the footer is known: other readers do not look there. */
export const markPosition = 4;

/** Bytes made and not yet taken; positions count from the file's beginning. */
class Spool extends ByteWriter {
  /** Where the bytes begin that are not yet taken. */
  get start(): number {
    return this.offset - this.index;
  }

  take(): Buffer {
    const bytes = Buffer.from(this.getBytes());
    this.index = 0;
    return bytes;
  }

  /** Leaves room for bytes that come from elsewhere, after those that are taken. */
  skip(bytes: number): void {
    this.offset += bytes;
  }
}

export class ParquetEncoder {
  readonly #spool = new Spool();
  readonly #columns: readonly { readonly name: string; readonly statistics: boolean }[];
  readonly #layout: Layout;
  readonly #strays: readonly Set<ValueClass>[];
  readonly #chunks: string[] = [];
  readonly #notes: { key: string; value: string }[] = [];
  readonly #file: ParquetWriter;
  #metadata: boolean;
  #rest: boolean;

  constructor(layout: Layout, { compression }: { readonly compression: CompressionName }) {
    this.#layout = layout;
    this.#strays = layout.fields.map(({ strays }) => new Set(strays));
    this.#metadata = layout.metadata;
    this.#rest = layout.rest;
    const columns: { name: string; kind: ColumnKind; statistics: boolean }[] = [
      { name: ownNames.id, kind: "string", statistics: true },
      ...layout.fields.map(({ name, kind }) => ({ name, kind, statistics: true })),
      { name: ownNames.rest, kind: "string", statistics: false },
      { name: ownNames.version, kind: "string", statistics: false },
      { name: ownNames.createdAt, kind: "date", statistics: true },
      { name: ownNames.updatedAt, kind: "date", statistics: true },
    ];
    this.#columns = columns;
    this.#file = new ParquetWriter({
      writer: this.#spool,
      codec: codecs[compression],
      compressors: { GZIP: (bytes) => gzipSync(bytes), ZSTD: zstd },
      createdBy: "@dataknobs/backend-file",
      kvMetadata: this.#notes,
      schema: [
        { name: "root", num_children: columns.length },
        ...columns.map(({ name, kind }) => ({ name, repetition_type: "OPTIONAL" as const, ...elements[kind] })),
      ],
    });
    this.#spool.appendBytes(new Uint8Array(footerMark.length + 4));
  }

  /** Bytes that come next. */
  take(): Buffer {
    return this.#spool.take();
  }

  /** One row group of records. */
  encode(records: readonly WireRecord[]): void {
    const { columns, rests } = toColumns(records, this.#layout.fields);
    for (const [index, { strays }] of columns.entries()) for (const stray of strays) this.#strays[index]?.add(stray);
    this.#metadata ||= records.some(({ metadata }) => metadata !== noFields && Object.keys(metadata).length > 0);
    this.#rest ||= rests.some((rest) => rest?.data !== undefined || rest?.types !== undefined);
    const cells: (readonly Cell[])[] = [
      records.map(({ id }) => id),
      ...columns.map((column) => column.cells),
      rests.map((rest) => (rest === undefined ? null : JSON.stringify(rest))),
      records.map(({ version }) => version),
      records.map(({ createdAt }) => BigInt(createdAt)),
      records.map(({ updatedAt }) => BigInt(updatedAt)),
    ];
    const group = this.#group(
      this.#columns.map(({ name }) => name),
      cells,
    );
    this.#add(group, this.#checksums(group));
  }

  /** A row group as another file has it: `bytes` come next, then the ranges of the other file. */
  keep(reader: ParquetReader, group: number): { readonly bytes: Buffer; readonly ranges: readonly ByteRange[] } {
    const bytes = this.take();
    const old = reader.metadata.row_groups[group] as RowGroup;
    const ranges: ByteRange[] = [];
    const chunks = new Map<string, { readonly chunk: ColumnChunk; readonly crc: string }>();
    for (const [index, chunk] of old.columns.entries()) {
      const [name] = (chunk.meta_data as ChunkMeta).path_in_schema as [string];
      const isBytes = this.#layout.fields.some((field) => field.name === name && field.kind === "bytes");
      const meta = isBytes ? withoutBounds(chunk.meta_data as ChunkMeta) : (chunk.meta_data as ChunkMeta);
      const { start, end } = chunkRange(meta);
      const crc = reader.notes?.chunks[group * old.columns.length + index] as string;
      chunks.set(name, { chunk: moved(chunk, meta, this.#spool.offset - start), crc });
      this.#spool.skip(end - start);
      const last = ranges.at(-1);
      if (last?.end === start) ranges[ranges.length - 1] = { start: last.start, end };
      else ranges.push({ start, end });
    }
    const lacking = this.#columns.filter(({ name }) => !chunks.has(name)).map(({ name }) => name);
    let size = old.total_byte_size;
    if (lacking.length > 0) {
      const nothing = new Array<null>(Number(old.num_rows)).fill(null);
      const empty = this.#group(lacking, new Array<readonly null[]>(lacking.length).fill(nothing));
      const crcs = this.#checksums(empty);
      size += empty.total_byte_size;
      for (const [index, chunk] of empty.columns.entries())
        chunks.set(lacking[index] as string, { chunk, crc: crcs[index] as string });
    }
    const all = this.#columns.map(({ name }) => chunks.get(name) as { chunk: ColumnChunk; crc: string });
    const columns = all.map(({ chunk }) => chunk);
    const packed = columns.reduce((sum, { meta_data }) => sum + (meta_data?.total_compressed_size ?? 0n), 0n);
    this.#add(
      { columns, num_rows: old.num_rows, total_byte_size: size, total_compressed_size: packed },
      all.map(({ crc }) => crc),
    );
    return { bytes, ranges };
  }

  /** The end of the file, the footer last; and what is to be put at `markPosition`. */
  finish(trailer?: Uint8Array): { readonly bytes: Buffer; readonly footer: Buffer; readonly mark: Buffer } {
    const start = this.#spool.offset;
    if (trailer !== undefined) this.#spool.appendBytes(trailer);
    const { fields, declared } = this.#layout;
    const notes: FileNotes = {
      layout,
      fields: fields.map((field, index) => ({ ...field, strays: [...(this.#strays[index] as Set<ValueClass>)] })),
      ...(declared.length > 0 && { declared }),
      metadata: this.#metadata,
      rest: this.#rest,
      chunks: this.#chunks,
      ...(trailer !== undefined && { trailer: { start, end: start + trailer.length, crc: hex8(crc32(trailer)) } }),
    };
    this.#notes.push({ key: notesKey, value: JSON.stringify(notes) });
    void this.#file.finish();
    const bytes = this.take();
    const footer = bytes.subarray(bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8));
    const crc = Buffer.alloc(4);
    crc.writeUInt32LE(crc32(footer));
    return { bytes, footer, mark: Buffer.concat([footerMark, crc]) };
  }

  /** Encodes columns; the row group is not one of the file's yet. */
  #group(names: readonly string[], cells: readonly (readonly Cell[])[]): RowGroup {
    const statistics = new Map(this.#columns.map((column) => [column.name, column.statistics]));
    const columnData = names.map((name, index) => ({
      name,
      data: cells[index] as Cell[],
      statistics: statistics.get(name) as boolean,
      // an index of pages is of use beside their statistics only, and its positions would be those of one file
      offsetIndex: false,
    }));
    void this.#file.write({ columnData, rowGroupSize: Math.max(1, cells[0]?.length ?? 0) });
    const group = this.#file.row_groups.pop() as RowGroup;
    this.#file.num_rows -= group.num_rows;
    return group;
  }

  #add(group: RowGroup, checksums: readonly string[]): void {
    this.#file.row_groups.push(group);
    this.#file.num_rows += group.num_rows;
    for (const crc of checksums) this.#chunks.push(crc);
  }

  #checksums({ columns }: RowGroup): readonly string[] {
    const { start: from } = this.#spool;
    return columns.map(({ meta_data }) => {
      const { start, end } = chunkRange(meta_data as ChunkMeta);
      return hex8(crc32(this.#spool.getBytes().subarray(start - from, end - from)));
    });
  }
}

/** A column chunk that lies elsewhere. Its indexes, if any, do not come with it. */
function moved(chunk: ColumnChunk, meta: ChunkMeta, by: number): ColumnChunk {
  const shift = BigInt(by);
  const { index_page_offset: _, bloom_filter_offset: __, bloom_filter_length: ___, ...kept } = meta;
  const { dictionary_page_offset: dictionary, data_page_offset: data } = kept;
  return {
    file_offset: chunk.file_offset + shift,
    meta_data: {
      ...kept,
      data_page_offset: data + shift,
      ...(dictionary !== undefined && { dictionary_page_offset: dictionary + shift }),
    },
  };
}

/** Bounds of bytes were read as if they were text: they cannot be written again. */
function withoutBounds(meta: ChunkMeta): ChunkMeta {
  const { null_count: nulls } = meta.statistics ?? {};
  return { ...meta, statistics: nulls === undefined ? {} : { null_count: nulls } };
}

function zstd(bytes: Uint8Array): Uint8Array {
  // Node has it since 22.15
  if (zlib.zstdCompressSync === undefined)
    throw badConfig("Writing zstd needs Node 22.15 or newer; use snappy or gzip.");
  return zlib.zstdCompressSync(bytes);
}
