import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import type { Backend, Compiled, Leaf } from "../src/backend/index.js";
import { testBackend } from "../src/conformance/index.js";
import { count, DataknobsError, expiring, openDatabase, openDatabaseSync, where } from "../src/index.js";
import { Bare } from "./mutants/bare.js";
import { type Code, Tiny } from "./mutants/tiny.js";
import { wire } from "./wire.js";

const { capabilities } = new Tiny();
const field = ["metadata", "$end"];
const byField = { field, sweepEvery: 0 } as const;

/** Records that have expired, under the ids and with the values that cases use. */
const dead = ["a", "b", "c", "d", "x", ..."0123456789".split("").flatMap((n) => [`r${n}`, `r0${n}`, `p${n}`])].map(
  (id, n) =>
    wire(id, { n, e: n, email: "a@x", name: "dead", v: n, bio: "quick brown fox" }, { $end: new Date(1), m: n }),
);

class Haunted extends Tiny {
  override records: Tiny["records"] = new Map(dead.map((record) => [record.id, record]));
}

/** The engine does not prove the condition on the time exactly. */
class Vague extends Haunted {
  override compileLeaf(leaf: Leaf): Compiled<Code> | undefined {
    if (leaf.path.text.includes("$end")) return { code: () => true, exact: false };
    return super.compileLeaf(leaf);
  }
}

function hauntedBare(): Backend {
  const bare = new Bare();
  for (const { id, data, types, metadata, metadataTypes, version } of dead) {
    // it takes its writes at once
    void bare.write([{ kind: "insert", id, data, types, metadata, metadataTypes, version, at: 1 }]);
  }
  return bare;
}

describe("expiring", () => {
  testBackend({ describe, it, open: () => expiring(new Haunted(), byField), capabilities, runs: 200 });
  testBackend({
    describe,
    it,
    open: () => expiring(new Vague(), byField),
    capabilities,
    modes: ["plain"],
    sync: true,
    runs: 200,
  });
  testBackend({ describe, it, open: () => expiring(hauntedBare(), byField), modes: ["plain"], runs: 200 });
  testBackend({
    describe,
    it,
    open: () => expiring(new Tiny(), { ttl: 1e9 }),
    capabilities,
    modes: ["indexed"],
    runs: 200,
  });

  it("sees nothing of what has expired, and `sweep` removes it", async () => {
    const tiny = new Haunted();
    const backend = expiring(tiny, byField);
    await using db = await openDatabase(backend);
    await db.createMany([
      { id: "alive", data: { n: 1 }, metadata: { $end: new Date(Date.now() + 1e9) } },
      { id: "ever", data: { n: 2 } },
    ]);
    assert.deepEqual([await db.read("a"), await db.exists("b"), await db.count()], [undefined, false, 2]);
    assert.equal(await db.update("a", {}), undefined);
    assert.equal(await db.patch("a", { n: 1 }), undefined);
    assert.equal(await db.delete("a"), false);
    assert.equal(await db.updateWhere({ and: [] }, { m: 1 }), 2);
    assert.deepEqual(await db.aggregate({ select: { n: count() } }), [{ n: 2 }]);
    assert.deepEqual((await db.search({ match: { text: "fox", fields: ["bio"] } })).length, 0);
    const { createdAt } = await db.upsert("c", { n: 3 });
    assert.ok(createdAt.getTime() > 1000, "it is made anew");
    const left = dead.length - 3; // a and b are gone with the writes that met them, c is made anew
    assert.equal(tiny.records.size, left + 3 + 1);
    assert.equal(await backend.sweep(), left + 1);
    assert.deepEqual([...tiny.records.keys()].sort(), ["alive", "c", "ever"]);
    assert.equal(await backend.sweep(), 0);
  });

  it("expires so long after the last write", async () => {
    const tiny = new Tiny();
    await using db = await openDatabase(expiring(tiny, { ttl: 50, sweepEvery: 0 }));
    await db.create({}, { id: "a" });
    tiny.records = new Map([...tiny.records].map(([id, record]) => [id, { ...record, updatedAt: Date.now() - 60 }]));
    assert.equal(await db.read("a"), undefined);
    await db.create({ again: true }, { id: "a" });
    assert.deepEqual((await db.search()).length, 1);
  });

  it("frees the unique values of what has expired", async () => {
    await using db = await openDatabase(expiring(new Haunted(), byField), {
      indexes: [{ path: "name", unique: true }],
    });
    await db.create({ name: "dead" }, { id: "fresh" });
    await assert.rejects(
      async () => db.create({ name: "dead" }, { id: "second" }),
      (error) => DataknobsError.is(error, "ALREADY_EXISTS"),
    );
  });

  it("sweeps by itself, tells of it, and of its failures, and stops when it is closed", async () => {
    const tiny = new Haunted();
    const told: { removed: number; error?: unknown }[] = [];
    let next: () => void = () => undefined;
    const once = (): Promise<void> =>
      new Promise((resolve) => {
        next = resolve;
      });
    const backend = expiring(tiny, {
      ...byField,
      sweepEvery: 1,
      onSweep: (result) => {
        told.push(result);
        next();
      },
    });
    const db = openDatabaseSync(backend);
    await once();
    assert.deepEqual(told[0], { removed: dead.length });
    tiny.deleteWhere = () => {
      throw new DataknobsError("UNAVAILABLE", "down");
    };
    await once();
    assert.ok(DataknobsError.is(told.at(-1)?.error, "UNAVAILABLE"));
    db.close();
    const ended = told.length;
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(told.length, ended);
  });

  it("refuses options that cannot be right", () => {
    for (const options of [
      {},
      { ttl: 1, field: "a" },
      { ttl: 0 },
      { ttl: -1 },
      { field: "id" },
      { ttl: 1, sweepEvery: -1 },
      { tll: 1 },
    ]) {
      assert.throws(
        () => expiring(new Tiny(), options),
        (error) => DataknobsError.is(error, "INVALID_CONFIG"),
        JSON.stringify(options),
      );
    }
  });

  it("leaves the rest of a query to the engine", async () => {
    await using db = await openDatabase(expiring(new Haunted(), byField));
    assert.equal(db.explain({ where: where("n", "=", 1), sort: [{ path: "n" }] }).clauses[0]?.how, "pushed");
  });
});
