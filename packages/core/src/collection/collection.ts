/**
 * A typed view over a part of a database: the records whose ids begin with the collection's name.
 *
 * Guaranteed: no operation sees, counts or changes a record of another collection, whatever names and keys hold; a record
 * lies where its key says. Each read and write is one of the database's own, so that versions, transactions and
 * capabilities are those of the database.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Aggregation } from "../aggregate/ast.js";
import type { ResultRow } from "../aggregate/finish.js";
import { internals } from "../database/internals.js";
import { type Access, Operations } from "../database/operations.js";
import type { Page, PageOptions, QueryInput, ReadOptions } from "../database/reads.js";
import { checkSchema, type InferInput, type InferOutput, validate } from "../database/schema.js";
import { type CallOptions, misuse, type Session } from "../database/session.js";
import { runAsync } from "../database/steps.js";
import type { BatchSource } from "../database/stream.js";
import type { DeleteOptions, UpdateOptions } from "../database/writes.js";
import { DataknobsError } from "../errors.js";
import type { Condition, PathInput, Query } from "../query/ast.js";
import { nearest } from "../query/nearest.js";
import { toQuery } from "../query/parse.js";
import { newId } from "../record/ids.js";
import type { StoredRecord } from "../record/stored.js";
import type { Fields } from "../record/values.js";
import { type Key, keyOfText, keyText, prefixOf } from "./keys.js";
import { pathsKey } from "./path-key.js";

/** Gives a record's key; a promise is waited for. */
export type KeyFunction<T> = (data: T) => Key | Promise<Key>;

export interface CollectionOptions<S extends StandardSchemaV1 | undefined = undefined> {
  /** What ids begin with, before a colon. Another name is another collection. */
  readonly name: string;
  /** A Standard Schema: checks every write, gives the types. Default: the database's own. */
  readonly schema?: S | undefined;
  /** The path of the key in the data, several in a list, or a function of the data. Default: keys are given or made. */
  readonly key?: PathInput | KeyFunction<S extends StandardSchemaV1 ? InferOutput<S> : Fields> | undefined;
}

/** A record with its key in the collection. `id` is the one in the database. */
export interface CollectionRecord<T = Fields> extends StoredRecord<T> {
  readonly key: Key;
}

export interface CollectionWrite<I = Fields> {
  readonly data: I;
  /** Where the collection has no `key`. Default: a UUIDv7. */
  readonly key?: Key | undefined;
  readonly metadata?: object | undefined;
}

type WriteOptions = Omit<CollectionWrite, "data"> & CallOptions;
type PutOptions = WriteOptions & Pick<UpdateOptions, "ifVersion">;
type AnyOperations = Operations<Fields, Fields>;

/**
 * A part of a database, or of an open transaction, as a store of its own.
 *
 * Errors: `INVALID_CONFIG` for options that cannot be right.
 *
 * @example
 * const users = collection(db, { name: "users", schema: User, key: "email" });
 * await users.create({ email: "ada@example.org", name: "Ada" });
 * await users.read("ada@example.org");
 */
export function collection<S extends StandardSchemaV1 | undefined = undefined, I = Fields, T = I>(
  db: Operations<I, T>,
  options: CollectionOptions<S>,
): S extends StandardSchemaV1 ? Collection<InferInput<S>, InferOutput<S>> : Collection<I, T> {
  if (!(db instanceof Operations)) throw misuse("collection takes an open database or transaction, and options.");
  const made = new Collection(
    db as unknown as AnyOperations,
    options as CollectionOptions<StandardSchemaV1 | undefined>,
  );
  return made as unknown as ReturnType<typeof collection<S, I, T>>;
}

const optionKeys = ["name", "schema", "key"] as const;

export class Collection<I = Fields, T = I> {
  readonly name: string;
  readonly #prefix: string;
  readonly #own: Condition;
  readonly #schema: StandardSchemaV1 | undefined;
  readonly #keyOf: KeyFunction<unknown> | undefined;
  readonly #db: AnyOperations;

