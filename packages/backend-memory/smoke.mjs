import assert from "node:assert/strict";
import { memory } from "@dataknobs/backend-memory";
import { openDatabase } from "@dataknobs/core";

const db = await openDatabase(memory(), { indexes: [{ path: "city" }] });
await db.create({ name: "Ada", city: "London" }, { id: "ada" });
await db.create({ name: "Alan", city: "Wilmslow" });
const found = await db.search({ where: { path: "city", op: "=", value: "London" } });
assert.deepEqual(
  found.map(({ id, data }) => [id, data.name]),
  [["ada", "Ada"]],
);
await db.close();
