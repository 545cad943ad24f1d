import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { DataknobsError, type ErrorCode, openVectorStore, type VectorStore } from "@dataknobs/core";
import { describe, it } from "@jest/globals";
import { vectorMemory } from "../src/index.js";
import { place } from "./scratch.js";

const open = (path: string, dimensions = 3): Promise<VectorStore> =>
  openVectorStore(vectorMemory({ path }), { dimensions });

/** A saved store of five rows in two scopes. */
async function saved(path = place()): Promise<string> {
  await using store = await open(path);
  await store.add(
    Array.from({ length: 3 }, (_, n) => ({
      id: `v${n}`,
      vector: [n + 1, 2, 3],
      metadata: { n, at: new Date(n) },
      text: "é",
    })),
  );
  await store.scoped("s").add([
    { id: "v0", vector: [9, 9, 9] },
    { id: "x", vector: [0.5, -1, 1e-7] },
  ]);
  return path;
}

async function fails(code: ErrorCode, run: () => Promise<unknown>, message = /./): Promise<void> {
  await assert.rejects(run, (error: Error) => {
    assert.ok(DataknobsError.is(error, code), `${(error as { code?: unknown }).code}: ${error.message}`);
    assert.match(error.message, message);
    return true;
  });
}

describe("the file", () => {
  it("is open: any program can read it by its description", async () => {
    const bytes = readFileSync(await saved());
    const end = bytes.indexOf("\n");
    const [magic, version, check, length] = bytes.subarray(0, end).toString().split(" ");
    assert.deepEqual([magic, version], ["dataknobs-vectors", "1"]);
    const json = bytes.subarray(end + 1, end + 1 + Number(length));
    const hex = (part: Uint8Array): string => crc32(part).toString(16).padStart(8, "0");
    assert.equal(hex(json), check);
    const { kind, info, sections } = JSON.parse(json.toString());
    assert.deepEqual([kind, info], ["memory", { dimensions: 3, metric: "cosine" }]);
    assert.deepEqual(
      sections.map((one: { name: string }) => one.name),
      ["vectors", "rows"],
    );
    const start = end + 1 + Number(length) + 1;
    const [vectors, rows] = sections;
    const floats = bytes.subarray(start, start + vectors.bytes);
    const lines = bytes.subarray(start + vectors.bytes, start + vectors.bytes + rows.bytes);
    assert.deepEqual([hex(floats), hex(lines)], [vectors.crc32, rows.crc32]);
    assert.equal(floats.readFloatLE(4 * 3), 2);
    assert.deepEqual(JSON.parse(lines.toString().split("\n")[4] as string), { scope: "s", id: "x", metadata: {} });
    assert.deepEqual(JSON.parse(lines.toString().split("\n")[1] as string), {
      id: "v1",
      metadata: { n: 1, at: "1970-01-01T00:00:00.001Z" },
      types: { "/at": "date" },
      text: "é",
    });
  });

  it("leaves nothing beside it", async () => {
    const path = await saved();
    assert.deepEqual([...readdirSync(dirname(path))], ["a.dkv"]);
  });

  it("keeps its permission bits, and a symbolic link stays one", async () => {
    const path = await saved();
    chmodSync(path, 0o640);
    const link = join(dirname(path), "link.dkv");
    symlinkSync("a.dkv", link);
    await using store = await open(link);
    await store.add([{ id: "new", vector: [1, 1, 1] }]);
    await store.save();
    assert.equal(statSync(path).mode & 0o777, 0o640);
    assert.deepEqual([...readdirSync(dirname(path))].sort(), ["a.dkv", "link.dkv"]);
    await using other = await open(path);
    assert.equal(await other.count(), 4);
  });

  it("may have any name that the file system takes", async () => {
    for (const name of ["é".repeat(100), "a b", "x".repeat(200), "[a]*", "😀.dkv"]) {
      const path = await saved(place(name));
      assert.deepEqual([...readdirSync(dirname(path))], [name]);
      await using store = await open(path);
      assert.equal(await store.count(), 3);
    }
  });

  it("cut anywhere is CORRUPT and stays untouched", async () => {
    const path = await saved();
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length; length += 7) {
      writeFileSync(path, whole.subarray(0, length));
      await fails("CORRUPT", () => open(path));
      assert.equal(readFileSync(path).length, length);
    }
    writeFileSync(path, Buffer.concat([whole, Buffer.from("x")]));
    await fails("CORRUPT", () => open(path), /1 bytes too many/);
  });

  it("with any one bit turned is refused", async () => {
    const path = await saved();
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
      writeFileSync(path, bytes);
      await assert.rejects(open(path), (error) => {
        const known = DataknobsError.is(error, "CORRUPT") || DataknobsError.is(error, "UNSUPPORTED");
        assert.ok(known, `byte ${at}: ${String(error)}`);
        return true;
      });
    }
  });

  it("well checksummed, but of other content, is CORRUPT", async () => {
    const path = await saved();
    const whole = readFileSync(path);
    const end = whole.indexOf("\n");
    const length = Number(whole.subarray(0, end).toString().split(" ")[3]);
    const header = JSON.parse(whole.subarray(end + 1, end + 1 + length).toString());
    const body = whole.subarray(end + 1 + length + 1);
    const write = (changed: object, content: Uint8Array): void => {
      const json = Buffer.from(JSON.stringify({ ...header, ...changed }));
      const hex = crc32(json).toString(16).padStart(8, "0");
      writeFileSync(
        path,
        Buffer.concat([Buffer.from(`dataknobs-vectors 1 ${hex} ${json.length}\n`), json, Buffer.from("\n"), content]),
      );
    };
    for (const changed of [
      { token: "../../x" },
      { token: 5 },
      { sections: {} },
      { sections: [null] },
      { sections: [{ name: "rows", bytes: -1, crc32: "0" }] },
      { info: null },
    ]) {
      write(changed, body);
      await fails("CORRUPT", () => open(path), /without its parts/);
    }
    write({ kind: "faiss" }, body);
    await fails("INVALID_CONFIG", () => open(path), /faiss/);
    const entry = (name: string, bytes: Uint8Array): object => ({
      name,
      bytes: bytes.length,
      crc32: crc32(bytes).toString(16).padStart(8, "0"),
    });
    for (const lines of ["", "{}\n", '{"id":1,"metadata":{}}\n', '{"id":"a","metadata":{}}', "no JSON\n", "null\n"]) {
      const [floats, rows] = [Buffer.alloc(12, 1), Buffer.from(lines)];
      write({ sections: [entry("vectors", floats), entry("rows", rows)] }, Buffer.concat([floats, rows]));
      await fails("CORRUPT", () => open(path), /do not go together/);
    }
  });

  it("of a later version says to upgrade", async () => {
    const path = await saved();
    writeFileSync(path, readFileSync(path, "latin1").replace("vectors 1 ", "vectors 2 "), "latin1");
    await fails("UNSUPPORTED", () => open(path), /version 2.*Upgrade/);
  });

  it("that is none of ours is refused, and never overwritten", async () => {
    for (const text of ["", "hello", "{}\n", `\u0000\u00ff${"x".repeat(1000)}`]) {
      const path = place();
      writeFileSync(path, text);
      await fails("CORRUPT", () => open(path), /no file of vectors/);
      assert.equal(readFileSync(path, "utf8"), text);
    }
  });

  it("of other dimensions or another metric is refused", async () => {
    const path = await saved();
    await fails("INVALID_CONFIG", () => open(path, 4), /3 dimensions under cosine/);
    await fails("INVALID_CONFIG", () => openVectorStore(vectorMemory({ path }), { dimensions: 3, metric: "dot" }));
  });

  it("in a folder that is not there, or that is a folder, says so", async () => {
    const path = join(dirname(place()), "nowhere", "a.dkv");
    const store = await open(path);
    await store.add([{ vector: [1, 2, 3] }]);
    await fails("NOT_FOUND", () => store.save(), /folder is not there/);
    await fails("NOT_FOUND", () => store.close());
    assert.equal(store.status, "open");
    mkdirSync(dirname(path));
    await store.close();
    await fails("INVALID_CONFIG", () => open(dirname(path)), /is a folder/);
  });

  it("removed by somebody is a conflict, unless forced", async () => {
    const path = await saved();
    const store = await open(path);
    await store.add([{ id: "new", vector: [1, 1, 1] }]);
    const { rmSync } = await import("node:fs");
    rmSync(path);
    await fails("VERSION_CONFLICT", () => store.save(), /removed/);
    await store.save({ force: true });
    await store.close();
    await using again = await open(path);
    assert.equal(await again.count(), 4);
  });

  it("damaged by somebody is replaced only by force", async () => {
    const path = await saved();
    const store = await open(path);
    await store.add([{ id: "new", vector: [1, 1, 1] }]);
    writeFileSync(path, "oops");
    await fails("CORRUPT", () => store.save());
    assert.equal(readFileSync(path, "utf8"), "oops");
    await store.save({ force: true });
    await store.close();
    await using again = await open(path);
    assert.equal(await again.count(), 4);
  });

  it("is not written where nothing changed", async () => {
    const path = await saved();
    const before = statSync(path).ino;
    const store = await open(path);
    await store.search([1, 2, 3]);
    await store.close();
    assert.equal(statSync(path).ino, before);
  });

  it("is opened by a URL with escapes", async () => {
    const path = await saved(place("a b.dkv"));
    await using store = await openVectorStore(`memory:${encodeURIComponent(path)}?dimensions=3`);
    assert.equal(await store.count(), 3);
    await fails("INVALID_CONFIG", () => openVectorStore("memory:50%?dimensions=3"), /%25/);
  });
});
