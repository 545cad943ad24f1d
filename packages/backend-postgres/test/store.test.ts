/** The table and what lives beside it: opening, layouts, indexes on a live store, other writers, races, hostile names. */
import { inspect } from "node:util";
import { type Database, DataknobsError, openDatabase, type Query, where } from "@dataknobs/core";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import driver from "postgres";
import { type PostgresOptions, postgres } from "../src/index.js";
import { makeSchema, newTable, open, schemaName, sql, url } from "./server.js";

jest.setTimeout(60_000);
beforeAll(makeSchema);

type Settings = Parameters<typeof openDatabase>[1];
const opened: Database[] = [];
afterAll(() => Promise.all(opened.map((db) => db.close())));
async function openAt(options: PostgresOptions, settings: Settings = {}): Promise<Database> {
  const db = (await openDatabase(open(options), settings)) as Database;
  opened.push(db);
  return db;
}

async function failure(body: () => unknown): Promise<DataknobsError> {
  try {
    await body();
  } catch (error) {
    if (!DataknobsError.is(error)) throw error;
    return error as DataknobsError;
  }
  throw new Error("It did not fail.");
}

const at = (table: string) => sql`${sql(schemaName)}.${sql(table)}`;
const idsOf = async (db: Database, query: Query): Promise<string[]> => (await db.search(query)).map(({ id }) => id);

describe("options", () => {
  it.each<[string, object]>([
    ["an unknown key", { tabel: "x" }],
    ["an empty table", { table: "" }],
    ["a table with U+0000", { table: "a\0b" }],
    ["a name that the server would cut", { table: "x".repeat(64) }],
    ["a schema name that the server would cut", { schemaName: "é".repeat(40) }],
    ["a URL of something else", { connectionString: "mysql://u:secret@h/d" }],
    ["a port that is none", { port: 0 }],
    ["no pool", { poolSize: 0 }],
    ["an isolation that is none", { isolation: "read committed" }],
    ["a client that is none", { sql: {} }],
    ["replicas that are none", { replicas: ["x:secret"] }],
    ["TLS that is none", { ssl: 7 }],
  ])("%s is INVALID_CONFIG", async (_, options) => {
    const error = await failure(() => postgres(options as PostgresOptions));
    expect(error.code).toBe("INVALID_CONFIG");
    expect(error.message).not.toMatch(/secret/);
  });

  it("a password shows nowhere", async () => {
    const backend = postgres({
      host: "127.0.0.1",
      port: 1,
      user: "u",
      password: "secret",
      connectionString: "postgres://u:secret@127.0.0.1:1/d",
    });
    const error = await failure(() => openDatabase(backend));
    const shown = [
      inspect(backend, { depth: 9, showHidden: true }),
      inspect(error, { depth: 9 }),
      JSON.stringify(error),
      JSON.stringify(backend),
    ];
    for (const text of shown) expect(text).not.toMatch(/secret/);
  });

  it("snake_case, configuration and URL mean the same", async () => {
    const table = newTable();
    const db = await openDatabase({ backend: "postgres", connection_string: url, schema_name: schemaName, table });
    await db.create({ n: 1 }, { id: "a" });
    await db.close();
    const again = await openDatabase(`${url}?schema_name=${schemaName}&table=${table}&pool_size=2&sslmode=disable`);
    expect(again.name).toBe("postgres");
    expect((await again.read("a"))?.data).toEqual({ n: 1 });
    await again.close();
  });
});

