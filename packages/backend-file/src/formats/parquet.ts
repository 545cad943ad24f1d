/**
 * Parquet: typed columns, and one JSON column for what fits in none of them (`parquet-columns.ts`). The footer's key
 * `dataknobs` says what each column stands for and has a checksum of every column chunk; twelve bytes after the file's first
 * four, where no other reader looks, have one of the footer itself.
 */
import type { WireRecord } from "@dataknobs/core/backend";
import type { CompressionName, Settings } from "../options.js";
import { runNow } from "../steps.js";
import type { DeclaredField, Format } from "./format.js";
import { markPosition, ParquetEncoder } from "./parquet-encoder.js";
import { bytesSource, ParquetReader } from "./parquet-reader.js";
import { declaredPaths, Survey } from "./parquet-survey.js";

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
  declaredFields: readonly DeclaredField[],
  { compression, rowGroupSize, trailer }: WriteOptions,
): Buffer {
  const declared = declaredPaths(declaredFields);
  const survey = new Survey(declared);
  survey.add(records);
  const encoder = new ParquetEncoder(
    { fields: survey.columns(), declared, metadata: false, rest: false },
    { compression },
  );
  for (let at = 0; at < records.length; at += rowGroupSize) encoder.encode(records.slice(at, at + rowGroupSize));
  const { bytes, mark } = encoder.finish(trailer);
  mark.copy(bytes, markPosition);
  return bytes;
}
