/**
 * A table on one connection, synchronous: every write, and the statements that readers bring. It exchanges text and
 * numbers only, so that the same code serves this thread and a worker.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import {
  DataknobsError,
  type ExistingIndex,
  type IndexSpec,
  isoTime,
  mergeFields,
  type Path,
  type WireRecord,
  type WriteOutcome,
} from "@dataknobs/core/backend";
import { quoteIdentifier, type Statement } from "@dataknobs/sql";
import { Connection } from "./connection.js";
import { sqliteCode } from "./errors.js";
import { fieldNames, type Layout, rankExpression, sameExpression, valueExpression } from "./layout.js";
import { Matrices, type NearestSearch } from "./matrix.js";
import type { Settings } from "./options.js";
import { derivedVersion, parseObject, parseTypes, type Row, recordOf, type TextMerge, type TextOp } from "./rows.js";
import { createIndex, dropIndex, inspect, openTable } from "./schema.js";
import { keysColumn } from "./side-columns.js";
import { addSides, clearSides, removeSides } from "./sides.js";
import { hasStaleWords, refreshWords } from "./words.js";
import { type WriteSql, writeSql } from "./write-sql.js";

/** What is written of a record, beside its id. */
interface Content {
  readonly data: string;
  readonly types: string | null;
  readonly metadata: string;
  readonly metadataTypes: string | null;
}

const missing: WriteOutcome = Object.freeze({ status: "missing" });
const deleted: WriteOutcome = Object.freeze({ status: "deleted" });
const exists: WriteOutcome = Object.freeze({ status: "exists" });
const rolledBack: WriteOutcome = Object.freeze({ status: "rolledBack" });

export class Store {
  readonly connection: Connection;
  readonly #settings: Settings;
  #layout!: Layout;
  #sql!: WriteSql;
  #schemaVersion: unknown;
  readonly #matrices: Matrices;
  #last: WriteOutcome & { readonly status: "written" } = { status: "written", createdAt: Number.NaN };

  constructor(settings: Settings, connection: Connection = new Connection(settings)) {
    this.#settings = settings;
    this.connection = connection;
    this.#matrices = new Matrices(connection);
  }

  get layout(): Layout {
    return this.#layout;
  }

