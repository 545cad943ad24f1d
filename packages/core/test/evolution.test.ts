import assert from "node:assert/strict";
import { inspect } from "node:util";
import { describe, it } from "@jest/globals";
import fc from "fast-check";
import type { Backend, WireRecord, WriteOp } from "../src/backend/index.js";
import { testBackend } from "../src/conformance/index.js";
import {
  type Database,
  DataknobsError,
  type ErrorCode,
  type EvolutionReport,
  type Fields,
  migrateRecords,
  openDatabase,
  type RecordMigration,
  recordMigrations,
  upgrading,
  where,
} from "../src/index.js";
import { forward } from "../src/layers/forward.js";
import { Bare } from "./mutants/bare.js";
import { Tiny } from "./mutants/tiny.js";

const people = recordMigrations([
  {
    from: 1,
    to: 2,
    rename: { name: "fullName", "address.town": "address.city" },
    add: { tags: [], initial: ({ fullName }) => String(fullName)[0] ?? "" },
  },
  {
    from: 2,
    to: 3,
    change: { age: { up: (age) => Number(age), down: (age) => String(age) } },
    remove: { legacy: false },
  },
  { from: 3, to: "four", remove: ["secret"] },
]);

const first: Fields = {
  name: "Ada",
  age: "36",
  address: { town: "London", zip: null },
  legacy: false,
  secret: 1n,
  at: new Date(5),
};
const third: Fields = {
  fullName: "Ada",
  age: 36,
  address: { city: "London", zip: null },
  tags: [],
  initial: "A",
  secret: 1n,
  at: new Date(5),
};

async function refuses(code: ErrorCode, work: () => unknown): Promise<DataknobsError> {
  let thrown: unknown;
  try {
    await work();
  } catch (error) {
    thrown = error;
  }
  assert.ok(DataknobsError.is(thrown, code), `${code} expected, got ${String(thrown)}`);
  return thrown;
}

