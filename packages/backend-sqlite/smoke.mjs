// Run in an empty folder with the installed tarballs: throws where the package does not work.
import assert from "node:assert/strict";
import { sqlite } from "@dataknobs/backend-sqlite";
import { openDatabase, openDatabaseSync, where } from "@dataknobs/core";

const db = await openDatabase(sqlite(), { indexes: [{ path: "age" }, { path: "bio", text: true }] });
await db.create({ name: "Ada", age: 36, bio: "first programmer" }, { id: "ada" });
assert.equal((await db.search({ where: where("age", ">", 30) }))[0].id, "ada");
assert.equal(await db.count({ match: { text: "Programmer" } }), 1);
await db.close();

const sync = openDatabaseSync(sqlite());
sync.create({ n: 1n });
assert.equal(sync.count({ where: where("n", "=", 1n) }), 1);
sync.close();