  open(indexes: readonly IndexSpec[]): Layout {
    this.#use(openTable(this.connection, this.#settings, indexes));
    if (!this.#settings.readOnly) this.refresh();
    return this.#layout;
  }

  /** Takes the table as it is. */
  look(): Layout | undefined {
    const layout = inspect(this.connection, this.#settings);
    return layout && this.#use(layout);
  }

  #use(layout: Layout): Layout {
    this.#layout = layout;
    this.#sql = writeSql(layout);
    this.#schemaVersion = this.connection.get("PRAGMA schema_version")?.[0];
    return layout;
  }

  read(id: string): Row | undefined {
    return this.connection.get(this.#sql.read, id);
  }

  /** Rows of records, nearest first. */
  nearest(search: NearestSearch): Row[] {
    return this.#matrices.search(search);
  }

  /** Each operation becomes text just before it is written, so that a large batch is not held twice. */
  write<Op>(ops: readonly Op[], atomic: boolean, toText: (op: Op) => TextOp): readonly WriteOutcome[] {
    let refused = false;
    const outcomes = this.#change(
      () =>
        ops.map((op) => {
          const outcome = this.#apply(toText(op));
          const { status } = outcome;
          refused ||= status === "exists" || status === "stale" || status === "duplicate";
          return outcome;
        }),
      () => atomic && refused,
    );
    if (!atomic || !refused) return outcomes;
    return outcomes.map((outcome) =>
      outcome.status === "written" || outcome.status === "deleted" ? rolledBack : outcome,
    );
  }

  merge(op: TextMerge): WriteOutcome {
    return this.#change(() => {
      const row = this.read(op.id);
      const refusal = this.#refusal(op.id, op.ifVersion, row);
      if (refusal !== undefined) return refusal;
      const before = recordOf(row as Row);
      const { data, types } = mergeFields(before.data, before.types, parseObject(op.data), parseTypes(op.types));
      return this.#apply({
        ...op,
        kind: "update",
        data: JSON.stringify(data),
        types: types === null ? null : JSON.stringify(types),
        metadata: null,
        metadataTypes: null,
        ifVersion: undefined,
      });
    });
  }

  deleteWhere(statement: Statement, all: boolean): number {
    return this.#change(() => {
      if (!this.#sql.hasSides) return this.connection.run(statement.text, ...statement.params);
      if (all) {
        const count = this.connection.run(statement.text, ...statement.params);
        clearSides(this.connection, this.#layout);
        return count;
      }
      const rows = this.connection.all({ ...statement, text: `${statement.text} RETURNING id` });
      for (const [id] of rows) removeSides(this.connection, this.#layout, id as string);
      return rows.length;
    });
  }

  listIndexes(): ExistingIndex[] {
    const { table } = this.#layout;
    const ours = this.#layout.indexes.map((spec) => ({ name: spec.name, spec }));
    const named = this.connection
      .all({
        text: "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL ORDER BY name",
        params: [table],
      })
      .map(([name]) => name as string)
      .filter((name) => !/^(?:index|unique)_.*_[0-9a-f]{10}$/.test(name));
    return [...ours, ...named.map((name) => ({ name }))];
  }

  createIndex(spec: IndexSpec): Layout {
    return this.#use(this.#change(() => createIndex(this.connection, this.#layout, spec)));
  }

  dropIndex(name: string): Layout {
    const spec = this.#layout.indexes.find((one) => one.name === name);
    if (spec === undefined) {
      throw new DataknobsError("NOT_FOUND", `There is no index "${name}" of this library.`, {
        backend: "sqlite",
        index: name,
      });
    }
    return this.#use(this.#change(() => dropIndex(this.connection, this.#layout, spec)));
  }

  /** Makes up for what another program wrote into a shared table. */
  refresh(): void {
    if (!hasStaleWords(this.connection, this.#layout)) return;
    this.#change(() => refreshWords(this.connection, this.#layout));
  }

  /** Under the write lock, with the indexes that are there now: another process may have changed them. */
  #change<R>(body: () => R, undoes?: (result: R) => boolean): R {
    return this.connection.atomically(() => {
      if (this.#settings.path !== ":memory:") this.#lookAgain();
      return body();
    }, undoes);
  }

  #lookAgain(): void {
    if (this.connection.get("PRAGMA schema_version")?.[0] === this.#schemaVersion) return;
    const layout = inspect(this.connection, this.#settings);
    if (layout === undefined)
      throw new DataknobsError("CONFLICT", `The table "${this.#settings.table}" is gone.`, { backend: "sqlite" });
    this.#use(layout);
  }

  #apply(op: TextOp): WriteOutcome {
    try {
      switch (op.kind) {
        case "insert":
          return this.#insert(op);
        case "upsert":
          return op.ifVersion === undefined ? this.#upsert(op) : this.#update(op);
        case "update":
          return this.#update(op);
        case "delete":
          return this.#delete(op);
      }
    } catch (error) {
      if (sqliteCode(error) !== "SQLITE_CONSTRAINT_UNIQUE") throw error;
      return { status: "duplicate", index: this.#duplicateOf(op) };
    }
  }

  #insert(op: TextOp): WriteOutcome {
    const content = contentOf(op);
    const { data, metadata, types, metadataTypes } = content;
    const keys = keysColumn(this.#sql.deep, data, types);
    const metadataKeys = keysColumn(this.#sql.metadataDeep, metadata, metadataTypes);
    const at = isoTime(op.at);
    // spelled out, and without the columns that nearly no record has: bulk loads run this statement
    const { changes } =
      types === null && metadataTypes === null && keys === null && metadataKeys === null
        ? this.connection.prepare(this.#sql.insertPlain).run(op.id, data, metadata, op.version, at, at)
        : this.connection
            .prepare(this.#sql.insert)
            .run(op.id, data, metadata, types, metadataTypes, keys, metadataKeys, op.version, at, at);
    if (changes === 0) return exists;
    return this.#written(op, content, op.at);
  }

  #upsert(op: TextOp): WriteOutcome {
    const content = contentOf(op);
    const row = this.connection.get(this.#sql.upsert, op.id, ...this.#columns(op, content), isoTime(op.at));
    return this.#written(op, content, timeOf(row as Row));
  }

  #update(op: TextOp): WriteOutcome {
    const { id, ifVersion } = op;
    const keepsMetadata = op.metadata === null;
    let row: Row | undefined;
    if (ifVersion !== undefined || keepsMetadata) {
      row = this.read(id);
      const refusal = this.#refusal(id, ifVersion, row);
      if (refusal !== undefined) return refusal;
    }
    const content = keepsMetadata
      ? {
          data: op.data,
          types: op.types,
          metadata: (row?.[2] as string | null) ?? "{}",
          metadataTypes: row?.[4] as string | null,
        }
      : contentOf(op);
    const written = this.connection.get(this.#sql.update, ...this.#columns(op, content), id);
    if (written === undefined) return missing;
    const createdAt = timeOf(written);
    const outcome = this.#written(op, content, createdAt);
    if (!keepsMetadata) return outcome;
    return { status: "written", createdAt, record: asRecord(op, content, createdAt) };
  }

  #delete({ id, ifVersion }: TextOp): WriteOutcome {
    if (ifVersion !== undefined) {
      const refusal = this.#refusal(id, ifVersion, this.read(id));
      if (refusal !== undefined) return refusal;
    }
    if (this.connection.run(this.#sql.delete, id) === 0) return missing;
    if (this.#sql.hasSides) removeSides(this.connection, this.#layout, id);
    return deleted;
  }

  /** Under the write lock, so that what was read is still so when it is written. */
  #refusal(_id: string, ifVersion: string | undefined, row: Row | undefined): WriteOutcome | undefined {
    if (row === undefined) return ifVersion === undefined ? missing : { status: "stale", actual: null };
    if (ifVersion === undefined) return undefined;
    const actual = (row[5] as string | null) ?? derivedVersion(row, 0);
    return actual === ifVersion ? undefined : { status: "stale", actual };
  }

  #columns(op: TextOp, { data, types, metadata, metadataTypes }: Content): (string | null)[] {
    const keys = keysColumn(this.#sql.deep, data, types);
    const metadataKeys = keysColumn(this.#sql.metadataDeep, metadata, metadataTypes);
    return [data, metadata, types, metadataTypes, keys, metadataKeys, op.version, isoTime(op.at)];
  }

  #written(op: TextOp, content: Content, createdAt: number): WriteOutcome {
    if (this.#sql.hasSides) addSides(this.connection, this.#layout, op.id, content);
    // most of a batch is written at one time
    if (this.#last.createdAt !== createdAt) this.#last = Object.freeze({ status: "written", createdAt });
    return this.#last;
  }

  /** The unique index that has the value already: the driver tells only in words. */
  #duplicateOf(op: TextOp): string {
    const table = quoteIdentifier(this.#layout.table);
    const unique = this.#layout.indexes.filter((spec) => spec.unique);
    const stored = op.metadata === null ? this.read(op.id) : undefined;
    const metadata = (stored === undefined ? op.metadata : (stored[2] as string | null)) ?? "{}";
    const metadataTypes = stored === undefined ? op.metadataTypes : (stored[4] as string | null);
    const keys = keysColumn(this.#sql.deep, op.data, op.types);
    const metadataKeys = keysColumn(this.#sql.metadataDeep, metadata, metadataTypes);
    for (const { path, name } of unique) {
      const { rank, value, same } = fieldNames(path);
      const row = this.connection.get(
        `SELECT 1 FROM (${probeOf(path)}) AS new JOIN ${table} AS old ON old.${rank} = new.rank AND old.${value} = new.value AND old.${same} = new.same WHERE old.id <> ?`,
        ...[op.data, metadata, op.types, metadataTypes, keys, metadataKeys, op.id],
      );
      if (row !== undefined) return name;
    }
    return unique[0]?.name ?? "";
  }

  /** A consistent copy; the file must not be there yet. */
  backup(path: string): void {
    const file = resolve(path);
    if (existsSync(file)) {
      throw new DataknobsError("ALREADY_EXISTS", `A backup does not overwrite: there is a file at ${file}.`, {
        backend: "sqlite",
        path: file,
      });
    }
    this.connection.giveWay();
    this.connection.run("VACUUM INTO ?", file);
  }

  close(): void {
    this.connection.close();
  }
}

function contentOf({ data, types, metadata, metadataTypes }: TextOp): Content {
  return { data, types, metadata: metadata ?? "{}", metadataTypes };
}

function timeOf(row: Row): number {
  return Date.parse(row[0] as string);
}

/** The columns of a unique index for a record that is not in the table. */
function probeOf(path: Path): string {
  const columns = ["data", "metadata", "types", "metadata_types", "keys", "metadata_keys"].map(
    (column) => `? AS ${column}`,
  );
  return (
    `SELECT ${rankExpression(path)} AS rank, ${valueExpression(path)} AS value, ${sameExpression(path)} AS same ` +
    `FROM (SELECT ${columns.join(", ")})`
  );
}

function asRecord(op: TextOp, content: Content, createdAt: number): WireRecord {
  return {
    id: op.id,
    data: parseObject(content.data),
    types: parseTypes(content.types),
    metadata: parseObject(content.metadata),
    metadataTypes: parseTypes(content.metadataTypes),
    version: op.version,
    createdAt,
    updatedAt: op.at,
  };
}
