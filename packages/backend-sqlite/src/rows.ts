/** Records as rows of text and back; operations as text, so that threads exchange strings and numbers only. */
import { createHash } from "node:crypto";
import type { JsonObject, MergeOp, TypeMap, WireRecord, WriteOp } from "@dataknobs/core/backend";
import { parseJson } from "@dataknobs/core/backend";
import { recordWidth } from "./select.js";

/** id, data, metadata, types, metadata types, version, created, updated; then the score, if any. */
export type Row = readonly (string | number | null)[];

let lastText = "";
let lastTime = 0;

/** Neighbours in a table were often written together. */
function timeOf(text: string): number {
  if (text !== lastText) {
    lastTime = Date.parse(text);
    lastText = text;
  }
  return lastTime;
}

const parseOrNull = <T extends TypeMap>(text: string | null): T | null =>
  text === null ? null : (parseJson(text) as T);

/** The record at a place in a list of columns. */
export function recordAt(columns: Row, at: number): WireRecord {
  const metadata = columns[at + 2] as string | null;
  const created = timeOf(columns[at + 6] as string);
  return {
    id: columns[at] as string,
    data: parseJson(columns[at + 1] as string) as JsonObject,
    types: parseOrNull<TypeMap>(columns[at + 3] as string | null),
    metadata: metadata === null || metadata === "{}" ? {} : ((parseJson(metadata) as JsonObject | null) ?? {}),
    metadataTypes: parseOrNull<TypeMap>(columns[at + 4] as string | null),
    version: (columns[at + 5] as string | null) ?? derivedVersion(columns, at),
    createdAt: created,
    updatedAt: columns[at + 7] === columns[at + 6] ? created : Date.parse(columns[at + 7] as string),
  };
}

export function recordOf(row: Row): WireRecord {
  const record = recordAt(row, 0);
  return row.length > recordWidth ? { ...record, score: row[recordWidth] as number } : record;
}

/** A row that another program wrote into a table without our triggers has no version: one of its content. */
export function derivedVersion(columns: Row, at: number): string {
  const hash = createHash("sha256");
  for (const index of [1, 2, 7]) hash.update(`${columns[at + index]}\0`);
  return `~${hash.digest("hex").slice(0, 32)}`;
}

/** A write as text. `data` of a delete is empty. */
export interface TextOp {
  readonly kind: WriteOp["kind"];
  readonly id: string;
  readonly data: string;
  readonly types: string | null;
  /** `null`: an update that leaves it alone. */
  readonly metadata: string | null;
  readonly metadataTypes: string | null;
  readonly version: string;
  /** Milliseconds. */
  readonly at: number;
  readonly ifVersion: string | undefined;
}

const textOrNull = (types: TypeMap | null): string | null => (types === null ? null : JSON.stringify(types));

export function textOp(op: WriteOp): TextOp {
  if (op.kind === "delete") {
    const { kind, id, ifVersion } = op;
    return { kind, id, data: "", types: null, metadata: null, metadataTypes: null, version: "", at: 0, ifVersion };
  }
  return {
    kind: op.kind,
    id: op.id,
    data: JSON.stringify(op.data),
    types: textOrNull(op.types),
    metadata: op.metadata === undefined ? null : JSON.stringify(op.metadata),
    metadataTypes: textOrNull(op.metadataTypes),
    version: op.version,
    at: op.at,
    ifVersion: op.kind === "insert" ? undefined : op.ifVersion,
  };
}

export type TextMerge = Omit<TextOp, "kind" | "metadata" | "metadataTypes">;

export function textMerge(op: MergeOp): TextMerge {
  const { id, version, at, ifVersion } = op;
  return { id, data: JSON.stringify(op.data), types: textOrNull(op.types), version, at, ifVersion };
}

export function parseObject(text: string | null): JsonObject {
  return text === null ? {} : ((parseJson(text) as JsonObject | null) ?? {});
}

export function parseTypes(text: string | null): TypeMap | null {
  return parseOrNull<TypeMap>(text);
}
