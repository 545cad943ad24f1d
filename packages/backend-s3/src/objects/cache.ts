/** Bodies by key, each with the ETag that the server must still name before it is used. Bounded in bytes. */
import { LRUCache } from "lru-cache";

export interface Cached {
  readonly etag: string;
  readonly text: string;
}

export interface BodyCache {
  get(key: string): Cached | undefined;
  set(key: string, cached: Cached): void;
  delete(key: string): void;
}

const nothing: BodyCache = { get: () => undefined, set: () => undefined, delete: () => undefined };

export function bodyCache(maxBytes: number): BodyCache {
  if (maxBytes === 0) return nothing;
  const entries = new LRUCache<string, Cached>({
    maxSize: maxBytes,
    // two bytes for each UTF-16 unit at worst, and the entry itself
    sizeCalculation: ({ etag, text }, key) => 2 * (text.length + key.length + etag.length) + 200,
  });
  return {
    get: (key) => entries.get(key),
    set: (key, cached) => void entries.set(key, cached),
    delete: (key) => void entries.delete(key),
  };
}
