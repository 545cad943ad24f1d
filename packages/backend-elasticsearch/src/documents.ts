/** Records as documents, and back. */
import { DataknobsError, isoTime, type JsonObject, type TypeMap, type WireRecord } from "@dataknobs/core/backend";
import type { Layout } from "./layout.js";
import { sideOf } from "./terms.js";
import type { Answer } from "./wire.js";

/** The document's JSON. */
export function documentOf(record: WireRecord, layout: Layout): string {
  const { id, version, createdAt, updatedAt, data, types, metadata, metadataTypes } = record;
  const json = JSON.stringify({
    id,
    version,
    createdAt: isoTime(createdAt),
    updatedAt: isoTime(updatedAt),
    data,
    types: types ?? undefined,
    metadata,
    metadataTypes: metadataTypes ?? undefined,
  });
  return `${json.slice(0, -1)},"side":${sideOf(record, layout)}}`;
}

/** The record of a hit or of what a `get` found. Throws `CORRUPT` where it is no document of ours. */
export function recordOf(found: Answer, scored = false): WireRecord {
  const { _id: id, _source: source, _score: score } = found;
  const createdAt = Date.parse(source?.createdAt);
  // most records were never updated
  const updatedAt = source?.updatedAt === source?.createdAt ? createdAt : Date.parse(source?.updatedAt);
  const whole =
    source?.id === id &&
    typeof source.version === "string" &&
    isFields(source.data) &&
    isFields(source.metadata) &&
    !Number.isNaN(createdAt) &&
    !Number.isNaN(updatedAt);
  if (!whole) {
    throw new DataknobsError(
      "CORRUPT",
      `The document ${JSON.stringify(id)} of the Elasticsearch index is no record: another program wrote or changed it. ` +
        "It was left as it is; `delete` removes it.",
      { backend: "elasticsearch", id },
    );
  }
  const record: WireRecord = {
    id,
    data: source.data as JsonObject,
    types: (source.types as TypeMap | undefined) ?? null,
    metadata: source.metadata as JsonObject,
    metadataTypes: (source.metadataTypes as TypeMap | undefined) ?? null,
    version: source.version,
    createdAt,
    updatedAt,
  };
  return scored ? { ...record, score: score as number } : record;
}

function isFields(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
