/** A scan over records in memory. */
import { freezeRecord, type ScanRequest, type WireRecord } from "@dataknobs/core/backend";
import type { Skip } from "./formats/parquet-skip.js";

export function* batches(
  records: readonly WireRecord[],
  { where, offset, limit, batchSize }: ScanRequest<Skip>,
): Generator<readonly WireRecord[]> {
  if (where?.never === true) return;
  const end = limit === undefined ? records.length : Math.min(records.length, offset + limit);
  for (let at = offset; at < end; at += batchSize) {
    const batch = records.slice(at, Math.min(end, at + batchSize));
    for (const record of batch) freezeRecord(record);
    yield batch;
  }
}
