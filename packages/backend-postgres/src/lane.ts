/**
 * One connection by itself, for what needs one: transactions, streams, and calls that may be cancelled.
 *
 * It is a client of the driver with a single connection, since a connection reserved from the driver's pool is used
 * on after it was lost, and then outside its transaction. A lane that has lost its connection refuses instead.
 */
import { type Call, DataknobsError } from "@dataknobs/core/backend";
import type { Statement } from "@dataknobs/sql";
import type postgres from "postgres";

/** Rows as lists of columns, and what the driver knows of them. */
export type Rows = readonly (readonly unknown[])[] & {
  readonly count: number | null;
  readonly columns: readonly { readonly name: string; readonly type: number }[] | null;
};

/** Texts of statements that each connection keeps prepared: a bounded number. */
export class Prepared {
  readonly #enabled: boolean;
  readonly #texts = new Set<string>();

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  has({ text, params }: Statement): boolean {
    if (!this.#enabled || params.length === 0) return false;
    if (this.#texts.has(text)) return true;
    if (this.#texts.size >= 500) return false;
    this.#texts.add(text);
    return true;
  }
}

type Pending = postgres.PendingQuery<postgres.Row[]>;

export function queryOn(sql: postgres.Sql, statement: Statement, prepared: Prepared): Pending {
  const { text, params } = statement;
  // the driver's simple protocol, for statements without parameters, would take several at once
  const options = { prepare: prepared.has(statement), simple: false } as postgres.UnsafeQueryOptions;
  return sql.unsafe(text, params as postgres.ParameterOrJSON<never>[], options);
}

export const rowsOf = (pending: Pending): Promise<Rows> => pending.values() as unknown as Promise<Rows>;

export class Lane {
  readonly #sql: postgres.Sql;
  readonly #prepared: Prepared;
  #last: Promise<unknown> = Promise.resolve();
  #cursors = 0;
  #current: Pending | undefined;
  #inTransaction = false;
  #streaming = false;
  #lost = false;
  /** Something may still go on there, or be on its way to it. */
  spoiled = false;

  constructor(make: (onclose: () => void) => postgres.Sql, prepared: Prepared) {
    this.#sql = make(() => {
      if (this.#inTransaction || this.#streaming) this.#lost = true;
      // what the server said last to an idle connection, the driver tells the first statement on the next one
      this.spoiled = true;
    });
    this.#prepared = prepared;
  }

  /** One statement after the other. An abort cancels it on the server. */
  run(statement: Statement, call: Call = {}): Promise<Rows> {
    return this.#next(() => this.#cancellable(call, () => queryOn(this.#sql, statement, this.#prepared), rowsOf));
  }

  exec(text: string): Promise<Rows> {
    return this.run({ text, params: [] });
  }

  /** A statement of a user, with all that the driver gives. */
  native(text: string, params: readonly unknown[], call: Call): Promise<readonly postgres.Row[]> {
    return this.#next(() =>
      this.#cancellable(
        call,
        () => this.#sql.unsafe(text, params as postgres.ParameterOrJSON<never>[]) as unknown as Pending,
        (pending) => pending as unknown as Promise<readonly postgres.Row[]>,
      ),
    );
  }

