/** `@dataknobs/backend-file`: records in JSON Lines, JSON, CSV and Parquet files. */
import { type BackendFactory, defineBackend } from "@dataknobs/core/backend";
import { FileBackend } from "./backend.js";
import { type FileOptions, optionSpecs, type Recovery, settingsOf } from "./options.js";

export type { CompressionName, FormatName } from "./options.js";
export type { FileOptions, Recovery };

/**
 * A store in a file, or in a folder of files. The format follows from the extension or from `format`.
 *
 * Throws `INVALID_CONFIG` for an unknown option, format or extension. Opening throws `CORRUPT` for a damaged file,
 * `NOT_FOUND` where the folder is missing, `PERMISSION_DENIED`; writing also `UNAVAILABLE` where the lock was not to be
 * had or the disk is full.
 *
 * @example
 * import { file } from "@dataknobs/backend-file";
 * import { openDatabase } from "@dataknobs/core";
 *
 * await using db = await openDatabase(file({ path: "people.jsonl" }));
 * await db.create({ name: "Ada", city: "London" }, { id: "ada" });
 * await db.count({ where: { path: "city", op: "=", value: "London" } }); // 1
 */
export const file: BackendFactory<FileOptions> = defineBackend<FileOptions>({
  name: "file",
  options: optionSpecs,
  create: (options) => new FileBackend(settingsOf(options), { sync: false }),
  fromUrl: ({ rest }) => ({ path: decodeURIComponent(rest.replace(/^\/\//, "")) }),
});
