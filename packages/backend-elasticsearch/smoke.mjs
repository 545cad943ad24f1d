// Run in an empty folder with the installed tarballs: throws where the package does not work. Without a server it
// stops where one would be asked.
import assert from "node:assert/strict";
import { elasticsearch } from "@dataknobs/backend-elasticsearch";
import { DataknobsError, openDatabase, where } from "@dataknobs/core";

const hosts = process.env.DATAKNOBS_ELASTICSEARCH_URL;
const index = `dk-smoke-${process.pid}-${Date.now()}`;
if (hosts) {
  const db = await openDatabase(elasticsearch({ hosts, index }), {
    indexes: [{ path: "age" }, { path: "bio", text: true }],
  });
  await db.create({ name: "Ada", age: 36, bio: "first programmer" }, { id: "ada" });
  assert.equal((await db.search({ where: where("age", ">", 30) }))[0].id, "ada");
  assert.equal(await db.count({ match: { text: "Programmer" } }), 1);
  await db.close();
  await fetch(new URL(`/${index}`, hosts), { method: "DELETE" });
} else {
  await assert.rejects(openDatabase(elasticsearch({ hosts: "http://127.0.0.1:9", index })), (error) =>
    DataknobsError.is(error, "UNAVAILABLE"),
  );
}
