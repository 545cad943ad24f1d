// Run in an empty folder with the installed tarballs: throws where the package does not work.
import assert from "node:assert/strict";
import { DataknobsError, openVectorStore, where } from "@dataknobs/core";
import { pgvector } from "@dataknobs/vector-pgvector";

assert.equal(pgvector({ indexType: "hnsw" }).capabilities.index, "approximate");

const settings = { dimensions: 2 };
const connectionString = process.env.DATAKNOBS_POSTGRES_URL;
if (connectionString) {
  const { default: driver } = await import("postgres");
  const sql = driver(connectionString, { onnotice: () => undefined });
  const options = { connectionString, table: `dk_smoke_${process.pid}_${process.version}` };
  try {
    const store = await openVectorStore(pgvector({ ...options, createExtension: true }), settings);
    await store.add([
      { id: "a", vector: [1, 0], metadata: { lang: "en" } },
      { id: "b", vector: [1, 1], metadata: { lang: "de", at: new Date(7) } },
    ]);
    await store.close();
    const again = await openVectorStore({ backend: "pgvector", ...options, ...settings });
    const [hit] = await again.search([1, 0], { filter: where("at", "=", new Date(7)) });
    assert.deepEqual([hit.id, hit.metadata], ["b", { lang: "de", at: new Date(7) }]);
    await again.close();
  } finally {
    await sql.unsafe(`DROP TABLE IF EXISTS "${options.table}"`);
    await sql.end();
  }
} else {
  const nobody = pgvector({ host: "127.0.0.1", port: 9, user: "x", database: "x" });
  await assert.rejects(openVectorStore(nobody, settings), (error) => DataknobsError.is(error, "UNAVAILABLE"));
}
