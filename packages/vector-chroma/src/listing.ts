/** The ids of a collection, each once. */
import { DataknobsError } from "@dataknobs/core/backend";
import type { Collection, Where } from "chromadb";

const attempts = 10;

/**
 * In one request, which shows one moment. Where the server bounds an answer, by offsets that overlap: Chroma lists rows
 * as they were inserted, so that only a deletion moves them, and then the overlap differs and the list begins anew.
 */
export async function listKeys(
  collection: Collection,
  where: { readonly where?: Where },
  pageSize: number | undefined,
): Promise<string[]> {
  if (pageSize === undefined) return (await collection.get({ ...where, include: [] })).ids;
  // an overlap needs a row of its own
  const limit = Math.max(2, pageSize);
  for (let attempt = 0; attempt < attempts; attempt++) {
    const keys = await listOnce(collection, where, limit);
    if (keys !== undefined) return keys;
  }
  throw new DataknobsError(
    "CONFLICT",
    `Rows were deleted again and again while the chroma store listed them by pages of ${limit}; try again.`,
    { backend: "chroma" },
  );
}

async function listOnce(
  collection: Collection,
  where: { readonly where?: Where },
  limit: number,
): Promise<string[] | undefined> {
  const keys: string[] = [];
  for (;;) {
    const offset = Math.max(0, keys.length - 1);
    const { ids } = await collection.get({ ...where, include: [], limit, offset });
    if (keys.length > 0 && ids[0] !== keys.at(-1)) return undefined;
    keys.push(...ids.slice(keys.length > 0 ? 1 : 0));
    if (ids.length < limit) return keys;
  }
}

export function* pagesOf<T>(list: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < list.length; from += size) yield list.slice(from, from + size);
}
