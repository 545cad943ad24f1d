/** The PostgreSQL server that a package's tests talk to, and tables on it that nobody else has. */
import { randomBytes } from "node:crypto";
import { afterAll } from "@jest/globals";

const variable = "DATAKNOBS_POSTGRES_URL";

interface Client {
  unsafe(statement: string): PromiseLike<unknown>;
  end(): Promise<void>;
}

export interface TestServer<C> {
  readonly url: string;
  /** A schema of this run's own, so that runs may go on side by side; dropped at the end. */
  readonly schemaName: string;
  /** A client of the driver, for looking behind the library's back. */
  readonly sql: C;
  /** Call in a `beforeAll`. */
  makeSchema(): Promise<void>;
  newTable(): string;
}

/** Throws where there is none: a suite that needs a server never passes without one. */
export function testServer<C extends Client>(connect: (url: string) => C): TestServer<C> {
  const url = process.env[variable] ?? "";
  if (url === "") {
    throw new Error(
      `These tests need a PostgreSQL server. \`npm run services -- start postgres\` starts one and prints what ${variable} must be.`,
    );
  }
  const schemaName = `dk_test_${randomBytes(6).toString("hex")}`;
  const sql = connect(url);
  let tables = 0;
  afterAll(async () => {
    await sql.unsafe(`DROP SCHEMA IF EXISTS ${schemaName} CASCADE`);
    await sql.end();
  });
  return {
    url,
    schemaName,
    sql,
    async makeSchema() {
      await sql.unsafe(`CREATE SCHEMA IF NOT EXISTS ${schemaName}`);
    },
    newTable: () => `t${++tables}`,
  };
}
