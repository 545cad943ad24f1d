/** One connection: statements one after another, and streams that are read chunk by chunk. */
import { setTimeout } from "node:timers/promises";
import { type Call, DataknobsError } from "@dataknobs/core/backend";
import type { SqlValue, Statement } from "@dataknobs/sql";
import type { DuckDBConnection, DuckDBPreparedStatement, DuckDBResult } from "@duckdb/node-api";

export type Row = readonly unknown[];

/**
 * Types are always said: the driver takes whole numbers for integers of 32 bits, by their value. Not by values of its own
 * making, which hold a copy of each text until they are collected as garbage, however large.
 */
function bind(prepared: DuckDBPreparedStatement, params: readonly SqlValue[]): void {
  for (let index = 0; index < params.length; index++) {
    const value = params[index] as SqlValue;
    const at = index + 1;
    switch (typeof value) {
      case "number":
        prepared.bindDouble(at, value);
        break;
      case "string":
        prepared.bindVarchar(at, value);
        break;
      case "boolean":
        prepared.bindBoolean(at, value);
        break;
      case "bigint":
        prepared.bindBigInt(at, value);
        break;
      default:
        if (value === null) prepared.bindNull(at);
        else prepared.bindBlob(at, value);
    }
  }
}

export class Lane {
  readonly connection: DuckDBConnection;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(connection: DuckDBConnection) {
    this.connection = connection;
  }

  /** The rows, all of them. */
  async rows(statement: Statement, call: Call): Promise<Row[]> {
    return (await this.#once(statement, call, (prepared) => prepared.runAndReadAll())).getRows();
  }

  /** The number of rows that were changed. */
  async run(statement: Statement, call: Call): Promise<number> {
    return (await this.#once(statement, call, (prepared) => prepared.run())).rowsChanged;
  }

  async exec(text: string): Promise<void> {
    await this.interruptible(() => this.connection.run(text), undefined);
  }

  /** A stream of rows of one text. It sees the store as it is now; another statement on this lane ends it. */
  async open(statement: Statement, call: Call): Promise<Texts> {
    return new Texts(await this.#once(statement, call, (prepared) => prepared.stream()));
  }

  /** A statement that is run again and again, with other parameters. */
  async prepare(text: string, { signal }: Call): Promise<Prepared> {
    return new Prepared(this, await this.interruptible(() => this.connection.prepare(text), signal));
  }

  async #once<R>(
    { text, params }: Statement,
    call: Call,
    start: (prepared: DuckDBPreparedStatement) => Promise<R>,
  ): Promise<R> {
    const prepared = await this.prepare(text, call);
    try {
      return await prepared.start(params, call, start);
    } finally {
      prepared.close();
    }
  }

  async fetch(texts: Texts, { signal }: Call): Promise<readonly string[]> {
    return this.interruptible(() => texts.next(), signal);
  }

  interrupt(): void {
    if (this.#closing === undefined) this.connection.interrupt();
  }

  /** At once where nothing is under way. A statement whose connection is closed under it may never answer. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    while (this.#underWay.size > 0) await this.#interruptAll();
    this.connection.closeSync();
  }

  /** Interrupts what was started, once the signal says so; and starts nothing after. */
  async interruptible<R>(start: () => Promise<R>, signal: AbortSignal | undefined): Promise<R> {
    if (signal?.aborted) throw aborted();
    // what a caller no longer waits for goes on until its lane is closed, and must not begin another statement
    if (this.#closing !== undefined) throw aborted();
    const work = start();
    this.#underWay.add(work);
    // an interrupt that comes before the engine has begun is lost: it is told until the statement has ended
    const stop = async (): Promise<void> => {
      while (this.#underWay.has(work)) await this.#interrupt(work);
    };
    signal?.addEventListener("abort", stop);
    try {
      return await work;
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#underWay.delete(work);
    }
  }

  async #interruptAll(): Promise<void> {
    await Promise.all([...this.#underWay].map((work) => this.#interrupt(work)));
  }

  /** Resolves when the statement has ended, or soon. */
  async #interrupt(work: Promise<unknown>): Promise<void> {
    this.connection.interrupt();
    const end = new AbortController();
    const ended = work.then(
      () => end.abort(),
      () => end.abort(),
    );
    await Promise.race([ended, setTimeout(10, undefined, { signal: end.signal }).catch(() => undefined)]);
  }
}

function aborted(): DataknobsError {
  return new DataknobsError("ABORTED", "The call was aborted.", { backend: "duckdb" });
}

export class Prepared {
  readonly #lane: Lane;
  readonly #prepared: DuckDBPreparedStatement;

  constructor(lane: Lane, prepared: DuckDBPreparedStatement) {
    this.#lane = lane;
    this.#prepared = prepared;
  }

  /** It is under way when this returns: what the caller does then is done beside it. */
  start<R>(
    params: readonly SqlValue[],
    { signal }: Call,
    start: (prepared: DuckDBPreparedStatement) => Promise<R>,
  ): Promise<R> {
    return this.#lane.interruptible(() => {
      bind(this.#prepared, params);
      return start(this.#prepared);
    }, signal);
  }

  async run(params: readonly SqlValue[], call: Call): Promise<void> {
    await this.start(params, call, (prepared) => prepared.run());
  }

  /** Its parameters are held until then. */
  close(): void {
    this.#prepared.destroySync();
  }
}

/** The texts of a streamed result, a chunk at a time; an empty list at the end. */
export class Texts {
  readonly #result: DuckDBResult;
  #rest: string[] | undefined;
  #ended = false;

  constructor(result: DuckDBResult) {
    this.#result = result;
  }

  get ended(): boolean {
    return this.#ended;
  }

  async next(): Promise<readonly string[]> {
    if (this.#rest !== undefined) return this.#rest.splice(0, 2048);
    if (this.#ended) return [];
    const chunk = await this.#result.fetchChunk();
    const count = chunk?.rowCount ?? 0;
    if (chunk === null || count === 0) {
      this.#ended = true;
      return [];
    }
    const texts = new Array<string>(count);
    const vector = chunk.getColumnVector(0);
    for (let row = 0; row < count; row++) texts[row] = vector.getItem(row) as string;
    return texts;
  }

  /** Takes what is left into memory, so that the lane is free for another statement. */
  async drain(): Promise<void> {
    if (this.#ended || this.#rest !== undefined) return;
    const rest: string[] = [];
    for (;;) {
      const texts = await this.next();
      if (texts.length === 0) break;
      for (const text of texts) rest.push(text);
    }
    this.#rest = rest;
  }
}
