/** The server of the tests, and tables in it that nobody else has. */
import { randomBytes } from "node:crypto";
import type { VectorBackend } from "@dataknobs/core/vector";
import { afterAll } from "@jest/globals";
import driver from "postgres";
import { type PgvectorOptions, pgvector } from "../src/index.js";

const variable = "DATAKNOBS_POSTGRES_URL";

export const url = process.env[variable] ?? "";
if (url === "") {
  throw new Error(
    `These tests need a PostgreSQL server. \`npm run services -- start postgres\` starts one and prints what ${variable} must be.`,
  );
}

/** A schema of this run's own, so that runs may go on side by side. */
export const schemaName = `dk_test_${randomBytes(6).toString("hex")}`;

/** A client of the driver, for looking behind the library's back. */
export const sql = driver(url, { max: 2, onnotice: () => undefined });

/** Call in a `beforeAll`. */
export async function makeSchema(): Promise<void> {
  await sql`CREATE SCHEMA IF NOT EXISTS ${sql(schemaName)}`;
}

afterAll(async () => {
  await sql`DROP SCHEMA IF EXISTS ${sql(schemaName)} CASCADE`;
  await sql.end();
});

let tables = 0;
const opened = new WeakMap<VectorBackend, PgvectorOptions>();

export const newTable = (): string => `t${++tables}`;

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
