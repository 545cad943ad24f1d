/** The record as users get it. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { WireRecord } from "./json.js";
import { decode, type Fields } from "./values.js";

/** One record of a database. Changing it never changes the store. */
export interface StoredRecord<T = Fields> {
  readonly id: string;
  readonly data: Readonly<T>;
  readonly metadata: Fields;
  /** Opaque; made anew at every write. For `ifVersion`. */
  readonly version: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** After a `match` without `sort`: higher is better, comparable within one result only. */
  readonly score?: number;
  /** With `{ validate: true }`: where the stored data does not fit the schema; absent where it does. */
  readonly issues?: readonly StandardSchemaV1.Issue[];
}

export function toStored(record: WireRecord): StoredRecord {
  const { id, data, types, metadata, metadataTypes, version, createdAt, updatedAt, score } = record;
  const created = new Date(createdAt);
  const stored = {
    id,
    data: (types === null ? data : decode(data, types)) as Fields,
    metadata: (metadataTypes === null ? metadata : decode(metadata, metadataTypes)) as Fields,
    version,
    createdAt: created,
    // a Date is the dearest part of a read, and most records were never updated
    updatedAt: updatedAt === createdAt ? created : new Date(updatedAt),
  };
  return score === undefined ? stored : { ...stored, score };
}
