/**
 * A table shared with the Python package dataknobs-data, by the real package in a virtual environment of its own.
 * Without Python the package's own layout and statements stand in for it, so that what matters is tested anywhere.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { sqlite } from "@dataknobs/backend-sqlite";
import { openDatabase, openDatabaseSync, type SyncDatabase, where } from "@dataknobs/core";
import { afterAll, describe, expect, it, jest } from "@jest/globals";
import Database from "better-sqlite3";

jest.setTimeout(120_000);

const version = "0.4.13";
const folder = mkdtempSync(join(tmpdir(), "dataknobs-python-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(folder, `${++count}.db`);

const indexes = [{ path: "age" }, { path: "email", unique: true }, { path: "bio", text: true }] as const;
const shared = (path: string): SyncDatabase => openDatabaseSync(sqlite({ path, shared: true }), { indexes });

/** What runs as the other program: a few statements on a path. */
interface Other {
  create(path: string, id: string, data: object, metadata?: object): unknown;
  update(path: string, id: string, data: object): unknown;
  delete(path: string, id: string): unknown;
  read(path: string, id: string): unknown;
}

/** The package's own DDL and statements, as it was seen to run them; for machines without Python. */
const imitation: Other = {
  create: (path, id, data, metadata) =>
    imitate(
      path,
      "INSERT INTO records (id, data, metadata) VALUES (?, ?, ?)",
      id,
      JSON.stringify(data),
      metadata ? JSON.stringify(metadata) : null,
    ),
  update: (path, id, data) =>
    imitate(path, "UPDATE records SET data = ?, metadata = ? WHERE id = ?", JSON.stringify(data), null, id),
  delete: (path, id) => imitate(path, "DELETE FROM records WHERE id = ?", id),
  read: (path, id) => {
    const db = new Database(path);
    const row = db.prepare("SELECT data FROM records WHERE id = ?").get(id) as { data: string } | undefined;
    db.close();
    return row === undefined ? null : JSON.parse(row.data);
  },
};

function imitate(path: string, statement: string, ...params: unknown[]): void {
  const db = new Database(path);
  db.exec(
    "CREATE TABLE IF NOT EXISTS records (id VARCHAR(255) PRIMARY KEY, data TEXT NOT NULL CHECK (json_valid(data)), " +
      "metadata TEXT CHECK (metadata IS NULL OR json_valid(metadata)), created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, " +
      "updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP); CREATE INDEX IF NOT EXISTS idx_records_created ON records (created_at)",
  );
  db.prepare(statement).run(...params);
  db.close();
}

// one process for all tests, a request a line: starting the package takes seconds
const script = `
import sys, json
from dataknobs_data import Record
from dataknobs_data.backends.sqlite import SyncSQLiteDatabase
for line in sys.stdin:
    path, what, id, data, metadata = json.loads(line)
    db = SyncSQLiteDatabase({"path": path})
    db.connect()
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
    db.close()
    print(json.dumps(answer), flush=True)
`;

