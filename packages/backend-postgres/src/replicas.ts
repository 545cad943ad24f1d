/**
 * Reads from replicas: answers that have all which this database object was told is written. After a write the place
 * in the write-ahead log is asked for once, and a replica answers when it has come that far; until then, and where no
 * replica can be reached, the primary does.
 */
import type { Call } from "@dataknobs/core/backend";
import type { Statement } from "@dataknobs/sql";
import { Pool } from "./access.js";
import { classify } from "./errors.js";
import type { LaneCursor, Rows } from "./lane.js";
import type { Settings } from "./options.js";

/** A replica that failed is left alone for so long. */
const pauseMs = 5000;

interface Replica {
  readonly pool: Pool;
  /** The writes that it is known to have. */
  seen: number;
  downUntil: number;
}

export class Replicas {
  readonly #primary: Pool;
  readonly #replicas: readonly Replica[];
  #next = 0;
  /** Writes so far, and the place in the log after so many. */
  #writes = 0;
  #place: { readonly writes: number; readonly lsn: Promise<string> } | undefined;

  constructor(primary: Pool, settings: Settings) {
    this.#primary = primary;
    this.#replicas = settings.replicas.map((url) => ({ pool: new Pool(settings, url), seen: 0, downUntil: 0 }));
  }

  /** What was written from now on backwards shall be read. */
  wrote(): void {
    this.#writes++;
  }

  run(statement: Statement, call: Call): Promise<Rows> {
    return this.#read((access) => access.run(statement, call));
  }

  tuned(settings: Statement, statement: Statement, call: Call): Promise<Rows> {
    return this.#read((access) => access.tuned(settings, statement, call));
  }

  open(statement: Statement, size: number, call: Call): Promise<LaneCursor> {
    return this.#read(async (access) => {
      const cursor = await access.open(statement, size, call);
      try {
        // a server that is gone says so with the first rows
        const first = await cursor.next();
        let begun = false;
        const next = (): Promise<Rows> => {
          if (begun) return cursor.next();
          begun = true;
          return Promise.resolve(first);
        };
        return { next, close: cursor.close };
      } catch (error) {
        await cursor.close();
        throw error;
      }
    });
  }

  async #read<R>(ask: (access: Pool) => Promise<R>): Promise<R> {
    const replica = await this.#upToDate();
    if (replica === undefined) return ask(this.#primary);
    try {
      return await ask(replica.pool);
    } catch (error) {
      if (!isOfReplica(error)) throw error;
      replica.downUntil = Date.now() + pauseMs;
      return ask(this.#primary);
    }
  }

  async #upToDate(): Promise<Replica | undefined> {
    const up = this.#replicas.filter(({ downUntil }) => downUntil < Date.now());
    const replica = up[this.#next++ % Math.max(1, up.length)];
    const writes = this.#writes;
    if (replica === undefined || replica.seen === writes) return replica;
    try {
      const lsn = await this.#lsn(writes);
      const text = "SELECT NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() >= $1::pg_lsn";
      const [row] = await replica.pool.run({ text, params: [lsn] }, {});
      if (row?.[0] !== true) return undefined;
      replica.seen = writes;
      return replica;
    } catch (error) {
      if (!isOfReplica(error)) throw error;
      replica.downUntil = Date.now() + pauseMs;
      return undefined;
    }
  }

  #lsn(writes: number): Promise<string> {
    if (this.#place?.writes !== writes) {
      const lsn = this.#primary
        .run({ text: "SELECT pg_current_wal_insert_lsn()::text", params: [] }, {})
        .then(([row]) => row?.[0] as string);
      this.#place = { writes, lsn };
    }
    return this.#place.lsn;
  }

  async close(): Promise<void> {
    await Promise.all(this.#replicas.map(({ pool }) => pool.close()));
  }
}

/** Not reached, or in the way of what the primary replays: the primary can answer. */
function isOfReplica(error: unknown): boolean {
  const { code } = classify(error) as { readonly code?: string };
  return code === "UNAVAILABLE" || code === "PERMISSION_DENIED" || code === "CONFLICT";
}