describe("recordMigrations", () => {
  it("goes up the chain, and says the version in the metadata", () => {
    const record = { data: first, metadata: { by: "me" } };
    const before = inspect(record);
    assert.deepEqual(people.migrate(record, 3), { data: third, metadata: { by: "me", schemaVersion: 3 } });
    const { secret: _, ...rest } = third;
    assert.deepEqual(people.migrate(record), { data: rest, metadata: { by: "me", schemaVersion: "four" } });
    assert.equal(inspect(record), before, "nothing is changed in place");
    assert.deepEqual(people.migrate({ data: third, metadata: { schemaVersion: 3 } }, 3).data, third);
  });

  it("goes back where it can, and refuses where something was lost", async () => {
    const up = people.migrate({ data: first, metadata: {} }, 3);
    assert.deepEqual(people.migrate(up, 1), { data: first, metadata: { schemaVersion: 1 } });
    assert.deepEqual([people.reaches(3, 1), people.reaches("four", 3), people.reaches(1, "four")], [true, false, true]);
    const error = await refuses("UNSUPPORTED", () => people.migrate(people.migrate({ data: first, metadata: {} }), 1));
    assert.match(error.message, /3 → "four" cannot be undone: what it removed is not kept/);
    const oneWay = recordMigrations([{ from: 1, to: 2, change: { a: () => 1 } }]);
    await refuses("UNSUPPORTED", () => oneWay.migrate({ data: {}, metadata: { schemaVersion: 2 } }, 1));
  });

  it("there and back is as it was, for any data without the new names", () => {
    const chain = recordMigrations([
      { from: 1, to: 2, rename: { a: "z.y", __proto__: "w" }, add: { x: (data) => Object.keys(data).length } },
      {
        from: 2,
        to: 3,
        rename: { "z.y": "q", w: "z.y" },
        change: { b: { up: (v) => [v, 1], down: (v) => (v as unknown[])[0] as number } },
      },
    ]);
    const values = fc.oneof(fc.integer(), fc.string(), fc.constant(null), fc.bigInt(), fc.constant({ c: 1 }));
    const data = fc.dictionary(fc.constantFrom("a", "b", "c", "__proto__", "constructor", "é"), values);
    fc.assert(
      fc.property(data, (fields) => {
        const { data: back } = chain.migrate(chain.migrate({ data: fields as Fields, metadata: {} }), 1);
        // what a renaming put into is left, empty
        const { z: _, ...rest } = back as { z?: unknown };
        assert.deepEqual(Object.entries(rest).sort(), Object.entries(fields).sort());
      }),
    );
  });

  it("exchanges names, adds only what is missing, and refuses to lose one of two", async () => {
    const swap = recordMigrations([{ from: "a", to: "b", rename: { x: "y", y: "x" }, add: { z: 1 } }]);
    assert.deepEqual(swap.migrate({ data: { x: 1, y: 2, z: null }, metadata: {} }).data, { x: 2, y: 1, z: null });
    const onto = recordMigrations([{ from: 1, to: 2, rename: { x: "y" } }]);
    await refuses("INVALID_RECORD", () => onto.migrate({ data: { x: 1, y: 2 }, metadata: {} }));
    assert.deepEqual(onto.migrate({ data: { y: 2 }, metadata: {} }).data, { y: 2 });
    const into = recordMigrations([{ from: 1, to: 2, add: { "a.b": 1 } }]);
    await refuses("INVALID_RECORD", () => into.migrate({ data: { a: [1] }, metadata: {} }));
    const thrower = recordMigrations([
      {
        from: 1,
        to: 2,
        change: {
          x: () => {
            throw new Error("oh");
          },
        },
      },
    ]);
    assert.match(
      (await refuses("UNEXPECTED", () => thrower.migrate({ data: { x: 1 }, metadata: {} }))).message,
      /"x" threw: oh/,
    );
  });

  it("refuses a broken chain, and a record that is newer", async () => {
    const good: RecordMigration = { from: 1, to: 2 };
    for (const list of [
      [],
      [good, { from: 3, to: 4 }],
      [good, { from: 2, to: 1 }],
      [{ ...good, renam: {} }],
      [{ from: null, to: 2 }],
      [{ ...good, add: { id: 1 } }],
      [{ ...good, change: { a: 5 } }],
      [{ ...good, remove: [5] }],
    ]) {
      await refuses("INVALID_CONFIG", () => recordMigrations(list as RecordMigration[]));
    }
    await refuses("INVALID_CONFIG", () => recordMigrations([good], { fields: "x" } as never));
    await refuses("INVALID_RECORD", () => people.migrate({ data: {}, metadata: { schemaVersion: 5 } }));
    await refuses("INVALID_CONFIG", () => people.migrate({ data: {}, metadata: {} }, 9));
  });
});

async function mixed(db: Database, count = 40): Promise<void> {
  await db.createMany(
    Array.from({ length: count }, (_, n) => {
      const record = { data: { ...first, n }, metadata: { n } };
      const version = ([undefined, 1, 2, 3] as const)[n % 4];
      return {
        id: `p${String(n).padStart(3, "0")}`,
        ...(version === undefined ? record : people.migrate(record, version)),
      };
    }),
  );
}

function addsUp({ read, migrated, current, failed }: EvolutionReport): void {
  assert.equal(read, migrated + current + failed);
}