/** The interpreter of a virtual environment with the package; made once and kept in the cache folder. */
function python(): string | undefined {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const home = join(cache, "dataknobs", `python-dataknobs-data-${version}`);
  const interpreter = join(home, "bin", "python");
  const works = (): boolean =>
    existsSync(interpreter) && spawnSync(interpreter, ["-c", "import dataknobs_data"]).status === 0;
  if (works()) return interpreter;
  mkdirSync(join(cache, "dataknobs"), { recursive: true });
  const steps: [string, string[]][] = [
    ["python3", ["-m", "venv", home]],
    [interpreter, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `dataknobs-data==${version}`]],
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
  path: string,
  what: string,
  id: string,
  data: object = {},
  metadata: object = {},
): Promise<unknown> {
  if (child === undefined) {
    const process = spawn(interpreter as string, ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    child = { process, lines: createInterface({ input: process.stdout })[Symbol.asyncIterator]() };
  }
  child.process.stdin?.write(`${JSON.stringify([path, what, id, data, metadata])}\n`);
  const { done, value } = await child.lines.next();
  if (done === true) throw new Error("Python ended; what it said is above.");
  return JSON.parse(value);
}

const genuine: Other = {
  create: (path, id, data, metadata) => real(path, "create", id, data, metadata),
  update: (path, id, data) => real(path, "update", id, data),
  delete: (path, id) => real(path, "delete", id),
  read: (path, id) => real(path, "read", id),
};

const others: [string, Other][] = [["the package's statements", imitation]];
if (interpreter !== undefined) others.push([`dataknobs-data ${version}`, genuine]);
// a continuous run must not pass because Python was not there
if (process.env["CI"] === "true" && process.env["DATAKNOBS_PYTHON"] !== "0") {
  it("Python and the package are there", () => expect(interpreter).toBeDefined());
}

describe.each(others)("a table shared with %s", (_, other) => {
  it("theirs is opened, with values, times and metadata", async () => {
    const path = fresh();
    await other.create(
      path,
      "ada",
      {
        name: "Ada",
        age: 36,
        tags: ["x", "y"],
        address: { city: "Ås" },
        none: null,
        ok: true,
        f: 1.5,
        big: 2 ** 60,
        bio: "quick fox",
      },
      { src: "py" },
    );
    const db = shared(path);
    const ada = db.read("ada");
    expect(ada?.data).toEqual({
      name: "Ada",
      age: 36,
      tags: ["x", "y"],
      address: { city: "Ås" },
      none: null,
      ok: true,
      f: 1.5,
      big: 2 ** 60,
      bio: "quick fox",
    });
    expect(ada?.metadata).toEqual({ src: "py" });
    expect(Math.abs((ada?.createdAt.getTime() ?? 0) - Date.now())).toBeLessThan(3_600_000);
    expect(ada?.version).toMatch(/./);
    for (const condition of [
      where("age", "=", 36),
      where("address.city", "like", "Å_"),
      where("ok", "=", true),
      where("big", "=", 2 ** 60),
      where("createdAt", "starts_with", "20"),
      where("metadata.src", "=", "py"),
    ]) {
      expect(db.count({ where: condition })).toBe(1);
    }
    expect(db.search({ match: { text: "FOX" } }).map(({ id }) => id)).toEqual(["ada"]);
    db.close();
  });

  it("their update is noticed: version, types, indexes and words", async () => {
    const path = fresh();
    const db = shared(path);
    const before = db.create({ age: 10n, at: new Date(0), bio: "quick fox", email: ["a"] }, { id: "r" });
    await other.update(path, "r", { age: 30, at: "then", bio: "slow dog", email: "b" });
    const after = db.read("r");
    expect(after?.data).toEqual({ age: 30, at: "then", bio: "slow dog", email: "b" });
    expect(after?.version).not.toBe(before.version);
    expect(after?.createdAt).toEqual(before.createdAt);
    expect(db.count({ where: where("age", "=", 30) })).toBe(1);
    expect(db.count({ where: where("age", "=", 10n) })).toBe(0);
    expect(db.count({ where: where("at", "=", "then") })).toBe(1);
    expect(db.search({ match: { text: "dog" } })).toHaveLength(1);
    expect(db.search({ match: { text: "fox" } })).toHaveLength(0);
    expect(() => db.update("r", { age: 1 }, { ifVersion: before.version })).toThrow(/version/i);
    const third = db.read("r")?.version;
    await other.update(path, "r", { age: 31 });
    expect(db.read("r")?.version).not.toBe(third);
    expect(db.update("r", { age: 32 }, { ifVersion: db.read("r")?.version })?.data).toEqual({ age: 32 });
    db.close();
  });

  it("what they create and delete is found and gone, by every way to ask", async () => {
    const path = fresh();
    const db = shared(path);
    db.create({ age: 1, bio: "one" }, { id: "ours" });
    await other.create(path, "theirs", { age: 2, bio: "two words", email: "e" });
    expect(db.search({ sort: [{ path: "age" }] }).map(({ id }) => id)).toEqual(["ours", "theirs"]);
    expect(db.search({ match: { text: "words" } }).map(({ id }) => id)).toEqual(["theirs"]);
    expect(() => db.create({ email: "e" })).toThrow(/email/);
    await other.delete(path, "theirs");
    expect(db.search({ match: { text: "words" } })).toEqual([]);
    await other.create(path, "theirs", { bio: "other" });
    expect(db.search({ match: { text: "words" } })).toEqual([]);
    expect(db.search({ match: { text: "other" } })).toHaveLength(1);
    db.close();
  });

  it("ours is read and written by them", async () => {
    const path = fresh();
    const db = shared(path);
    db.create(
      { name: "Grace", n: 1.5, list: [1, { a: null }], naïve: "漢😀", at: new Date(0) },
      { id: "g", metadata: { m: 1 } },
    );
    db.close();
    expect(await other.read(path, "g")).toEqual({
      name: "Grace",
      n: 1.5,
      list: [1, { a: null }],
      naïve: "漢😀",
      at: "1970-01-01T00:00:00.000Z",
    });
    await other.update(path, "g", { name: "Hopper" });
    expect(await other.read(path, "g")).toEqual({ name: "Hopper" });
    const again = openDatabaseSync(sqlite({ path }), { indexes });
    expect(again.read("g")?.data).toEqual({ name: "Hopper" });
    again.close();
  });

  it("read only, without our columns: nothing is added, all is found", async () => {
    const path = fresh();
    await other.create(path, "a", { age: 5, bio: "quick fox" });
    const db = openDatabaseSync(sqlite({ path, shared: true, readOnly: true }), {
      indexes: [{ path: "age" }, { path: "bio", text: true }],
    });
    expect(db.search({ where: where("age", ">", 4) })).toHaveLength(1);
    expect(db.search({ match: { text: "fox" } })).toHaveLength(1);
    const { version: first } = db.read("a") as { version: string };
    await other.update(path, "a", { age: 6 });
    expect(db.read("a")?.version).not.toBe(first);
    db.close();
    const raw = new Database(path);
    expect(raw.prepare("SELECT name FROM pragma_table_xinfo('records')").pluck().all()).toEqual([
      "id",
      "data",
      "metadata",
      "created_at",
      "updated_at",
    ]);
    raw.close();
  });

  it("on threads too", async () => {
    const path = fresh();
    await other.create(path, "a", { age: 5, bio: "quick fox" });
    const db = await openDatabase(sqlite({ path, shared: true }), { indexes });
    await other.update(path, "a", { age: 6, bio: "slow dog" });
    expect(await db.count({ where: where("age", "=", 6) })).toBe(1);
    expect(await db.search({ match: { text: "dog" } })).toHaveLength(1);
    await db.close();
  });
});
