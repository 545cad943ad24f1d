/**
 * Full text: an FTS5 table of the words that core's tokenizer makes. FTS5's `ascii` tokenizer takes runs of ASCII
 * letters, digits and all else beyond ASCII for tokens, and a word of ours is just such a run: the engine's words
 * are ours. Rows are known by a number of their own, since VACUUM may change the table's row ids.
 */
import { type JsonObject, type TypeMap, type WireRecord, wordsOf } from "@dataknobs/core/backend";
import { quoteIdentifier } from "@dataknobs/sql";
import type { Connection } from "./connection.js";
import { type Layout, textFields, textNames } from "./layout.js";
import { parseObject, parseTypes } from "./rows.js";

/** What the words of a record are made of. */
export interface WordSource {
  readonly data: string;
  readonly types: string | null;
  readonly metadata: string | null;
  readonly metadataTypes: string | null;
}

export function hasWords({ indexes }: Layout): boolean {
  return indexes.some(({ text }) => text);
}

/** Makes the tables and fills them from the records there are. */
export function makeWords(connection: Connection, layout: Layout): void {
  const { words, docs, stale } = textNames(layout);
  const columns = textFields(layout).map((_, index) => `c${index}`);
  connection.exec(
    `CREATE VIRTUAL TABLE ${words} USING fts5(${columns.join(", ")}, content='', contentless_delete=1, tokenize='ascii');` +
      `CREATE TABLE ${docs} (doc INTEGER PRIMARY KEY, record TEXT NOT NULL UNIQUE);` +
      `CREATE TABLE IF NOT EXISTS ${stale} (id TEXT PRIMARY KEY NOT NULL)`,
  );
  const text = `SELECT id, data, types, metadata, metadata_types FROM ${quoteIdentifier(layout.table)} WHERE id > ? ORDER BY id LIMIT 1000`;
  let last = "";
  for (;;) {
    const rows = connection.all({ text, params: [last] }) as [
      string,
      string,
      string | null,
      string | null,
      string | null,
    ][];
    for (const [id, data, types, metadata, metadataTypes] of rows)
      addWords(connection, layout, id, { data, types, metadata, metadataTypes });
    const end = rows.at(-1);
    if (end === undefined) return;
    [last] = end;
  }
}

export function dropWords(connection: Connection, layout: Layout): void {
  if (!hasWords(layout)) return;
  const { words, docs } = textNames(layout);
  connection.exec(`DROP TABLE IF EXISTS ${words}; DROP TABLE IF EXISTS ${docs}`);
}

/** Readers of the declared fields, kept while the layout stays. */
const readers = new WeakMap<Layout, readonly ((record: WireRecord) => string[])[]>();

function readersOf(layout: Layout): readonly ((record: WireRecord) => string[])[] {
  let list = readers.get(layout);
  if (list === undefined) {
    list = textFields(layout).map(({ path }) => wordsOf(path));
    readers.set(layout, list);
  }
  return list;
}

/** Replaces the words of a record. */
export function addWords(connection: Connection, layout: Layout, id: string, source: WordSource): void {
  const { words, docs } = textNames(layout);
  const record = {
    data: parseObject(source.data) as JsonObject,
    types: parseTypes(source.types) as TypeMap | null,
    metadata: parseObject(source.metadata),
    metadataTypes: parseTypes(source.metadataTypes),
  } as WireRecord;
  const texts = readersOf(layout).map((read) => read(record).join(" "));
  const row = connection.get(
    `INSERT INTO ${docs} (record) VALUES (?) ON CONFLICT (record) DO UPDATE SET record = excluded.record RETURNING doc`,
    id,
  );
  const places = texts.map((_, index) => `c${index}`);
  connection.run(
    `INSERT OR REPLACE INTO ${words} (rowid, ${places.join(", ")}) VALUES (?${", ?".repeat(places.length)})`,
    (row as readonly number[])[0] as number,
    ...texts,
  );
}

export function removeWords(connection: Connection, layout: Layout, id: string): void {
  const { words, docs } = textNames(layout);
  const row = connection.get(`DELETE FROM ${docs} WHERE record = ? RETURNING doc`, id);
  if (row !== undefined) connection.run(`DELETE FROM ${words} WHERE rowid = ?`, row[0] as number);
}

export function clearWords(connection: Connection, layout: Layout): void {
  const { words, docs } = textNames(layout);
  connection.exec(`DELETE FROM ${docs}; INSERT INTO ${words} (${words}) VALUES ('delete-all')`);
}

/** Whether another program wrote since the words were made. */
export function hasStaleWords(connection: Connection, layout: Layout): boolean {
  if (!layout.shared || !hasWords(layout)) return false;
  return connection.get(`SELECT 1 FROM ${textNames(layout).stale} LIMIT 1`) !== undefined;
}

/** Makes the words of what other programs wrote. */
export function refreshWords(connection: Connection, layout: Layout): void {
  const { stale } = textNames(layout);
  const table = quoteIdentifier(layout.table);
  const rows = connection.all({ text: `SELECT id FROM ${stale}`, params: [] }) as [string][];
  for (const [id] of rows) {
    const row = connection.get(`SELECT data, types, metadata, metadata_types FROM ${table} WHERE id = ?`, id);
    if (row === undefined) removeWords(connection, layout, id);
    else {
      const [data, types, metadata, metadataTypes] = row as [string, string | null, string | null, string | null];
      addWords(connection, layout, id, { data, types, metadata, metadataTypes });
    }
  }
  connection.exec(`DELETE FROM ${stale}`);
}
