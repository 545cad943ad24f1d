/** Files: all that belongs together is in one, whole or refused before Faiss sees a byte of it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DataknobsError, openVectorStore, type VectorStore } from "@dataknobs/core";
import { loadFile, saveFile } from "@dataknobs/core/vector";
import { type FaissOptions, faiss } from "@dataknobs/vector-faiss";
import { vectorMemory } from "@dataknobs/vector-memory";
import { describe, it } from "@jest/globals";
import { runScript } from "../../../tooling/testing/child.js";
import { clustered, entriesOf } from "./clusters.js";
import { place } from "./scratch.js";

const dimensions = 16;
const entries = entriesOf(clustered(1000, dimensions));
const question = (entries[3] as (typeof entries)[0]).vector;
const open = (path: string, options: FaissOptions = {}): Promise<VectorStore> =>
  openVectorStore(faiss({ path, indexType: "HNSW8", thread: false, ...options }), { dimensions });

async function made(options: FaissOptions = {}): Promise<string> {
  const path = place();
  const store = await open(path, options);
  await store.add(entries);
  await store.scoped("other").add(entries.slice(0, 300));
  await store.delete(["v0", "v1"]);
  await store.close();
  return path;
}

const refusal = (code: string) => (error: unknown) => DataknobsError.is(error) && error.code === code;

describe("a saved store", () => {
  for (const indexType of ["Flat", "HNSW8", "IVF4,Flat", "IVF4,SQ8"]) {
    it(`comes back with its indexes: ${indexType}`, async () => {
      const path = await made({ indexType, ...(indexType.includes("SQ8") && { trainAt: 200 }) });
      const file = await loadFile(path, "faiss", {});
      assert.equal(
        [...(file?.sections.keys() ?? [])].filter((name) => name.startsWith("index:")).length,
        indexType === "Flat" ? 0 : 2,
      );
      const store = await open(path, { indexType });
      assert.equal(store.explain().index, indexType);
      const hits = await store.search(question, { k: 5 });
      assert.equal(hits[0]?.id, "v3");
      assert.equal((await store.search(question, { k: 998 })).length, 998);
      assert.deepEqual(await store.get(["v0"]), [undefined]);
      assert.equal(await store.scoped("other").count(), 300);
      // it goes on from there
      await store.add([{ id: "new", vector: question }]);
      const again = await store.search(question, { k: 2 });
      assert.deepEqual(again.map(({ id }) => id).sort(), ["new", "v3"]);
      await store.close();
    });
  }

  it("is made anew under another index type", async () => {
    const store = await open(await made(), { indexType: "IVF4,Flat" });
    assert.equal(store.explain().index, "IVF4,Flat");
    assert.equal((await store.search(question, { k: 1 }))[0]?.id, "v3");
    await store.close();
  });

  it("takes other search parameters than it was saved with", async () => {
    const store = await open(await made({ efSearch: 4 }), { efSearch: 500 });
    assert.equal((await store.search(question, { k: 1 }))[0]?.id, "v3");
    await store.close();
  });
});

describe("a file that is not right", () => {
  it("cut anywhere is CORRUPT", async () => {
    const path = await made();
    const whole = readFileSync(path);
    for (const share of [0, 0.001, 0.3, 0.7, 0.99, 0.99999]) {
      writeFileSync(path, whole.subarray(0, Math.floor(whole.length * share)));
      await assert.rejects(open(path), refusal("CORRUPT"), `cut at ${share}`);
    }
  });

  it("altered anywhere is CORRUPT", async () => {
    const path = await made();
    const whole = readFileSync(path);
    for (let at = 40; at < whole.length; at += Math.floor(whole.length / 40)) {
      const altered = Buffer.from(whole);
      altered[at] = (altered[at] as number) ^ 0x10;
      writeFileSync(path, altered);
      await assert.rejects(
        open(path),
        (error) => DataknobsError.is(error) && ["CORRUPT", "INVALID_CONFIG"].includes(error.code),
        `at ${at}`,
      );
      assert.deepEqual(readFileSync(path), altered, "it was not left as it was");
    }
  });

  it("with right checksums and sections that do not go together is CORRUPT, before Faiss reads any of it", async () => {
    const path = await made();
    const file = await loadFile(path, "faiss", {});
    assert.ok(file !== undefined);
    const sections = [...file.sections];
    const changes: { readonly [name: string]: (name: string, bytes: Uint8Array) => Uint8Array } = {
      "an index of another store": (name, bytes) =>
        name === "index:0" ? (file.sections.get("index:1") as Uint8Array) : bytes,
      "an index cut short": (name, bytes) => (name === "index:0" ? bytes.subarray(0, 30) : bytes),
      "an index that says to be larger": (name, bytes) => (name === "index:0" ? changed(bytes, 8, 77) : bytes),
      "an index of other dimensions": (name, bytes) => (name === "index:0" ? changed(bytes, 4, 17) : bytes),
      "labels cut short": (name, bytes) => (name === "labels:0" ? bytes.subarray(4) : bytes),
      "a label of a row that is not there": (name, bytes) => (name === "labels:0" ? changed(bytes, 40, 0x7f) : bytes),
      "rows that are fewer": (name, bytes) => (name === "rows" ? bytes.subarray(bytes.indexOf(10) + 1) : bytes),
      "a row twice": (name, bytes) =>
        name === "rows" ? Buffer.from(Buffer.from(bytes).toString().replace('"v3"', '"v4"')) : bytes,
    };
    for (const [what, change] of Object.entries(changes)) {
      await saveFile(path, {
        kind: "faiss",
        info: file.info,
        sections: sections.map(([name, bytes]) => ({ name, chunks: [change(name, bytes)] })),
        token: undefined,
        force: true,
      });
      await assert.rejects(open(path), refusal("CORRUPT"), what);
    }
    const write = (info: typeof file.info): Promise<string> =>
      saveFile(path, {
        kind: "faiss",
        info,
        sections: sections.map(([name, bytes]) => ({ name, chunks: [bytes] })),
        token: undefined,
        force: true,
      });
    await write({ ...file.info, layout: 2 });
    await assert.rejects(open(path), refusal("UNSUPPORTED"));
    await write({ ...file.info, metric: "dot" });
    await assert.rejects(open(path), refusal("INVALID_CONFIG"));
    await write(file.info);
    await (await open(path)).close();
  });

  it("of another store is INVALID_CONFIG", async () => {
    const path = place();
    const other = await openVectorStore(vectorMemory({ path }), { dimensions });
    await other.add(entries.slice(0, 1));
    await other.close();
    await assert.rejects(open(path), refusal("INVALID_CONFIG"));
  });
});

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = value;
  copy[at + 1] = value;
  return copy;
}

const scripts = join(dirname(fileURLToPath(import.meta.url)), "crash");

const run = (script: string, plan: object): ReturnType<typeof runScript> => runScript(join(scripts, script), plan);

describe("kill -9 while saving", () => {
  for (const [operation, after] of [
    ["write", 1],
    ["write", 9],
    ["sync", 2],
    ["before rename", 2],
    ["after rename", 3],
  ] as const) {
    it(`at the operation "${operation}", the ${after}th`, async () => {
      const path = place();
      const { text, signal } = await run("saver.mjs", { path, operation, after });
      assert.equal(signal, "SIGKILL");
      const last = (word: string): number =>
        Number([...text.matchAll(new RegExp(`${word} (\\d+)`, "g"))].at(-1)?.[1] ?? 0);
      const store = await openVectorStore(faiss({ path, indexType: "HNSW8", thread: false }), {
        dimensions: 8,
        metric: "euclidean",
      });
      const rounds = new Set<unknown>();
      for await (const { vector, metadata } of store.stream()) {
        rounds.add(metadata["round"]);
        assert.deepEqual(vector, new Float32Array(8).fill(metadata["round"] as number));
      }
      assert.ok(rounds.size <= 1, `rounds ${[...rounds]} in one file`);
      const [found = 0] = rounds;
      assert.ok(found === last("saved") || found === last("trying"), `${String(found)} after ${text}`);
      if (found !== 0) assert.equal((await store.search(new Array(8).fill(found), { k: 200 })).length, 200);
      await store.add([{ id: "next", vector: new Float32Array(8) }]);
      await store.close();
      assert.deepEqual(
        // a list of this realm
        [...readdirSync(dirname(path))].filter((name) => name.endsWith(".tmp")),
        [],
      );
    });
  }
});

describe("several processes that save one file", () => {
  it("lose no save, and those who come second are told", async () => {
    const path = place();
    const names = ["a", "b"];
    const rounds = 8;
    const ends = await Promise.all(names.map((name) => run("rival.mjs", { path, name, names, rounds })));
    const told = ends.reduce((sum, { text }) => sum + Number(text), 0);
    const store = await openVectorStore(faiss({ path, indexType: "HNSW8", thread: false }), {
      dimensions: 8,
      metric: "euclidean",
    });
    assert.equal(await store.count(), names.length * rounds);
    assert.ok(told > 0, "nobody met anybody: the test shows nothing");
    await store.close();
  });
});
