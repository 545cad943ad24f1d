/** A record as the body of its object: a line of JSON, of the shape that the file backend's JSON Lines have. */
import {
  type JsonObject,
  type MergeOp,
  mergeFields,
  parseJson,
  type TypeMap,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
} from "@dataknobs/core/backend";
import { type About, corrupt } from "../errors.js";

/**
 * What the object of a deleted record holds until it is removed. A delete first puts this in the record's place, on
 * condition of its ETag, since a server's answer to a conditional delete does not tell who of several deleted it.
 */
export const tombstone = '{"deleted":true}';

/** An object as it was found: nothing, a tombstone (without record), or a record. */
export interface Found {
  readonly etag?: string;
  readonly record?: WireRecord;
}

export type Op = WriteOp | ({ readonly kind: "merge" } & MergeOp);

/** An operation whose values are text already, since callers may change theirs while requests are under way. */
export type TextOp =
  | { readonly kind: "delete"; readonly id: string; readonly ifVersion?: string | undefined }
  | {
      readonly kind: "insert" | "upsert" | "update" | "merge";
      readonly id: string;
      readonly ifVersion?: string | undefined;
      readonly version: string;
      readonly at: number;
      /** `"data":{…},"types":{…}` */
      readonly fields: string;
      /** `,"metadata":{…}`; `undefined`: stays. */
      readonly metadata: string | undefined;
    };

export function textOp(op: Op): TextOp {
  if (op.kind === "delete") return op;
  const { kind, id, version, at } = op;
  return {
    kind,
    id,
    ifVersion: op.kind === "insert" ? undefined : op.ifVersion,
    version,
    at,
    fields: fieldsText(op.data, op.types),
    metadata:
      op.kind === "merge" || op.metadata === undefined ? undefined : metadataText(op.metadata, op.metadataTypes),
  };
}

function fieldsText(data: JsonObject, types: TypeMap | null): string {
  return `"data":${JSON.stringify(data)}${types === null ? "" : `,"types":${JSON.stringify(types)}`}`;
}

function metadataText(metadata: JsonObject, types: TypeMap | null): string {
  if (Object.keys(metadata).length === 0) return "";
  return `,"metadata":${JSON.stringify(metadata)}${types === null ? "" : `,"metadataTypes":${JSON.stringify(types)}`}`;
}

/** What is to be done: nothing, with this outcome; or this body in the object's place (`null`: none), then that outcome. */
export type Decision =
  | { readonly refused: WriteOutcome }
  | { readonly body: string | null; readonly done: WriteOutcome };

/** What an operation means for what was found. Pure. */
export function decide(op: TextOp, { record: before }: Found, parse: (text: string) => WireRecord): Decision {
  if (op.ifVersion !== undefined && op.ifVersion !== before?.version) {
    return { refused: { status: "stale", actual: before?.version ?? null } };
  }
  if (op.kind === "insert" && before !== undefined) return { refused: { status: "exists" } };
  if ((op.kind === "delete" || op.kind === "update" || op.kind === "merge") && before === undefined) {
    return { refused: { status: "missing" } };
  }
  if (op.kind === "delete") return { body: null, done: { status: "deleted" } };
  const createdAt = before?.createdAt ?? op.at;
  const fields = op.kind === "merge" ? mergedText(op.fields, before as WireRecord) : op.fields;
  const metadata = op.metadata ?? metadataText((before as WireRecord).metadata, (before as WireRecord).metadataTypes);
  const body =
    `{"id":${JSON.stringify(op.id)},${fields}${metadata},` +
    `"version":${JSON.stringify(op.version)},"createdAt":${createdAt},"updatedAt":${op.at}}`;
  const record = op.kind === "update" || op.kind === "merge" ? parse(body) : undefined;
  return { body, done: { status: "written", createdAt, record } };
}

function mergedText(patch: string, before: WireRecord): string {
  const { data: fields, types = null } = parseJson(`{${patch}}`) as unknown as { data: JsonObject; types?: TypeMap };
  const merged = mergeFields(before.data, before.types, fields, types);
  return fieldsText(merged.data, merged.types);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Throws `CORRUPT` for what is no text. */
export function bodyText(bytes: Uint8Array, about: About): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw corrupt(about, "its body is not UTF-8", cause);
  }
}

/** The record in a body; `undefined` for a tombstone. Throws `CORRUPT` for anything else. */
export function recordIn(text: string, id: string, about: About): WireRecord | undefined {
  if (text === tombstone) return undefined;
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw corrupt(about, "its body is not JSON", cause);
  }
  if (!isBody(value)) throw corrupt(about, "its body is not a record");
  if (value.id !== id) throw corrupt(about, "its body is the record of another id");
  const { data, types = null, metadata = {}, metadataTypes = null, version, createdAt, updatedAt } = value;
  return { id, data, types, metadata, metadataTypes, version, createdAt, updatedAt };
}

interface Body {
  readonly id: string;
  readonly data: JsonObject;
  readonly types?: TypeMap;
  readonly metadata?: JsonObject;
  readonly metadataTypes?: TypeMap;
  readonly version: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

function isBody(value: unknown): value is Body {
  const body = value as Partial<Body> | null;
  return (
    isFields(body) &&
    typeof body?.id === "string" &&
    isFields(body.data) &&
    (body.types === undefined || isFields(body.types)) &&
    (body.metadata === undefined || isFields(body.metadata)) &&
    (body.metadataTypes === undefined || isFields(body.metadataTypes)) &&
    typeof body.version === "string" &&
    Number.isSafeInteger(body.createdAt) &&
    Number.isSafeInteger(body.updatedAt)
  );
}

function isFields(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
