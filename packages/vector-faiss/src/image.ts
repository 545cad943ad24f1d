/**
 * The store as a file holds it: `vectors`, 32-bit little-endian floats, row after row, and `rows`, a line of JSON for each
 * row in the same order, as the memory store has them; then for every scope with an index `index:<n>`, the bytes that
 * Faiss made, and `labels:<n>`, the number of the row that each label stands for, -1 for deleted ones.
 */
import { DataknobsError, type JsonObject, parseJson, type TypeMap } from "@dataknobs/core/backend";
import { type LoadedFile, type Section, toLittleEndian, type VectorRow } from "@dataknobs/core/vector";
import { name } from "./errors.js";

export interface SavedRow extends Omit<VectorRow, "vector"> {
  readonly scope: string;
}

export interface SavedIndex {
  readonly scope: string;
  readonly image: Uint8Array;
  /** Row numbers by label. */
  readonly labels: Int32Array;
}

/** What else decides whether the bytes of an index can be taken as they are. */
export interface SavedInfo {
  readonly dimensions: number;
  readonly metric: string;
  readonly indexType: string;
  readonly efConstruction: number | null;
}

/** Of the sections of this store; another number is another layout. */
const layout = 1;
const linesPerChunk = 1000;

export async function sectionsOf(
  rows: readonly SavedRow[],
  vectors: Float32Array,
  indexes: readonly SavedIndex[],
  saved: SavedInfo,
): Promise<{ readonly info: JsonObject; readonly sections: readonly Section[] }> {
  const encoder = new TextEncoder();
  const lines: Uint8Array[] = [];
  for (let from = 0; from < rows.length; from += linesPerChunk) {
    const part = rows.slice(from, from + linesPerChunk).map(lineOf);
    lines.push(encoder.encode(`${part.join("\n")}\n`));
    // the event loop turns between
    await new Promise((resolve) => setImmediate(resolve));
  }
  return {
    info: { ...saved, layout, indexes: indexes.map(({ scope }) => scope) },
    sections: [
      { name: "vectors", chunks: [bytesOf(toLittleEndian(vectors))] },
      { name: "rows", chunks: lines },
      ...indexes.flatMap(({ image, labels }, n) => [
        { name: `index:${n}`, chunks: [image] },
        { name: `labels:${n}`, chunks: [bytesOf(toLittleEndian32(labels))] },
      ]),
    ],
  };
}

function lineOf({ scope, id, metadata, metadataTypes, text }: SavedRow): string {
  return JSON.stringify({
    ...(scope !== "" && { scope }),
    id,
    metadata,
    ...(metadataTypes !== null && { types: metadataTypes }),
    ...(text !== undefined && { text }),
  });
}

export interface LoadedStore {
  readonly rows: readonly SavedRow[];
  readonly vectors: Float32Array;
  readonly indexes: readonly SavedIndex[];
}

export const noStore: LoadedStore = { rows: [], vectors: new Float32Array(0), indexes: [] };

/** `undefined`: the sections do not go together. `UNSUPPORTED` for a layout that this version does not know. */
export function storeOf({ info, sections }: LoadedFile, dimensions: number, path: string): LoadedStore | undefined {
  if (info["layout"] !== layout) {
    throw new DataknobsError(
      "UNSUPPORTED",
      `The file ${path} has a layout that this version of @dataknobs/vector-faiss does not read. It was left as it is.`,
      { backend: name, path },
    );
  }
  const bytes = sections.get("vectors") ?? new Uint8Array(0);
  const lines = new TextDecoder().decode(sections.get("rows")).split("\n");
  // every line has its end, the last one too
  if (lines.pop() !== "" || bytes.length !== lines.length * dimensions * 4) return undefined;
  const rows: SavedRow[] = [];
  const seen = new Set<string>();
  for (const text of lines) {
    const row = rowOf(text);
    if (row === undefined) return undefined;
    seen.add(JSON.stringify([row.scope, row.id]));
    rows.push(row);
  }
  if (seen.size !== rows.length) return undefined;
  const indexes = indexesOf(info["indexes"], sections, rows);
  const vectors = toLittleEndian(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4));
  return indexes && { rows, vectors, indexes };
}

function indexesOf(
  scopes: unknown,
  sections: LoadedFile["sections"],
  rows: readonly SavedRow[],
): SavedIndex[] | undefined {
  if (!Array.isArray(scopes)) return undefined;
  const counts = new Map<string, number>();
  for (const { scope } of rows) counts.set(scope, (counts.get(scope) ?? 0) + 1);
  const indexes: SavedIndex[] = [];
  for (const [n, scope] of (scopes as readonly unknown[]).entries()) {
    const image = sections.get(`index:${n}`);
    const bytes = sections.get(`labels:${n}`);
    if (typeof scope !== "string" || image === undefined || bytes === undefined || bytes.length % 4 !== 0)
      return undefined;
    const labels = toLittleEndian32(new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4));
    const live = labels.filter((row) => row >= 0);
    // each row of the scope just once, and no other's
    if (new Set(live).size !== live.length || live.length !== counts.get(scope)) return undefined;
    if (live.some((row) => rows[row]?.scope !== scope)) return undefined;
    indexes.push({ scope, image, labels });
  }
  return indexes;
}

function rowOf(text: string): SavedRow | undefined {
  let line: { scope?: unknown; id?: unknown; metadata?: unknown; types?: unknown; text?: unknown };
  try {
    line = parseJson(text) as typeof line;
  } catch {
    // its checksum is right: another program wrote it so
    return undefined;
  }
  const { scope = "", id, metadata, types = null, text: own } = line ?? {};
  if (typeof id !== "string" || typeof scope !== "string" || typeof metadata !== "object" || metadata === null) {
    return undefined;
  }
  if (own !== undefined && typeof own !== "string") return undefined;
  return { scope, id, metadata: frozen(metadata as JsonObject), metadataTypes: types as TypeMap | null, text: own };
}

/** What a caller gets of stored metadata must not be a way to change it. */
function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const inner of Object.values(value)) frozen(inner);
  return Object.freeze(value);
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function toLittleEndian32(numbers: Int32Array): Int32Array {
  const { buffer, byteOffset, length } = numbers;
  const turned = toLittleEndian(new Float32Array(buffer, byteOffset, length));
  return new Int32Array(turned.buffer, turned.byteOffset, length);
}
