/** How a store gets at its server: by a pool, or by the one connection of an open transaction. */
import { type Call, DataknobsError } from "@dataknobs/core/backend";
import type { Statement } from "@dataknobs/sql";
import postgres from "postgres";
import { codeOf } from "./errors.js";
import { Lane, type LaneCursor, Prepared, queryOn, type Rows, rowsOf } from "./lane.js";
import type { Settings } from "./options.js";

/** What a body of statements gives; with `undo` nothing of it stays. */
export interface Change<R> {
  readonly result: R;
  readonly undo?: boolean;
}

export interface Access {
  /** Whether it is an open transaction, which a failing statement ends. */
  readonly inTransaction: boolean;
  run(statement: Statement, call: Call): Promise<Rows>;
  /** A query under settings of its own: a statement that makes them for the transaction. */
  tuned(settings: Statement, statement: Statement, call: Call): Promise<Rows>;
  native(text: string, params: readonly unknown[], call: Call): Promise<readonly object[]>;
  open(statement: Statement, size: number, call: Call): Promise<LaneCursor>;
  /** Runs a statement that is a transaction by itself once more where it lost a race. */
  again<R>(call: Call, body: () => Promise<R>): Promise<R>;
  /** All that the body does, or nothing. */
  change<R>(call: Call, body: (lane: Lane) => Promise<Change<R>>): Promise<R>;
}

const mostAttempts = 10;
/** The server ended the connection: often while it was idle, which the driver tells to the next statement. */
const ended = "57P01";

export class Pool implements Access {
  readonly inTransaction = false;
  /** Single statements: many at once on few connections. */
  readonly #main: postgres.Sql;
  readonly #own: boolean;
  readonly #prepared: Prepared;
  readonly #lanes = new Set<Lane>();
  readonly #idle: Lane[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #size: number;
  readonly #makeLane: (onclose: () => void) => postgres.Sql;
  #closed = false;

  /** `replica`: the server at that address instead of the one that the options name. */
  constructor(settings: Settings, replica?: string) {
    const { poolSize, prepare } = settings;
    const given = replica === undefined ? settings.given : undefined;
    const connectionString = replica ?? settings.connectionString;
    const client = replica === undefined ? settings.client : withoutPlace(settings.client, replica);
    const make = (more: postgres.Options<Record<string, never>>): postgres.Sql =>
      connectionString === undefined
        ? postgres({ ...client, ...more })
        : postgres(connectionString, { ...client, ...more });
    this.#own = given === undefined;
    this.#main = given ?? make({ max: poolSize });
    this.#size = poolSize;
    this.#prepared = new Prepared(prepare && this.#main.options.prepare !== false);
    const one = { max: 1, idle_timeout: 60, fetch_types: false };
    this.#makeLane = (onclose) =>
      given === undefined
        ? make({ ...one, onclose })
        : // options that were read once are taken as they are, with the host, the login and the sockets of the given client
          postgres({ ...(given.options as object), ...one, onclose, transform: plainTransform } as object);
  }

