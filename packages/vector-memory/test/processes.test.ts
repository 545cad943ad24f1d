/**
 * Several processes and one file: of two who save over the same version the second is told, and kill -9 at any file
 * operation of a save leaves a file that opens, with all of the last save or all of the one before.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openVectorStore } from "@dataknobs/core";
import { describe, it } from "@jest/globals";
import { runScript } from "../../../tooling/testing/child.js";
import { vectorMemory } from "../src/index.js";
import { place } from "./scratch.js";

const scripts = join(dirname(fileURLToPath(import.meta.url)), "crash");

const run = (script: string, plan: object): ReturnType<typeof runScript> => runScript(join(scripts, script), plan);

const kills = [
  ["write", 1],
  ["write", 8],
  ["sync", 2],
  ["before rename", 2],
  ["after rename", 1],
  ["after rename", 3],
  ["after link", 2],
  ["before readdir", 2],
  ["before rm", 5],
] as const;

describe("kill -9 while saving", () => {
  for (const [operation, after] of kills) {
    it(`at the operation "${operation}", the ${after}th`, async () => {
      const path = place();
      const { text, signal } = await run("saver.mjs", { path, operation, after });
      assert.equal(signal, "SIGKILL");
      const last = (word: string): number =>
        Number([...text.matchAll(new RegExp(`${word} (\\d+)`, "g"))].at(-1)?.[1] ?? 0);
      const store = await openVectorStore(vectorMemory({ path }), { dimensions: 8, metric: "euclidean" });
      const rounds = new Set<unknown>();
      for await (const { vector, metadata } of store.stream()) {
        rounds.add(metadata["round"]);
        assert.deepEqual(vector, new Float32Array(8).fill(metadata["round"] as number));
      }
      assert.ok(rounds.size <= 1, `rounds ${[...rounds]} in one file`);
      const [found = 0] = rounds;
      assert.ok(found === last("saved") || found === last("trying"), `${String(found)} after ${text}`);
      assert.ok((found as number) >= last("saved"), "an acknowledged save is lost");
      // the next one saves as if nothing had been, and clears up
      await store.add([{ id: "next", vector: new Float32Array(8) }]);
      await store.close();
      const left = [...readdirSync(dirname(path))].filter((name) => !name.endsWith(".claiming"));
      assert.deepEqual(
        left.filter((name) => name.endsWith(".tmp")),
        [],
      );
    });
  }
});

describe("several processes that save one file", () => {
  it("lose no save, and those who come second are told", async () => {
    const path = place();
    const names = ["a", "b", "c"];
    const rounds = 15;
    const ends = await Promise.all(names.map((name) => run("rival.mjs", { path, name, names, rounds })));
    const told = ends.reduce((sum, { text }) => sum + Number(text), 0);
    const store = await openVectorStore(vectorMemory({ path }), { dimensions: 8, metric: "euclidean" });
    assert.equal(await store.count(), names.length * rounds);
    assert.ok(told > 0, "nobody met anybody: the test shows nothing");
    await store.close();
    assert.deepEqual([...readdirSync(dirname(path))], ["a.dkv"]);
  });
});
