/** What a bucket with versioning keeps of a record: earlier states, to be read and restored. */
import { GetBucketVersioningCommand, ListObjectVersionsCommand, PutBucketVersioningCommand } from "@aws-sdk/client-s3";
import type { CallOptions, Database, StoredRecord } from "@dataknobs/core";
import { backendOf, type Call, DataknobsError, decode, type WireRecord } from "@dataknobs/core/backend";
import { ObjectsBackend } from "./backend.js";
import { bodyText, recordIn, tombstone } from "./document.js";

/** One state of a record, or its deletion. */
export interface RecordVersion {
  /** For `readVersion` and `restore`; the server's, not the `version` of the record. */
  readonly versionId: string;
  /** When it was written by the server's clock, to the second on most. */
  readonly at: Date;
  readonly isLatest: boolean;
  /** The record was deleted then; there is nothing to read. */
  readonly isDeletion: boolean;
  /** Of the object. */
  readonly bytes: number;
}

type AnyDatabase<I, T> = Database<I, T>;

export function objectsOf(database: object): ObjectsBackend {
  const backend = backendOf(database);
  if (backend instanceof ObjectsBackend) return backend;
  const message = `This is for databases of the s3 backend with the layout "objects"; this one has ${backend.name}.`;
  throw new DataknobsError("UNSUPPORTED", message, {
    backend: backend.name,
  });
}

export function callOf({ signal, timeout }: CallOptions): Call {
  const signals = [signal, timeout === undefined ? undefined : AbortSignal.timeout(timeout)].filter(
    (one) => one !== undefined,
  );
  return signals.length === 0 ? {} : { signal: AbortSignal.any(signals) };
}

/**
 * Whether the bucket keeps earlier versions of its objects.
 *
 * Concerns the whole bucket; suspended, it still has the versions made before.
 */
export async function versioning(database: object, options: CallOptions = {}): Promise<"off" | "on" | "suspended"> {
  const { bucket } = objectsOf(database);
  const { Status } = await bucket.request(callOf(options), undefined, (client, sending) =>
    client.send(new GetBucketVersioningCommand({ Bucket: bucket.name }), sending),
  );
  return Status === "Enabled" ? "on" : Status === "Suspended" ? "suspended" : "off";
}

/** Turns versioning of the whole bucket on, or suspends it. Every version is paid for until it is deleted. */
export async function setVersioning(
  database: object,
  state: "on" | "suspended",
  options: CallOptions = {},
): Promise<void> {
  const { bucket } = objectsOf(database);
  const configuration = { Status: state === "on" ? ("Enabled" as const) : ("Suspended" as const) };
  await bucket.request(callOf(options), undefined, (client, sending) =>
    client.send(
      new PutBucketVersioningCommand({ Bucket: bucket.name, VersioningConfiguration: configuration }),
      sending,
    ),
  );
}

/**
 * The states that a record had, the newest first; empty where there never was one.
 *
 * `UNSUPPORTED` where the bucket keeps no versions.
 *
 * @example
 * const [latest, before] = await versions(db, "ada");
 * await restore(db, "ada", before.versionId);
 */
export async function versions(database: object, id: string, options: CallOptions = {}): Promise<RecordVersion[]> {
  const backend = await versioned(database, options);
  const { bucket } = backend;
  const Prefix = backend.keyOf(id);
  const states: RecordVersion[] = [];
  const markers: RecordVersion[] = [];
  let marker: { KeyMarker?: string; VersionIdMarker?: string } | undefined = {};
  while (marker !== undefined) {
    const input: { Bucket: string; Prefix: string } = { Bucket: bucket.name, Prefix, ...marker };
    const page = await bucket.request(callOf(options), Prefix, (client, sending) =>
      client.send(new ListObjectVersionsCommand(input), sending),
    );
    for (const { Key, VersionId = "", LastModified, IsLatest = false, Size = 0 } of page.Versions ?? []) {
      if (Key !== Prefix) continue;
      const isDeletion = Size === tombstone.length;
      states.push({ versionId: VersionId, at: LastModified as Date, isLatest: IsLatest, isDeletion, bytes: Size });
    }
    for (const { Key, VersionId = "", LastModified, IsLatest = false } of page.DeleteMarkers ?? []) {
      if (Key !== Prefix) continue;
      markers.push({ versionId: VersionId, at: LastModified as Date, isLatest: IsLatest, isDeletion: true, bytes: 0 });
    }
    marker =
      page.IsTruncated === true
        ? { KeyMarker: page.NextKeyMarker ?? "", VersionIdMarker: page.NextVersionIdMarker ?? "" }
        : undefined;
  }
  return merged(states, markers);
}

