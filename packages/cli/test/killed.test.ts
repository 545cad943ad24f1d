/**
 * kill -9 of `dataknobs migrate` at random moments, the same command again and again until it is through: no record is
 * lost, doubled or counted twice. DATAKNOBS_SEED repeats a run.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentHash, type MigrationReport, openDatabase } from "@dataknobs/core";
import { afterAll, describe, it } from "@jest/globals";

const folder = mkdtempSync(join(tmpdir(), "dataknobs-killed-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const records = 12_000;
const kills = 20;
const seed = Number(process.env["DATAKNOBS_SEED"] ?? Date.now() % 2 ** 32);

/** Numbers from 0 to 1 by a seed: mulberry32. */
function randomBy(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Records that the checkpoint counts as done. */
function doneBy(checkpoint: string): number {
  try {
    return (JSON.parse(readFileSync(checkpoint, "utf8")) as { checkpoint: { tally: { written: number } } }).checkpoint
      .tally.written;
  } catch {
    return 0;
  }
}

interface Ended {
  readonly signal: string | null;
  readonly code: number | null;
  readonly out: string;
}

/** Runs the command; kills it `delay` milliseconds after the checkpoint has come to `written`. */
function run(args: readonly string[], kill?: { checkpoint: string; written: number; delay: number }): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["dist/bin.js", ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text) => {
        out += String(text);
      });
    }
    let killing: ReturnType<typeof setTimeout> | undefined;
    const watching = setInterval(() => {
      if (kill === undefined || killing !== undefined || doneBy(kill.checkpoint) < kill.written) return;
      killing = setTimeout(() => child.kill("SIGKILL"), kill.delay);
    }, 1);
    child.on("close", (code, signal) => {
      clearInterval(watching);
      clearTimeout(killing);
      resolve({ signal, code, out });
    });
  });
}

describe(`killed at ${kills} random moments, seed ${seed}`, () => {
  it("a migration that is taken up again ends as one that was not", async () => {
    const random = randomBy(seed);
    const [from, to, checkpoint] = ["from.db", "to.jsonl", "move.json"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const source = await openDatabase(`sqlite:${from}`);
    const inputs = Array.from({ length: records }, (_, n) => ({
      // the order of ids is not that of writing
      id: `${(n * 7919) % records}-é`,
      data: { n, big: BigInt(n) * 10n ** 20n, at: new Date(n), none: null },
      metadata: { n },
    }));
    await source.createMany(inputs);
    const expected = await contentHash(source);
    await source.close();

    const job = ["migrate", `sqlite:${from}`, to, "--checkpoint", checkpoint, "--batch-size", "100", "--json"];
    // some at the very start, the rest anywhere but at the end
    const moments = Array.from({ length: kills }, (_, n) => (n < 3 ? 0 : Math.floor(random() * records * 0.6)));
    moments.sort((a, b) => a - b);
    for (const written of moments) {
      const delay = written === 0 ? random() * 300 : random() * 8;
      const { signal, out } = await run(job, { checkpoint, written, delay });
      assert.equal(signal, "SIGKILL", `it ended before it was killed, seed ${seed}: ${out}`);
    }
    const last = await run([...job, "--verify", "content"]);
    assert.equal(last.code, 0, `seed ${seed}: ${last.out}`);
    const lines = last.out.split("\n").filter((line) => line.startsWith("{"));
    const { read, written, skipped, dropped, failed, resumed } = JSON.parse(lines.at(-1) as string) as MigrationReport;
    assert.deepEqual(
      { read, written, skipped, dropped, failed, resumed },
      { read: records, written: records, skipped: 0, dropped: 0, failed: 0, resumed: true },
      `seed ${seed}`,
    );
    await using target = await openDatabase(`file:${to}`);
    assert.deepEqual(await contentHash(target), expected, `seed ${seed}`);
  }, 240_000);
});
