/** How a store gets at its connection: one of many, or that of an open transaction. */
import { type Call, DataknobsError } from "@dataknobs/core/backend";
import type { Statement } from "@dataknobs/sql";
import type { DuckDBInstance } from "@duckdb/node-api";
import { isConflict } from "./errors.js";
import { Lane, type Texts } from "./lane.js";
import type { Table } from "./table.js";

/** What a body of statements gives; with `undo` nothing of it stays. */
export interface Change<R> {
  readonly result: R;
  readonly undo?: boolean;
}

export interface Cursor {
  /** Texts of the next rows; none at the end. */
  next(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface Access {
  use<R>(body: (lane: Lane) => Promise<R>): Promise<R>;
  /** All that the body does, or nothing. */
  change<R>(call: Call, body: (lane: Lane) => Promise<Change<R>>): Promise<R>;
  open(statement: Statement, call: Call): Promise<Cursor>;
  /** A change that sees to its own transaction, where none is open. */
  alone?<R>(body: (lane: Lane) => Promise<R>): Promise<R>;
}

const mostIdle = 4;

/** Connections of a database, made when they are needed: every stream and transaction has its own. */
export class Pool implements Access {
  readonly #instance: DuckDBInstance;
  readonly #table: Table;
  readonly #timeoutMs: number;
  readonly #idle: Lane[] = [];
  readonly #lanes = new Set<Lane>();

  constructor(instance: DuckDBInstance, table: Table, timeoutMs: number) {
    this.#instance = instance;
    this.#table = table;
    this.#timeoutMs = timeoutMs;
  }

  async take(): Promise<Lane> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const lane = new Lane(await this.#instance.connect());
    this.#lanes.add(lane);
    return lane;
  }

  /** `broken`: something may still go on there. */
  give(lane: Lane, broken: boolean): void {
    if (!broken && this.#idle.length < mostIdle) {
      this.#idle.push(lane);
      return;
    }
    // `close` waits for it
    void lane.close().finally(() => this.#lanes.delete(lane));
  }

  async use<R>(body: (lane: Lane) => Promise<R>): Promise<R> {
    const lane = await this.take();
    let broken = true;
    try {
      const result = await body(lane);
      broken = false;
      return result;
    } finally {
      this.give(lane, broken);
    }
  }

  /** Writers of one process wait for each other; against open transactions they try again until the timeout. */
  change<R>(call: Call, body: (lane: Lane) => Promise<Change<R>>): Promise<R> {
    return this.#table.exclusively(async () => {
      const end = Date.now() + this.#timeoutMs;
      for (let attempt = 0; ; attempt++) {
        try {
          return await this.use((lane) => transact(lane, body));
        } catch (error) {
          if (!isConflict(error) || call.signal?.aborted === true || Date.now() > end) throw error;
        }
        await pause(Math.min(50, 2 ** attempt) * (0.5 + Math.random()));
      }
    });
  }

  alone<R>(body: (lane: Lane) => Promise<R>): Promise<R> {
    return this.#table.exclusively(() => this.use(body));
  }

  async open(statement: Statement, call: Call): Promise<Cursor> {
    const lane = await this.take();
    let texts: Texts;
    try {
      texts = await lane.open(statement, call);
    } catch (error) {
      this.give(lane, true);
      throw error;
    }
    let fetching: Promise<unknown> = Promise.resolve();
    let closed = false;
    return {
      next: () => {
        const work = lane.fetch(texts, call);
        fetching = work.catch(() => undefined);
        return work;
      },
      close: async () => {
        if (closed) return;
        closed = true;
        if (!texts.ended) lane.interrupt();
        await fetching;
        this.give(lane, !texts.ended);
      },
    };
  }

  /** Interrupts what is under way, and waits for its end. */
  async close(): Promise<void> {
    this.#idle.length = 0;
    await Promise.all([...this.#lanes].map((lane) => lane.close()));
    this.#lanes.clear();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export async function transact<R>(lane: Lane, body: (lane: Lane) => Promise<Change<R>>): Promise<R> {
  await lane.exec("BEGIN TRANSACTION");
  let change: Change<R>;
  try {
    change = await body(lane);
  } catch (error) {
    await rollback(lane);
    throw error;
  }
  // a commit that fails has rolled back
  await lane.exec(change.undo === true ? "ROLLBACK" : "COMMIT");
  return change.result;
}

/** Where there is a transaction still; the connection is given up after. */
async function rollback(lane: Lane): Promise<void> {
  try {
    await lane.exec("ROLLBACK");
  } catch (error) {
    if (!isConflict(error)) throw error;
  }
}

async function isRolledBack(lane: Lane): Promise<boolean> {
  try {
    await lane.exec("SELECT 1");
    return false;
  } catch (error) {
    if (isConflict(error)) return true;
    throw error;
  }
}

/** The one connection of an open transaction: one operation at a time; streams give way to statements. */
export class Within implements Access {
  readonly #pool: Pool;
  readonly #lane: Lane;
  readonly #streams = new Set<Texts>();
  #last: Promise<unknown> = Promise.resolve();
  #ended = false;
  #failed = false;

  constructor(pool: Pool, lane: Lane) {
    this.#pool = pool;
    this.#lane = lane;
  }

  use<R>(body: (lane: Lane) => Promise<R>): Promise<R> {
    return this.#next(async () => {
      for (const texts of this.#streams) await texts.drain();
      return body(this.#lane);
    });
  }

  async change<R>(_call: Call, body: (lane: Lane) => Promise<Change<R>>): Promise<R> {
    return (await this.use(body)).result;
  }

  async open(statement: Statement, call: Call): Promise<Cursor> {
    const texts = await this.use((lane) => lane.open(statement, call));
    this.#streams.add(texts);
    return {
      next: () => this.#next(() => this.#lane.fetch(texts, call)),
      close: async () => {
        this.#streams.delete(texts);
      },
    };
  }

  async end(statement: "COMMIT" | "ROLLBACK"): Promise<void> {
    await this.#next(async () => {
      if (this.#ended) return;
      this.#ended = true;
      let broken = true;
      try {
        if (statement === "COMMIT") await this.#commit();
        else await rollback(this.#lane);
        broken = false;
      } finally {
        this.#pool.give(this.#lane, broken);
      }
    });
  }

  #next<R>(body: () => Promise<R>): Promise<R> {
    const work = this.#last.then(async () => {
      if (this.#ended) throw new DataknobsError("NOT_OPEN", "The transaction has ended.", { backend: "duckdb" });
      return body();
    });
    this.#last = work.catch(() => {
      this.#failed = true;
    });
    return work;
  }

  /** DuckDB says yes to the COMMIT of a transaction that an error or an interrupt has rolled back. */
  async #commit(): Promise<void> {
    if (this.#failed && (await isRolledBack(this.#lane))) {
      throw new DataknobsError(
        "ABORTED",
        "A statement of this transaction failed or was interrupted, and DuckDB rolled all of it back. Nothing was written.",
        { backend: "duckdb" },
      );
    }
    await this.#lane.exec("COMMIT");
  }
}
