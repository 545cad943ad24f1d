/**
 * kill -9 in the middle of writing, at every fault point of every format: afterwards the file opens, has every write that
 * was acknowledged, of an unacknowledged batch all or nothing, and goes on being written. A process is killed when several
 * stores of each format have stopped within it, each at a fault point of its own. DATAKNOBS_KILLS says how many writes are
 * killed per format: 200 in CI, else 40.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openDatabase } from "@dataknobs/core";
import { expect, test } from "@jest/globals";
import { runScript } from "../../../tooling/testing/child.js";
import { type FileOptions, file } from "../src/index.js";
import { place } from "./scratch.js";

const kills = Number(process.env["DATAKNOBS_KILLS"] ?? (process.env["CI"] === undefined ? 40 : 200));
const together = 4;
const writer = join(dirname(fileURLToPath(import.meta.url)), "crash", "writer.mjs");

const logPoints = ["append", "appended", "synced", "compaction", "temporary", "fsync", "rename", "renamed"];
const wholePoints = ["temporary", "fsync", "rename", "renamed"];

const formats: readonly (readonly [name: string, points: readonly string[], options: Omit<FileOptions, "path">])[] = [
  ["a.jsonl", logPoints, {}],
  ["a.jsonl.gz", logPoints, {}],
  ["a.json", wholePoints, {}],
  ["a.csv", wholePoints, {}],
  ["a.parquet", wholePoints, { rowGroupSize: 10 }],
  ["tables", wholePoints, { format: "parquet", rowGroupSize: 10, maxPartBytes: 4000 }],
  ["parts", ["append", "synced", ...wholePoints], { format: "jsonl", partitionBy: "part" }],
];

interface Said {
  readonly plan: number;
  readonly done?: readonly string[];
  readonly trying?: readonly string[];
}

/** A store that is written, killed and written on, and what is known of it. */
class Victim {
  readonly #name: string;
  readonly #points: readonly string[];
  readonly #options: Omit<FileOptions, "path">;
  readonly histogram: Map<string, number> = new Map();
  #round = 0;
  #path = "";
  #expected: string[] = [];
  #batches: (readonly string[])[] = [];

  constructor([name, points, options]: (typeof formats)[number]) {
    this.#name = name;
    this.#points = points;
    this.#options = options;
  }

  plan(kill: number): object {
    // a fresh file now and then: whole formats grow with every round
    if (this.#round++ % 8 === 0) {
      this.#path = place(this.#name);
      this.#expected = [];
      this.#batches = [];
    }
    const point = this.#points[kill % this.#points.length] as string;
    this.histogram.set(point, (this.histogram.get(point) ?? 0) + 1);
    // a log is rewritten only when it is full of garbage
    const heavy = point === "compaction" || (this.#points === logPoints && wholePoints.includes(point));
    return {
      name: `k${kill}`,
      point,
      after: heavy ? 1 + (kill % 2) : 1 + ((kill * 7) % 11),
      share: ((kill * 37) % 100) / 100,
      garbage: heavy ? 400 : 1,
      options: { ...this.#options, path: this.#path, fsync: !heavy },
    };
  }

  async check(said: readonly Said[]): Promise<void> {
    for (const { done, trying } of said) {
      this.#expected.push(...(done ?? []));
      if (trying !== undefined) this.#batches.push(trying);
    }
    await using db = await openDatabase(file({ ...this.#options, path: this.#path, onRecover: () => undefined }));
    const ids = new Set((await db.search({ select: [] })).map(({ id }) => id));
    expect(this.#expected.filter((id) => !ids.has(id))).toEqual([]);
    for (const batch of this.#batches) expect([0, batch.length]).toContain(batch.filter((id) => ids.has(id)).length);
  }
}

test("kill -9 while writing: every acknowledged write survives", async () => {
  const lanes = Array.from({ length: together }, () => formats.map((format) => new Victim(format)));
  let processes = 0;
  for (let kill = 0; kill < kills; kill += together) {
    const victims = lanes.flat();
    const plans = lanes.flatMap((stores, lane) => stores.map((victim) => victim.plan(kill + lane)));
    const { said, signal } = await run(plans);
    expect(signal).toBe("SIGKILL");
    processes++;
    for (const [index, victim] of victims.entries()) await victim.check(said.filter(({ plan }) => plan === index));
  }
  for (const [index, [name]] of formats.entries()) {
    const histogram: { [point: string]: number } = {};
    for (const stores of lanes) {
      for (const [point, count] of (stores[index] as Victim).histogram)
        histogram[point] = (histogram[point] ?? 0) + count;
    }
    process.stdout.write(`writes of ${name} killed, in ${processes} processes: ${JSON.stringify(histogram)}\n`);
  }
}, 600_000);

async function run(plans: readonly object[]): Promise<{ said: Said[]; signal: string | null }> {
  const { text, signal } = await runScript(writer, plans);
  // the last line may be cut short by the end of its writer
  const lines = text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "");
  return { said: lines.map((line) => JSON.parse(line) as Said), signal };
}