  /** Host, port and database, without the login. */
  get place(): string {
    const { host, port, path, database } = this.#main.options as {
      readonly host: readonly string[];
      readonly port: readonly number[];
      readonly path?: string | false;
      readonly database: string;
    };
    const hosts = path ? [path] : host.map((name, at) => `${name}:${port[at]}`);
    return `${hosts.join(",")}/${database}`;
  }

  run(statement: Statement, call: Call): Promise<Rows> {
    // a statement among others on a connection cannot be cancelled without hitting them
    if (call.signal !== undefined) return this.use(call, (lane) => lane.run(statement, call));
    const run = (): Promise<Rows> => rowsOf(queryOn(this.#main, statement, this.#prepared));
    return run().catch((error: unknown) => {
      if (codeOf(error) !== ended || !statement.text.startsWith("SELECT")) throw error;
      return run();
    });
  }

  tuned(settings: Statement, statement: Statement, call: Call): Promise<Rows> {
    return this.use(call, (lane) => lane.together([settings, statement], call));
  }

  native(text: string, params: readonly unknown[], call: Call): Promise<readonly object[]> {
    if (call.signal !== undefined) return this.use(call, (lane) => lane.native(text, params, call));
    return this.#main.unsafe(text, params as postgres.ParameterOrJSON<never>[]) as unknown as Promise<
      readonly object[]
    >;
  }

  async open(statement: Statement, size: number, call: Call): Promise<LaneCursor> {
    const lane = await this.#take(call);
    const cursor = await lane.open(statement, size, call);
    let closed = false;
    return {
      next: cursor.next,
      close: async () => {
        if (closed) return;
        closed = true;
        try {
          await cursor.close();
        } finally {
          await this.#give(lane);
        }
      },
    };
  }

  change<R>(call: Call, body: (lane: Lane) => Promise<Change<R>>): Promise<R> {
    return this.again(call, () => this.use(call, (lane) => transact(lane, body)));
  }

  /** A lost race, which writes nothing, is run again. */
  async again<R>(call: Call, body: () => Promise<R>): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await body();
      } catch (error) {
        const code = codeOf(error);
        if ((code !== "40001" && code !== "40P01") || attempt === mostAttempts || call.signal?.aborted === true)
          throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 2 ** attempt * Math.random()));
    }
  }

  async use<R>(call: Call, body: (lane: Lane) => Promise<R>): Promise<R> {
    const lane = await this.#take(call);
    try {
      return await body(lane);
    } finally {
      await this.#give(lane);
    }
  }

  /** A transaction of the user's. */
  async begin(mode: string, call: Call): Promise<Within> {
    const lane = await this.#take(call);
    try {
      await lane.begin(mode);
      // the snapshot shall be that of now, not of the first query
      await lane.exec("SELECT 1");
    } catch (error) {
      lane.spoiled = true;
      await this.#give(lane);
      throw error;
    }
    const stop = (): void => lane.cancel();
    call.signal?.addEventListener("abort", stop, { once: true });
    return new Within(lane, () => {
      call.signal?.removeEventListener("abort", stop);
      return this.#give(lane);
    });
  }

  async #take({ signal }: Call): Promise<Lane> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.#closed)
        throw new DataknobsError("NOT_OPEN", "The PostgreSQL backend is closed.", { backend: "postgres" });
      const idle = this.#idle.pop();
      if (idle?.spoiled === false) return idle;
      if (idle !== undefined) {
        this.#lanes.delete(idle);
        await idle.close();
        continue;
      }
      if (this.#lanes.size < this.#size) {
        const lane = new Lane(this.#makeLane, this.#prepared);
        this.#lanes.add(lane);
        return lane;
      }
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal?.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  async #give(lane: Lane): Promise<void> {
    if (lane.spoiled || this.#closed) {
      this.#lanes.delete(lane);
      await lane.close();
    } else this.#idle.push(lane);
    this.#waiting.shift()?.();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const wake of this.#waiting.splice(0)) wake();
    await Promise.all([...this.#lanes].map((lane) => lane.close()));
    // nothing is under way any more; without a limit the driver waits for connections that it has lost
    if (this.#own) await this.#main.end({ timeout: 0 });
  }
}

/** What a connection string says itself, given options would count more than. */
function withoutPlace(client: Settings["client"], connectionString: string): Settings["client"] {
  const { host: _, port: __, database, user, password, ...rest } = client;
  const { pathname, username, password: ownPassword } = new URL(connectionString);
  return {
    ...rest,
    ...(pathname.length < 2 && database !== undefined && { database }),
    ...(username === "" && user !== undefined && { user }),
    ...(ownPassword === "" && password !== undefined && { password }),
  };
}

const plainTransform = { undefined: undefined, column: {}, value: {}, row: {} };

async function transact<R>(lane: Lane, body: (lane: Lane) => Promise<Change<R>>): Promise<R> {
  await lane.begin("ISOLATION LEVEL READ COMMITTED");
  let change: Change<R>;
  try {
    change = await body(lane);
  } catch (error) {
    await rollback(lane);
    throw error;
  }
  await lane.end(change.undo === true ? "ROLLBACK" : "COMMIT");
  return change.result;
}

/** The failure that led here is the one to tell; where undoing fails too, the connection is given up, which undoes. */
async function rollback(lane: Lane): Promise<void> {
  await lane.end("ROLLBACK").catch(() => {
    lane.spoiled = true;
  });
}

/** The connection of an open transaction. */
export class Within implements Access {
  readonly inTransaction = true;
  readonly #lane: Lane;
  readonly #release: () => Promise<void>;
  #ended = false;
  #savepoints = 0;

  constructor(lane: Lane, release: () => Promise<void>) {
    this.#lane = lane;
    this.#release = release;
  }

  run(statement: Statement, call: Call): Promise<Rows> {
    return this.#open.run(statement, call);
  }

  async tuned(settings: Statement, statement: Statement, call: Call): Promise<Rows> {
    const lane = this.#open;
    await lane.run(settings, call);
    return lane.run(statement, call);
  }

  native(text: string, params: readonly unknown[], call: Call): Promise<readonly object[]> {
    return this.#open.native(text, params, call);
  }

  open(statement: Statement, size: number, call: Call): Promise<LaneCursor> {
    return this.#open.declare(statement, size, call);
  }

  again<R>(_call: Call, body: () => Promise<R>): Promise<R> {
    return body();
  }

  async change<R>(_call: Call, body: (lane: Lane) => Promise<Change<R>>): Promise<R> {
    const lane = this.#open;
    const name = `dk_change_${++this.#savepoints}`;
    await lane.exec(`SAVEPOINT ${name}`);
    let change: Change<R>;
    try {
      change = await body(lane);
    } catch (error) {
      // the transaction can go on; where it cannot, the first failure is the one to tell
      await lane.exec(`ROLLBACK TO ${name}`).catch(() => undefined);
      throw error;
    }
    if (change.undo === true) await lane.exec(`ROLLBACK TO ${name}`);
    await lane.exec(`RELEASE ${name}`);
    return change.result;
  }

  async end(statement: "COMMIT" | "ROLLBACK"): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    try {
      if (statement === "COMMIT") await this.#lane.end(statement);
      else await rollback(this.#lane);
    } finally {
      await this.#release();
    }
  }

  get #open(): Lane {
    if (!this.#ended) return this.#lane;
    throw new DataknobsError("NOT_OPEN", "The transaction has ended.", { backend: "postgres" });
  }
}