  /** Use `collection`. @internal */
  constructor(db: AnyOperations, options: CollectionOptions<StandardSchemaV1 | undefined>) {
    const { name, schema, key } = options;
    for (const option of Object.keys(options)) {
      if (!(optionKeys as readonly string[]).includes(option)) {
        throw bad(`A collection has no option "${option}".${nearest(option, optionKeys)}`);
      }
    }
    if (typeof name !== "string" || name === "") throw bad("`name` of a collection is a text, not empty.");
    checkSchema(schema);
    this.name = name;
    this.#prefix = prefixOf(name);
    // the colon's next neighbour ends the range: what every engine's index of ids gives at once
    const end = `${this.#prefix.slice(0, -1)};`;
    this.#own = {
      and: [
        { path: "id", op: ">=", value: this.#prefix },
        { path: "id", op: "<", value: end },
      ],
    };
    this.#schema = schema;
    this.#keyOf =
      key === undefined ? undefined : typeof key === "function" ? (key as KeyFunction<unknown>) : pathsKey(key);
    this.#db = db;
  }

  /** Inserts a record. `ALREADY_EXISTS` where its key is taken. */
  async create(data: I, options: WriteOptions = {}): Promise<CollectionRecord<T>> {
    const { key, ...rest } = options;
    const { valid, id } = await this.#placed(data, key, "create");
    return this.#given(await this.#plain().create(valid, { ...rest, id }));
  }

