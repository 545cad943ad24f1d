import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../bootstrap/download.mjs";
import { withLock } from "./lock.mjs";

function folderOf(name) {
  return join(cacheFolder(), `${name}-${process.platform}-${process.arch}`);
}

export function inCache(name) {
  return existsSync(folderOf(name));
}

/**
 * A folder of the download cache, made once: `make(folder)` fills a fresh one, which is then renamed into place.
 * The name carries everything that the contents depend on, so what is there never changes; it may be deleted.
 */
export async function cached(name, make, signal) {
  const cache = cacheFolder();
  const folder = folderOf(name);
  if (existsSync(folder)) return folder;
  const fill = async () => {
    if (existsSync(folder)) return;
    // Left by a process that was killed; nobody else makes this one while we hold the lock.
    const prefix = `incoming-${name}-`;
    for (const old of readdirSync(cache).filter((entry) => entry.startsWith(prefix))) {
      rmSync(join(cache, old), { recursive: true, force: true });
    }
    const work = mkdtempSync(join(cache, prefix));
    try {
      await make(work);
      renameSync(work, folder);
    } finally {
      rmSync(work, { recursive: true, force: true, maxRetries: 3 });
    }
  };
  try {
    mkdirSync(cache, { recursive: true });
  } catch (error) {
    const advice = "Set XDG_CACHE_HOME to a folder that can be written.";
    throw new Error(`downloads cannot be kept in ${cache} (${error.message}). ${advice}`, { cause: error });
  }
  const waiting = () => console.error(`dataknobs: another process is downloading ${name}; waiting for it …`);
  await withLock(`${folder}.lock`, fill, { waiting, signal });
  return folder;
}
