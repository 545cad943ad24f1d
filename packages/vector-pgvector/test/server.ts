/** The server of the tests, and stores over tables of their own. */
import type { VectorBackend } from "@dataknobs/core/vector";
import driver from "postgres";
import { testServer } from "../../../tooling/testing/postgres-server.js";
import { type PgvectorOptions, pgvector } from "../src/index.js";

export const { url, schemaName, sql, makeSchema, newTable } = testServer((address) =>
  driver(address, { max: 2, onnotice: () => undefined }),
);

const opened = new WeakMap<VectorBackend, PgvectorOptions>();

/** A backend over a table that is not there yet. */
export function open(options: PgvectorOptions = {}): VectorBackend {
  const all: PgvectorOptions = {
    ...(options.sql === undefined && { connectionString: url }),
    schemaName,
    poolSize: 3,
    createExtension: true,
    ...options,
    table: options.table ?? newTable(),
  };
  const backend = pgvector(all);
  opened.set(backend, all);
  return backend;
}

/** Another object over the same table. */
export const reopen = (backend: VectorBackend): VectorBackend => open(opened.get(backend));

export async function dispose(backend: VectorBackend): Promise<void> {
  await sql`DROP TABLE IF EXISTS ${sql(schemaName)}.${sql(opened.get(backend)?.table as string)}`;
}
