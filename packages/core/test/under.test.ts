import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { backendOf } from "../src/backend/under.js";
import { DataknobsError } from "../src/errors.js";
import { openDatabase, openDatabaseSync } from "../src/index.js";
import { Tiny } from "./mutants/tiny.js";

describe("backendOf", () => {
  it("gives the backend that a database was opened with", async () => {
    const [backend, other] = [new Tiny(), new Tiny()];
    await using db = await openDatabase(backend);
    using sync = openDatabaseSync(other);
    assert.equal(backendOf(db), backend);
    assert.equal(backendOf(sync), other);
  });

  it("refuses a closed database, and what is none", async () => {
    const db = await openDatabase(new Tiny());
    await db.close();
    assert.throws(
      () => backendOf(db),
      (error) => DataknobsError.is(error, "NOT_OPEN"),
    );
    assert.throws(() => backendOf({}), TypeError);
  });
});