/** The server tells states and deletions apart, not how they follow each other within its clock's resolution. */
function merged(states: readonly RecordVersion[], markers: readonly RecordVersion[]): RecordVersion[] {
  const all = [...states];
  for (const marker of markers) {
    const before = states.find(({ at }) => at.getTime() <= marker.at.getTime());
    // a delete of this backend is a tombstone and then a marker
    if (before?.isDeletion !== true) all.push(marker);
  }
  const latest = (one: RecordVersion): number => (one.isLatest ? 1 : 0);
  return all.sort((a, b) => latest(b) - latest(a) || b.at.getTime() - a.at.getTime());
}

/**
 * A record as it was. `undefined` where that version is a deletion, `NOT_FOUND` where there is no such version,
 * `UNSUPPORTED` where the bucket keeps none.
 */
export async function readVersion<I, T>(
  database: AnyDatabase<I, T>,
  id: string,
  versionId: string,
  options: CallOptions = {},
): Promise<StoredRecord<T> | undefined> {
  const backend = await versioned(database, options);
  const key = backend.keyOf(id);
  const unknown = new DataknobsError(
    "NOT_FOUND",
    `The record ${JSON.stringify(id)} has no version ${JSON.stringify(versionId)}.`,
    {
      backend: backend.name,
      id,
    },
  );
  // an empty name is the present state to some servers
  const got = versionId === "" ? "missing" : await backend.bucket.get(key, callOf(options), { versionId });
  if (typeof got === "string") throw unknown;
  const about = backend.bucket.about(key);
  const record = recordIn(bodyText(got.bytes, about), id, about);
  return record === undefined ? undefined : (stored(record) as StoredRecord<T>);
}

/**
 * Makes an earlier state the present one: a write like any other, with a new version and `updatedAt`.
 *
 * `NOT_FOUND` where there is no such version or it is a deletion, `UNSUPPORTED` where the bucket keeps none.
 */
export async function restore<I, T>(
  database: AnyDatabase<I, T>,
  id: string,
  versionId: string,
  options: CallOptions = {},
): Promise<StoredRecord<T>> {
  const record = await readVersion(database, id, versionId, options);
  if (record === undefined) {
    throw new DataknobsError(
      "NOT_FOUND",
      `The version ${JSON.stringify(versionId)} of ${JSON.stringify(id)} is its deletion.`,
      {
        backend: "s3",
        id,
      },
    );
  }
  return database.upsert(id, record.data as unknown as I, { metadata: record.metadata, ...options });
}

async function versioned(database: object, options: CallOptions): Promise<ObjectsBackend> {
  const backend = objectsOf(database);
  if ((await versioning(database, options)) === "off") {
    throw new DataknobsError(
      "UNSUPPORTED",
      `The bucket "${backend.bucket.name}" keeps no versions. setVersioning(db, "on") makes it keep those from then on.`,
      { backend: backend.name, bucket: backend.bucket.name },
    );
  }
  return backend;
}

function stored({ id, data, types, metadata, metadataTypes, version, createdAt, updatedAt }: WireRecord): object {
  return {
    id,
    data: types === null ? data : decode(data, types),
    metadata: metadataTypes === null ? metadata : decode(metadata, metadataTypes),
    version,
    createdAt: new Date(createdAt),
    updatedAt: new Date(updatedAt),
  };
}
