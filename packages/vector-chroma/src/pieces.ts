/** Writes in requests that a server takes. */
import { DataknobsError } from "@dataknobs/core/backend";
import type { VectorRow } from "@dataknobs/core/vector";

/** Well below the 40 MiB that Chroma takes in one request unless it is told otherwise. */
const requestBytes = 16 * 2 ** 20;
const mostBytes = 36 * 2 ** 20;

/** About what a vector takes in JSON, as base64 or as numbers. */
export function bytesPerRow(dimensions: number): number {
  return 12 * dimensions + 200;
}

/** Throws `LIMIT_EXCEEDED` for a row that is too large for any request, before anything is written. */
export function piecesOf(rows: readonly VectorRow[], dimensions: number): (readonly VectorRow[])[] {
  const pieces: (readonly VectorRow[])[] = [];
  let from = 0;
  let size = 0;
  for (const [at, row] of rows.entries()) {
    const bytes = sizeOf(row, dimensions);
    if (at > from && size + bytes > requestBytes) {
      pieces.push(rows.slice(from, at));
      from = at;
      size = 0;
    }
    size += bytes;
  }
  pieces.push(rows.slice(from));
  return pieces;
}

function sizeOf({ id, metadata, text }: VectorRow, dimensions: number): number {
  const characters = (text?.length ?? 0) + charactersIn(metadata);
  // four bytes for a character are enough for all but control characters
  const about = bytesPerRow(dimensions) + 4 * characters;
  if (about <= mostBytes) return about;
  const exact = bytesPerRow(dimensions) + Buffer.byteLength(JSON.stringify([metadata, text]));
  if (exact <= mostBytes) return exact;
  throw new DataknobsError(
    "LIMIT_EXCEEDED",
    `The chroma store writes at most ${mostBytes} bytes in one request; this row alone has ${exact}.`,
    { backend: "chroma", id, limit: mostBytes },
  );
}

function charactersIn(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 8;
  let characters = 8;
  for (const [key, inner] of Object.entries(value)) characters += key.length + charactersIn(inner);
  return characters;
}
