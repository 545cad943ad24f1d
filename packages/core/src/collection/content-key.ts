/** Records that are the same where they have the same content in some fields. */
import { DataknobsError } from "../errors.js";
import { contentText, hashOf } from "../migrate/digest.js";
import type { PathInput } from "../query/ast.js";
import { resolvePath } from "../query/paths.js";
import type { Json, JsonObject } from "../record/json.js";
import { typesBelow } from "../record/type-map.js";
import { encodeFields } from "../record/values.js";

/**
 * SHA-256, in hexadecimal, of what the data has at these paths: 64 digits. Values of different types differ, missing
 * differs from null, and no value runs into the next; the order of keys and of paths does not matter.
 *
 * Errors: `INVALID_QUERY` for a path that is none of the data, `INVALID_RECORD` for data that cannot be stored.
 *
 * @example
 * await fieldsHash({ title: "A", body: "B", seen: 3 }, ["title", "body"]);
 */
export async function fieldsHash(data: object, paths: readonly PathInput[]): Promise<string> {
  if (!Array.isArray(paths) || paths.length === 0) {
    throw new DataknobsError("INVALID_QUERY", "A hash of fields names one path at least.");
  }
  const { json, types } = encodeFields(data);
  const found = new Map<string, string>();
  for (const input of paths as readonly PathInput[]) {
    const { root, segments, pointer, text } = resolvePath(input);
    if (root !== "data" || segments.length === 0) {
      throw new DataknobsError("INVALID_QUERY", `A hash of fields is of data fields; "${text}" is none.`);
    }
    const value = fieldOf(json, segments);
    const own = value === undefined ? {} : { v: value };
    // the pointers below the value are the same wherever it lies
    const below = value === undefined ? null : typesBelow(types, pointer);
    const rest = { types: below, metadata: {}, metadataTypes: null };
    found.set(pointer, contentText({ id: pointer, data: own, ...rest }));
  }
  const pointers = [...found.keys()].sort();
  return hashOf(JSON.stringify(pointers.map((pointer) => found.get(pointer))));
}

function fieldOf(data: JsonObject, segments: readonly string[]): Json | undefined {
  let value: Json | undefined = data;
  for (const segment of segments) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, segment)) {
      return undefined;
    }
    value = (value as JsonObject)[segment];
  }
  return value;
}

/**
 * A collection's `key` by content: two records with the same content at these paths are one, in a race too, since one id
 * is inserted only once.
 *
 * @example
 * const articles = collection(db, { name: "articles", key: contentKey("title", "body") });
 * await articles.create({ title: "A", body: "B" });
 * await articles.create({ title: "A", body: "B", seen: 2 });   // ALREADY_EXISTS
 */
export function contentKey(...paths: readonly PathInput[]): (data: object) => Promise<string> {
  for (const path of paths) resolvePath(path);
  return (data) => fieldsHash(data, paths);
}
