/**
 * The table: made where it is missing, checked where it is there, and its declared indexes.
 *
 * Every change is made under the write lock after another look, so that two processes may open a new store at once.
 */
import { DataknobsError, type IndexSpec, pathKey, resolvePath } from "@dataknobs/core/backend";
import { quoteIdentifier } from "@dataknobs/sql";
import type { Connection } from "./connection.js";
import { sqliteCode } from "./errors.js";
import {
  fieldNames,
  indexName,
  type Layout,
  layoutVersion,
  metaTable,
  ownColumns,
  rankExpression,
  sameExpression,
  valueExpression,
} from "./layout.js";
import type { Settings } from "./options.js";
import { refreshKeys } from "./side-columns.js";
import { makeTriggers } from "./triggers.js";
import { dropVectors, makeVectors, vectorFieldOf } from "./vectors.js";
import { dropWords, hasWords, makeWords } from "./words.js";

const pythonColumns = ["id", "data", "metadata", "created_at", "updated_at"];

/** Makes and checks the table; what is there. */
export function openTable(connection: Connection, settings: Settings, wanted: readonly IndexSpec[]): Layout {
  const changeable = settings.manage && !settings.readOnly;
  let layout = inspect(connection, settings);
  if (changeable && needsWork(connection, layout, wanted)) {
    layout = connection.atomically(() => settle(connection, settings, wanted));
  }
  if (layout === undefined) {
    throw bad(
      `There is no table "${settings.table}" in the file, and none is made with ${settings.readOnly ? "`readOnly`" : "`manage: false`"}.`,
    );
  }
  if (!settings.readOnly) {
    if (!layout.own)
      throw bad(`The table "${settings.table}" lacks this library's columns, and \`manage: false\` adds none.`);
    const missing = wanted.find((spec) => spec.unique && !has(layout, spec));
    if (missing !== undefined)
      throw bad(`The table has no unique index "${missing.name}", and \`manage: false\` makes none.`);
  }
  return layout;
}

const has = (layout: Layout, spec: IndexSpec): boolean => layout.indexes.some((one) => sameIndex(one, spec));

function sameIndex(a: IndexSpec, b: IndexSpec): boolean {
  return keyOf(a) === keyOf(b);
}

function needsWork(connection: Connection, layout: Layout | undefined, wanted: readonly IndexSpec[]): boolean {
  if (layout === undefined || !layout.own || !hasMeta(connection)) return true;
  if (wanted.some((spec) => !has(layout, spec))) return true;
  return layout.shared && makeTriggers(layout).some(({ name, text }) => schemaSql(connection, name) !== text);
}

function settle(connection: Connection, settings: Settings, wanted: readonly IndexSpec[]): Layout {
  const { table } = settings;
  connection.exec(
    `CREATE TABLE IF NOT EXISTS ${metaTable} (table_name TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (table_name, key)) WITHOUT ROWID`,
  );
  let layout = inspect(connection, settings);
  if (layout === undefined) {
    connection.exec(
      `CREATE TABLE ${quoteIdentifier(table)} (id VARCHAR(255) PRIMARY KEY NOT NULL, data TEXT NOT NULL, metadata TEXT, ` +
        "created_at TEXT DEFAULT CURRENT_TIMESTAMP, updated_at TEXT DEFAULT CURRENT_TIMESTAMP, " +
        `${ownColumns.map((column) => `${column} TEXT DEFAULT NULL`).join(", ")})`,
    );
  } else if (!layout.own) adopt(connection, table);
  connection.run(`INSERT OR IGNORE INTO ${metaTable} VALUES (?, 'layout', ?)`, table, String(layoutVersion));
  // remembered, so that the table is read with the same care when it is next opened without saying so
  if (settings.shared) connection.run(`INSERT OR IGNORE INTO ${metaTable} VALUES (?, 'shared', 'true')`, table);
  layout = inspect(connection, settings) as Layout;
  for (const spec of wanted) if (!has(layout, spec)) layout = createIndex(connection, layout, spec);
  if (layout.shared) {
    for (const { name, text } of makeTriggers(layout)) {
      if (schemaSql(connection, name) === text) continue;
      connection.exec(`DROP TRIGGER IF EXISTS ${quoteIdentifier(name)}`);
      connection.exec(text);
    }
  }
  return layout;
}

/** Our columns for a table of the Python package, and a version for each of its rows. */
function adopt(connection: Connection, table: string): void {
  const there = new Set(columnsOf(connection, table));
  const name = quoteIdentifier(table);
  for (const column of ownColumns) {
    if (!there.has(column)) connection.exec(`ALTER TABLE ${name} ADD COLUMN ${column} TEXT DEFAULT NULL`);
  }
  connection.exec(`UPDATE ${name} SET version = lower(hex(randomblob(16))) WHERE version IS NULL`);
}

