/** What the formats have in common: from the bytes of a file to records and back. */
import type { FieldType, JsonObject, Path, TypeMap, WireRecord } from "@dataknobs/core/backend";

import type { Damage } from "../errors.js";

/** A field whose type was declared, by `indexes` or `schema`. */
export interface DeclaredField {
  readonly path: Path;
  readonly type: FieldType | undefined;
}

export interface DecodeContext {
  /** For errors. */
  readonly path: string;
  /** Whether checksums are compared. */
  readonly verify: boolean;
  /** Put before derived ids, so that those of several parts differ. */
  readonly prefix: string;
  /** The file's time, in ms: what records of other programs were made at. */
  readonly time: number;
  /** Tells this state of the file from any other; for the versions of records of other programs. */
  readonly state: string;
  readonly declared: readonly DeclaredField[];
  /** The error for damage, of stores whose bytes are not in a file. */
  readonly damaged?: (what: string, damage: Damage) => Error;
}

export interface EncodeContext {
  readonly declared: readonly DeclaredField[];
}

export interface Decoded {
  readonly records: Iterable<WireRecord>;
  /** Written by another program: the first write brings it into our layout. */
  readonly foreign: boolean;
}

/** A format whose file is rewritten for each write. */
export interface Format {
  decode(bytes: Buffer, context: DecodeContext): Decoded;
  encode(records: readonly WireRecord[], context: EncodeContext): Uint8Array;
}

export const layout = 1;

export const noFields: JsonObject = Object.freeze({});

/** A record as a line of JSON has it: only what is there. */
export interface Line {
  readonly id: string;
  readonly data: JsonObject;
  readonly types?: TypeMap;
  readonly metadata?: JsonObject;
  readonly metadataTypes?: TypeMap;
  readonly version: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export function toLine(record: WireRecord): string {
  const { id, data, types, metadata, metadataTypes, version, createdAt, updatedAt } = record;
  const line: { -readonly [K in keyof Line]?: Line[K] } = { id, data };
  if (types !== null) line.types = types;
  for (const _ in metadata) {
    line.metadata = metadata;
    break;
  }
  if (metadataTypes !== null) line.metadataTypes = metadataTypes;
  line.version = version;
  line.createdAt = createdAt;
  line.updatedAt = updatedAt;
  return JSON.stringify(line);
}

export function fromLine(line: Line): WireRecord {
  return {
    id: line.id,
    data: line.data,
    types: line.types ?? null,
    metadata: line.metadata ?? noFields,
    metadataTypes: line.metadataTypes ?? null,
    version: line.version,
    createdAt: line.createdAt,
    updatedAt: line.updatedAt,
  };
}

export function isLine(value: unknown): value is Line {
  const line = value as Partial<Line> | null;
  return (
    isFields(value) &&
    typeof line?.id === "string" &&
    isFields(line.data) &&
    typeof line.version === "string" &&
    typeof line.createdAt === "number" &&
    typeof line.updatedAt === "number"
  );
}

export function isFields(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function hex8(crc: number): string {
  return crc.toString(16).padStart(8, "0");
}
