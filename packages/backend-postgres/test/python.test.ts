/**
 * A table shared with the Python package dataknobs-data, by the real package in a virtual environment of its own.
 * Without Python the package's own layout and statements stand in for it, so that what matters is tested anywhere.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Database, DataknobsError, openDatabase, where } from "@dataknobs/core";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { makeSchema, newTable, open, schemaName, sql, url } from "./server.js";

jest.setTimeout(120_000);
beforeAll(makeSchema);

const version = "0.4.13";
const indexes = [{ path: "age" }, { path: "email", unique: true }, { path: "bio", text: true }] as const;

const opened: Database[] = [];
afterAll(() => Promise.all(opened.map((db) => db.close())));
async function shared(table: string): Promise<Database> {
  const db = (await openDatabase(open({ table, shared: true }), { indexes })) as Database;
  opened.push(db);
  return db;
}

/** What runs as the other program: a few statements on a table. */
interface Other {
  create(table: string, id: string, data: object, metadata?: object): Promise<unknown>;
  update(table: string, id: string, data: object): Promise<unknown>;
  delete(table: string, id: string): Promise<unknown>;
  read(table: string, id: string): Promise<unknown>;
}

const at = (table: string) => sql`${sql(schemaName)}.${sql(table)}`;
const json = (value: object) => sql`${JSON.stringify(value)}::text::jsonb`;

/** The package's own DDL and statements, as they were seen; for machines without Python. */
async function imitate(table: string): Promise<void> {
  await sql`CREATE TABLE IF NOT EXISTS ${at(table)} (id TEXT PRIMARY KEY, data JSONB NOT NULL, metadata JSONB,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)`;
  await sql`CREATE INDEX IF NOT EXISTS ${sql(`idx_${table}_data`)} ON ${at(table)} USING GIN (data)`;
}
const imitation: Other = {
  async create(table, id, data, metadata) {
    await imitate(table);
    await sql`INSERT INTO ${at(table)} (id, data, metadata) VALUES (${id}, ${json(data)}, ${metadata === undefined ? null : json(metadata)})`;
  },
  async update(table, id, data) {
    await sql`UPDATE ${at(table)} SET data = ${json(data)}, metadata = NULL, updated_at = CURRENT_TIMESTAMP WHERE id = ${id}`;
  },
  async delete(table, id) {
    await sql`DELETE FROM ${at(table)} WHERE id = ${id}`;
  },
  async read(table, id) {
    return (await sql`SELECT data FROM ${at(table)} WHERE id = ${id}`)[0]?.["data"] ?? null;
  },
};

// one process for all tests, a request a line: starting the package takes seconds
const script = `
import sys, json
from urllib.parse import urlparse, unquote
from dataknobs_data import Record
from dataknobs_data.backends.postgres import SyncPostgresDatabase
url = urlparse(sys.argv[1])
databases = {}
for line in sys.stdin:
    table, what, id, data, metadata = json.loads(line)
    if table not in databases:
        databases[table] = SyncPostgresDatabase({
            "host": url.hostname, "port": url.port or 5432, "database": url.path[1:] or "postgres",
            "user": unquote(url.username or "postgres"), "password": unquote(url.password or ""),
            "table": table, "schema_name": sys.argv[2]})
        databases[table].connect()
    db = databases[table]
    answer = None
    if what == "create":
        db.create(Record(data, metadata=metadata, id=id))
    elif what == "update":
        answer = db.update(id, Record(data))
    elif what == "delete":
        answer = db.delete(id)
    else:
        record = db.read(id)
        answer = None if record is None else {k: f.value for k, f in record.fields.items()}
    print(json.dumps(answer), flush=True)
`;