for (const [name, open] of [
  ["tiny", () => new Tiny()],
  ["bare", () => new Bare()],
] as const) {
  describe(`migrateRecords on ${name}`, () => {
    it("brings all to one version, up and back, and has nothing to do again", async () => {
      await using db = await openDatabase(open());
      await mixed(db);
      const dry = await migrateRecords(db, people, { to: 3, dryRun: true });
      assert.deepEqual([dry.total, dry.migrated], [30, 30]);
      assert.equal(await db.count({ where: where(["metadata", "schemaVersion"], "=", 3) }), 10);
      const seen: number[] = [];
      const up = await migrateRecords(db, people, { to: 3, batchSize: 7, onProgress: ({ read }) => seen.push(read) });
      addsUp(up);
      assert.deepEqual([up.total, up.migrated, up.current, up.failed], [30, 30, 0, 0]);
      assert.deepEqual(seen, [7, 14, 21, 28, 30]);
      assert.deepEqual(JSON.parse(JSON.stringify(up)), up);
      for (const { data, metadata } of await db.search()) {
        assert.deepEqual(data, { ...third, n: metadata["n"] });
        assert.equal(metadata["schemaVersion"], 3);
      }
      assert.equal((await migrateRecords(db, people, { to: 3 })).read, 0);
      assert.equal((await migrateRecords(db, people, { to: 1, where: where("n", "<", 10) })).migrated, 10);
      assert.deepEqual((await db.read("p003"))?.data, { ...first, n: 3 });
      assert.equal((await migrateRecords(db, people, { to: 1 })).migrated, 30);
    });

    it("refuses to go back over what was lost before anything is written", async () => {
      await using db = await openDatabase(open());
      await mixed(db, 8);
      await migrateRecords(db, people, { where: where("n", "=", 7) });
      await refuses("UNSUPPORTED", () => migrateRecords(db, people, { to: 1 }));
      assert.equal(await db.count({ where: where(["metadata", "schemaVersion"], "=", 3) }), 1);
      assert.equal((await migrateRecords(db, people, { to: 1, where: where("n", "<", 7) })).failed, 0);
    });

    it("one that cannot be migrated stops it, or is listed and passed over", async () => {
      await using db = await openDatabase(open());
      await db.createMany(Array.from({ length: 9 }, (_, n) => ({ id: `p${n}`, data: { name: `n${n}` } })));
      await db.patch("p4", { fullName: "both" });
      const renaming = recordMigrations([{ from: 1, to: 2, rename: { name: "fullName" } }]);
      const error = await refuses("INVALID_RECORD", () => migrateRecords(db, renaming, { batchSize: 2 }));
      const stopped = error.details["report"] as EvolutionReport;
      addsUp(stopped);
      assert.deepEqual([stopped.migrated, stopped.failed, stopped.errors[0]?.id], [4, 1, "p4"]);
      const seen: string[] = [];
      const report = await migrateRecords(db, renaming, { onError: (_, { id }) => seen.push(id) > 0 });
      addsUp(report);
      assert.deepEqual([report.migrated, report.failed, seen], [4, 1, ["p4"]]);
      assert.deepEqual((await db.read("p4"))?.data, { name: "n4", fullName: "both" });
      assert.equal(await db.count({ where: where("fullName", "exists") }), 9);
    });

    it("is finished by the same call when it was stopped, and never undoes what others write", async () => {
      await using db = await openDatabase(open());
      await mixed(db);
      const abort = new AbortController();
      const error = await refuses("ABORTED", () =>
        migrateRecords(db, people, {
          to: 3,
          batchSize: 4,
          signal: abort.signal,
          onProgress: ({ read }) => read >= 12 && abort.abort(),
        }),
      );
      assert.ok(error);
      const left = await db.count({ where: { not: where(["metadata", "schemaVersion"], "=", 3) } });
      assert.equal(left, 30 - 12);
      // written between the read of a batch and its write
      const racing = recordMigrations([{ from: 1, to: 2, rename: { name: "fullName" } }]);
      await db.clear();
      await db.createMany(Array.from({ length: 5 }, (_, n) => ({ id: `r${n}`, data: { name: "old" } })));
      const read = db.search.bind(db);
      let once = true;
      db.search = (async (...args: Parameters<typeof read>) => {
        const records = await read(...args);
        if (once) {
          once = false;
          await db.update("r1", { name: "new" });
          await db.delete("r2");
          await db.update("r3", { fullName: "newest" }, { metadata: { schemaVersion: 2 } });
        }
        return records;
      }) as typeof db.search;
      const report = await migrateRecords(db, racing);
      addsUp(report);
      assert.deepEqual([report.migrated, report.current], [3, 2]);
      const found = await read({ sort: [{ path: "id" }] });
      assert.deepEqual(
        found.map(({ id, data }) => [id, data["fullName"]]),
        [
          ["r0", "old"],
          ["r1", "new"],
          ["r3", "newest"],
          ["r4", "old"],
        ],
      );
    });
  });
}

