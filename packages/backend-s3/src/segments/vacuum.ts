/**
 * Collection of files that no reader needs any more: taken away longer ago than the grace time, or never named.
 *
 * All times are the server's, so that no clock of a client matters. What was put and not named yet is safe from being named
 * after it is deleted: the collector first replaces the manifest, whereupon every writer under way has to begin anew, and
 * sees by the number of collections that its files may be gone.
 */
import { DataknobsError } from "@dataknobs/core/backend";
import { allFiles, collected, fenced, isLog } from "./manifest.js";
import type { State, Store } from "./store.js";

/** What a collection did. */
export interface Collection {
  /** Files that were deleted. */
  readonly deleted: number;
  /** Of those, the ones that no manifest had ever named: left by writers that died. */
  readonly orphans: number;
  /** Files that are kept for readers and `asOf`, until their time has come. */
  readonly kept: number;
}

/** For how long files are kept, in ms. Queries hold on to segments; logs are read when they begin. */
export interface Grace {
  readonly segments: number;
  readonly logs: number;
}

export async function vacuumStore(store: Store, grace: Grace, signal: AbortSignal | undefined): Promise<Collection> {
  const call = { signal };
  const listed = await listFiles(store, call);
  const { manifest } = await replace(store, fenced);
  // the time of the manifest that was just written, or of a later one
  const now = (await store.manifest({ timed: true })).modified ?? 0;
  signal?.throwIfAborted();
  const named = new Set(allFiles(manifest).map(({ key }) => key));
  const orphans = listed
    .filter(({ key, modified }) => !named.has(key) && now - modified >= grace.segments)
    .map(({ key }) => key);
  const expired = manifest.removed
    .filter(({ file, since }) => now - (since ?? now) >= (isLog(file) ? grace.logs : grace.segments))
    .map(({ file }) => file.key);
  const keys = [...orphans, ...expired];
  for (let at = 0; at < keys.length; at += 1000) {
    const failures = await store.bucket.deleteAll(
      keys.slice(at, at + 1000).map((key) => store.keyOf(key)),
      call,
    );
    const [first] = failures;
    if (first !== undefined) {
      const failed = failures.map(({ key, error: { code } }) => ({ key, code }));
      throw new DataknobsError(first.error.code, `${first.error.message} Run vacuum again.`, {
        ...first.error.details,
        failed,
      });
    }
  }
  const gone = new Set(expired);
  if (gone.size > 0) await replace(store, (before) => collected(before, gone));
  return { deleted: keys.length, orphans: orphans.length, kept: manifest.removed.length - expired.length };
}

async function replace(store: Store, change: (manifest: State["manifest"]) => State["manifest"]): Promise<State> {
  for (;;) {
    const state = await store.refresh();
    const timed = await store.manifest({ timed: true });
    const base = timed.etag === state.etag ? { ...state, modified: timed.modified } : state;
    const swapped = await store.swap(base, change(state.manifest));
    if (swapped !== undefined) return swapped;
  }
}

export interface ListedFile {
  readonly key: string;
  readonly modified: number;
}

/** The logs and segments in the folder, named or not. */
export async function listFiles(
  store: Store,
  call: { readonly signal?: AbortSignal | undefined },
): Promise<ListedFile[]> {
  const { folder } = store.settings;
  const files: ListedFile[] = [];
  for (const Prefix of [`${folder}logs/`, `${folder}segments/`]) {
    let StartAfter = Prefix;
    for (;;) {
      const { objects, more } = await store.bucket.list({ Prefix, StartAfter }, call);
      for (const { key, modified = 0 } of objects) files.push({ key: key.slice(folder.length), modified });
      const last = objects.at(-1);
      if (!more || last === undefined) break;
      StartAfter = last.key;
    }
  }
  return files;
}
