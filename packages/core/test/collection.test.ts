import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import fc from "fast-check";
import { keyOfText, keyText, prefixOf } from "../src/collection/keys.js";
import {
  type Collection,
  collection,
  contentKey,
  count,
  type Database,
  DataknobsError,
  type ErrorCode,
  type Fields,
  fieldsHash,
  type Key,
  openDatabase,
  query,
  type StandardSchemaV1,
  where,
} from "../src/index.js";
import { Bare } from "./mutants/bare.js";
import { Tiny } from "./mutants/tiny.js";

interface User {
  readonly email: string;
  readonly age: number;
  readonly role?: string;
}

/** Fills in a role and refuses an age below zero. */
const userSchema: StandardSchemaV1<User, Required<User>> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (data) => {
      const user = data as User;
      if (typeof user.age !== "number" || user.age < 0) return { issues: [{ message: "no age", path: ["age"] }] };
      return { value: { ...user, role: user.role ?? "reader" } };
    },
  },
};

async function refuses(code: ErrorCode, work: () => Promise<unknown> | unknown): Promise<DataknobsError> {
  let thrown: unknown;
  try {
    await work();
  } catch (error) {
    thrown = error;
  }
  assert.ok(DataknobsError.is(thrown, code), `${code} expected, got ${String(thrown)}`);
  return thrown;
}

const parts = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("", ":", "%", "#", "%3A", "%25", "#1", "%23", "a:b", "#1n", ";"),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.bigInt(),
  fc.integer(),
);
const keys = fc.oneof(parts, fc.array(parts, { minLength: 2, maxLength: 4 }));

describe("keys", () => {
  it("every key has a text of its own, from which it comes back", () => {
    const zeroed = (key: Key): unknown => [key].flat().map((part) => (part === 0 ? 0 : part));
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        assert.deepEqual(zeroed(keyOfText(keyText(a)) as Key), zeroed(a));
        assert.equal(keyText(a) === keyText(b), JSON.stringify(shape(zeroed(a))) === JSON.stringify(shape(zeroed(b))));
      }),
    );
  });

  const shape = (value: unknown): unknown => (value as unknown[]).map((part) => [typeof part, String(part)]);

  it("no name's prefix begins with another's, and all of a collection lies between it and its neighbour", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), keys, (a, b, key) => {
        if (a !== b) assert.ok(!`${prefixOf(a)}${keyText(key)}`.startsWith(prefixOf(b)));
      }),
    );
  });

  it("a text that no key is written as is none", () => {
    for (const text of ["#", "#x", "#1e", "#01", "#1.0", "%2", "%zz", "#01n", "#-0"]) {
      assert.equal(keyOfText(text), undefined, text);
    }
  });
});

