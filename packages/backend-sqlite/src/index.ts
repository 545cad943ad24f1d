/**
 * `@dataknobs/backend-sqlite`: records in a SQLite table, on better-sqlite3.
 */
import { type BackendFactory, defineBackend } from "@dataknobs/core/backend";
import { AsyncSqlite } from "./backend.js";
import { fromUrl, optionSpecs, type SqliteOptions, settingsOf } from "./options.js";

export type { JournalMode, SqliteOptions, Synchronous } from "./options.js";

/**
 * A SQLite store, for `openDatabase` (threads do the work) and `openDatabaseSync` (this thread does).
 *
 * Throws `INVALID_CONFIG` for options that cannot be right; opens nothing yet.
 *
 * @example
 * await using db = await openDatabase(sqlite({ path: "app.db" }), { indexes: [{ path: "age" }] });
 * await db.create({ name: "Ada", age: 36 });
 * await db.search(query().filter("age", ">", 30));
 */
export const sqlite: BackendFactory<SqliteOptions> = defineBackend<SqliteOptions>({
  name: "sqlite",
  options: optionSpecs,
  create: (options) => new AsyncSqlite(settingsOf(options)),
  fromUrl,
});
