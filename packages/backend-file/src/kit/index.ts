/**
 * `@dataknobs/backend-file/kit`: Parquet as this project lays it out, for stores that keep it elsewhere than in files:
 * typed columns and a JSON column for the rest, statistics and what they rule out, checksums; and a record as a line of
 * JSON. Made for packages of this project: it may change with any version.
 */
export { type DeclaredField, type DecodeContext, fromLine, hex8, isLine, toLine } from "../formats/format.js";
export { writeParquet } from "../formats/parquet.js";
export { ownNames } from "../formats/parquet-columns.js";
export { chunkRange } from "../formats/parquet-notes.js";
export { ParquetReader, type ReadPlan, type Source } from "../formats/parquet-reader.js";
export {
  type ColumnStats,
  columnOf,
  type Skip,
  type StatsAt,
  skipCompiler,
  skipKinds,
  statsOf,
} from "../formats/parquet-skip.js";
export { runNow } from "../steps.js";
