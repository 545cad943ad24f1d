/** What a Parquet file of ours says about itself. */
import type { FieldColumn } from "./parquet-columns.js";

/** What the footer says about our own layout. */
export interface FileNotes {
  readonly layout: number;
  readonly fields: readonly FieldColumn[];
  /** Paths of declared fields that were looked for in every record; absent: none. */
  readonly declared?: readonly (readonly string[])[];
  /** Whether any record may have metadata: else the rest is needed for fields only. */
  readonly metadata: boolean;
  /** Whether the rest may have any field or type that no column has. */
  readonly rest: boolean;
  /** CRC-32 of each column chunk, row group by row group. */
  readonly chunks: readonly string[];
  /** Bytes of the store's own between the last column and the indexes, and their CRC-32. */
  readonly trailer?: { readonly start: number; readonly end: number; readonly crc: string };
}

export const notesKey = "dataknobs";
export const footerMark: Buffer = Buffer.from("DKNFOOT1");

/** Where a column chunk lies. */
export function chunkRange(meta: {
  readonly dictionary_page_offset?: bigint;
  readonly data_page_offset: bigint;
  readonly total_compressed_size: bigint;
}): { readonly start: number; readonly end: number } {
  const { dictionary_page_offset: dictionary, data_page_offset: data } = meta;
  const start = Number(dictionary !== undefined && dictionary > 0n && dictionary < data ? dictionary : data);
  return { start, end: start + Number(meta.total_compressed_size) };
}
