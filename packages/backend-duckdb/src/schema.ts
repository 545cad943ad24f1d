/** The table: made where it is missing, checked where it is there, written anew when declared fields change. */
import { type Call, DataknobsError, type IndexSpec, parseJson, pathKey } from "@dataknobs/core/backend";
import { quoteIdentifier, raw } from "@dataknobs/sql";
import type { Access } from "./access.js";
import type { Lane } from "./lane.js";
import {
  baseColumns,
  columnsOf,
  declare,
  type Layout,
  layoutVersion,
  loadLayout,
  makeLayout,
  metaTable,
  type StoredLayout,
  storeLayout,
  tableDefinition,
} from "./layout.js";
import type { Settings } from "./options.js";
import { insertRows } from "./rows.js";
import { recordColumn } from "./select.js";
import type { Table } from "./table.js";
import { recordOf } from "./values.js";

const none: Call = {};

/** What is there; made where nothing is. */
export async function openTable(lane: Lane, { table, readOnly }: Settings): Promise<Layout> {
  const layout = await inspect(lane, table);
  if (layout !== undefined) return layout;
  if (readOnly) throw bad(`There is no table "${table}" in the file, and none is made with \`readOnly\`.`);
  const empty = makeLayout(table, [], []);
  await lane.exec("BEGIN TRANSACTION");
  await lane.exec(
    `CREATE TABLE IF NOT EXISTS ${metaTable} (table_name VARCHAR, key VARCHAR, value VARCHAR, PRIMARY KEY (table_name, key))`,
  );
  await lane.exec(`CREATE TABLE ${empty.source} ${tableDefinition(empty)}`);
  await lane.run({ text: `INSERT OR REPLACE INTO ${metaTable} VALUES ($1, 'writes', '0')`, params: [table] }, none);
  await keepLayout(lane, empty);
  await lane.exec("COMMIT");
  return empty;
}

async function keepLayout(lane: Lane, layout: Layout): Promise<void> {
  const params = [layout.table, JSON.stringify(storeLayout(layout))];
  await lane.run({ text: `INSERT OR REPLACE INTO ${metaTable} VALUES ($1, 'layout', $2)`, params }, none);
}

async function inspect(lane: Lane, table: string): Promise<Layout | undefined> {
  const columns = await columnNames(lane, table);
  if (columns.length === 0) return undefined;
  const known = (await columnNames(lane, metaTable)).length > 0;
  const stored = known
    ? await lane.rows(
        {
          text: `SELECT value FROM ${metaTable} WHERE lower(table_name) = lower($1) AND key = 'layout'`,
          params: [table],
        },
        none,
      )
    : [];
  const text = stored[0]?.[0];
  const missing = baseColumns.filter((column) => !columns.includes(column));
  if (typeof text !== "string" || missing.length > 0) {
    throw bad(
      `The table "${table}" was not made by this library${missing.length > 0 ? `: it has no ${missing.join(", ")}` : ""}. Choose another name ` +
        "with `table`, and copy what it holds with `db.sql` or `db.write`.",
    );
  }
  const layout = parseJson(text) as unknown as StoredLayout;
  if (layout.version > layoutVersion) {
    throw bad(
      `The table "${table}" has layout ${layout.version} of a newer version of this library; this one knows up to ${layoutVersion}.`,
    );
  }
  return loadLayout(table, layout);
}

async function columnNames(lane: Lane, table: string): Promise<string[]> {
  const text =
    "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() AND schema_name = current_schema() AND lower(table_name) = lower($1)";
  return (await lane.rows({ text, params: [table] }, none)).map(([name]) => name as string);
}

/** Whether any row has a declared field's value in its JSON. */
export async function hasOdd(lane: Lane, { source }: Layout): Promise<boolean> {
  return (await lane.rows({ text: `SELECT 1 FROM ${source} WHERE odd LIMIT 1`, params: [] }, none)).length > 0;
}

export const sameIndex = (a: IndexSpec, b: IndexSpec): boolean => keyOf(a) === keyOf(b);

function keyOf({ path, unique, text, vector }: IndexSpec): string {
  const kind = vector === undefined ? "" : `${vector.dimensions} ${vector.metric} ${vector.index ?? ""}`;
  return `${pathKey(path)} ${unique} ${text} ${kind}`;
}

/** Gives the table just these indexes. Other databases that have it open see them at once. */
export async function setIndexes(
  access: Access,
  table: Table,
  choose: (now: readonly IndexSpec[]) => readonly IndexSpec[],
): Promise<void> {
  let after = table.layout;
  let odd = table.odd;
  try {
    await access.change(none, async (lane) => {
      const before = table.layout;
      after = declare(before, choose(before.indexes));
      if (sameColumns(before, after)) odd = table.odd;
      else odd = await rewrite(lane, before, after);
      await keepLayout(lane, after);
      table.changing = true;
      return { result: undefined };
    });
    table.odd = odd;
    table.layout = after;
  } finally {
    table.changing = false;
  }
}

function sameColumns(a: Layout, b: Layout): boolean {
  return columnsOf(a).join() === columnsOf(b).join();
}

const rowsAtOnce = 20_000;

/** Every record again, into columns of the new layout; whether any is odd. */
async function rewrite(lane: Lane, before: Layout, after: Layout): Promise<boolean> {
  const name = `${after.table} (new)`;
  const source = quoteIdentifier(name);
  await lane.exec(`CREATE TABLE ${source} ${tableDefinition(after)}`);
  const column = recordColumn(before).texts.join("");
  let odd = false;
  for (let last = ""; ; ) {
    const text = `SELECT ${column} FROM (SELECT * FROM ${before.source} WHERE id > $1 ORDER BY id LIMIT ${rowsAtOnce})`;
    const rows = await lane.rows({ text, params: [last] }, none);
    if (rows.length === 0) break;
    const records = rows.map(([json]) => recordOf(before, json as string));
    await insertRows(lane, after, records, () => (odd = true), none, raw(source));
    last = records.at(-1)?.id ?? "";
  }
  await checkUnique(lane, after, source);
  await lane.exec(`DROP TABLE ${before.source}`);
  await lane.exec(`ALTER TABLE ${source} RENAME TO ${after.source}`);
  return odd;
}

async function checkUnique(lane: Lane, { fields, indexes }: Layout, source: string): Promise<void> {
  for (const { path, unique } of fields) {
    if (unique === undefined) continue;
    const text = `SELECT 1 FROM ${source} WHERE ${unique} IS NOT NULL GROUP BY ${unique} HAVING count(*) > 1 LIMIT 1`;
    if ((await lane.rows({ text, params: [] }, none)).length === 0) continue;
    const name = indexes.find((spec) => spec.unique && pathKey(spec.path) === pathKey(path))?.name ?? path.text;
    throw new DataknobsError(
      "ALREADY_EXISTS",
      `The unique index "${name}" cannot be made: two records have the same value there.`,
      {
        backend: "duckdb",
        index: name,
      },
    );
  }
}

function bad(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message, { backend: "duckdb" });
}
