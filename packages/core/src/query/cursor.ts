/**
 * Keyset paging: a cursor holds the sort keys of the last row given, and the next page is the same query with a
 * condition "comes after that row". Its cost does not grow with the page number.
 */
import { DataknobsError } from "../errors.js";
import { valueAt } from "../match/matcher.js";
import { fromBase64, toBase64 } from "../record/base64.js";
import { checkId } from "../record/ids.js";
import type { Json, TypeMap, WireRecord } from "../record/json.js";
import { parseJson } from "../record/parse-json.js";
import type { Query } from "./ast.js";
import { type Lowered, type Operand, type Order, valueClasses } from "./lowered.js";

export interface Cursor {
  /** One per sort key, without the id; `undefined` for null or missing. */
  readonly keys: readonly (Operand | undefined)[];
  readonly id: string;
}

/** The cursor after `record`, for this query only. */
export function encodeCursor(record: WireRecord, query: Query, order: readonly Order[]): string {
  const keys = order
    .filter((one) => one.path.root !== "id")
    .map((one) => {
      const { value, class: valueClass } = valueAt(one.path)(record);
      // arrays are level with each other, so are objects: their class says it all
      if (valueClass === "null" || valueClass === "array" || valueClass === "object") return [valueClass];
      return [valueClass, value];
    });
  const text = JSON.stringify([1, fingerprint(query), keys, record.id]);
  return toBase64(new TextEncoder().encode(text)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function decodeCursor(cursor: string, query: Query, order: readonly Order[]): Cursor {
  const bytes = fromBase64(cursor.replaceAll("-", "+").replaceAll("_", "/"));
  let parsed: unknown;
  try {
    parsed = parseJson(new TextDecoder().decode(bytes));
  } catch {
    throw invalid("`after` is no cursor; pass the `next` of a page unchanged.");
  }
  if (!Array.isArray(parsed) || parsed[0] !== 1 || !Array.isArray(parsed[2])) {
    throw invalid("`after` is no cursor of this version; begin again at the first page.");
  }
  const [, print, keys, id] = parsed as [number, unknown, unknown[], unknown];
  const expected = order.filter((one) => one.path.root !== "id").length;
  if (print !== fingerprint(query) || keys.length !== expected) {
    throw invalid("`after` is a cursor of another query: where, match and sort must stay the same from page to page.");
  }
  checkId(id, "INVALID_QUERY");
  return { keys: keys.map(decodeKey), id };
}

function decodeKey(key: unknown): Operand | undefined {
  const [valueClass, value] = Array.isArray(key) ? (key as [unknown, unknown]) : [undefined, undefined];
  const known = valueClasses.find((one) => one === valueClass);
  if (known === undefined) throw invalid("`after` is no cursor; pass the `next` of a page unchanged.");
  if (known === "null") return undefined;
  if (known === "array") return { value: [], types: null, class: known };
  if (known === "object") return { value: {}, types: null, class: known };
  const types: TypeMap | null = known === "bigint" || known === "bytes" ? { "": known } : null;
  const wanted = known === "number" || known === "boolean" ? known : "string";
  if (typeof value !== wanted) throw invalid("`after` is no cursor; pass the `next` of a page unchanged.");
  return { value: value as Json, types, class: known };
}

/** "Comes after the cursor's row": after by the first key, or level with it and after by the second, and so on. */
export function keysetCondition(order: readonly Order[], cursor: Cursor): Lowered {
  const alternatives: Lowered[] = [];
  const level: Lowered[] = [];
  let index = 0;
  for (const one of order) {
    const source = { path: one.path.text, op: one.descending ? "<" : ">" } as const;
    if (one.path.root === "id") {
      const operand: Operand = { value: cursor.id, types: null, class: "string" };
      const past: Lowered = { kind: "compare", path: one.path, op: one.descending ? "<" : ">", operand, source };
      alternatives.push({ kind: "and", conditions: [...level, past] });
    } else {
      const operand = cursor.keys[index++];
      alternatives.push({
        kind: "and",
        conditions: [...level, { kind: "after", path: one.path, operand, order: one, source }],
      });
      level.push({ kind: "tied", path: one.path, operand, source });
    }
  }
  return alternatives.length === 1 ? (alternatives[0] as Lowered) : { kind: "or", conditions: alternatives };
}

/** A short hash of what must stay the same between pages. */
function fingerprint(query: Query): string {
  const { where = null, match = null, sort = null } = query;
  const text = JSON.stringify([where, match, sort], (_, value: unknown) =>
    typeof value === "bigint" ? `${value}n` : value,
  );
  // FNV-1a, twice with different starts: enough to tell queries apart, and not a matter of security
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b);
  }
  return (a >>> 0).toString(36) + (b >>> 0).toString(36);
}

function invalid(message: string): DataknobsError {
  return new DataknobsError("INVALID_QUERY", message);
}
