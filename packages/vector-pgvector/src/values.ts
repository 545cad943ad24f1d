/** Vectors and rows as PostgreSQL takes and gives them. Columns come as text, so that no setting of a client matters. */
import {
  fitQuery,
  greatestHalf,
  isHalved,
  leastHalf,
  longest,
  peakOf,
  shortest,
} from "@dataknobs/backend-postgres/kit";
import { DataknobsError, type JsonObject, parseJson, type TypeMap } from "@dataknobs/core/backend";
import { type Metric, normOf, type PartialRow } from "@dataknobs/core/vector";
import type { VectorLayout } from "./layout.js";

function vectorOfText(text: string): Float32Array {
  return Float32Array.from(JSON.parse(text) as number[]);
}

/** Refuses a vector that pgvector would keep and then measure wrongly. `indexed`: by an index, now or later. */
export function checkVector(layout: VectorLayout, id: string, vector: Float32Array, indexed: boolean): void {
  const length = normOf(vector);
  const isCosine = layout.metric === "cosine";
  if (length > longest || (isCosine && length < shortest)) {
    throw outOfRange("INVALID_RECORD", "The vector", length > longest ? "long" : "short", { id });
  }
  if (!indexed || !isHalved(layout)) return;
  const peak = peakOf(vector);
  if (peak <= greatestHalf && (!isCosine || peak >= leastHalf)) return;
  throw new DataknobsError(
    "INVALID_RECORD",
    `An index over more than 2,000 dimensions is in 16-bit floats, from ${leastHalf} to ${greatestHalf}: scale the vector.`,
    { backend: "pgvector", id },
  );
}

/** The query as pgvector can measure it. */
export function fittingQuery(metric: Metric, vector: Float32Array): Float32Array {
  const fitting = fitQuery(metric, vector);
  if (fitting === undefined) throw outOfRange("INVALID_QUERY", "The query vector", "long", {});
  return fitting;
}

function outOfRange(
  code: "INVALID_RECORD" | "INVALID_QUERY",
  subject: string,
  how: string,
  details: object,
): DataknobsError {
  return new DataknobsError(code, `${subject} is too ${how} for pgvector, which squares in 32-bit floats: scale it.`, {
    backend: "pgvector",
    ...details,
  });
}

/** The columns that `rowOf` reads, and beyond them the distance. */
export const rowWidth = 5;

/** A row of `[id, metadata, types, text, vector]`; NULL for what was not asked for. */
export function rowOf(row: readonly unknown[]): PartialRow {
  const id = row[0] as string;
  return {
    id,
    metadata: metadataOf(id, row[1]),
    metadataTypes: row[2] === null ? null : (parseJson(row[2] as string) as TypeMap),
    text: (row[3] as string | null) ?? undefined,
    ...(row[4] !== null && { vector: vectorOfText(row[4] as string) }),
  };
}

function metadataOf(id: string, text: unknown): JsonObject {
  if (text === null || text === "{}") return {};
  const metadata = parseJson(text as string);
  if (typeof metadata === "object" && metadata !== null && !Array.isArray(metadata)) return metadata as JsonObject;
  throw new DataknobsError("CORRUPT", "The metadata of a row of the PostgreSQL table is no JSON object.", {
    backend: "pgvector",
    id,
  });
}
