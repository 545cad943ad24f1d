/**
 * `@dataknobs/backend-postgres`: records in a PostgreSQL table, on postgres.js.
 */
import { type BackendFactory, defineBackend } from "@dataknobs/core/backend";
import { PostgresBackend } from "./backend.js";
import { fromUrl, optionSpecs, type PostgresOptions, settingsOf } from "./options.js";

export type { Isolation, PostgresOptions, SslMode } from "./options.js";

/**
 * A PostgreSQL store, for `openDatabase`. The server is version 13 or later.
 *
 * Throws `INVALID_CONFIG` for options that cannot be right; opens nothing yet.
 *
 * @example
 * await using db = await openDatabase(postgres({ host: "localhost", database: "app", user: "app" }), { indexes: [{ path: "age" }] });
 * await db.create({ name: "Ada", age: 36 });
 * await db.search(query().filter("age", ">", 30));
 */
export const postgres: BackendFactory<PostgresOptions> = defineBackend<PostgresOptions>({
  name: "postgres",
  options: optionSpecs,
  create: (options) => new PostgresBackend(settingsOf(options)),
  fromUrl,
});
