/** Declared fields: what users write in `indexes`, checked. */
import { DataknobsError } from "../errors.js";
import type { PathInput } from "../query/ast.js";
import type { Path } from "../query/lowered.js";
import { pathKey, resolvePath } from "../query/paths.js";

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
}

export interface IndexSpec {
  readonly path: Path;
  readonly type: FieldType | undefined;
  readonly unique: boolean;
  readonly text: boolean;
  /** The field's path as text, its own colons escaped, with `:unique` or `:text`: what errors and plans call it. */
  readonly name: string;
}

const keys: ReadonlySet<string> = new Set(["path", "type", "unique", "text"]);

/** Throws `INVALID_CONFIG` naming the declaration. The same declaration twice is one. */
export function checkIndexes(declarations: readonly IndexDeclaration[] | undefined): readonly IndexSpec[] {
  if (declarations === undefined) return [];
  if (!Array.isArray(declarations)) throw bad("`indexes` is a list of { path, type?, unique?, text? }.");
  const specs = new Map<string, IndexSpec>();
  for (const declaration of declarations as readonly IndexDeclaration[]) {
    if (typeof declaration !== "object" || declaration === null)
      throw bad("An index is { path, type?, unique?, text? }.");
    for (const key of Object.keys(declaration)) {
      if (!keys.has(key)) throw bad(`An index has no option "${key}"; it has path, type, unique and text.`);
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
    const name = `${path.text.replaceAll(":", "\\:")}${unique ? ":unique" : text ? ":text" : ""}`;
    specs.set(`${pathKey(path)} ${unique} ${text}`, Object.freeze({ path, type, unique, text, name }));
  }
  return Object.freeze([...specs.values()]);
}

function bad(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message);
}