for (const [name, open] of [
  ["tiny", () => openDatabase(new Tiny())],
  ["bare", () => openDatabase(new Bare())],
] as const) {
  describe(`collection on ${name}`, () => {
    it("creates, reads, replaces, patches and deletes by key", async () => {
      await using db = await open();
      const users = collection(db, { name: "users", schema: userSchema, key: "email" });
      const made = await users.create({ email: "ada@x", age: 36 }, { metadata: { m: 1n } });
      assert.deepEqual(
        [made.key, made.id, made.data],
        ["ada@x", "users:ada@x", { email: "ada@x", age: 36, role: "reader" }],
      );
      await refuses("ALREADY_EXISTS", () => users.create({ email: "ada@x", age: 1 }));
      await refuses("INVALID_RECORD", () => users.create({ email: "bob@x", age: -1 }));
      const read = await users.read("ada@x");
      assert.deepEqual(read, made);
      assert.equal(read?.data.role, "reader");
      assert.deepEqual((await users.put({ email: "ada@x", age: 37, role: "admin" })).metadata, {});
      assert.equal((await users.update("ada@x", { email: "ada@x", age: 38 }))?.data.role, "reader");
      assert.equal((await users.patch("ada@x", { age: 39 }))?.data.age, 39);
      await refuses("INVALID_RECORD", () => users.patch("ada@x", { age: -1 }));
      await refuses("VERSION_CONFLICT", () => users.patch("ada@x", { age: 1 }, { ifVersion: made.version }));
      assert.equal(await users.update("nobody", { email: "nobody", age: 1 }), undefined);
      assert.equal(await users.patch("nobody", { age: 1 }), undefined);
      assert.deepEqual(
        [await users.exists("ada@x"), await users.delete("ada@x"), await users.delete("ada@x")],
        [true, true, false],
      );
      assert.equal(await db.count(), 0);
    });

    it("a record stays where its key says", async () => {
      await using db = await open();
      const users = collection(db, { name: "users", key: ["org", "email"] });
      await users.create({ org: 1, email: "a" });
      for (const work of [
        () => users.update([1, "a"], { org: 2, email: "a" }).then((found) => assert.equal(found, undefined)),
        () => users.patch([1, "a"], { org: 2 }),
        () => users.create({ org: 3, email: "b" }, { key: [3, "c"] }),
        () => users.create({ org: 3 }),
        () => users.create({ org: null, email: "c" }),
        () => users.create({ org: true, email: "c" }),
      ]) {
        await refuses("INVALID_RECORD", work).catch((error: unknown) => {
          throw new Error(work.toString(), { cause: error });
        });
      }
      assert.deepEqual(
        (await users.search()).map(({ key, data }) => [key, data]),
        [[[1, "a"], { org: 1, email: "a" }]],
      );
    });

    it("sees, counts, changes and deletes nothing but its own", async () => {
      await using db = await open();
      const names = ["a", "a:", "a%3A", "a:b", "b", "A", "a;", "é", "a\u0001"];
      const all = names.map((own) => collection(db, { name: own }));
      const outside = ["a", "a%3A", "a;b", "zz", "Z"];
      await db.createMany(outside.map((id) => ({ id, data: { n: 1 } })));
      const hostile: readonly Key[] = [
        "",
        ":",
        "a:",
        "b:x",
        "%3A",
        "#1",
        1,
        1n,
        ["a", "b"],
        "a:b",
        ["a:b"],
        ["", ""],
        "é",
        "__proto__",
      ];
      const distinct = hostile.length - 1; // ["a:b"] is "a:b"
      for (const [at, one] of all.entries()) {
        await one.putMany(hostile.map((key) => ({ key, data: { n: at } })));
      }
      for (const [at, one] of all.entries()) {
        assert.equal(await one.count(), distinct);
        assert.equal(await one.count({ where: where("n", "!=", at) }), 0, names[at]);
        assert.equal((await one.search({ where: where("n", "=", at) })).length, distinct);
        assert.deepEqual(await one.aggregate({ groupBy: { n: "n" }, select: { c: count() } }), [
          { n: at, c: distinct },
        ]);
        let streamed = 0;
        for await (const { key, data } of one.stream(query().sort("id"))) {
          streamed++;
          assert.deepEqual([data["n"], (await one.read(key))?.key], [at, key]);
        }
        assert.equal(streamed, distinct);
        assert.deepEqual(
          (await one.readMany(hostile)).map((record) => record?.data["n"]),
          hostile.map(() => at),
        );
      }
      const [first, second, third] = all as [Collection<Fields>, Collection<Fields>, Collection<Fields>];
      assert.equal(await first.clear(), distinct);
      assert.equal(await second.deleteWhere({ and: [] }), distinct);
      assert.deepEqual(await third.deleteMany([":", "nobody"]), [true, false]);
      await refuses("INVALID_QUERY", () => third.deleteWhere(undefined as never));
      assert.equal(await third.count(), distinct - 1);
      assert.equal(await db.count(), outside.length + distinct * (names.length - 2) - 1);
    });

    it("pages, and gives the first", async () => {
      await using db = await open();
      await db.create({ n: -1 }, { id: "outside" });
      const one = collection(db, { name: "c" });
      await one.createMany(Array.from({ length: 25 }, (_, n) => ({ key: n, data: { n } })));
      const seen: unknown[] = [];
      let after: string | undefined;
      do {
        const page = await one.page(query().sort("n", "desc").limit(10), { after });
        seen.push(...page.records.map(({ key }) => key));
        after = page.next;
      } while (after !== undefined);
      assert.deepEqual(
        seen,
        Array.from({ length: 25 }, (_, n) => 24 - n),
      );
      assert.equal((await one.first({ sort: [{ path: "n" }] }))?.key, 0);
      assert.equal(await one.first({ where: where("n", "<", 0) }), undefined);
      await refuses("INVALID_QUERY", () => one.search({ limit: -1 }));
      await refuses("INVALID_QUERY", () => one.search([] as never));
    });

    it("one by content, in a race too", async () => {
      await using db = await open();
      const articles = collection(db, { name: "articles", key: contentKey("title", "body.text") });
      const made = await Promise.all(
        Array.from({ length: 10 }, (_, seen) => articles.createOnce({ title: "A", body: { text: "B" }, seen })),
      );
      assert.equal(made.filter(({ created }) => created).length, 1);
      assert.equal(new Set(made.map(({ record }) => record.version)).size, 1);
      await refuses("ALREADY_EXISTS", () => articles.create({ title: "A", body: { text: "B" }, seen: 99 }));
      assert.equal((await articles.createOnce({ title: "A", body: { text: "C" } })).created, true);
      assert.equal(await articles.count(), 2);
    });
  });
}