/** What is there; `undefined` where there is no such table. Refuses what is not for us. */
export function inspect(
  connection: Connection,
  { table, shared }: Pick<Settings, "table" | "shared">,
): Layout | undefined {
  const columns = columnsOf(connection, table);
  if (columns.length === 0) return undefined;
  const missing = pythonColumns.filter((column) => !columns.includes(column));
  if (missing.length > 0) {
    throw bad(
      `The table "${table}" is not one of records: it has no ${missing.join(", ")}. Choose another with \`table\`.`,
    );
  }
  const own = ownColumns.every((column) => columns.includes(column));
  if (!own && !shared) {
    throw bad(
      `The table "${table}" was made by another program. If that is the Python package dataknobs-data, open it with ` +
        "`shared: true`: columns are added, and both programs may read and write it.",
    );
  }
  const entries = hasMeta(connection)
    ? connection.all({ text: `SELECT key, value FROM ${metaTable} WHERE table_name = ? ORDER BY key`, params: [table] })
    : [];
  const indexes: IndexSpec[] = [];
  for (const [key, value] of entries as [string, string][]) {
    if (key === "layout" && Number(value) > layoutVersion) {
      throw bad(
        `The table "${table}" has layout ${value} of a newer version of this library; this one knows up to ${layoutVersion}.`,
      );
    }
    if (key.startsWith("index:")) indexes.push(parseSpec(value));
  }
  return { table, shared: shared || entries.some(([key]) => key === "shared"), own, indexes };
}

export function createIndex(connection: Connection, layout: Layout, spec: IndexSpec): Layout {
  const { table } = layout;
  const name = quoteIdentifier(table);
  const after: Layout = {
    ...layout,
    indexes: [...layout.indexes, spec].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
  };
  if (spec.vector !== undefined) makeVectors(connection, after, spec);
  else if (spec.text) {
    dropWords(connection, layout);
    makeWords(connection, after);
  } else {
    const names = fieldNames(spec.path);
    const columns = new Set(columnsOf(connection, table).map(quoteIdentifier));
    const add = (column: string, expression: string): void => {
      if (!columns.has(column))
        connection.exec(`ALTER TABLE ${name} ADD COLUMN ${column} GENERATED ALWAYS AS (${expression}) VIRTUAL`);
    };
    add(names.rank, rankExpression(spec.path));
    add(names.value, valueExpression(spec.path));
    if (spec.unique) {
      add(names.same, sameExpression(spec.path));
      refreshKeys(connection, after, spec.path);
    }
    const index = quoteIdentifier(indexName(table, spec));
    const by = spec.unique ? `${names.rank}, ${names.value}, ${names.same}` : `${names.rank}, ${names.value}, id`;
    try {
      connection.exec(`CREATE ${spec.unique ? "UNIQUE " : ""}INDEX ${index} ON ${name} (${by})`);
    } catch (error) {
      if (sqliteCode(error)?.startsWith("SQLITE_CONSTRAINT") !== true) throw error;
      throw new DataknobsError(
        "ALREADY_EXISTS",
        `The unique index "${spec.name}" cannot be made: two records have the same value there.`,
        {
          backend: "sqlite",
          index: spec.name,
        },
      );
    }
  }
  connection.run(`INSERT OR REPLACE INTO ${metaTable} VALUES (?, ?, ?)`, table, keyOf(spec), JSON.stringify(spec));
  return after;
}

export function dropIndex(connection: Connection, layout: Layout, spec: IndexSpec): Layout {
  const { table } = layout;
  const after: Layout = { ...layout, indexes: layout.indexes.filter((one) => !sameIndex(one, spec)) };
  connection.run(`DELETE FROM ${metaTable} WHERE table_name = ? AND key = ?`, table, keyOf(spec));
  if (spec.vector !== undefined) {
    if (vectorFieldOf(after, spec.path, spec.vector.dimensions) === undefined) dropVectors(connection, layout, spec);
    return after;
  }
  if (spec.text) {
    dropWords(connection, layout);
    if (hasWords(after)) makeWords(connection, after);
    return after;
  }
  connection.exec(`DROP INDEX IF EXISTS ${quoteIdentifier(indexName(table, spec))}`);
  const names = fieldNames(spec.path);
  const unused = spec.unique ? [names.same] : [];
  if (
    !after.indexes.some(
      ({ path, text, vector }) => !text && vector === undefined && pathKey(path) === pathKey(spec.path),
    )
  )
    unused.push(names.rank, names.value);
  for (const column of unused) connection.exec(`ALTER TABLE ${quoteIdentifier(table)} DROP COLUMN ${column}`);
  return after;
}

function keyOf(spec: IndexSpec): string {
  const { vector } = spec;
  const kind = vector === undefined ? "" : ` vector ${vector.dimensions} ${vector.metric} ${vector.index ?? ""}`;
  return `index:${pathKey(spec.path)}${spec.unique ? " unique" : spec.text ? " text" : kind}`;
}

function parseSpec(text: string): IndexSpec {
  const { path, type, unique, text: isText, vector, name } = JSON.parse(text) as IndexSpec;
  const field = { path: resolvePath([path.root, ...path.segments]), type, unique, text: isText, name };
  return vector === undefined ? field : { ...field, vector };
}

function hasMeta(connection: Connection): boolean {
  return schemaSql(connection, metaTable) !== undefined;
}

function schemaSql(connection: Connection, name: string): string | undefined {
  return connection.get("SELECT sql FROM sqlite_master WHERE name = ?", name)?.[0] as string | undefined;
}

function columnsOf(connection: Connection, table: string): string[] {
  return connection
    .all({ text: "SELECT name FROM pragma_table_xinfo(?)", params: [table] })
    .map(([name]) => name as string);
}

function bad(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message, { backend: "sqlite" });
}
