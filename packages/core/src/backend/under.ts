/** From an open database to its backend: for packages that offer more than every backend has. */
import type { Backend } from "./spi.js";

/** Where a database gives its backend; registered, so that another copy of this package finds it too. */
export const underneath: unique symbol = Symbol.for("@dataknobs/backend");

/**
 * The backend under an open database. Throws `NOT_OPEN` where it is closed, `TypeError` for what is no database.
 *
 * @example
 * export async function versions(db: Database, id: string) {
 *   const backend = backendOf(db);
 *   if (!(backend instanceof ObjectsBackend)) throw new DataknobsError("UNSUPPORTED", "…");
 *   return backend.versions(id);
 * }
 */
export function backendOf(database: object): Backend {
  const backend = (database as { readonly [underneath]?: Backend })[underneath];
  if (backend === undefined) throw new TypeError("backendOf takes an open database.");
  return backend;
}
