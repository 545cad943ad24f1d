import { testVectorBackend } from "@dataknobs/core/conformance";
import { afterAll, beforeAll, describe, it } from "@jest/globals";
import driver from "postgres";
import { type PgvectorOptions, pgvector } from "../src/index.js";
import { dispose, makeSchema, open, reopen, url } from "./server.js";

beforeAll(makeSchema);

/** Its planner takes an index wherever there is one: by itself it would read tables as small as these. */
const eager = driver(url, {
  max: 4,
  onnotice: () => undefined,
  connection: { enable_seqscan: "off", enable_sort: "off" },
});

afterAll(() => eager.end());

const modes: { readonly [name: string]: PgvectorOptions } = {
  exact: {},
  hnsw: { indexType: "hnsw", buildAt: 1, sql: eager },
  ivfflat: { indexType: "ivfflat", buildAt: 1, sql: eager },
};

for (const [name, options] of Object.entries(modes)) {
  describe(name, () => {
    testVectorBackend({
      describe,
      it,
      open: () => open(options),
      reopen,
      dispose,
      capabilities: pgvector(options).capabilities,
      // what core does over the five methods is the same with an index
      ...(name !== "exact" && { modes: ["plain"], runs: 200 }),
    });
  });
}
