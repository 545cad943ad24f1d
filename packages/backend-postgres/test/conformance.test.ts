import { testBackend } from "@dataknobs/core/conformance";
import { beforeAll, describe, it } from "@jest/globals";
import { postgres } from "../src/index.js";
import { makeSchema, open, schemaName, sql, tableOf } from "./server.js";

beforeAll(makeSchema);

describe("postgres", () => {
  testBackend({
    describe,
    it,
    open: () => open(),
    reopen: (previous) => open({ table: tableOf(previous) }),
    dispose: async (backend) => {
      await sql`DROP TABLE IF EXISTS ${sql(schemaName)}.${sql(tableOf(backend))}`;
    },
    capabilities: postgres().capabilities,
  });
});
