/** Bad input: every mistake has a code, and data are left as they were. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataknobsError, type IndexSpec, resolvePath } from "@dataknobs/core/backend";
import { afterAll, describe, expect, it } from "@jest/globals";
import Database from "better-sqlite3";
import { classify, fromWire, toWire } from "../src/errors.js";
import { sqlite } from "../src/index.js";
import { type SqliteOptions, settingsOf } from "../src/options.js";
import { SyncSqlite } from "../src/sync.js";

const folder = mkdtempSync(join(tmpdir(), "dataknobs-errors-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(folder, `${++count}.db`);

function open(options: SqliteOptions, indexes: readonly IndexSpec[] = []): SyncSqlite {
  const backend = new SyncSqlite(settingsOf(options));
  backend.open({ indexes });
  return backend;
}

function codeOf(body: () => unknown): string | undefined {
  try {
    body();
  } catch (error) {
    if (!DataknobsError.is(error)) throw error;
    expect(error.message).not.toMatch(/SQLITE_|SqliteError/);
    return error.code;
  }
  return undefined;
}

const insert = (id: string, data: object = {}) =>
  ({
    kind: "insert",
    id,
    data: data as never,
    types: null,
    metadata: {},
    metadataTypes: null,
    version: id,
    at: 1,
  }) as const;
const declare = (path: string, more: Partial<IndexSpec> = {}): IndexSpec => ({
  path: resolvePath(path),
  type: undefined,
  unique: false,
  text: false,
  name: path,
  ...more,
});

describe("options", () => {
  it.each<[string, object]>([
    ["an unknown key", { pth: "x" }],
    ["an empty path", { path: "" }],
    ["a path with U+0000", { path: "a\0b" }],
    ["an empty table name", { table: "" }],
    ["a table of SQLite's own", { table: "sqlite_master" }],
    ["a journal mode that is none", { journalMode: "wal; DROP TABLE records" }],
    ["a synchronous mode that is none", { synchronous: "sometimes" }],
    ["a negative timeout", { timeout: -1 }],
    ["a pool of a half", { poolSize: 0.5 }],
    ["a pragma with a statement in it", { pragmas: { "cache_size = 1; --": 1 } }],
    ["a pragma value with a statement in it", { pragmas: { cache_size: "1; DROP TABLE records" } }],
    ["pragmas that are a list", { pragmas: [] }],
    ["reading only from memory", { readOnly: true }],
  ])("%s is INVALID_CONFIG", (_, options) => {
    expect(codeOf(() => sqlite(options))).toBe("INVALID_CONFIG");
  });

  it("snake case is accepted", () => {
    expect(() => sqlite({ journal_mode: "WAL", pool_size: 1 } as SqliteOptions)).not.toThrow();
  });

  it("a table name may be anything", () => {
    const backend = open({ table: 'a "quoted"; DROP TABLE x --' }, [
      declare("v"),
      declare("t", { text: true }),
      declare("u", { unique: true, name: "u:unique" }),
    ]);
    backend.write([insert("a", { v: 1, t: "word", u: [1] })], { atomic: true });
    expect(backend.read(["a"])[0]?.data).toEqual({ v: 1, t: "word", u: [1] });
    backend.close();
  });
});

describe("files", () => {
  it("a directory is INVALID_CONFIG", () => {
    const path = fresh();
    mkdirSync(path);
    expect(codeOf(() => open({ path }))).toBe("INVALID_CONFIG");
  });

  it("a missing folder is INVALID_CONFIG", () => {
    expect(codeOf(() => open({ path: join(folder, "none", "x.db") }))).toBe("INVALID_CONFIG");
  });

  it("a file that is not a database is CORRUPT and stays as it is", () => {
    const path = fresh();
    const text = "this is no database, whatever its name says. ".repeat(100);
    writeFileSync(path, text);
    expect(codeOf(() => open({ path }))).toBe("CORRUPT");
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it("a path like a URI is a plain file name", () => {
    const before = process.cwd();
    process.chdir(folder);
    try {
      const backend = open({ path: "file:uri.db?mode=memory" });
      backend.close();
      expect(readFileSync(join(folder, "file:uri.db?mode=memory")).length).toBeGreaterThan(0);
    } finally {
      process.chdir(before);
    }
  });

  it("read only: reads, and refuses writes with PERMISSION_DENIED", () => {
    const path = fresh();
    const writer = open({ path });
    writer.write([insert("a")], { atomic: true });
    writer.close();
    const reader = open({ path, readOnly: true });
    expect(reader.read(["a"])).toHaveLength(1);
    expect(codeOf(() => reader.write([insert("b")], { atomic: true }))).toBe("PERMISSION_DENIED");
    reader.close();
  });

  it("read only without a file is INVALID_CONFIG", () => {
    expect(codeOf(() => open({ path: fresh(), readOnly: true }))).toBe("INVALID_CONFIG");
  });

  it("a file without permission to write is PERMISSION_DENIED, for those whom permissions bind", () => {
    const path = fresh();
    open({ path }).close();
    chmodSync(path, 0o444);
    const isRoot = process.getuid?.() === 0;
    expect(codeOf(() => open({ path }).write([insert("a")], { atomic: true }))).toBe(
      isRoot ? undefined : "PERMISSION_DENIED",
    );
  });

  it("a locked file is TIMEOUT after the timeout", () => {
    const path = fresh();
    const one = open({ path, timeout: 0.05 });
    const two = open({ path, timeout: 0.05 });
    one.begin();
    expect(codeOf(() => two.write([insert("a")], { atomic: true }))).toBe("TIMEOUT");
    one.rollback();
    expect(two.write([insert("a")], { atomic: true })).toEqual([{ status: "written", createdAt: 1 }]);
    one.close();
    two.close();
  });

  it("a full database is UNAVAILABLE, and nothing of the batch is written", () => {
    const path = fresh();
    const backend = open({ path, pragmas: { max_page_count: 20 } });
    backend.write([insert("kept")], { atomic: true });
    const big = Array.from({ length: 200 }, (_, index) => insert(`big${index}`, { text: "x".repeat(1000) }));
    for (const atomic of [true, false]) expect(codeOf(() => backend.write(big, { atomic }))).toBe("UNAVAILABLE");
    backend.begin();
    expect(codeOf(() => backend.write(big, { atomic: true }))).toBe("UNAVAILABLE");
    // SQLite may have undone the whole transaction: then what follows must not be written by itself
    const next = codeOf(() => backend.write([insert("alone")], { atomic: true }));
    expect([undefined, "CONFLICT"]).toContain(next);
    backend.rollback();
    expect(backend.count(undefined, undefined)).toBe(1);
    expect(backend.write([insert("after")], { atomic: true })[0]?.status).toBe("written");
    backend.close();
  });

  it("a full disk is UNAVAILABLE, where this machine lets us mount a small one", () => {
    const disk = join(folder, "disk");
    mkdirSync(disk);
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=400k", "tmpfs", disk]).status === 0;
    try {
      // elsewhere the folder is as large as its disk, and the pages are limited instead
      const backend = open({ path: join(disk, "x.db"), ...(!mounted && { pragmas: { max_page_count: 30 } }) });
      backend.write([insert("kept")], { atomic: true });
      const big = Array.from({ length: 600 }, (_, index) => insert(`big${index}`, { text: "x".repeat(1000) }));
      expect(codeOf(() => backend.write(big, { atomic: true }))).toBe("UNAVAILABLE");
      expect(backend.count(undefined, undefined)).toBe(1);
      backend.close();
    } finally {
      if (mounted) spawnSync("umount", [disk]);
    }
  });
});

describe("tables", () => {
  const foreign = (ddl: string): string => {
    const path = fresh();
    const db = new Database(path);
    db.exec(ddl);
    db.close();
    return path;
  };

  it("a table of something else is INVALID_CONFIG and stays as it is", () => {
    const path = foreign("CREATE TABLE records (x INTEGER); INSERT INTO records VALUES (1)");
    expect(codeOf(() => open({ path }))).toBe("INVALID_CONFIG");
    expect(codeOf(() => open({ path, shared: true }))).toBe("INVALID_CONFIG");
    const db = new Database(path);
    expect(db.prepare("SELECT * FROM records").all()).toEqual([{ x: 1 }]);
    db.close();
  });

  it("a table of the Python package is refused with a hint naming `shared`", () => {
    const path = foreign(
      "CREATE TABLE records (id VARCHAR(255) PRIMARY KEY, data TEXT NOT NULL, metadata TEXT, created_at TIMESTAMP, updated_at TIMESTAMP)",
    );
    expect(() => open({ path })).toThrow(/shared: true/);
    expect(codeOf(() => open({ path, shared: true, manage: false }))).toBe("INVALID_CONFIG");
  });

  it("a newer layout is refused", () => {
    const path = fresh();
    open({ path }).close();
    const db = new Database(path);
    db.exec("UPDATE dataknobs SET value = '99' WHERE key = 'layout'");
    db.close();
    expect(() => open({ path })).toThrow(/newer version/);
  });

  it("manage: false makes nothing", () => {
    const path = fresh();
    expect(codeOf(() => open({ path, manage: false }))).toBe("INVALID_CONFIG");
    open({ path }).close();
    expect(codeOf(() => open({ path, manage: false }, [declare("u", { unique: true })]))).toBe("INVALID_CONFIG");
    const backend = open({ path, manage: false }, [declare("v")]);
    expect(backend.listIndexes()).toEqual([]);
    backend.close();
  });

  it("a row that is not JSON is CORRUPT", () => {
    const path = fresh();
    const backend = open({ path });
    backend.write([insert("a")], { atomic: true });
    const db = new Database(path);
    db.exec("UPDATE records SET data = '{'");
    db.close();
    expect(codeOf(() => backend.read(["a"]))).toBe("CORRUPT");
    backend.close();
  });

  it("a unique index over values that repeat is ALREADY_EXISTS, and is not made", () => {
    const backend = open({});
    backend.write([insert("a", { u: { x: 1, y: [2] } }), insert("b", { u: { y: [2], x: 1 } })], { atomic: true });
    expect(codeOf(() => backend.createIndex(declare("u", { unique: true })))).toBe("ALREADY_EXISTS");
    expect(backend.listIndexes()).toEqual([]);
    backend.close();
  });
});

describe("classify", () => {
  const thrown = (code: string): unknown => Object.assign(new Error("secret table names"), { code });
  it.each([
    ["SQLITE_BUSY", "TIMEOUT"],
    ["SQLITE_BUSY_SNAPSHOT", "CONFLICT"],
    ["SQLITE_LOCKED", "TIMEOUT"],
    ["SQLITE_READONLY_DIRECTORY", "PERMISSION_DENIED"],
    ["SQLITE_CANTOPEN", "PERMISSION_DENIED"],
    ["SQLITE_NOTADB", "CORRUPT"],
    ["SQLITE_CORRUPT_VTAB", "CORRUPT"],
    ["SQLITE_FULL", "UNAVAILABLE"],
    ["SQLITE_IOERR_WRITE", "UNAVAILABLE"],
    ["SQLITE_TOOBIG", "LIMIT_EXCEEDED"],
    ["SQLITE_CONSTRAINT_CHECK", "CONFLICT"],
    ["SQLITE_MISUSE", "UNEXPECTED"],
    ["EPERM", "UNEXPECTED"],
  ])("%s is %s, the driver's words in the cause only", (native, code) => {
    const error = classify(thrown(native)) as DataknobsError;
    expect(error.code).toBe(code);
    expect(error.message).not.toContain("secret");
    expect((error.cause as Error).message).toContain("secret");
  });

  it("an error crosses threads whole", () => {
    const error = classify(thrown("SQLITE_FULL")) as DataknobsError;
    const copy = fromWire(structuredClone(toWire(error)));
    expect([copy.code, copy.message, copy.details, (copy.cause as Error).message]).toEqual([
      error.code,
      error.message,
      error.details,
      "secret table names",
    ]);
  });
});
