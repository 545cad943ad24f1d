/** Opening a database synchronously. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Backend } from "../backend/spi.js";
import { type DatabaseSource, makeBackend, splitSource } from "../database/open.js";
import { definitionOfSync } from "../database/registry.js";
import type { InferInput, InferOutput } from "../database/schema.js";
import { asDataknobsError } from "../database/session.js";
import {
  checkSettings,
  checkUnique,
  type DatabaseSettings,
  indexesFor,
  makeSession,
  narrowed,
} from "../database/settings.js";
import { atOnce } from "../database/steps.js";
import { DataknobsError } from "../errors.js";
import type { Fields } from "../record/values.js";
import { SyncDatabase } from "./database.js";

export type TypedSyncDatabase<S> = S extends StandardSchemaV1
  ? SyncDatabase<InferInput<S>, InferOutput<S>>
  : SyncDatabase<Fields>;

/**
 * Opens a synchronous database: memory, file and SQLite can. `UNSUPPORTED` for others; the rest as `openDatabase`.
 *
 * @example
 * using db = openDatabaseSync(sqlite({ path: ":memory:" }));
 * db.create({ name: "Ada" });
 */
export function openDatabaseSync<S extends StandardSchemaV1 | undefined = undefined>(
  source: DatabaseSource,
  settings: DatabaseSettings<S> = {},
): TypedSyncDatabase<S> {
  const parts = splitSource(source, settings);
  const resolved = "backend" in parts ? parts : makeBackend(definitionOfSync(parts.name), parts, settings);
  const backend: Backend = resolved.backend.toSync?.() ?? resolved.backend;
  if (!backend.capabilities.synchronous) {
    throw new DataknobsError("UNSUPPORTED", `The ${backend.name} backend is asynchronous; open it with openDatabase.`, {
      backend: backend.name,
    });
  }
  const checked = checkSettings(resolved.settings);
  if (checked.embedder !== undefined) {
    throw new DataknobsError(
      "UNSUPPORTED",
      "`embed` asks a model, which takes time: open the database with openDatabase.",
      {
        backend: backend.name,
      },
    );
  }
  checkUnique(backend, checked.indexes);
  try {
    const found = atOnce(backend.open?.({ indexes: indexesFor(backend.capabilities, checked.indexes) }));
    const session = makeSession(backend, narrowed(backend.capabilities, found), checked);
    return new SyncDatabase(session) as unknown as TypedSyncDatabase<S>;
  } catch (error) {
    throw asDataknobsError(error, backend, "open");
  }
}