/** A store where every record lies in the first version: what is written is taken back to it. */
const chain = recordMigrations([
  { from: 1, to: 2, rename: { $old: "$new" } },
  { from: 2, to: 3, add: { $more: 1 } },
]);
const plain = recordMigrations([{ from: 1, to: 2, rename: { $old: "$new" } }]);

function aged(inner: Backend): Backend {
  const back = <R extends WireRecord | WriteOp>(record: R): R => {
    const { metadata } = record as { metadata?: { schemaVersion?: number } };
    return metadata?.schemaVersion === undefined
      ? record
      : { ...record, metadata: Object.freeze({ ...metadata, schemaVersion: 1 }) };
  };
  return forward(inner, { write: (ops, request) => inner.write(ops.map(back), request), merge: undefined });
}

describe("upgrading", () => {
  const { capabilities } = new Tiny();
  const given = { unique: false, fullText: "emulated", aggregation: "emulated" } as const;
  testBackend({
    describe,
    it,
    open: () => upgrading(aged(new Tiny()), plain),
    capabilities: { ...capabilities, ...given },
    runs: 200,
  });
  testBackend({
    describe,
    it,
    open: () => upgrading(new Tiny(), plain),
    capabilities: { ...capabilities, ...given },
    modes: ["plain"],
    sync: true,
    runs: 200,
  });
  testBackend({ describe, it, open: () => upgrading(aged(new Bare()), plain), modes: ["plain"], runs: 200 });

  it("shows all records as the latest version has them, and stores what is written so", async () => {
    const tiny = new Tiny();
    const raw = await openDatabase(tiny);
    await mixed(raw, 8);
    await using db = await openDatabase(upgrading(tiny, people), { indexes: [{ path: "fullName" }] });
    const { secret: _, ...latest } = third;
    for (const { data, metadata } of await db.search())
      assert.deepEqual([data, Object.keys(metadata)], [{ ...latest, n: metadata["n"] }, ["n"]]);
    assert.equal(await db.count({ where: where("age", "=", 36) }), 8);
    assert.equal(await db.count({ where: where("name", "exists") }), 0);
    assert.deepEqual(await db.aggregate({ groupBy: { city: "address.city" }, select: { n: { fn: "count" } } }), [
      { city: "London", n: 8 },
    ]);
    assert.equal(
      await raw.count({ where: where(["metadata", "schemaVersion"], "=", "four") }),
      0,
      "reading changes nothing",
    );
    await db.update("p000", { fullName: "Eve" });
    await db.patch("p001", { age: 40 });
    await db.transaction((tx) => tx.update("p002", { fullName: "Bob" }));
    assert.deepEqual((await raw.read("p000"))?.metadata, { n: 0, schemaVersion: "four" });
    assert.deepEqual((await raw.read("p001"))?.data, { ...latest, n: 1, age: 40 });
    assert.deepEqual((await raw.read("p002"))?.metadata, { n: 2, schemaVersion: "four" });
    await refuses("INVALID_RECORD", () => db.create({}, { metadata: { schemaVersion: 1 } }));
  });

  it("pushes down what no migration changes, and says why not the rest", async () => {
    await using db = await openDatabase(upgrading(new Tiny(), chain));
    const how = (path: string): unknown => db.explain({ where: where(path, "=", "x") }).clauses[0];
    assert.equal((how("id") as { how: string }).how, "pushed");
    assert.equal((how("metadata.a") as { how: string }).how, "pushed");
    assert.deepEqual(
      [(how("a") as { how: string }).how, (how("metadata.schemaVersion") as { how: string }).how],
      ["emulated", "emulated"],
    );
  });
});
