/** The server of the tests, and backends over tables of their own. */
import type { Backend } from "@dataknobs/core/backend";
import driver from "postgres";
import { testServer } from "../../../tooling/testing/postgres-server.js";
import { type PostgresOptions, postgres } from "../src/index.js";

export const { url, schemaName, sql, makeSchema, newTable } = testServer((address) =>
  driver(address, { max: 2, onnotice: () => undefined }),
);

const tableNames = new WeakMap<Backend, string>();

/** A backend over a table that is not there yet. */
export function open(options: PostgresOptions = {}): Backend {
  const table = options.table ?? newTable();
  const backend = postgres({ connectionString: url, schemaName, poolSize: 4, ...options, table });
  tableNames.set(backend, table);
  return backend;
}

export const tableOf = (backend: Backend): string => tableNames.get(backend) as string;
