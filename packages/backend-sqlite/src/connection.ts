/** One connection: pragmas, functions, cached statements, transactions, and cursors that give way to writes. */
import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DataknobsError } from "@dataknobs/core/backend";
import type { SqlValue, Statement } from "@dataknobs/sql";
import Database from "better-sqlite3";
import { classify, sqliteCode } from "./errors.js";
import { registerFunctions } from "./functions.js";
import type { Settings } from "./options.js";
import type { Row } from "./rows.js";

type Prepared = Database.Statement<unknown[], unknown>;

const mostStatements = 256;

export class Connection {
  readonly db: Database.Database;
  readonly #statements = new Map<string, Prepared>();
  readonly #cursors = new Set<Cursor>();
  #interactive = false;

  constructor(settings: Settings, readOnly: boolean = settings.readOnly) {
    this.db = openFile(settings, readOnly);
    try {
      if (settings.mmapSize !== undefined) this.db.pragma(`mmap_size = ${settings.mmapSize}`);
      for (const [name, value] of settings.pragmas) this.db.pragma(`${name} = ${value}`);
      if (!readOnly && settings.journalMode !== undefined) this.#setJournal(settings.journalMode, settings.timeoutMs);
      this.db.pragma(`synchronous = ${settings.synchronous}`);
      registerFunctions(this.db);
    } catch (error) {
      this.db.close();
      throw error;
    }
  }