/** The interpreter of a virtual environment with the package; made once and kept in the cache folder. */
function python(): string | undefined {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const home = join(cache, "dataknobs", `python-dataknobs-data-${version}-postgres`);
  const interpreter = join(home, "bin", "python");
  const works = (): boolean =>
    existsSync(interpreter) &&
    spawnSync(interpreter, ["-c", "from dataknobs_data.backends.postgres import SyncPostgresDatabase"]).status === 0;
  if (works()) return interpreter;
  mkdirSync(join(cache, "dataknobs"), { recursive: true });
  const packages = [`dataknobs-data==${version}`, "psycopg2-binary", "asyncpg"];
  const steps: [string, string[]][] = [
    ["python3", ["-m", "venv", home]],
    [interpreter, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages]],
  ];
  for (const [command, args] of steps) if (spawnSync(command, args, { stdio: "ignore" }).status !== 0) return undefined;
  return works() ? interpreter : undefined;
}

const interpreter = process.env["DATAKNOBS_PYTHON"] === "0" ? undefined : python();

let child: { readonly process: ChildProcess; readonly lines: AsyncIterator<string> } | undefined;
afterAll(() => {
  child?.process.stdin?.end();
});

async function real(
  table: string,
  what: string,
  id: string,
  data: object = {},
  metadata: object = {},
): Promise<unknown> {
  if (child === undefined) {
    const process = spawn(interpreter as string, ["-c", script, url, schemaName], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    child = { process, lines: createInterface({ input: process.stdout })[Symbol.asyncIterator]() };
  }
  child.process.stdin?.write(`${JSON.stringify([table, what, id, data, metadata])}\n`);
  const { done, value } = await child.lines.next();
  if (done === true) throw new Error("Python ended; what it said is above.");
  return JSON.parse(value);
}

const genuine: Other = {
  create: (table, id, data, metadata) => real(table, "create", id, data, metadata),
  update: (table, id, data) => real(table, "update", id, data),
  delete: (table, id) => real(table, "delete", id),
  read: (table, id) => real(table, "read", id),
};

const others: [string, Other][] = [["the package's statements", imitation]];
if (interpreter !== undefined) others.push([`dataknobs-data ${version}`, genuine]);
// a continuous run must not pass because Python was not there
if (process.env["CI"] === "true" && process.env["DATAKNOBS_PYTHON"] !== "0") {
  it("Python and the package are there", () => expect(interpreter).toBeDefined());
}

describe.each(others)("a table shared with %s", (_, other) => {
  it("theirs is opened, with values, times and metadata", async () => {
    const table = newTable();
    const data = {
      name: "Ada",
      age: 36,
      tags: ["x", "y", 2 ** 60],
      address: { city: "Ås" },
      none: null,
      ok: true,
      f: 1.5,
      big: 2 ** 60,
      bio: "quick fox",
    };
    await other.create(table, "ada", data, { src: "py" });
    const db = await shared(table);
    const ada = await db.read("ada");
    expect(ada?.data).toEqual(data);
    expect(ada?.metadata).toEqual({ src: "py" });
    expect(Math.abs((ada?.createdAt.getTime() ?? 0) - Date.now())).toBeLessThan(3_600_000);
    expect(ada?.version).toMatch(/./);
    for (const condition of [
      where("age", "=", 36),
      where("address.city", "like", "Å_"),
      where("ok", "=", true),
      where("big", "=", 2 ** 60),
      where("tags", "contains", 2 ** 60),
      where("tags", "=", ["x", "y", 2 ** 60]),
      where("createdAt", "starts_with", "20"),
      where("metadata.src", "=", "py"),
    ]) {
      expect(await db.count({ where: condition })).toBe(1);
    }
    expect((await db.search({ match: { text: "FOX" } })).map(({ id }) => id)).toEqual(["ada"]);
  });

  it("their update is noticed: version, types, indexes and words", async () => {
    const table = newTable();
    const db = await shared(table);
    const before = await db.create({ age: 10n, at: new Date(0), bio: "quick fox", email: ["a"] }, { id: "r" });
    await other.update(table, "r", { age: 30, at: "then", bio: "slow dog", email: "b" });
    const after = await db.read("r");
    expect(after?.data).toEqual({ age: 30, at: "then", bio: "slow dog", email: "b" });
    expect(after?.version).not.toBe(before.version);
    expect(after?.createdAt).toEqual(before.createdAt);
    expect(await db.count({ where: where("age", "=", 30) })).toBe(1);
    expect(await db.count({ where: where("age", "=", 10n) })).toBe(0);
    expect(await db.count({ where: where("at", "=", "then") })).toBe(1);
    expect(await db.search({ match: { text: "dog" } })).toHaveLength(1);
    expect(await db.search({ match: { text: "fox" } })).toHaveLength(0);
    await expect(db.update("r", { age: 1 }, { ifVersion: before.version })).rejects.toThrow(/version/i);
    const third = (await db.read("r"))?.version;
    await other.update(table, "r", { age: 31 });
    expect((await db.read("r"))?.version).not.toBe(third);
    const { version: current } = (await db.read("r")) as { version: string };
    expect((await db.update("r", { age: 32 }, { ifVersion: current }))?.data).toEqual({ age: 32 });
  });

  it("what they create and delete is found and gone, by every way to ask", async () => {
    const table = newTable();
    const db = await shared(table);
    await db.create({ age: 1, bio: "one" }, { id: "ours" });
    await other.create(table, "theirs", { age: 2, bio: "two words", email: "e" });
    expect((await db.search({ sort: [{ path: "age" }] })).map(({ id }) => id)).toEqual(["ours", "theirs"]);
    expect((await db.search({ match: { text: "words" } })).map(({ id }) => id)).toEqual(["theirs"]);
    await expect(db.create({ email: "e" })).rejects.toThrow(/email/);
    await other.delete(table, "theirs");
    expect(await db.search({ match: { text: "words" } })).toEqual([]);
    await other.create(table, "theirs", { bio: "other" });
    expect(await db.search({ match: { text: "words" } })).toEqual([]);
    expect(await db.search({ match: { text: "other" } })).toHaveLength(1);
  });

  it("ours is read and written by them, and later opened without saying that it is shared", async () => {
    const table = newTable();
    const data = { name: "Grace", n: 1.5, list: [1, { a: null }], naïve: "漢😀" };
    await (await shared(table)).create({ ...data, at: new Date(0) }, { id: "g", metadata: { m: 1 } });
    expect(await other.read(table, "g")).toEqual({ ...data, at: "1970-01-01T00:00:00.000Z" });
    await other.update(table, "g", { name: "Hopper" });
    expect(await other.read(table, "g")).toEqual({ name: "Hopper" });
    const again = (await openDatabase(open({ table }), { indexes })) as Database;
    opened.push(again);
    expect((await again.read("g"))?.data).toEqual({ name: "Hopper" });
    await other.update(table, "g", { name: "Grace", bio: "admiral" });
    expect(await again.count({ match: { text: "admiral" } })).toBe(1);
  });

  it("ids come by code point in their table too", async () => {
    const table = newTable();
    for (const id of ["b", "B", "a", "é", "_", "Z"]) await other.create(table, id, {});
    const db = await shared(table);
    expect((await db.search({ limit: 9 })).map(({ id }) => id)).toEqual(["B", "Z", "_", "a", "b", "é"]);
  });

  it("numbers that no double holds do no harm", async () => {
    const table = newTable();
    const db = await shared(table);
    await db.create({ age: 1 }, { id: "one" });
    await sql`INSERT INTO ${at(table)} (id, data) VALUES ('vast', ${`{"age": 1${"0".repeat(400)}}`}::text::jsonb), ('tiny', '{"age": 1e-400}')`;
    expect((await db.search({ where: where("age", ">", 0), sort: [{ path: "age" }] })).map(({ id }) => id)).toEqual([
      "one",
      "vast",
    ]);
    expect(await db.aggregate({ select: { total: { fn: "sum", path: "age" } } })).toEqual([
      { total: Number.POSITIVE_INFINITY },
    ]);
  });
});

it("is refused without `shared`", async () => {
  const table = newTable();
  await imitation.create(table, "a", {});
  const error = await openDatabase(open({ table })).catch((one: unknown) => one);
  expect(DataknobsError.is(error, "INVALID_CONFIG")).toBe(true);
});
