/**
 * The store as a file holds it: `vectors`, 32-bit little-endian floats, row after row; `rows`, a line of JSON for each
 * row, in the same order: `{ scope, id, metadata, types, text }`, without those that it does not have.
 */
import { type JsonObject, parseJson, type TypeMap } from "@dataknobs/core/backend";
import { type LoadedFile, type Section, toLittleEndian, type VectorRow } from "@dataknobs/core/vector";
import { Slab, type SlabOptions } from "./slab.js";

export interface Image {
  readonly info: JsonObject;
  readonly sections: readonly Section[];
}

/** Lines are encoded so many at a time. */
const linesPerChunk = 1000;

/** A copy: what is written to the store afterwards is not in it. */
export function imageOf(scopes: ReadonlyMap<string, Slab>, info: JsonObject): Image {
  const encoder = new TextEncoder();
  const vectors: Uint8Array[] = [];
  const rows: Uint8Array[] = [];
  let lines: string[] = [];
  const flush = (): void => {
    if (lines.length > 0) rows.push(encoder.encode(`${lines.join("\n")}\n`));
    lines = [];
  };
  for (const [scope, slab] of scopes) {
    const floats = toLittleEndian(slab.vectors.slice(0, slab.size * slab.dimensions));
    if (slab.size > 0) vectors.push(new Uint8Array(floats.buffer));
    for (const { id, metadata, metadataTypes, text } of slab.rows) {
      lines.push(
        JSON.stringify({
          ...(scope !== "" && { scope }),
          id,
          metadata,
          ...(metadataTypes !== null && { types: metadataTypes }),
          ...(text !== undefined && { text }),
        }),
      );
      if (lines.length === linesPerChunk) flush();
    }
  }
  flush();
  return {
    info,
    sections: [
      { name: "vectors", chunks: vectors },
      { name: "rows", chunks: rows },
    ],
  };
}

interface Line {
  readonly scope?: string;
  readonly id: string;
  readonly metadata: JsonObject;
  readonly types?: TypeMap;
  readonly text?: string;
}

function lineOf(text: string): Line | undefined {
  let line: Partial<Line>;
  try {
    line = parseJson(text) as unknown as Partial<Line>;
  } catch {
    // its checksum is right: another program wrote it so
    return undefined;
  }
  const { id, metadata, scope = "", text: own = "" } = line ?? {};
  const right = typeof id === "string" && typeof scope === "string" && typeof own === "string";
  return right && typeof metadata === "object" && metadata !== null ? (line as Line) : undefined;
}

/** The scopes that a file holds. `undefined` where its sections are not what they should be. */
export function scopesOf({ sections }: LoadedFile, options: SlabOptions): Map<string, Slab> | undefined {
  const { dimensions } = options;
  const bytes = sections.get("vectors") ?? new Uint8Array(0);
  const lines = new TextDecoder().decode(sections.get("rows")).split("\n");
  // every line has its end, the last one too
  if (lines.pop() !== "" || bytes.length !== lines.length * dimensions * 4) return undefined;
  const floats = toLittleEndian(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4));
  const scopes = new Map<string, Slab>();
  for (const [at, text] of lines.entries()) {
    const line = lineOf(text);
    if (line === undefined) return undefined;
    const { scope = "", id, metadata, types = null, text: own } = line;
    let slab = scopes.get(scope);
    if (slab === undefined) {
      slab = new Slab(options);
      scopes.set(scope, slab);
    }
    const vector = floats.subarray(at * dimensions, (at + 1) * dimensions);
    const row: VectorRow = { id, vector, metadata: frozen(metadata), metadataTypes: types, text: own };
    slab.set(row);
  }
  return scopes;
}

/** What a caller gets of stored metadata must not be a way to change it. */
function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const inner of Object.values(value)) frozen(inner);
  return Object.freeze(value);
}
