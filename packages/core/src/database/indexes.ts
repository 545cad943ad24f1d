/** Declared fields: what users write in `indexes`, checked. */
import { DataknobsError } from "../errors.js";
import type { PathInput } from "../query/ast.js";
import type { Path } from "../query/lowered.js";
import { pathKey, resolvePath } from "../query/paths.js";
import { type Metric, metrics } from "../vector/metric.js";

export const fieldTypes = ["string", "number", "integer", "boolean", "date", "bigint", "bytes"] as const;
export type FieldType = (typeof fieldTypes)[number];

/** A field that queries will ask for often. */
export interface IndexDeclaration {
  readonly path: PathInput;
  /** What the field nearly always holds; values of another type are stored and found all the same. */
  readonly type?: FieldType;
  /** No two records with the same present value. */
  readonly unique?: boolean;
  /** For `match`. */
  readonly text?: boolean;
  /** For `nearest`. */
  readonly vector?: VectorDeclaration;
}

export const vectorIndexes = ["hnsw", "ivfflat", "none"] as const;
export type VectorIndex = (typeof vectorIndexes)[number];

/** A field that holds a Float32Array. */
export interface VectorDeclaration {
  /** Numbers in each vector; a Float32Array of another length in this field is refused. */
  readonly dimensions: number;
  readonly metric: Metric;
  /** Where the engine has several; `"none"`: every vector is measured. Default: the engine's best. */
  readonly index?: VectorIndex;
}

export interface IndexSpec {
  readonly path: Path;
  readonly type: FieldType | undefined;
  readonly unique: boolean;
  readonly text: boolean;
  /** Absent where the field is declared for something else. */
  readonly vector?: VectorDeclaration | undefined;
  /** The field's path as text, its own colons escaped, with `:unique`, `:text` or `:vector`: what errors and plans call it. */
  readonly name: string;
}

const keys: ReadonlySet<string> = new Set(["path", "type", "unique", "text", "vector"]);

/** Throws `INVALID_CONFIG` naming the declaration. The same declaration twice is one. */
export function checkIndexes(declarations: readonly IndexDeclaration[] | undefined): readonly IndexSpec[] {
  if (declarations === undefined) return [];
  if (!Array.isArray(declarations)) throw bad("`indexes` is a list of { path, type?, unique?, text?, vector? }.");
  const specs = new Map<string, IndexSpec>();
  for (const declaration of declarations as readonly IndexDeclaration[]) {
    if (typeof declaration !== "object" || declaration === null)
      throw bad("An index is { path, type?, unique?, text?, vector? }.");
    for (const key of Object.keys(declaration)) {
      if (!keys.has(key)) throw bad(`An index has no option "${key}"; it has path, type, unique, text and vector.`);
    }
    const { type, unique = false, text = false } = declaration;
    let path: Path;
    try {
      path = resolvePath(declaration.path);
    } catch (error) {
      throw new DataknobsError("INVALID_CONFIG", `An index's path is wrong. ${(error as Error).message}`);
    }
    if (path.root !== "data" && path.root !== "metadata") {
      throw bad(`"${path.text}" needs no index: every backend finds records by it as it is.`);
    }
    if (type !== undefined && !fieldTypes.includes(type)) {
      throw bad(`The index on "${path.text}" has type "${String(type)}"; known are ${fieldTypes.join(", ")}.`);
    }
    if (typeof unique !== "boolean" || typeof text !== "boolean") {
      throw bad(`\`unique\` and \`text\` of the index on "${path.text}" are true or false.`);
    }
    if (unique && text) throw bad(`The index on "${path.text}" is unique or text, not both; declare two.`);
    const vector = declaration.vector === undefined ? undefined : checkVector(declaration.vector, path);
    if (vector !== undefined && (unique || text || type !== undefined)) {
      throw bad(`The index on "${path.text}" is of vectors: \`type\`, \`unique\` and \`text\` do not go with it.`);
    }
    const kind = unique ? ":unique" : text ? ":text" : vector !== undefined ? ":vector" : "";
    const name = `${path.text.replaceAll(":", "\\:")}${kind}`;
    const key = `${pathKey(path)} ${kind}`;
    const before = specs.get(key)?.vector;
    if (before !== undefined && vector !== undefined && !sameVector(before, vector)) {
      throw bad(`"${path.text}" is declared for vectors twice, each time otherwise.`);
    }
    specs.set(key, Object.freeze({ path, type, unique, text, name, ...(vector !== undefined && { vector }) }));
  }
  return Object.freeze([...specs.values()]);
}

const mostDimensions = 65_536;

function checkVector(given: VectorDeclaration, path: Path): VectorDeclaration {
  const what = `\`vector\` of the index on "${path.text}"`;
  if (typeof given !== "object" || given === null) throw bad(`${what} is { dimensions, metric, index? }.`);
  for (const key of Object.keys(given)) {
    if (!["dimensions", "metric", "index"].includes(key)) {
      throw bad(`${what} has no "${key}"; it has dimensions, metric and index.`);
    }
  }
  const { dimensions, metric, index } = given;
  if (!Number.isSafeInteger(dimensions) || dimensions < 1 || dimensions > mostDimensions) {
    throw bad(`${what}: \`dimensions\` is a whole number from 1 to ${mostDimensions}.`);
  }
  if (!metrics.includes(metric)) throw bad(`${what}: \`metric\` is one of ${metrics.join(", ")}.`);
  if (index !== undefined && !vectorIndexes.includes(index)) {
    throw bad(`${what}: \`index\` is one of ${vectorIndexes.join(", ")}.`);
  }
  return Object.freeze({ dimensions, metric, ...(index !== undefined && { index }) });
}

/** Whether an index made for the one serves the other. */
export function sameVector(a: VectorDeclaration | undefined, b: VectorDeclaration | undefined): boolean {
  return a?.dimensions === b?.dimensions && a?.metric === b?.metric && a?.index === b?.index;
}

function bad(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message);
}