describe("the table", () => {
  it("has the Python package's columns and ours, the id by code point", async () => {
    const table = newTable();
    const db = await openAt({ table });
    const rows = await sql`
      SELECT column_name, data_type, collation_name FROM information_schema.columns
      WHERE table_schema = ${schemaName} AND table_name = ${table} ORDER BY ordinal_position`;
    expect(rows.map((row) => [row["column_name"], row["data_type"], row["collation_name"]])).toEqual([
      ["id", "text", "C"],
      ["data", "jsonb", null],
      ["metadata", "jsonb", null],
      ["created_at", "timestamp without time zone", null],
      ["updated_at", "timestamp without time zone", null],
      ["version", "text", null],
      ["types", "jsonb", null],
      ["metadata_types", "jsonb", null],
    ]);
    await sql`INSERT INTO ${at(table)} (id, data) VALUES ('foreign', '{"n": 1.0}')`;
    const record = await db.read("foreign");
    expect([record?.data, record?.metadata, typeof record?.version]).toEqual([{ n: 1 }, {}, "string"]);
    expect(Math.abs(Date.now() - Number(record?.createdAt))).toBeLessThan(60_000);
    expect(await idsOf(db, { where: where("n", "=", 1) })).toEqual(["foreign"]);
    await db.close();
  });

  it("two who open a new store at once both may", async () => {
    for (let round = 0; round < 3; round++) {
      const table = newTable();
      const indexes = [{ path: "age" }, { path: "email", unique: true }, { path: "bio", text: true }];
      const all = await Promise.all(Array.from({ length: 6 }, () => openAt({ table, poolSize: 1 }, { indexes })));
      await Promise.all(all.map((db, n) => db.create({ age: n, email: `e${n}`, bio: "fox" })));
      for (const db of all) expect(await db.count({ match: { text: "fox" } })).toBe(6);
      for (const db of all) expect((await db.indexes.plan()).keep.length).toBe(3);
      await Promise.all(all.map((db) => db.close()));
    }
  });

  it("of another program is refused with a hint, and left as it is", async () => {
    const table = newTable();
    await sql`CREATE TABLE ${at(table)} (id text PRIMARY KEY, data jsonb NOT NULL, metadata jsonb, created_at timestamp DEFAULT CURRENT_TIMESTAMP, updated_at timestamp DEFAULT CURRENT_TIMESTAMP)`;
    const error = await failure(() => openAt({ table }));
    expect([error.code, error.message]).toEqual(["INVALID_CONFIG", expect.stringMatching(/shared: true/)]);
    const [row] = await sql`SELECT count(*)::int AS n FROM information_schema.columns WHERE table_name = ${table}`;
    expect(row?.["n"]).toBe(5);
  });

  it.each<[string, string, RegExp]>([
    ["of something else", "(id int, total numeric)", /no data, metadata/],
    [
      "with json as text",
      "(id text PRIMARY KEY, data text, metadata jsonb, created_at timestamp, updated_at timestamp)",
      /data have other types/,
    ],
    [
      "with zoned times",
      "(id text PRIMARY KEY, data jsonb, metadata jsonb, created_at timestamptz, updated_at timestamp)",
      /created_at/,
    ],
  ])("%s is INVALID_CONFIG, shared or not", async (_, columns, message) => {
    const table = newTable();
    await sql`CREATE TABLE ${at(table)} ${sql.unsafe(columns)}`;
    for (const shared of [false, true]) {
      const error = await failure(() => openAt({ table, shared }));
      expect([error.code, error.message]).toEqual(["INVALID_CONFIG", expect.stringMatching(message)]);
    }
  });

  it("of a newer layout is refused", async () => {
    const table = newTable();
    await (await openAt({ table })).close();
    await sql`COMMENT ON COLUMN ${at(table)}.version IS 'dataknobs {"layout":2}'`;
    const error = await failure(() => openAt({ table }));
    expect([error.code, error.message]).toEqual(["INVALID_CONFIG", expect.stringMatching(/newer version/)]);
  });

  it("manage: false makes nothing", async () => {
    const table = newTable();
    expect((await failure(() => openAt({ table, manage: false }))).code).toBe("INVALID_CONFIG");
    const [none] = await sql`SELECT to_regclass(${`${schemaName}.${table}`}) AS found`;
    expect(none?.["found"]).toBeNull();
    await (await openAt({ table })).close();
    const db = await openAt({ table, manage: false }, { indexes: [{ path: "age" }] });
    await db.create({ age: 1 }, { id: "a" });
    expect(await idsOf(db, { where: where("age", "=", 1) })).toEqual(["a"]);
    expect((await db.indexes.plan()).create.map(({ name }) => name)).toEqual(["age"]);
    expect((await failure(() => db.indexes.apply())).code).toBe("INVALID_CONFIG");
    await db.close();
    const unique = { indexes: [{ path: "age", unique: true }] };
    expect((await failure(() => openAt({ table, manage: false }, unique))).message).toMatch(/age:unique/);
  });

  it("that is dropped under an open store is CONFLICT", async () => {
    const table = newTable();
    const db = await openAt({ table });
    await sql`DROP TABLE ${at(table)}`;
    expect((await failure(() => db.create({}))).code).toBe("CONFLICT");
    await db.close();
  });
});