  /** Changing the mode needs the file alone, and SQLite does not wait for that: two processes may open it at once. */
  #setJournal(mode: string, timeoutMs: number): void {
    const end = Date.now() + timeoutMs;
    for (;;) {
      try {
        if (this.db.pragma("journal_mode", { simple: true }) === mode) return;
        const now: unknown = this.db.pragma(`journal_mode = ${mode}`, { simple: true });
        if (now === mode || this.db.memory) return;
        throw new DataknobsError("INVALID_CONFIG", `The SQLite file cannot be used in journal mode "${mode}" here.`, {
          backend: "sqlite",
        });
      } catch (error) {
        if (sqliteCode(error)?.startsWith("SQLITE_BUSY") !== true || Date.now() >= end) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
      }
    }
  }

  /** A statement from the cache; its rows are arrays. */
  prepare(text: string): Prepared {
    let prepared = this.#statements.get(text);
    if (prepared !== undefined) {
      // one that a cursor is stepping through cannot be run again
      return prepared.reader && prepared.busy ? this.#fresh(text) : prepared;
    }
    prepared = this.#fresh(text);
    if (this.#statements.size >= mostStatements)
      this.#statements.delete(this.#statements.keys().next().value as string);
    this.#statements.set(text, prepared);
    return prepared;
  }

  #fresh(text: string): Prepared {
    const prepared = this.db.prepare<unknown[], unknown>(text);
    return prepared.reader ? prepared.raw(true) : prepared;
  }

  all({ text, params }: Statement): Row[] {
    return this.prepare(text).all(...params) as Row[];
  }

  get(text: string, ...params: SqlValue[]): Row | undefined {
    return this.prepare(text).get(...params) as Row | undefined;
  }

  /** Runs a write; the rows changed. */
  run(text: string, ...params: SqlValue[]): number {
    return this.prepare(text).run(...params).changes;
  }

  /** Runs what has no rows and no parameters, several statements at once. */
  exec(text: string): void {
    this.db.exec(text);
  }

  get inTransaction(): boolean {
    return this.db.inTransaction;
  }

  begin(): void {
    this.giveWay();
    this.run("BEGIN IMMEDIATE");
    this.#interactive = true;
  }

  commit(): void {
    this.giveWay();
    this.#checkTransaction();
    this.run("COMMIT");
    this.#interactive = false;
  }

  /** SQLite itself rolls back after some errors, as on a full disk. */
  rollback(): void {
    this.giveWay();
    this.#interactive = false;
    if (this.inTransaction) this.run("ROLLBACK");
  }

  /** All that the body reads is of one state of the file. */
  reading<R>(body: () => R): R {
    this.giveWay();
    this.run("BEGIN");
    try {
      return body();
    } finally {
      if (this.inTransaction) this.run("COMMIT");
    }
  }

  /** All of the body's writes or none; inside an open transaction by a savepoint. Where `undoes` its result: none. */
  atomically<R>(body: () => R, undoes?: (result: R) => boolean): R {
    this.giveWay();
    this.#checkTransaction();
    const nested = this.inTransaction;
    this.run(nested ? "SAVEPOINT dataknobs" : "BEGIN IMMEDIATE");
    let result: R;
    try {
      result = body();
    } catch (error) {
      this.#undo(nested);
      throw error;
    }
    if (undoes?.(result) === true) this.#undo(nested);
    else {
      try {
        this.run(nested ? "RELEASE dataknobs" : "COMMIT");
      } catch (error) {
        this.#undo(nested);
        throw error;
      }
    }
    return result;
  }

  /** After some errors, as on a full disk, SQLite rolls back by itself: what follows must not be written alone. */
  #checkTransaction(): void {
    if (!this.#interactive || this.inTransaction) return;
    throw new DataknobsError(
      "CONFLICT",
      "SQLite rolled this transaction back when one of its writes failed. Nothing was written.",
      {
        backend: "sqlite",
      },
    );
  }

  #undo(nested: boolean): void {
    if (!this.inTransaction) return;
    if (!nested) this.run("ROLLBACK");
    else {
      this.run("ROLLBACK TO dataknobs");
      this.run("RELEASE dataknobs");
    }
  }

  /** Steps through rows batch by batch. `refetch` has a list of ids as its first parameter. */
  open(statement: Statement, batchSize: number, refetch: Statement | undefined): Cursor {
    const cursor = new Cursor(this, statement, batchSize, refetch, () => this.#cursors.delete(cursor));
    this.#cursors.add(cursor);
    return cursor;
  }

  /** better-sqlite3 refuses writes while a statement is being stepped: cursors read ahead what they have to. */
  giveWay(): void {
    if (this.#cursors.size > 0) for (const cursor of this.#cursors) cursor.detach();
  }

  close(): void {
    for (const cursor of this.#cursors) cursor.close();
    this.db.close();
  }
}

/** The rows of one statement. Holds the statement open, until a write comes; then only the ids of what is left. */
export class Cursor {
  readonly #connection: Connection;
  readonly #batchSize: number;
  readonly #refetch: Statement | undefined;
  readonly #ended: () => void;
  #rows: IterableIterator<unknown> | undefined;
  #ids: (readonly [id: string, score: number | undefined])[] = [];

  constructor(
    connection: Connection,
    { text, params }: Statement,
    batchSize: number,
    refetch: Statement | undefined,
    ended: () => void,
  ) {
    this.#connection = connection;
    this.#batchSize = batchSize;
    this.#refetch = refetch;
    this.#ended = ended;
    this.#rows = connection.prepare(text).iterate(...params) as IterableIterator<unknown>;
  }

  /** The next rows; an empty list at the end, and not before. */
  next(): Row[] {
    const rows = this.#rows;
    if (rows === undefined) return this.#again();
    const batch: Row[] = [];
    while (batch.length < this.#batchSize) {
      const step = rows.next();
      if (step.done === true) {
        this.close();
        break;
      }
      batch.push(step.value as Row);
    }
    return batch;
  }

  #again(): Row[] {
    while (this.#ids.length > 0 && this.#refetch !== undefined) {
      const part = this.#ids.splice(0, this.#batchSize);
      const { text, params } = this.#refetch;
      const list = JSON.stringify(part.map(([id]) => id));
      const rows = this.#connection.all({ text, params: [list, ...params.slice(1)] });
      // the last column is the place in the list; a score belongs there where the query has one
      const found = rows.map((row) => {
        const score = part[row.at(-1) as number]?.[1];
        return score === undefined ? row.slice(0, -1) : [...row.slice(0, -1), score];
      });
      if (found.length > 0) return found;
    }
    this.close();
    return [];
  }

  detach(): void {
    const rows = this.#rows;
    if (rows === undefined) return;
    this.#rows = undefined;
    for (let step = rows.next(); step.done !== true; step = rows.next()) {
      const row = step.value as Row;
      this.#ids.push([row[0] as string, row[8] as number | undefined]);
    }
  }

  close(): void {
    this.#rows?.return?.();
    this.#rows = undefined;
    this.#ids = [];
    this.#ended();
  }
}

function openFile({ path, timeoutMs }: Settings, readonly: boolean): Database.Database {
  if (path !== ":memory:") {
    // said before the driver does, which has no code of its own for either
    const folder = dirname(path);
    if (!existsSync(folder)) throw bad(`The folder of the SQLite file does not exist: ${folder}`, path);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
      throw bad(`The path of the SQLite file is a directory: ${path}`, path);
    if (readonly && !existsSync(path)) throw bad(`There is no SQLite file to read at ${path}`, path);
  }
  const db = new Database(path, { readonly, timeout: timeoutMs });
  try {
    // the first touch of the file, which tells whether it is a database at all
    db.pragma("schema_version");
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

function bad(message: string, path: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", `${message}.`, { backend: "sqlite", path });
}

/** Runs what talks to SQLite, its errors as ours. */
export function guarded<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw classify(error);
  }
}
