/**
 * Opening the folder of a database: what is kept there, and whether the server is one to rely on.
 *
 * A folder has a marker, an object whose name no id has, with the layout and its number. It is also what the probes write
 * to: its content is the same each time, so that a server which ignores their conditions does no harm.
 */
import { type Call, DataknobsError } from "@dataknobs/core/backend";
import type { Bucket } from "./bucket.js";
import { badConfig, corrupt } from "./errors.js";
import type { Settings } from "./options.js";

const markerName = "!dataknobs.json";
const layoutNumber = 1;
const noEtag = '"00000000000000000000000000000000"';

export interface FolderLayout {
  readonly name: Settings["layout"];
  /** Whether an object right in the folder may be of this layout. */
  isOurs(name: string): boolean;
  /** Whether it deletes on condition of an ETag. */
  readonly conditionalDeletes: boolean;
  /** Called when the folder is known to be ours or nobody's. `isMarked`: it was there before, as a whole. */
  prepare?(isMarked: boolean): Promise<void>;
}

/** Throws `NOT_FOUND` for a missing bucket, `INVALID_CONFIG` for a folder of others, `UNSUPPORTED` for an unfit server. */
export async function openFolder(bucket: Bucket, settings: Settings, layout: FolderLayout, call: Call): Promise<void> {
  await bucket.checkRegion();
  const markerBody = JSON.stringify({ dataknobs: { layout: layout.name, number: layoutNumber } });
  const marker = settings.folder + markerName;
  if (settings.createBucket) await createMissing(bucket, marker, call);
  const found = await bucket.get(marker, call);
  if (typeof found === "object") checkMarker(found.bytes, bucket, marker, layout.name);
  else await checkForeign(bucket, settings.folder, layout, call);
  await layout.prepare?.(typeof found === "object");
  try {
    if (!settings.unsafe) await probeConditions(bucket, { key: marker, body: markerBody }, layout, call);
    else await bucket.put(marker, markerBody, { ifNoneMatch: "*" }, call);
    await probeFeatures(bucket, settings, call);
  } catch (error) {
    // whoever may only read has no need of safe writes
    if (!DataknobsError.is(error, "PERMISSION_DENIED")) throw error;
  }
}

async function createMissing(bucket: Bucket, marker: string, call: Call): Promise<void> {
  try {
    await bucket.get(marker, call);
  } catch (error) {
    if (!DataknobsError.is(error, "NOT_FOUND")) throw error;
    await bucket.create(call);
  }
}

function checkMarker(bytes: Uint8Array, bucket: Bucket, key: string, wanted: string): void {
  let marker: { readonly dataknobs?: { readonly layout?: unknown; readonly number?: unknown } };
  try {
    marker = JSON.parse(Buffer.from(bytes).toString()) as typeof marker;
  } catch (cause) {
    throw corrupt(bucket.about(key), "its body is not JSON", cause);
  }
  const { layout, number } = marker?.dataknobs ?? {};
  if (typeof layout !== "string" || typeof number !== "number") {
    throw corrupt(bucket.about(key), "it does not say which layout the folder has");
  }
  if (layout !== wanted) {
    throw badConfig(
      `The folder of ${JSON.stringify(key)} has the layout "${layout}": open it with \`layout: "${layout}"\`.`,
    );
  }
  if (number > layoutNumber) {
    throw new DataknobsError(
      "UNSUPPORTED",
      `The folder of ${JSON.stringify(key)} was made by a newer version of this library (layout ${number}; this one knows ` +
        `up to ${layoutNumber}). Update @dataknobs/backend-s3.`,
      { backend: "s3", key },
    );
  }
}

/** Objects of others right in the folder; what lies in folders below it is nobody's concern. */
async function checkForeign(bucket: Bucket, folder: string, layout: FolderLayout, call: Call): Promise<void> {
  const { objects } = await bucket.list({ Prefix: folder, Delimiter: "/" }, call);
  const foreign = objects.find(
    ({ key }) => key !== folder && key !== folder + markerName && !layout.isOurs(key.slice(folder.length)),
  );
  if (foreign === undefined) return;
  throw badConfig(
    `The folder "${folder}" of the bucket "${bucket.name}" has objects of another program, such as ` +
      `${JSON.stringify(foreign.key)}. Give a \`prefix\` of its own to the database.`,
  );
}

/** Leaves the marker there. */
async function probeConditions(
  bucket: Bucket,
  { key: marker, body: markerBody }: { readonly key: string; readonly body: string },
  { conditionalDeletes }: FolderLayout,
  call: Call,
): Promise<void> {
  await bucket.put(marker, markerBody, { ifNoneMatch: "*" }, call);
  const [made, replaced] = await Promise.all([
    bucket.put(marker, markerBody, { ifNoneMatch: "*" }, call),
    bucket.put(marker, markerBody, { ifMatch: noEtag }, call),
  ]);
  const ignored = [
    ...(made === undefined ? [] : ["If-None-Match when writing"]),
    ...(replaced === undefined ? [] : ["If-Match when writing"]),
  ];
  if (conditionalDeletes && ignored.length === 0 && (await bucket.delete(marker, noEtag, call))) {
    await bucket.put(marker, markerBody, {}, call);
    ignored.push("If-Match when deleting");
  }
  if (ignored.length === 0) return;
  throw new DataknobsError(
    "UNSUPPORTED",
    `The server ignores ${ignored.join(" and ")}, so that two writers at once could lose a write without being told. Use ` +
      "another server, or open with `unsafe: true` where there is never more than one writer.",
    { backend: "s3", bucket: bucket.name, ignored },
  );
}

/** Servers that lack them ignore these, too. */
async function probeFeatures(bucket: Bucket, settings: Settings, call: Call): Promise<void> {
  const { storageClass, serverSideEncryption, folder } = settings;
  if (storageClass === undefined && serverSideEncryption === undefined) return;
  const key = `${folder}!probe-${crypto.randomUUID()}.json`;
  await bucket.put(key, "{}", { ifNoneMatch: "*" }, call);
  const found = await bucket.head(key, call);
  await bucket.delete(key, undefined, call);
  const ignored = [
    ...(storageClass === undefined || found.storageClass === storageClass ? [] : [`the storage class ${storageClass}`]),
    ...(serverSideEncryption === undefined || found.encryption === serverSideEncryption
      ? []
      : [`the encryption ${serverSideEncryption}`]),
  ];
  if (ignored.length === 0) return;
  throw new DataknobsError("UNSUPPORTED", `The server does not have ${ignored.join(" and ")}.`, {
    backend: "s3",
    bucket: bucket.name,
  });
}