describe("a client of the user's own", () => {
  it("is used and left open", async () => {
    const client = driver(url, { max: 2, transform: { value: { from: (value: unknown) => value } } });
    const table = newTable();
    const db = await openAt({ table, sql: client }, { indexes: [{ path: "bio", text: true }] });
    await db.createMany(Array.from({ length: 3000 }, (_, n) => ({ data: { n, bio: "red fox" } })));
    expect(await db.count({ match: { text: "fox" } })).toBe(3000);
    let seen = 0;
    for await (const { data } of db.stream()) if (++seen % 1000 === 0) await db.create({ copy: data });
    await db.transaction(async (tx) => {
      await tx.create({}, { id: "inside" });
      expect(await db.exists("inside")).toBe(false);
    });
    await db.close();
    expect((await client`SELECT count(*)::int AS n FROM ${at(table)}`)[0]?.["n"]).toBe(3004);
    await client.end();
  });

  it("works without prepared statements", async () => {
    const db = await openAt({ prepare: false }, { indexes: [{ path: "n", unique: true }] });
    await db.createMany(Array.from({ length: 50 }, (_, n) => ({ id: `r${n}`, data: { n } })));
    await db.transaction((tx) => tx.patch("r1", { m: 1 }));
    expect(await idsOf(db, { where: where("n", "<", 2), sort: [{ path: "n" }] })).toEqual(["r0", "r1"]);
    const prepared = await db.sql("SELECT count(*)::int AS n FROM pg_prepared_statements");
    expect(prepared).toEqual([{ n: 0 }]);
    await db.close();
  });
});

describe("sql", () => {
  it("is a statement with its parameters", async () => {
    const table = newTable();
    const db = await openAt({ table });
    await db.create({ n: 1 }, { id: "a" });
    const rows = await db.sql(`SELECT id, data->>'n' AS n FROM "${schemaName}"."${table}" WHERE id = $1`, ["a"]);
    expect(rows).toEqual([{ id: "a", n: "1" }]);
    expect(await db.sql("SELECT $1::int[] AS list, true AS yes", [[1, 2]])).toEqual([{ list: [1, 2], yes: true }]);
    await db.transaction(async (tx) => {
      await tx.sql(`DELETE FROM "${schemaName}"."${table}"`);
      expect(await tx.count()).toBe(0);
      expect(await db.count()).toBe(1);
    });
    await db.close();
  });

  it.each(["SELEKT 1", "SELECT * FROM nowhere", "SELECT 1/0", "SELECT 'x'::int", "SELECT $1"])(
    "%s is INVALID_QUERY",
    async (text) => {
      const db = await openAt({});
      const error = await failure(() => db.sql(text, text.includes("$1") ? [undefined] : []));
      expect([error.code, error.message]).toEqual(["INVALID_QUERY", expect.not.stringMatching(/SELE|syntax|nowhere/)]);
      expect(await db.count()).toBe(0);
      await db.close();
    },
  );
});