  /** Inserts a record where its key is free, else gives the one that is there; `created` tells which. */
  async createOnce(
    data: I,
    options: WriteOptions = {},
  ): Promise<{ readonly record: CollectionRecord<T>; readonly created: boolean }> {
    const { key, metadata, ...call } = options;
    const { valid, id } = await this.#placed(data, key, "create");
    for (;;) {
      try {
        const record = await this.#plain().create(valid, { ...call, id, ...(metadata !== undefined && { metadata }) });
        return { record: this.#given(record), created: true };
      } catch (error) {
        // of a unique index, another record is in the way, not this one
        if (!DataknobsError.is(error, "ALREADY_EXISTS") || error.details["index"] !== undefined) throw error;
      }
      const there = await this.#plain().read(id, call);
      // gone again meanwhile: it is ours to make
      if (there !== undefined) return { record: this.#given(there), created: false };
    }
  }

  /** Inserts, or replaces the whole record but `createdAt`. */
  async put(data: I, options: PutOptions = {}): Promise<CollectionRecord<T>> {
    const { key, ...rest } = options;
    const { valid, id } = await this.#placed(data, key, "put");
    return this.#given(await this.#plain().upsert(id, valid, rest));
  }

  /** Inserts any number; all or nothing where `capabilities.atomicBatch`. */
  async createMany(inputs: readonly CollectionWrite<I>[], options: CallOptions = {}): Promise<CollectionRecord<T>[]> {
    return (await this.#plain().createMany(await this.#placedMany(inputs, "createMany"), options)).map(this.#given);
  }

  /** Inserts or replaces any number; the last of a key wins. */
  async putMany(inputs: readonly CollectionWrite<I>[], options: CallOptions = {}): Promise<CollectionRecord<T>[]> {
    return (await this.#plain().upsertMany(await this.#placedMany(inputs, "putMany"), options)).map(this.#given);
  }

  /** The record, or `undefined`. */
  async read(key: Key, options: ReadOptions & CallOptions = {}): Promise<CollectionRecord<T> | undefined> {
    return (await this.readMany([key], options))[0];
  }

  /** The records in the order of the keys, `undefined` for those that are not there. */
  async readMany(
    keys: readonly Key[],
    options: ReadOptions & CallOptions = {},
  ): Promise<(CollectionRecord<T> | undefined)[]> {
    if (!Array.isArray(keys)) throw misuse("readMany takes a list of keys.");
    const found = await this.#typed().readMany((keys as readonly Key[]).map(this.#idOf), options);
    return found.map((record) => (record === undefined ? undefined : this.#given(record)));
  }

  async exists(key: Key, options: CallOptions = {}): Promise<boolean> {
    return (await this.read(key, options)) !== undefined;
  }

  /**
   * Replaces the data of a record, and its metadata where given; `undefined` where there is no such record.
   * `INVALID_RECORD` where the data has another key.
   */
  async update(key: Key, data: I, options: UpdateOptions & CallOptions = {}): Promise<CollectionRecord<T> | undefined> {
    const { valid, id } = await this.#placed(data, key, "update");
    const record = await this.#plain().update(id, valid, options);
    return record === undefined ? undefined : this.#given(record);
  }

  /** Merges top-level fields into a record, atomically; its key cannot change. */
  async patch(
    key: Key,
    partial: Partial<I>,
    options: DeleteOptions & CallOptions = {},
  ): Promise<CollectionRecord<T> | undefined> {
    const id = this.#idOf(key);
    const schema = this.#keyOf === undefined ? this.#schema : this.#guarded(key);
    const record = await new View(this.#db, schema).patch(id, partial as Partial<Fields>, options);
    return record === undefined ? undefined : this.#given(record);
  }

  /** Whether the record was there. */
  async delete(key: Key, options: DeleteOptions & CallOptions = {}): Promise<boolean> {
    return this.#plain().delete(this.#idOf(key), options);
  }

  /** Whether each was there. */
  async deleteMany(keys: readonly Key[], options: CallOptions = {}): Promise<boolean[]> {
    if (!Array.isArray(keys)) throw misuse("deleteMany takes a list of keys.");
    return this.#plain().deleteMany((keys as readonly Key[]).map(this.#idOf), options);
  }

  /** Deletes every record of the collection that satisfies the condition; how many. */
  async deleteWhere(condition: Condition, options: CallOptions = {}): Promise<number> {
    // without one the database refuses, and not all of the collection is meant
    return this.#plain().deleteWhere(condition === undefined ? condition : this.#within(condition), options);
  }

  /** Deletes every record of the collection; how many there were. */
  async clear(options: CallOptions = {}): Promise<number> {
    return this.#plain().deleteWhere(this.#own, options);
  }

  /** The records of the collection that answer the query. */
  async search(query?: QueryInput, options: ReadOptions & CallOptions = {}): Promise<CollectionRecord<T>[]> {
    return (await this.#typed().search(this.#query(query), options)).map(this.#given);
  }

  /** The first of them, or `undefined`. */
  async first(query?: QueryInput, options: CallOptions = {}): Promise<CollectionRecord<T> | undefined> {
    const record = await this.#plain().first(this.#query(query), options);
    return record === undefined ? undefined : this.#given(record);
  }

  /** How many records of the collection answer the query. */
  async count(query?: QueryInput, options: CallOptions = {}): Promise<number> {
    return this.#plain().count(this.#query(query), options);
  }

  /** One page of a sorted query and the cursor of the next. */
  async page(
    query: QueryInput,
    options: PageOptions & CallOptions = {},
  ): Promise<Omit<Page<T>, "records"> & { readonly records: CollectionRecord<T>[] }> {
    const { records, next } = await this.#plain().page(this.#query(query), options);
    return { records: records.map(this.#given), next };
  }

  /** Groups and functions over the records of the collection. */
  async aggregate(aggregation: Aggregation, options: CallOptions = {}): Promise<ResultRow[]> {
    const { where, ...rest } = aggregation;
    return this.#plain().aggregate({ ...rest, where: this.#within(where) }, options);
  }

  /** The records of `search` one by one, in bounded memory. */
  stream(query?: QueryInput, options: CallOptions = {}): AsyncIterable<CollectionRecord<T>> {
    const records = this.#plain().stream(this.#query(query), options);
    const give = this.#given;
    return {
      async *[Symbol.asyncIterator]() {
        for await (const record of records) yield give(record);
      },
    };
  }

  /** Checked already, or only read: no schema. */
  #plain(): AnyOperations {
    return new View(this.#db, undefined);
  }

  #typed(): AnyOperations {
    return new View(this.#db, this.#schema ?? this.#databaseSchema("read"));
  }

  #databaseSchema(access: Access): StandardSchemaV1 | undefined {
    return this.#db[internals].session(access, "collection").schema;
  }

  readonly #idOf = (key: Key): string => this.#prefix + keyText(key);

  readonly #given = (record: StoredRecord<Fields>): CollectionRecord<T> => {
    const key = keyOfText(record.id.slice(this.#prefix.length));
    if (key !== undefined) return { ...(record as unknown as StoredRecord<T>), key };
    throw new DataknobsError(
      "CORRUPT",
      `The id ${JSON.stringify(record.id)} lies among those of the collection "${this.name}", which writes none like it.`,
      { id: record.id },
    );
  };

  /** The data as the schema has it, and where they belong. */
  async #placed(data: I, given: Key | undefined, operation: string): Promise<{ valid: Fields; id: string }> {
    const schema = this.#schema ?? this.#databaseSchema("write");
    const valid = (await runAsync(validate(schema, data), undefined)) as Fields;
    if (this.#keyOf === undefined) return { valid, id: this.#idOf(given ?? newId()) };
    const id = this.#idOf(await this.#keyOf(valid));
    if (given === undefined || this.#idOf(given) === id) return { valid, id };
    throw this.#elsewhere(operation, given);
  }

  async #placedMany(
    inputs: readonly CollectionWrite<I>[],
    operation: string,
  ): Promise<{ id: string; data: Fields; metadata?: object | undefined }[]> {
    if (!Array.isArray(inputs)) throw misuse(`${operation} takes a list of { data, key, metadata }.`);
    const placed: { id: string; data: Fields; metadata?: object | undefined }[] = [];
    for (const { data, key, ...rest } of inputs as readonly CollectionWrite<I>[]) {
      const { valid, id } = await this.#placed(data, key, operation);
      placed.push({ ...rest, id, data: valid });
    }
    return placed;
  }

  /** The schema, and that the key stays: for data that are known only when they are merged. */
  #guarded(key: Key): StandardSchemaV1 {
    const schema = this.#schema ?? this.#databaseSchema("write");
    const check = async (data: unknown): Promise<StandardSchemaV1.Result<unknown>> => {
      const valid = await runAsync(validate(schema, data), undefined);
      if (this.#idOf((await this.#keyOf?.(valid)) as Key) !== this.#idOf(key)) throw this.#elsewhere("patch", key);
      return { value: valid };
    };
    return { "~standard": { version: 1, vendor: "dataknobs", validate: check } };
  }

  #elsewhere(operation: string, key: Key): DataknobsError {
    return new DataknobsError(
      "INVALID_RECORD",
      `The data have another key than ${JSON.stringify(keyText(key))}: a record stays where its key says. Create the new one and delete the old.`,
      { operation, collection: this.name },
    );
  }

  #query(input: QueryInput | undefined): Query {
    const query = toQuery(input);
    // what is no query is refused by the database, in its words
    if (typeof query !== "object" || query === null || Array.isArray(query)) return query;
    return { ...query, where: this.#within(query.where) };
  }

  #within(where: Condition | undefined): Condition {
    return where === undefined ? this.#own : { and: [this.#own, where] };
  }
}

/** The operations of a database under another schema. */
class View extends Operations<Fields, Fields> {
  readonly #db: AnyOperations;
  readonly #schema: StandardSchemaV1 | undefined;

  constructor(db: AnyOperations, schema: StandardSchemaV1 | undefined) {
    super();
    this.#db = db;
    this.#schema = schema;
  }

  protected override session(access: Access, operation: string): Session {
    return { ...this.#db[internals].session(access, operation), schema: this.#schema };
  }

  protected override track<R>(work: Promise<R>): Promise<R> {
    return this.#db[internals].track(work);
  }

  protected override opened(source: BatchSource): () => void {
    return this.#db[internals].opened(source);
  }
}

function bad(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message);
}
