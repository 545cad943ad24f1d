/**
 * Records of files that other programs wrote. A row's `id` is the record's id (and then no field of it) where every row
 * has one, as text or a whole number, and no two are the same; else ids are made of the row's number. Both stay the same
 * from opening to opening, and for good with the first write.
 */
import {
  encode,
  escapeSegment,
  type FieldType,
  type JsonObject,
  type TypeMap,
  type TypeTag,
  type WireRecord,
} from "@dataknobs/core/backend";
import { corrupt } from "../errors.js";
import { type DeclaredField, type DecodeContext, isFields, noFields } from "./format.js";

export interface ForeignRow {
  readonly id?: string | undefined;
  readonly data: JsonObject;
  readonly types?: TypeMap | null;
}

/** Rows that are plain objects, as records. */
export function fromObjects(rows: readonly unknown[], context: DecodeContext): WireRecord[] {
  const stray = rows.findIndex((row) => !isFields(row));
  if (stray >= 0) {
    throw corrupt(context.path, `row ${stray + 1} is no object with fields`, { position: 0, line: stray + 1 });
  }
  return fromRows(
    (rows as readonly JsonObject[]).map((data) => ({ data })),
    context,
  );
}

export function fromRows(rows: readonly ForeignRow[], context: DecodeContext): WireRecord[] {
  const keyed = rows.every(({ id }) => id !== undefined) ? rows : (keyedBy(rows) ?? numbered(rows, context.prefix));
  return keyed.map((row, index) => {
    const checked = checkFields(row.data, context, index);
    const { data, types } = declare(checked, row.types ?? null, context.declared);
    return {
      id: row.id as string,
      data,
      types,
      metadata: noFields,
      metadataTypes: null,
      version: `${context.state}-${index}`,
      createdAt: context.time,
      updatedAt: context.time,
    };
  });
}

/** What no record may hold must not come in by a file. */
function checkFields(data: JsonObject, { path }: DecodeContext, index: number): JsonObject {
  const { json } = encode(data, { subject: `row ${index + 1} of ${path}`, code: "CORRUPT", freeze: false });
  return json as JsonObject;
}

function keyedBy(rows: readonly ForeignRow[]): readonly ForeignRow[] | undefined {
  const ids = new Set<string>();
  for (const { data } of rows) {
    const id = Object.hasOwn(data, "id") ? data["id"] : undefined;
    if (!(typeof id === "string" && isId(id)) && !Number.isSafeInteger(id)) return undefined;
    ids.add(String(id));
  }
  if (ids.size < rows.length) return undefined;
  return rows.map(({ data, types = null }) => {
    const { id, ...rest } = data;
    return { id: String(id), data: rest, types };
  });
}

export function isId(id: string): boolean {
  return id !== "" && Buffer.byteLength(id) <= 512 && id.isWellFormed() && !id.includes("\0");
}

function numbered(rows: readonly ForeignRow[], prefix: string): readonly ForeignRow[] {
  return rows.map((row, index) => ({ ...row, id: `${prefix}row-${String(index + 1).padStart(9, "0")}` }));
}

/** Texts of fields with a declared type, as values of that type where they can be one. */
function declare(
  data: JsonObject,
  types: TypeMap | null,
  declared: readonly DeclaredField[],
): { readonly data: JsonObject; readonly types: TypeMap | null } {
  let copy = data;
  let map = types;
  for (const { path, type } of declared) {
    const [name, ...deeper] = path.segments;
    if (type === undefined || path.root !== "data" || name === undefined || deeper.length > 0) continue;
    const text = Object.hasOwn(copy, name) ? copy[name] : undefined;
    if (typeof text !== "string" || map?.[`/${escapeSegment(name)}`] !== undefined) continue;
    const value = parseText(text, type);
    if (value === undefined) continue;
    copy = { ...copy, [name]: value.json };
    if (value.tag !== undefined) map = { ...map, [`/${escapeSegment(name)}`]: value.tag };
  }
  return { data: copy, types: map };
}

/** A text as a value of a type; `undefined` where it is none, and stays text. */
function parseText(
  text: string,
  type: FieldType,
): { readonly json: string | number | boolean; readonly tag?: TypeTag } | undefined {
  switch (type) {
    case "string":
      return { json: text };
    case "number":
    case "integer": {
      const number = text.trim() === "" ? Number.NaN : Number(text);
      return Number.isFinite(number) ? { json: number === 0 ? 0 : number } : undefined;
    }
    case "boolean":
      return /^(true|false)$/i.test(text) ? { json: text.toLowerCase() === "true" } : undefined;
    case "date": {
      const time = /^[+-]?\d{4,6}-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
      return Number.isNaN(time) ? undefined : { json: new Date(time).toISOString(), tag: "date" };
    }
    case "bigint":
      return /^-?\d+$/.test(text) ? { json: BigInt(text).toString(), tag: "bigint" } : undefined;
    case "bytes":
      return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)
        ? { json: text, tag: "bytes" }
        : undefined;
  }
}
