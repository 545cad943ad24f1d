/** Segments as files of a folder, for programs that do not read from buckets. */
import { mkdir, readdir, rename, stat, unlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { CallOptions } from "@dataknobs/core";
import pMap from "p-map";
import { corrupt } from "../errors.js";
import { callOf } from "../objects/versions.js";
import { segmentsOf } from "./upkeep.js";

/**
 * Makes a folder's Parquet files those of the store's segments as they are now; the paths. What is there already is not read
 * again, since segments never change; what the store has no longer is removed. Other files are left alone.
 *
 * What logs hold is not in them: `compact` first. Throws `CORRUPT` where a segment is missing, and what the file system throws.
 *
 * @example
 * await compact(db);
 * const paths = await download(db, "./copy"); // for DuckDB's read_parquet
 */
export async function download(database: object, folder: string, options: CallOptions = {}): Promise<string[]> {
  const { store } = segmentsOf(database);
  await mkdir(folder, { recursive: true });
  return store.within(async ({ manifest }) => {
    const names = new Set(manifest.segments.map(({ key }) => basename(key)));
    for (const name of await readdir(folder)) if (ours.test(name) && !names.has(name)) await unlink(join(folder, name));
    return pMap(
      manifest.segments,
      async (entry) => {
        const path = join(folder, basename(entry.key));
        if ((await sizeOf(path)) === entry.bytes) return path;
        const bytes = await store.whole(entry, callOf(options));
        if (bytes.length !== entry.bytes)
          throw corrupt(store.bucket.about(store.keyOf(entry.key)), "it has another size");
        await writeFile(`${path}.part`, bytes);
        await rename(`${path}.part`, path);
        return path;
      },
      { concurrency: 4 },
    );
  });
}

const ours = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.parquet$/;

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ENOENT") throw error;
    return undefined;
  }
}