describe("hostile names", () => {
  it.each(['"; DROP TABLE x; --', "a'b", "a\\b", "$1", "Ünï cöde", "select", 'x" (id text); --'])(
    "a table called %s",
    async (name) => {
      const db = await openAt(
        { table: name, shared: name.includes("'") },
        { indexes: [{ path: "n" }, { path: "u", unique: true }, { path: "t", text: true }] },
      );
      await db.create({ n: 1, u: 1, t: "fox" }, { id: name });
      expect(await idsOf(db, { where: where("n", "=", 1), match: { text: "fox" } })).toEqual([name]);
      expect((await failure(() => db.create({ u: 1 }))).details["index"]).toBe("u:unique");
      await db.close();
    },
  );

  it.each([
    "a'b",
    'a"b',
    "a\\b",
    "a\\'b",
    "$1",
    "'; DROP TABLE records; --",
    "{}",
    "a\nb",
    "\u0001",
    "$.x",
    "*",
    "é".repeat(100),
  ])("a declared field called %j", async (name) => {
    const indexes = [{ path: [name] }, { path: ["o", name], unique: true }, { path: ["t", name], text: true }];
    const db = await openAt({}, { indexes });
    const text = `it's "${name}"\\`;
    await db.createMany([
      { id: "a", data: { [name]: text, o: { [name]: text }, t: { [name]: "fox" } } },
      { id: "b", data: { [name]: [text], o: { [name]: [text, 10n] } } },
    ]);
    expect(await idsOf(db, { where: where([name], "=", text) })).toEqual(["a"]);
    expect(await idsOf(db, { where: where([name], "contains", text) })).toEqual(["b"]);
    expect(await idsOf(db, { where: where([name], "starts_with", "it's"), sort: [{ path: ["o", name] }] })).toEqual([
      "a",
    ]);
    expect(await idsOf(db, { match: { text: "fox" } })).toEqual(["a"]);
    expect((await failure(() => db.create({ o: { [name]: [text, 10n] } }))).code).toBe("ALREADY_EXISTS");
    await db.create({ o: { [name]: [text, "10"] } });
    expect(await db.count()).toBe(3);
    await db.close();
  });

  it("an index path that the catalog cannot hold is LIMIT_EXCEEDED", async () => {
    const path = ["x".repeat(1000), "y".repeat(1000)];
    expect((await failure(() => openAt({}, { indexes: [{ path }] }))).code).toBe("LIMIT_EXCEEDED");
  });
});

describe("long values under an index", () => {
  const stem = "long ".repeat(400);
  const values = [
    stem,
    `${stem}b`,
    `${stem}a`,
    `${stem}a`,
    "short",
    7,
    null,
    `${stem}${"é".repeat(5000)}`,
    stem.slice(0, 399),
    stem.slice(0, 400),
  ];

  it("sort, page and compare by all of them", async () => {
    const plain = await openAt({});
    const indexed = await openAt({}, { indexes: [{ path: "v" }] });
    for (const db of [plain, indexed]) await db.createMany(values.map((v, n) => ({ id: `r${n}`, data: { v } })));
    for (const direction of ["asc", "desc"] as const) {
      const sort = [{ path: "v", direction }] as const;
      const whole = await idsOf(plain, { sort });
      expect(await idsOf(indexed, { sort, limit: 100 })).toEqual(whole);
      expect(await idsOf(indexed, { sort })).toEqual(whole);
      expect(await idsOf(indexed, { sort, limit: 3, offset: 4 })).toEqual(whole.slice(4, 7));
      const paged: string[] = [];
      for (let after: string | undefined, more = true; more; ) {
        const page = await indexed.page({ sort, limit: 2 }, after === undefined ? {} : { after });
        paged.push(...page.records.map(({ id }) => id));
        after = page.next;
        more = after !== undefined;
      }
      expect(paged).toEqual(whole);
    }
    const conditions = values.flatMap((v) =>
      v === null
        ? []
        : [
            where("v", "=", v),
            where("v", "<", v),
            where("v", ">=", v),
            where("v", "in", [v, 7]),
            ...(typeof v === "string" && v.length < 4096 ? [where("v", "starts_with", v)] : []),
          ],
    );
    for (const condition of conditions) {
      expect(await idsOf(indexed, { where: condition, limit: 100 })).toEqual(
        await idsOf(plain, { where: condition, limit: 100 }),
      );
    }
    await plain.close();
    await indexed.close();
  });

  it("are unique by all of them", async () => {
    const db = await openAt({}, { indexes: [{ path: "v", unique: true }] });
    await db.create({ v: `${stem}a` });
    await db.create({ v: `${stem}b` });
    expect((await failure(() => db.create({ v: `${stem}a` }))).code).toBe("ALREADY_EXISTS");
    await db.close();
  });
});

describe("unique lists and objects", () => {
  it("are equal whatever types other fields have", async () => {
    const db = await openAt({}, { indexes: [{ path: "v", unique: true }] });
    await db.create({ v: [1, { a: "10" }] });
    expect((await failure(() => db.create({ v: [1, { a: "10" }], other: 7n, at: new Date() }))).code).toBe(
      "ALREADY_EXISTS",
    );
    await db.create({ v: [1, { a: 10n }] });
    expect((await failure(() => db.create({ v: [1, { a: 10n }], at: new Date() }))).code).toBe("ALREADY_EXISTS");
    await db.close();
  });
});

