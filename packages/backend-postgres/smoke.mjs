// Run in an empty folder with the installed tarballs: throws where the package does not work.
import assert from "node:assert/strict";
import { postgres } from "@dataknobs/backend-postgres";
import { DataknobsError, openDatabase, where } from "@dataknobs/core";

assert.equal(postgres().capabilities.transactions, "interactive");

const connectionString = process.env.DATAKNOBS_POSTGRES_URL;
if (connectionString) {
  const table = `dk_smoke_${process.pid}_${process.version}`;
  const db = await openDatabase(postgres({ connectionString, table }), {
    indexes: [{ path: "age" }, { path: "bio", text: true }],
  });
  try {
    await db.create({ name: "Ada", age: 36, bio: "first programmer", big: 1n }, { id: "ada" });
    assert.equal((await db.search({ where: where("age", ">", 30) }))[0].data.big, 1n);
    assert.equal(await db.count({ match: { text: "Programmer" } }), 1);
  } finally {
    await db.sql(`DROP TABLE "${table}"`);
    await db.close();
  }
} else {
  const nobody = postgres({ host: "127.0.0.1", port: 9, user: "x", database: "x" });
  await assert.rejects(openDatabase(nobody), (error) => DataknobsError.is(error, "UNAVAILABLE"));
}