  /**
   * A transaction that only reads, sent as a whole: the rows of its last statement. Where the connection is lost in
   * the middle, what is left runs outside of it, which is no harm to what only reads.
   */
  together(statements: readonly Statement[], call: Call = {}): Promise<Rows> {
    return this.#next(async () => {
      const transaction = [begin, ...statements, commit].map((one) => queryOn(this.#sql, one, this.#prepared));
      const answers = await this.#cancellable(
        call,
        () => transaction[statements.length] as Pending,
        () => Promise.allSettled(transaction.map(rowsOf)),
      );
      for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
      return (answers[statements.length] as PromiseFulfilledResult<Rows>).value;
    });
  }

  async begin(mode: string): Promise<void> {
    this.#lost = false;
    await this.exec(`BEGIN ${mode}`);
    this.#inTransaction = true;
  }

  /** Nothing is left of a transaction whose connection was lost: undoing it is done. */
  async end(statement: "COMMIT" | "ROLLBACK"): Promise<void> {
    try {
      if (statement === "ROLLBACK" && this.#lost) return;
      const { command } = (await this.exec(statement)) as unknown as { command: string };
      // a transaction that failed answers COMMIT with ROLLBACK
      if (statement === "COMMIT" && command === "ROLLBACK")
        throw Object.assign(new Error("rolled back"), { code: "25P02" });
    } catch (error) {
      this.spoiled = true;
      throw error;
    } finally {
      this.#inTransaction = false;
    }
  }

  /** Rows of a statement in batches, by the protocol's own cursor. Nothing else runs here until `close`. */
  async open(statement: Statement, size: number, call: Call): Promise<LaneCursor> {
    const pending = queryOn(this.#sql, statement, this.#prepared);
    const iterator = pending.values().cursor(size)[Symbol.asyncIterator]() as unknown as AsyncIterator<Rows>;
    let under: Promise<IteratorResult<Rows>> | undefined;
    const next = async (): Promise<Rows> => {
      // on a connection that was lost between two batches the driver throws where nobody can catch it
      // (https://github.com/porsager/postgres/issues/1208)
      if (this.#lost) throw lostStream();
      this.#streaming = true;
      under = this.#cancellable(
        call,
        () => pending,
        () => iterator.next(),
      );
      const step = await under;
      under = undefined;
      return step.done === true ? nothing : step.value;
    };
    return {
      next,
      close: async () => {
        this.#streaming = false;
        if (this.#lost) return;
        if (under === undefined) await iterator.return?.();
        else {
          this.cancel();
          await under.catch(() => undefined);
        }
      },
    };
  }

  /** The same within a transaction, beside other statements. */
  async declare({ text, params }: Statement, size: number, call: Call): Promise<LaneCursor> {
    const name = `dk_cursor_${++this.#cursors}`;
    await this.run({ text: `DECLARE ${name} NO SCROLL CURSOR FOR ${text}`, params }, call);
    return {
      next: () => this.run({ text: `FETCH FORWARD ${Math.floor(size)} FROM ${name}`, params: [] }, call),
      close: async () => {
        // an ended transaction has no cursors
        if (this.#inTransaction && !this.#lost && !this.spoiled) await this.exec(`CLOSE ${name}`);
      },
    };
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 0 });
  }

  #next<R>(body: () => Promise<R>): Promise<R> {
    const work = this.#last.then(() => {
      if (this.#lost) throw lostTransaction();
      return body();
    });
    this.#last = work.catch(() => undefined);
    return work;
  }

  /** Ends what the server does for this lane. The request travels by itself and may come late: the lane is given up. */
  cancel(): void {
    if (this.#current === undefined) return;
    this.spoiled = true;
    // the driver answers with a promise that its types do not mention; an unreachable server ends the statement anyway
    const asked = this.#current.cancel() as unknown as Promise<void> | undefined;
    asked?.catch(() => undefined);
  }

  async #cancellable<R>({ signal }: Call, start: () => Pending, settle: (pending: Pending) => Promise<R>): Promise<R> {
    signal?.throwIfAborted();
    const pending = start();
    this.#current = pending;
    const stop = (): void => this.cancel();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      return await settle(pending);
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#current = undefined;
    }
  }
}

const begin: Statement = { text: "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY", params: [] };
const commit: Statement = { text: "COMMIT", params: [] };

const nothing = Object.assign([], { count: 0, columns: null }) as Rows;

export interface LaneCursor {
  /** The next rows; none at the end. */
  next(): Promise<Rows>;
  close(): Promise<void>;
}

function lostStream(): DataknobsError {
  return new DataknobsError("UNAVAILABLE", "The connection of the stream was lost. Begin it again.", {
    backend: "postgres",
  });
}

function lostTransaction(): DataknobsError {
  return new DataknobsError(
    "UNAVAILABLE",
    "The connection of the transaction was lost, and with it all that it had written. Run it again.",
    { backend: "postgres" },
  );
}
