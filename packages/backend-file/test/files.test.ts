/** How files are replaced, found and refused; and what a full disk leaves. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { DataknobsError, openDatabase, openDatabaseSync } from "@dataknobs/core";
import { describe, expect, test } from "@jest/globals";
import { file } from "../src/index.js";
import { place } from "./scratch.js";

describe("options", () => {
  test.each([
    ["an unknown extension", { path: "a.xyz" }],
    ["no extension", { path: "people" }],
    ["a path that is empty", { path: "" }],
    ["snappy for text", { path: "a.json", compression: "snappy" }],
    [".gz that is not to be compressed", { path: "a.json.gz", compression: "none" }],
    ["a Parquet file in gzip", { path: "a.parquet.gz" }],
    ["two ways to make parts", { path: "a", format: "jsonl", partitionBy: "x", maxPartBytes: 9 }],
  ] as const)("%s is INVALID_CONFIG", (_, options) => {
    expect(() => file(options)).toThrow(expect.objectContaining({ code: "INVALID_CONFIG" }) as unknown as Error);
  });

  test("the extension tells the nearest format's name", () => {
    expect(() => file({ path: "a.jsnl" })).toThrow('"jsonl"');
  });

  test("a URL names a file", async () => {
    const path = place("a.jsonl");
    const { definition } = file;
    expect(definition.fromUrl?.({ scheme: "file", rest: path, href: `file:${path}` })).toEqual({ path });
    expect(definition.fromUrl?.({ scheme: "file", rest: `//${path}`, href: `file://${path}` })).toEqual({ path });
  });
});

describe("replacing a file", () => {
  test.each(["a.json", "a.csv", "a.parquet", "a.jsonl"])(
    "%s: links are followed, permission bits stay",
    async (name) => {
      const real = place(name);
      const link = place(name);
      {
        await using db = await openDatabase(file({ path: real }));
        await db.create({ n: 1 }, { id: "x" });
      }
      chmodSync(real, 0o640);
      symlinkSync(real, link);
      await using db = await openDatabase(file({ path: link }));
      await db.create({ n: 2 }, { id: "y" });
      await db.clear();
      await db.create({ n: 3 }, { id: "z" });
      expect(lstatSync(link).isSymbolicLink()).toBe(true);
      expect(statSync(real).mode & 0o777).toBe(0o640);
      await using other = await openDatabase(file({ path: real }));
      expect(await other.count()).toBe(1);
    },
  );

  test("a link to nowhere yet is written through", async () => {
    const real = place("a.json");
    const link = place("a.json");
    symlinkSync(real, link);
    await using db = await openDatabase(file({ path: link }));
    await db.create({}, { id: "x" });
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(real, "utf8")).toContain('"id":"x"');
  });

  test("a link that leads to itself is INVALID_CONFIG", async () => {
    const path = place("a.json");
    symlinkSync(path, path);
    await expect(openDatabase(file({ path }))).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });

  test("no temporary file stays", async () => {
    const path = place("a.json");
    await using db = await openDatabase(file({ path }));
    await db.create({});
    expect(readdirSync(dirname(path)).sort()).toEqual(["a.json", "a.json.lock"]);
  });

  test.each(["a.jsonl.gz", "a.json.gz", "a.csv.gz"])("%s is gzip, for others too", async (name) => {
    const path = place(name);
    await using db = await openDatabase(file({ path }));
    await db.create({ name: "Ada" }, { id: "ada" });
    await db.create({ name: "Bob" }, { id: "bob" });
    const text = gunzipSync(readFileSync(path)).toString("utf8");
    expect(text).toContain("Ada");
    expect(text).toContain("Bob");
    expect(execFileSync("gzip", ["-dc", path], { encoding: "utf8" })).toBe(text);
  });

  test("plain text under .gz, as some programs write it, opens and is compressed by the next write", async () => {
    const path = place("a.json.gz");
    writeFileSync(path, '{"x":{"n":1}}');
    await using db = await openDatabase(file({ path }));
    await db.create({ n: 2 }, { id: "y" });
    expect(gunzipSync(readFileSync(path)).toString("utf8")).toContain('"x"');
    expect(await db.count()).toBe(2);
  });
});

describe("a Parquet file", () => {
  test("keeps U+FEFF where a text, a field's name or an id begins with it", async () => {
    const path = place("marks.parquet");
    const data = { "\ufeffname": 1, text: "\ufefftext", only: "\ufeff" };
    await using writer = await openDatabase(file({ path }));
    await writer.create(data, { id: "\ufeffid" });
    await using reader = await openDatabase(file({ path }));
    expect((await reader.read("\ufeffid"))?.data).toEqual(data);
    expect(await reader.count({ where: { path: "text", op: "=", value: "\ufefftext" } })).toBe(1);
  });
});

describe("a log", () => {
  test("a create appends: the file grows by the record's size", async () => {
    const path = place("a.jsonl");
    await using db = await openDatabase(file({ path }));
    await db.createMany(Array.from({ length: 5000 }, (_, n) => ({ data: { n } })));
    const { ino, size } = statSync(path);
    await db.create({ n: 5000 });
    expect(statSync(path).ino).toBe(ino);
    expect(statSync(path).size - size).toBeLessThan(300);
  });

  test("is written anew when more than half of it is out of date", async () => {
    const path = place("a.jsonl");
    await using db = await openDatabase(file({ path, fsync: false }));
    for (let n = 0; n < 1500; n++) await db.upsert("x", { n });
    expect(readFileSync(path, "utf8").split("\n").length).toBeLessThan(1010);
    expect((await db.read("x"))?.data).toEqual({ n: 1499 });
    await using other = await openDatabase(file({ path }));
    expect((await other.read("x"))?.data).toEqual({ n: 1499 });
  });
});

describe("folders and rights", () => {
  test("a missing folder is NOT_FOUND", async () => {
    const path = join(place("none"), "a.jsonl");
    await expect(openDatabase(file({ path }))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("readOnly reads, creates nothing beside the file and refuses writes", async () => {
    const path = place("a.jsonl");
    {
      using db = openDatabaseSync(file({ path }));
      db.create({ n: 1 }, { id: "x" });
    }
    const before = readdirSync(dirname(path));
    const copy = place("b.jsonl");
    writeFileSync(copy, readFileSync(path));
    await using db = await openDatabase(file({ path: copy, readOnly: true }));
    expect((await db.read("x"))?.data).toEqual({ n: 1 });
    await expect(db.create({})).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    expect(readdirSync(dirname(copy))).toEqual(["b.jsonl"]);
    expect(readdirSync(dirname(path))).toEqual(before);
  });

  test("a file in a folder that may not be written can be read", async () => {
    const path = place("a.json");
    writeFileSync(path, '[{"id":"x","n":1}]');
    chmodSync(path, 0o444);
    chmodSync(dirname(path), 0o555);
    try {
      await using db = await openDatabase(file({ path }));
      expect((await db.read("x"))?.data).toEqual({ n: 1 });
      // root may write anywhere
      if (process.getuid?.() !== 0) await expect(db.create({})).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    } finally {
      chmodSync(dirname(path), 0o755);
    }
  });

  test("a folder where a file should be is INVALID_CONFIG, unless its parts are of the format", async () => {
    const path = place("a.jsonl");
    mkdirSync(path);
    await using db = await openDatabase(file({ path }));
    expect(await db.count()).toBe(0);
  });
});

describe("parts", () => {
  test("partitionBy: a file per value; a record that changes its value changes its file", async () => {
    const path = place("people");
    const options = { path, format: "jsonl", partitionBy: "city" } as const;
    {
      await using db = await openDatabase(file(options));
      await db.createMany([
        { id: "a", data: { city: "Oslo" } },
        { id: "b", data: { city: "Rome" } },
        { id: "c", data: {} },
      ]);
      await db.update("b", { city: "Oslo" });
    }
    const parts = readdirSync(path).filter((name) => name.startsWith("dataknobs-"));
    expect(parts).toHaveLength(2);
    const oslo = parts.find((name) => name.includes("Oslo")) as string;
    expect(readFileSync(join(path, oslo), "utf8")).toContain('"id":"b"');
    await using db = await openDatabase(file(options));
    expect((await db.search({ sort: [{ path: "id" }] })).map(({ id }) => id)).toEqual(["a", "b", "c"]);
  });

  test("maxPartBytes: a new file where the last is full", async () => {
    const path = place("people");
    await using db = await openDatabase(file({ path, format: "jsonl", maxPartBytes: 5000 }));
    await db.createMany(Array.from({ length: 200 }, (_, n) => ({ data: { n } })));
    for (let n = 200; n < 230; n++) await db.create({ n });
    const parts = readdirSync(path).filter((name) => name.startsWith("dataknobs-"));
    expect(parts.length).toBeGreaterThan(5);
    for (const part of parts) expect(statSync(join(path, part)).size).toBeLessThan(7500);
    expect(await db.count()).toBe(230);
  });

  test("a folder of others' files opens, with ids that tell the part", async () => {
    const path = place("data");
    mkdirSync(path);
    writeFileSync(join(path, "one.csv"), "n\n1\n2\n");
    writeFileSync(join(path, "two.csv"), "n\n3\n");
    await using db = await openDatabase(file({ path, format: "csv" }));
    expect((await db.search({ sort: [{ path: "n" }] })).map(({ id }) => id)).toEqual([
      "one.csv/row-000000001",
      "one.csv/row-000000002",
      "two.csv/row-000000001",
    ]);
    await db.delete("one.csv/row-000000002");
    await using other = await openDatabase(file({ path, format: "csv" }));
    expect(await other.count()).toBe(2);
  });

  test("a list of parts that was changed is CORRUPT", async () => {
    const path = place("people");
    const options = { path, format: "jsonl", partitionBy: "city" } as const;
    {
      await using db = await openDatabase(file(options));
      await db.create({ city: "Oslo" });
    }
    const list = join(path, "dataknobs.json");
    writeFileSync(list, readFileSync(list, "utf8").replace("Oslo", "Rome"));
    await expect(openDatabase(file(options))).rejects.toMatchObject({ code: "CORRUPT" });
  });
});

describe("a full disk", () => {
  const writer = join(dirname(fileURLToPath(import.meta.url)), "crash", "full-disk.mjs");
  const names = ["a.jsonl", "a.jsonl.gz", "a.json", "a.csv", "a.parquet"];

  interface Full {
    readonly written: number;
    readonly code: string;
    readonly errno: string;
  }

  function fill(shell: string, path: string, before: readonly string[] = []): Full {
    const [command = "", ...args] = [...before, "bash", "-c", shell, process.execPath, writer, path];
    const run = spawnSync(command, args, { encoding: "utf8" });
    expect(run.stderr).toBe("");
    return JSON.parse(run.stdout) as Full;
  }

  // a limit on the size of files, as `ulimit -f` sets it, fails just like a full disk, and needs no rights
  test.each(names)("%s: UNAVAILABLE, and old data intact", async (name) => {
    const path = place(name);
    const { written, ...failure } = fill(`trap '' XFSZ; ulimit -f 64; exec "$0" "$@"`, path);
    expect(failure).toEqual({ code: "UNAVAILABLE", errno: "EFBIG" });
    expect(written).toBeGreaterThan(0);
    await using db = await openDatabase(file({ path }));
    expect(await db.count()).toBe(written);
    await db.create({ after: true });
    expect(await db.count()).toBe(written + 1);
  });

  test.each(names)("%s: the same on a small disk of its own", (name) => {
    const path = place(name);
    const own = process.getuid?.() === 0 ? ["unshare", "--mount"] : ["unshare", "--user", "--map-root-user", "--mount"];
    const mount = `mount -t tmpfs -o size=200k none "${dirname(path)}"`;
    if (spawnSync(own[0] as string, [...own.slice(1), "bash", "-c", mount]).status !== 0) {
      process.stdout.write("  no disk could be mounted here: only the limit on the size of files was tested\n");
      return;
    }
    const { written, ...failure } = fill(`${mount} && exec "$0" "$@"`, path, own);
    expect(failure).toEqual({ code: "UNAVAILABLE", errno: "ENOSPC" });
    expect(written).toBeGreaterThan(0);
  });

  test("errors are told by code", async () => {
    const path = place("a.json");
    writeFileSync(path, "[");
    const error: unknown = await openDatabase(file({ path })).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(DataknobsError.is(error, "CORRUPT")).toBe(true);
  });
});

describe("a part that its list names and that is gone", () => {
  test.each(["jsonl", "parquet"] as const)("%s is CORRUPT, not a smaller store", async (format) => {
    const path = place("people");
    const options = { path, format, partitionBy: "city" } as const;
    {
      await using db = await openDatabase(file(options));
      await db.createMany([{ data: { city: "Oslo" } }, { data: { city: "Rome" } }]);
    }
    const oslo = readdirSync(path).find((name) => name.includes("Oslo")) as string;
    rmSync(join(path, oslo));
    await expect(openDatabase(file(options))).rejects.toMatchObject({ code: "CORRUPT" });
  });
});

test("a log with a cut-off end in a folder that may only be read opens, and tells", async () => {
  const path = place("a.jsonl");
  {
    await using db = await openDatabase(file({ path }));
    await db.create({}, { id: "x" });
    await db.create({}, { id: "y" });
  }
  const copy = place("b.jsonl");
  writeFileSync(copy, readFileSync(path).subarray(0, -3));
  // what a lock's folder cannot be made in, for root too
  writeFileSync(`${copy}.lock`, "");
  const told: number[] = [];
  await using db = await openDatabase(file({ path: copy, readOnly: true, onRecover: ({ bytes }) => told.push(bytes) }));
  expect(await db.count()).toBe(1);
  expect(told).toHaveLength(1);
});

test("parts without their list are read as others' files, and none is overwritten by the next write", async () => {
  const path = place("people");
  const options = { path, format: "jsonl", partitionBy: "city" } as const;
  {
    await using db = await openDatabase(file(options));
    await db.create({ city: "Oslo" }, { id: "a" });
    await db.create({ city: "Oslo" }, { id: "b" });
  }
  rmSync(join(path, "dataknobs.json"));
  await using db = await openDatabase(file(options));
  await db.create({ city: "Oslo" }, { id: "c" });
  await db.patch("a", { city: "Oslo" });
  await using other = await openDatabase(file(options));
  expect((await other.search({ sort: [{ path: "id" }] })).map(({ id }) => id)).toEqual(["a", "b", "c"]);
});
