/**
 * kill -9 in the middle of writing, at every fault point of every format: afterwards the file opens, has every write that
 * was acknowledged, and of an unacknowledged batch all or nothing. DATAKNOBS_KILLS says how many kills per format: 10 by
 * default, 40 in CI; the 200 that count take minutes.
 */
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openDatabase } from "@dataknobs/core";
import { expect, test } from "@jest/globals";
import { type FileOptions, file } from "../src/index.js";
import { place } from "./scratch.js";

const kills = Number(process.env["DATAKNOBS_KILLS"] ?? (process.env["CI"] === undefined ? 10 : 40));
const writer = join(dirname(fileURLToPath(import.meta.url)), "crash", "writer.mjs");

const logPoints = ["append", "appended", "synced", "compaction", "temporary", "fsync", "rename", "renamed"];
const wholePoints = ["temporary", "fsync", "rename", "renamed"];

const formats: readonly (readonly [name: string, points: readonly string[], options: Omit<FileOptions, "path">])[] = [
  ["a.jsonl", logPoints, {}],
  ["a.jsonl.gz", logPoints, {}],
  ["a.json", wholePoints, {}],
  ["a.csv", wholePoints, {}],
  ["a.parquet", wholePoints, {}],
  ["parts", ["append", "synced", ...wholePoints], { format: "jsonl", partitionBy: "part" }],
];

interface Said {
  readonly done?: readonly string[];
  readonly trying?: readonly string[];
  readonly recovered?: number;
}

for (const [name, points, options] of formats) {
  test(`kill -9 while writing ${name}: every acknowledged write survives`, async () => {
    const histogram: { [point: string]: number } = {};
    let path = place(name);
    let expected = new Set<string>();
    let batches: (readonly string[])[] = [];
    for (let kill = 0; kill < kills; kill++) {
      // a fresh file now and then: whole formats grow with every round
      if (kill % 8 === 0) {
        path = place(name);
        expected = new Set();
        batches = [];
      }
      const point = points[kill % points.length] as string;
      const heavy = point === "compaction" || (points === logPoints && wholePoints.includes(point));
      const after = point === "compaction" || heavy ? 1 + (kill % 2) : 1 + ((kill * 7) % 11);
      const plan = {
        name: `k${kill}`,
        point,
        after,
        share: ((kill * 37) % 100) / 100,
        options: { ...options, path, garbage: heavy ? 400 : 1, fsync: !heavy },
      };
      const { said, signal } = await run(plan);
      expect(signal).toBe("SIGKILL");
      histogram[point] = (histogram[point] ?? 0) + 1;
      for (const { done, trying } of said) {
        for (const id of done ?? []) expected.add(id);
        if (trying !== undefined) batches.push(trying);
      }
      const recovered: number[] = [];
      const db = await openDatabase(file({ ...options, path, onRecover: ({ bytes }) => recovered.push(bytes) }));
      const ids = new Set((await db.search({ select: [] })).map(({ id }) => id));
      await db.close();
      expect([...expected].filter((id) => !ids.has(id))).toEqual([]);
      for (const batch of batches) expect([0, batch.length]).toContain(batch.filter((id) => ids.has(id)).length);
    }
    process.stdout.write(`kills of ${name}: ${JSON.stringify(histogram)}\n`);
  }, 600_000);
}

function run(plan: object): Promise<{ said: Said[]; signal: string | null }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [writer, JSON.stringify(plan)], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    child.on("error", reject);
    child.on("close", (_, signal) => {
      // the last line may be cut short by the end of its writer
      const lines = text
        .slice(0, text.lastIndexOf("\n") + 1)
        .split("\n")
        .filter((line) => line !== "");
      resolve({ said: lines.map((line) => JSON.parse(line) as Said), signal });
    });
  });
}