describe("collection", () => {
  it("works in a transaction, and takes the database's schema where it has none of its own", async () => {
    await using db = (await openDatabase(new Tiny(), { schema: userSchema })) as Database<User, Required<User>>;
    await assert.rejects(
      db.transaction(async (tx) => {
        const users = collection(tx, { name: "users", key: "email" });
        await users.create({ email: "a", age: 1 });
        assert.equal(await users.count(), 1);
        throw new Error("back");
      }),
      /back/,
    );
    const users = collection(db, { name: "users", key: "email" });
    assert.equal(await users.count(), 0);
    await refuses("INVALID_RECORD", () => users.create({ email: "a", age: -1 }));
    assert.equal((await users.create({ email: "a", age: 1 })).data.role, "reader");
  });

  it("tells on reading where stored data no longer fit the schema", async () => {
    await using db = await openDatabase(new Tiny());
    await collection(db, { name: "users", key: "email" }).create({ email: "a", age: -5 });
    const users = collection(db, { name: "users", schema: userSchema, key: "email" });
    assert.equal((await users.read("a"))?.issues, undefined);
    assert.equal((await users.read("a", { validate: true }))?.issues?.length, 1);
    assert.equal((await users.search(undefined, { validate: true }))[0]?.issues?.length, 1);
  });

  it("refuses what cannot be right", async () => {
    const db = await openDatabase(new Tiny());
    for (const options of [
      {},
      { name: "" },
      { name: "a", key: "id" },
      { name: "a", key: [] },
      { name: "a", keys: "x" },
    ]) {
      await refuses("INVALID_CONFIG", () => collection(db, options as { name: string }));
    }
    await refuses("INVALID_CONFIG", () => collection(db, { name: "a", schema: {} as never }));
    assert.throws(() => collection({} as typeof db, { name: "a" }), TypeError);
    const one = collection(db, { name: "a" });
    await refuses("INVALID_RECORD", () => one.create({}, { key: Number.NaN }));
    await refuses("INVALID_RECORD", () => one.create({}, { key: [] }));
    await refuses("LIMIT_EXCEEDED", () => one.create({}, { key: "x".repeat(511) }));
    await one.create({}, { key: "x".repeat(510) });
    await db.create({}, { id: "a:#no number" });
    await refuses("CORRUPT", () => one.search());
    await db.close();
    await refuses("NOT_OPEN", () => one.count());
  });
});

describe("fieldsHash", () => {
  it("tells types, places and borders of values apart", async () => {
    const hashes = new Set<string>();
    const different: readonly Fields[] = [
      { a: "x|y", b: "z" },
      { a: "x", b: "y|z" },
      { a: 1 },
      { a: "1" },
      { a: 1n },
      { a: true },
      { a: null },
      {},
      { b: 1 },
      { a: new Date(0) },
      { a: new Date(0).toISOString() },
      { a: Float32Array.of(1) },
      { a: [1] },
      { a: [1n] },
      { a: { b: 1n } },
      { a: { b: "1" } },
    ];
    for (const data of different) hashes.add(await fieldsHash(data, ["a", "b"]));
    assert.equal(hashes.size, different.length);
  });

  it("is the same for the same content, whatever the order of keys and paths and what else there is", async () => {
    const [one, other] = [
      await fieldsHash({ a: { x: 1, y: 2n }, b: 3, c: 4 }, ["a", "b"]),
      await fieldsHash({ c: 5, b: 3, a: { y: 2n, x: 1 } }, ["b", "data.a", "a"]),
    ];
    assert.equal(one, other);
    assert.match(one, /^[0-9a-f]{64}$/);
    await refuses("INVALID_QUERY", () => fieldsHash({}, []));
    await refuses("INVALID_QUERY", () => fieldsHash({}, ["id"]));
  });
});
