/** `@dataknobs/backend-s3`: records in Amazon S3, or in a server that speaks its language. */
import { type Backend, type BackendFactory, defineBackend } from "@dataknobs/core/backend";
import { ObjectsBackend } from "./objects/backend.js";
import { optionSpecs, type S3Options, settingsOf } from "./options.js";
import { SegmentsBackend } from "./segments/backend.js";

export type { Encryption, Layout, S3Options, StorageClass } from "./options.js";

/**
 * A store in a bucket, or in a folder of one.
 *
 * Throws `INVALID_CONFIG` for what cannot be right. Opening throws `NOT_FOUND` for a missing bucket, `PERMISSION_DENIED`,
 * `UNAVAILABLE`, and `UNSUPPORTED` where the server ignores conditional writes, on which no lost update rests.
 *
 * @example
 * await using db = await openDatabase(s3({ bucket: "my-bucket", prefix: "people", region: "eu-west-1" }));
 * await db.create({ name: "Ada" }, { id: "ada" });
 */
export const s3: BackendFactory<S3Options> = defineBackend<S3Options>({
  name: "s3",
  options: optionSpecs,
  create: (options): Backend => {
    const settings = settingsOf(options);
    return settings.layout === "segments" ? new SegmentsBackend(settings) : new ObjectsBackend(settings);
  },
  fromUrl: ({ rest }) => {
    const [bucket = "", ...prefix] = rest.replace(/^\/\//, "").split("/").map(decodeURIComponent);
    return { bucket, ...(prefix.length > 0 && { prefix: prefix.join("/") }) };
  },
});

export { type Lifecycle, lifecycle, setLifecycle } from "./objects/lifecycle.js";
export { type RecordVersion, readVersion, restore, setVersioning, versioning, versions } from "./objects/versions.js";
export type { Compaction } from "./segments/compact.js";
export { download } from "./segments/download.js";
export {
  compact,
  type SegmentFile,
  type Snapshot,
  type Storage,
  snapshots,
  storage,
  vacuum,
} from "./segments/upkeep.js";
export type { Collection } from "./segments/vacuum.js";
