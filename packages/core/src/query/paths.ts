/** Paths: dotted text or segments → root, segments, pointer. */
import { DataknobsError } from "../errors.js";
import { limits } from "../record/limits.js";
import { toPointer } from "../record/pointer.js";
import { isPortableText, utf8Length } from "../record/text.js";
import type { PathInput } from "./ast.js";
import type { Path } from "./lowered.js";

const scalarRoots: ReadonlySet<string> = new Set(["id", "createdAt", "updatedAt"]);

/** Splits at dots; `\.` is a dot and `\\` a backslash inside a segment. */
export function splitPath(text: string): string[] {
  if (!text.includes("\\")) return text.split(".");
  const segments: string[] = [];
  let segment = "";
  for (let index = 0; index < text.length; index++) {
    const character = text[index] as string;
    const next = text[index + 1];
    if (character === "\\" && (next === "." || next === "\\")) {
      segment += next;
      index++;
    } else if (character === ".") {
      segments.push(segment);
      segment = "";
    } else {
      segment += character;
    }
  }
  segments.push(segment);
  return segments;
}

/** The inverse of {@link splitPath}. */
export function joinPath(segments: readonly string[]): string {
  return segments.map((segment) => segment.replace(/[\\.]/g, "\\$&")).join(".");
}

/** The segments that the input names, of which there is one at least. Throws `INVALID_QUERY` or `LIMIT_EXCEEDED`. */
function segmentsOf(input: PathInput): [string, ...string[]] {
  const segments = typeof input === "string" ? splitPath(input) : input;
  if (!Array.isArray(segments) || segments.length === 0 || !segments.every((part) => typeof part === "string")) {
    throw new DataknobsError("INVALID_QUERY", 'A path is a dotted text such as "address.city", or a list of names.');
  }
  for (const segment of segments as string[]) checkSegment(segment);
  return segments as [string, ...string[]];
}

/** The path that the input names. Throws `INVALID_QUERY` or `LIMIT_EXCEEDED`. */
export function resolvePath(input: PathInput): Path {
  const segments = segmentsOf(input);
  const text = joinPath(segments);
  const [first, ...rest] = segments;
  if (scalarRoots.has(first)) {
    if (rest.length > 0) {
      throw new DataknobsError(
        "INVALID_QUERY",
        `"${first}" is the record's own ${first} and has no fields; a data field of that name is "data.${text}".`,
        { field: text },
      );
    }
    return Object.freeze({ root: first as Path["root"], segments: [], pointer: "", text: first });
  }
  if (first === "metadata") return freeze("metadata", rest, text);
  if (first === "data") return freeze("data", rest, text);
  return freeze("data", segments, text);
}

/**
 * The path that the input names in a filter of vectors: a metadata field, or `id`. `metadata.x` and `x` are the same;
 * a field named `id` or `metadata` is `metadata.id` or `metadata.metadata`.
 */
export function resolveFilterPath(input: PathInput): Path {
  const segments = segmentsOf(input);
  const text = joinPath(segments);
  const [first, ...rest] = segments;
  if (first === "metadata") return freeze("metadata", rest, text);
  if (first !== "id") return freeze("metadata", segments, text);
  if (rest.length === 0) return idPath;
  throw new DataknobsError(
    "INVALID_QUERY",
    `"id" is the vector's own id and has no fields; a metadata field of that name is "metadata.${text}".`,
    { field: text },
  );
}

export const idPath: Path = resolvePath("id");

function freeze(root: Path["root"], segments: readonly string[], text: string): Path {
  return Object.freeze({ root, segments: Object.freeze([...segments]), pointer: toPointer(segments), text });
}

function checkSegment(segment: string): void {
  if (!isPortableText(segment)) {
    throw new DataknobsError("INVALID_QUERY", "A path holds U+0000 or a lone surrogate; no field is named so.");
  }
  if (segment.length * 3 > limits.fieldNameBytes && utf8Length(segment) > limits.fieldNameBytes) {
    throw new DataknobsError(
      "LIMIT_EXCEEDED",
      `A field name has at most ${limits.fieldNameBytes} UTF-8 bytes; one in a path has ${utf8Length(segment)}.`,
      { field: `${segment.slice(0, 80)}…`, limit: limits.fieldNameBytes },
    );
  }
}

/** Whether both name the same place: `data.x` and `x` do. */
export function samePath(a: Path, b: Path): boolean {
  return a.root === b.root && a.pointer === b.pointer;
}

/** The same for equal places, different for others. */
export function pathKey(path: Path): string {
  return `${path.root}:${path.pointer}`;
}
