/** What a case gets: the store opened for it, and the means to open more. Everything is closed by the suite. */
import type { Backend, Capabilities } from "../backend/spi.js";
import type { Database } from "../database/database.js";
import type { StandardSchemaV1 } from "../database/schema.js";
import type { CallOptions } from "../database/session.js";
import type { DatabaseSettings } from "../database/settings.js";
import type { Transaction, TransactionOptions } from "../database/transaction.js";
import type { Fields } from "../record/values.js";
import type { Mode } from "./case.js";

/** A synchronous database is wrapped so that the same cases run on it. */
export type TestDatabase = Database<Fields, Fields>;
export type TestTransaction = Transaction<Fields, Fields>;
export type OpenOptions = DatabaseSettings<StandardSchemaV1 | undefined>;

/** The steps of a transaction: `yield` waits for a call, so that one body serves both kinds of database. */
export type Steps<R> = (tx: TestTransaction) => Generator<unknown, R, unknown>;

export interface Session {
  /** Fresh and empty, opened with the case's indexes in the mode `indexed`. */
  readonly db: TestDatabase;
  readonly capabilities: Capabilities;
  readonly mode: Mode;
  readonly sync: boolean;
  /** Another fresh, empty store, opened with these options. */
  open(options?: OpenOptions): Promise<TestDatabase>;
  /** A new backend object over a fresh, empty store, not opened. */
  backend(): Promise<Backend>;
  /** Opens a backend object that `backend()` made. */
  openBackend(backend: Backend, options?: OpenOptions): Promise<TestDatabase>;
  /** Closes the database and opens the same store anew. Only where the backend is durable. */
  reopen(db: TestDatabase, options?: OpenOptions): Promise<TestDatabase>;
  transact<R>(db: TestDatabase, steps: Steps<R>, options?: TransactionOptions & CallOptions): Promise<R>;
}