describe("full text", () => {
  it("finds what a program wrote that does not know of the field", async () => {
    const table = newTable();
    const unaware = await openAt({ table });
    const db = await openAt({ table }, { indexes: [{ path: "bio", text: true }] });
    await db.create({ bio: "quick fox" }, { id: "a" });
    await unaware.create({ bio: "slow fox" }, { id: "b" });
    await unaware.update("a", { bio: "quick dog" });
    expect((await idsOf(db, { match: { text: "fox" } })).sort()).toEqual(["b"]);
    await db.patch("b", { bio: "a cat" });
    expect(await idsOf(db, { match: { text: "fox" } })).toEqual([]);
    expect(await idsOf(db, { match: { text: "CAT" } })).toEqual(["b"]);
    await sql`UPDATE ${at(table)} SET data = '{"bio": "by hand"}', version = 'x' WHERE id = 'a'`;
    await db.transaction(async (tx) => {
      expect((await tx.search({ match: { text: "hand" } })).map(({ id }) => id)).toEqual(["a"]);
    });
    await db.close();
    await unaware.close();
  });

  it("takes words and texts of any length", async () => {
    const db = await openAt({}, { indexes: [{ path: "bio", text: true }] });
    const long = "x".repeat(5000);
    await db.create({ bio: long }, { id: "word" });
    await db.create({ bio: `${long}y` }, { id: "other" });
    await db.create({ bio: Array.from({ length: 50_000 }, (_, n) => `w${n % 20_000}`).join(" ") }, { id: "many" });
    expect(await idsOf(db, { match: { text: long.slice(0, 4000) } })).toEqual([]);
    expect(await idsOf(db, { match: { text: "w19999 w7" } })).toEqual(["many"]);
    await db.close();
  });
});

describe("indexes of a live store", () => {
  it("are made and dropped while others write", async () => {
    const table = newTable();
    const writer = await openAt({ table });
    await writer.createMany(
      Array.from({ length: 5000 }, (_, n) => ({ id: `r${n}`, data: { n, email: `e${n}`, bio: "red fox" } })),
    );
    let writing = true;
    const writes = (async () => {
      for (let n = 0; writing; n++) {
        await writer.create({ n, email: `w${n}`, bio: "blue fox" }, { id: `w${n}` });
        await writer.update(`r${n % 5000}`, { n: -n, email: `e${n % 5000}`, bio: "grey fox" });
      }
    })();
    const indexes = [{ path: "n" }, { path: "email", unique: true }, { path: "bio", text: true }];
    const [db, same] = await Promise.all([openAt({ table }, { indexes }), openAt({ table }, { indexes })]);
    for (const one of [db, same]) expect((await one.indexes.plan()).create).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    writing = false;
    await writes;
    const all = await db.count();
    expect(await db.count({ match: { text: "fox" } })).toBe(all);
    expect(await db.count({ where: where("n", ">=", -1e9) })).toBe(all);
    const lean = await openAt({ table });
    const plan = await lean.indexes.plan();
    expect(plan.drop.map(({ name }) => name).sort()).toEqual(["bio:text", "email:unique", "n"]);
    await lean.indexes.apply({ drop: true });
    expect((await lean.indexes.plan()).drop).toEqual([]);
    // who still knows the columns writes on without them
    await db.create({ bio: "late fox", email: "e1" }, { id: "late" });
    expect((await db.read("late"))?.data).toEqual({ bio: "late fox", email: "e1" });
    const [left] =
      await sql`SELECT count(*)::int AS n FROM pg_indexes WHERE schemaname = ${schemaName} AND tablename = ${table}`;
    expect(left?.["n"]).toBe(1);
    for (const one of [db, same, lean, writer]) await one.close();
  });

  it("a unique one over duplicates is ALREADY_EXISTS and leaves nothing behind", async () => {
    const table = newTable();
    const db = await openAt({ table });
    await db.createMany(Array.from({ length: 2000 }, (_, n) => ({ data: { n: n % 1999 } })));
    const error = await failure(() => openAt({ table }, { indexes: [{ path: "n", unique: true }] }));
    expect([error.code, error.details["index"]]).toEqual(["ALREADY_EXISTS", "n:unique"]);
    const [left] =
      await sql`SELECT count(*)::int AS n FROM pg_indexes WHERE schemaname = ${schemaName} AND tablename = ${table}`;
    expect(left?.["n"]).toBe(1);
    await db.close();
  });

  it("names of others are listed, and not dropped", async () => {
    const table = newTable();
    const db = await openAt({ table }, { indexes: [{ path: "n" }] });
    await sql`CREATE INDEX ${sql(`${table}_theirs`)} ON ${at(table)} (updated_at)`;
    await db.indexes.apply({ drop: true });
    const [left] = await sql`SELECT count(*)::int AS n FROM pg_indexes WHERE indexname = ${`${table}_theirs`}`;
    expect(left?.["n"]).toBe(1);
    await db.close();
  });
});

