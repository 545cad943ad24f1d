// Run in an empty folder with the installed tarballs: throws where the package does not work.
import assert from "node:assert/strict";
import { duckdb } from "@dataknobs/backend-duckdb";
import { openDatabase, where } from "@dataknobs/core";

const db = await openDatabase(duckdb(), { indexes: [{ path: "age", type: "number" }] });
await db.createMany([
  { id: "ada", data: { name: "Ada", age: 36 } },
  { id: "bob", data: { name: "Bob", age: "unknown" } },
]);
assert.equal((await db.search({ where: where("age", ">", 30) }))[0].id, "ada");
assert.deepEqual(await db.sql("SELECT avg(age) AS mean FROM records"), [{ mean: 36 }]);
assert.deepEqual(await db.aggregate({ select: { n: { fn: "count", path: "age" } } }), [{ n: 2 }]);
await db.close();
