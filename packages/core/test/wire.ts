/** Wire records for tests of pure functions. */
import type { WireRecord } from "../src/record/json.js";
import { encodeFields, type Fields } from "../src/record/values.js";

export function wire(id: string, fields: Fields, metadata: Fields = {}): WireRecord {
  const data = encodeFields(fields);
  const meta = encodeFields(metadata);
  return {
    id,
    data: data.json,
    types: data.types,
    metadata: meta.json,
    metadataTypes: meta.types,
    version: "v1",
    createdAt: 0,
    updatedAt: 0,
  };
}
