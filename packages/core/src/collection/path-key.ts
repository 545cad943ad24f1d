/** Keys that lie in the data. */
import { DataknobsError } from "../errors.js";
import type { PathInput } from "../query/ast.js";
import { resolvePath } from "../query/paths.js";
import type { Key, KeyPart } from "./keys.js";

/** The value at a path, or those at several paths of a list, as the key. */
export function pathsKey(input: PathInput): (data: unknown) => Key {
  const paths = (typeof input === "string" ? [input] : [...input]).map((one) => {
    const { root, segments, text } = resolvePath(one);
    if (root === "data" && segments.length > 0) return segments;
    throw new DataknobsError(
      "INVALID_CONFIG",
      `\`key\` names data fields; "${text}" is none: a field so called is "data.${text}".`,
    );
  });
  if (paths.length === 0) throw new DataknobsError("INVALID_CONFIG", "`key` names one field at least.");
  return (data) => {
    const parts = paths.map((segments) => valueAt(data, segments) as KeyPart);
    return parts.length === 1 ? (parts[0] as KeyPart) : parts;
  };
}

function valueAt(data: unknown, segments: readonly string[]): unknown {
  let value = data;
  for (const segment of segments) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, segment)) return undefined;
    value = (value as { readonly [name: string]: unknown })[segment];
  }
  return value;
}
