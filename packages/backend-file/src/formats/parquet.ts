/**
 * Parquet: typed columns, and one JSON column for what fits in none of them (`parquet-columns.ts`); rewritten by every
 * write. The footer's key `dataknobs` says what each column stands for and has a checksum of every column chunk; twelve
 * bytes after the file's first four, where no other reader looks, have one of the footer itself.
 */

import * as zlib from "node:zlib";
import { crc32, gzipSync } from "node:zlib";
import type { WireRecord } from "@dataknobs/core/backend";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { badConfig } from "../errors.js";
import type { CompressionName, Settings } from "../options.js";
import { runNow } from "../steps.js";
import { type DeclaredField, type Format, hex8, layout, noFields } from "./format.js";
import { type Cell, type ColumnKind, ownNames, toColumns } from "./parquet-columns.js";
import { chunkRange, type FileNotes, footerMark, notesKey } from "./parquet-notes.js";
import { bytesSource, ParquetReader } from "./parquet-reader.js";

type Element = ConstructorParameters<typeof ParquetWriter>[0]["schema"][number];

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

export function parquet({ compression, rowGroupSize }: Pick<Settings, "compression" | "rowGroupSize">): Format {
  return {
    encode: (records, { declared }) => writeParquet(records, declared, { compression, rowGroupSize }),
    decode(bytes, context) {
      const source = bytesSource(bytes);
      const reader = runNow(ParquetReader.open(source, context));
      return { records: reader.everything(source), foreign: reader.isForeign };
    },
  };
}

export interface WriteOptions {
  readonly compression: CompressionName;
  readonly rowGroupSize: number;
  /** Kept between the last column and the footer, where no other reader looks. */
  readonly trailer?: Uint8Array;
}

/** A whole file. */
export function writeParquet(
  records: readonly WireRecord[],
  declared: readonly DeclaredField[],
  { compression, rowGroupSize, trailer }: WriteOptions,
): Buffer {
  const { columns, rests } = toColumns(records, declared);
  const sources: { name: string; kind: ColumnKind; cells: readonly Cell[]; statistics?: false }[] = [
    { name: ownNames.id, kind: "string", cells: records.map(({ id }) => id) },
    ...columns.map(({ field, cells }) => ({ name: field.name, kind: field.kind, cells })),
    {
      name: ownNames.rest,
      kind: "string",
      cells: rests.map((rest) => (rest === undefined ? null : JSON.stringify(rest))),
      statistics: false,
    },
    { name: ownNames.version, kind: "string", cells: records.map(({ version }) => version), statistics: false },
    { name: ownNames.createdAt, kind: "date", cells: records.map(({ createdAt }) => BigInt(createdAt)) },
    { name: ownNames.updatedAt, kind: "date", cells: records.map(({ updatedAt }) => BigInt(updatedAt)) },
  ];
  const writer = new ByteWriter();
  const kvMetadata: { key: string; value: string }[] = [];
  const file = new ParquetWriter({
    writer,
    codec: codecs[compression],
    compressors: { GZIP: (bytes) => gzipSync(bytes), ZSTD: zstd },
    createdBy: "@dataknobs/backend-file",
    kvMetadata,
    schema: [
      { name: "root", num_children: sources.length },
      ...sources.map(({ name, kind }) => ({ name, repetition_type: "OPTIONAL" as const, ...elements[kind] })),
    ],
  });
  writer.appendBytes(new Uint8Array(footerMark.length + 4));
  const columnData = sources.map(({ name, cells, statistics = true }) => ({ name, data: cells as Cell[], statistics }));
  void file.write({ columnData, rowGroupSize });
  const chunks: string[] = [];
  for (const { columns: parts } of file.row_groups) {
    for (const { meta_data: meta } of parts) {
      const { start, end } = chunkRange(meta as NonNullable<typeof meta>);
      chunks.push(hex8(crc32(writer.getBytes().subarray(start, end))));
    }
  }
  const start = writer.offset;
  if (trailer !== undefined) writer.appendBytes(trailer);
  const notes: FileNotes = {
    layout,
    fields: columns.map(({ field }) => field),
    metadata: records.some(({ metadata }) => metadata !== noFields && Object.keys(metadata).length > 0),
    rest: rests.some((rest) => rest?.data !== undefined || rest?.types !== undefined),
    chunks,
    ...(trailer !== undefined && { trailer: { start, end: start + trailer.length, crc: hex8(crc32(trailer)) } }),
  };
  kvMetadata.push({ key: notesKey, value: JSON.stringify(notes) });
  void file.finish();
  const bytes = Buffer.from(writer.getBytes());
  footerMark.copy(bytes, 4);
  const footerStart = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(footerStart)), 4 + footerMark.length);
  return bytes;
}

function zstd(bytes: Uint8Array): Uint8Array {
  // Node has it since 22.15
  if (zlib.zstdCompressSync === undefined)
    throw badConfig("Writing zstd needs Node 22.15 or newer; use snappy or gzip.");
  return zlib.zstdCompressSync(bytes);
}