describe("races", () => {
  it("64 writers on one record by compare and set lose no update", async () => {
    const table = newTable();
    const db = await openAt({ table, poolSize: 8 });
    const other = await openAt({ table, poolSize: 8 });
    await db.create({ n: 0 }, { id: "counter" });
    const increment = async (on: Database): Promise<void> => {
      for (;;) {
        const record = await on.read("counter");
        try {
          await on.update("counter", { n: Number(record?.data["n"]) + 1 }, { ifVersion: record?.version });
          return;
        } catch (error) {
          if (!DataknobsError.is(error, "VERSION_CONFLICT")) throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: 64 }, (_, n) => increment(n % 2 === 0 ? db : other)));
    expect((await db.read("counter"))?.data).toEqual({ n: 64 });
    await db.close();
    await other.close();
  });

  it("64 patches of one record at once are all there", async () => {
    const db = await openAt({});
    await db.create({}, { id: "a" });
    await Promise.all(Array.from({ length: 64 }, (_, n) => db.patch("a", { [`f${n}`]: BigInt(n) })));
    expect(Object.keys((await db.read("a"))?.data ?? {}).length).toBe(64);
    expect((await db.read("a"))?.data["f63"]).toBe(63n);
    await db.close();
  });

  it("batches that cross do not end each other", async () => {
    const db = await openAt({ poolSize: 8 });
    const ids = Array.from({ length: 200 }, (_, n) => `r${n}`);
    await db.createMany(ids.map((id) => ({ id, data: {} })));
    const batch = (n: number) =>
      db.updateMany((n % 2 === 0 ? ids : [...ids].reverse()).map((id) => ({ id, data: { n } })));
    await Promise.all(Array.from({ length: 20 }, (_, n) => batch(n)));
    const seen = new Set((await db.search()).map(({ data }) => data["n"]));
    expect(seen.size).toBe(1);
    await db.close();
  });

  it("write skew is CONFLICT with isolation serializable", async () => {
    const db = await openAt({ isolation: "serializable" });
    await db.createMany([
      { id: "a", data: { on: true } },
      { id: "b", data: { on: true } },
    ]);
    const leave = (id: string) =>
      db.transaction(async (tx) => {
        const on = await tx.count({ where: where("on", "=", true) });
        await new Promise((resolve) => setTimeout(resolve, 100));
        if (on > 1) await tx.update(id, { on: false });
      });
    const ends = await Promise.allSettled([leave("a"), leave("b")]);
    const lost = ends.filter((end) => end.status === "rejected").map(({ reason }) => reason as DataknobsError);
    expect(lost.map(({ code, retryable }) => [code, retryable])).toEqual([["CONFLICT", true]]);
    expect(await db.count({ where: where("on", "=", true) })).toBe(1);
    await db.close();
  });

  it("more streams and transactions than connections wait for each other", async () => {
    const db = await openAt({ poolSize: 2 });
    await db.createMany(Array.from({ length: 3000 }, (_, n) => ({ data: { n } })));
    const stream = async (): Promise<number> => {
      let seen = 0;
      for await (const _ of db.stream()) if (++seen % 1500 === 0) await db.count();
      return seen;
    };
    const move = () => db.transaction(async (tx) => tx.create({ t: await db.count() }));
    const results = await Promise.all([stream(), stream(), stream(), move(), move(), move(), stream()]);
    expect(results.filter((one) => typeof one === "number").every((seen) => Number(seen) >= 3000)).toBe(true);
    await db.close();
  });
});
