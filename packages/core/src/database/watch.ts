/**
 * What changes in the answer to a query, seen by asking again and again: on every backend, and for writes of other
 * processes too. Guaranteed: every record that is in the answer at two looks and was written between them is told, and each
 * one that came or went. Not told: what came and went between two looks, and how often a record was written. Holds the id
 * and version of every record of the answer in memory.
 */
import { DataknobsError } from "../errors.js";
import { nearest } from "../query/nearest.js";
import { toQuery } from "../query/parse.js";
import type { StoredRecord } from "../record/stored.js";
import type { Fields } from "../record/values.js";
import type { Database } from "./database.js";
import type { QueryInput } from "./reads.js";
import type { CallOptions } from "./session.js";
import { orAborted } from "./steps.js";

/** `added`: it came into the answer; `changed`: it was written and stays in it; `removed`: it is gone, or out of it. */
export type Change<T = Fields> =
  | { readonly kind: "added" | "changed"; readonly id: string; readonly record: StoredRecord<T> }
  | { readonly kind: "removed"; readonly id: string };

export interface WatchOptions extends Pick<CallOptions, "signal"> {
  /** Milliseconds between two looks. Default 1000. */
  readonly interval?: number | undefined;
  /** Begin with all records of the answer as `added`. Default false. */
  readonly initial?: boolean | undefined;
}

export interface Watch<T = Fields> extends AsyncIterable<Change<T>> {
  /** How changes are found. */
  readonly how: "polled";
}

const keys = ["interval", "initial", "signal"] as const;

/**
 * The changes of a query's answer, from the first look on, until `break`, an abort, or the end of the database.
 *
 * Errors: `INVALID_CONFIG` for options, `INVALID_QUERY` for a query with a sort, paging or projection; what the store
 * throws ends it.
 *
 * @example
 * for await (const { kind, id } of watch(db, query().filter("state", "=", "open"))) console.log(kind, id);
 */
export function watch<I, T>(db: Database<I, T>, query?: QueryInput, options: WatchOptions = {}): Watch<T> {
  const { where, match, ...rest } = toQuery(query);
  if (Object.values(rest).some((part) => part !== undefined)) {
    throw new DataknobsError("INVALID_QUERY", "A query that is watched has `where` and `match` only.");
  }
  for (const key of Object.keys(options)) {
    if ((keys as readonly string[]).includes(key)) continue;
    throw new DataknobsError("INVALID_CONFIG", `watch has no option "${key}".${nearest(key, keys)}`);
  }
  const { interval = 1000, initial = false, signal } = options;
  if (typeof interval !== "number" || !(interval >= 0)) {
    throw new DataknobsError("INVALID_CONFIG", "`interval` is a number of milliseconds, 0 or more.");
  }
  const asked = { ...(where !== undefined && { where }), ...(match !== undefined && { match }) };
  const call = signal === undefined ? {} : { signal };
  // checked now, not at the first look
  db.explain(asked);
  const look = async (): Promise<Map<string, string>> => {
    const seen = new Map<string, string>();
    for await (const { id, version } of db.stream({ ...asked, select: [] }, call)) seen.set(id, version);
    return seen;
  };
  return {
    how: "polled",
    async *[Symbol.asyncIterator]() {
      let known = initial ? new Map<string, string>() : await look();
      for (let first = initial; ; first = false) {
        if (!first) await pause(interval, signal);
        const seen = await look();
        for (const id of known.keys()) if (!seen.has(id)) yield { kind: "removed", id };
        const written = [...seen].filter(([id, version]) => known.get(id) !== version);
        for (let at = 0; at < written.length; at += 500) {
          const part = written.slice(at, at + 500);
          const ids = part.map(([id]) => id);
          const records = await db.readMany(ids, call);
          for (const [index, [id, version]] of part.entries()) {
            const record = records[index];
            const before = known.get(id);
            // written once more since: whether it is still in the answer, the next look tells
            if (record?.version !== version) {
              if (before === undefined) seen.delete(id);
              else seen.set(id, before);
            } else yield { kind: before === undefined ? "added" : "changed", id, record };
          }
        }
        known = seen;
      }
    },
  };
}

async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(milliseconds, 0x7fff_ffff));
  });
  try {
    await orAborted(over, signal);
  } finally {
    clearTimeout(timer);
  }
}
