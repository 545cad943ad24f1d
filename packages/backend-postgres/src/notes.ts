/** What we know of tables, columns and indexes stands in comments on them, and goes with them. */
import { type IndexSpec, resolvePath } from "@dataknobs/core/backend";
import { literal } from "./layout.js";

/** How comments of ours begin. */
export const mark = "dataknobs ";

export const note = (about: object): string => literal(mark + JSON.stringify(about));

export function noteOf(comment: unknown): object | undefined {
  if (typeof comment !== "string" || !comment.startsWith(mark)) return undefined;
  try {
    return JSON.parse(comment.slice(mark.length)) as object;
  } catch {
    // a comment that somebody changed is no longer ours
    return undefined;
  }
}

export function specOf(comment: unknown): IndexSpec | undefined {
  const found = noteOf(comment) as
    | {
        readonly path?: readonly string[];
        readonly type?: IndexSpec["type"];
        readonly unique: boolean;
        readonly text: boolean;
        readonly vector?: IndexSpec["vector"];
        readonly name: string;
      }
    | undefined;
  if (found?.path === undefined) return undefined;
  const { path, type, unique, text, vector, name } = found;
  return { path: resolvePath(path), type, unique, text, name, ...(vector !== undefined && { vector }) };
}
