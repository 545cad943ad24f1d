/** What ends suddenly, and disks that are full: every acknowledged batch stays, and no half of one. */
import { spawn, spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openDatabase } from "@dataknobs/core";
import { expect, it } from "@jest/globals";
import { duckdb } from "../src/index.js";
import { place } from "./scratch.js";

const writer = join(dirname(fileURLToPath(import.meta.url)), "crash", "writer.mjs");

/** Kills the writer when it has written so many more records; the number it acknowledged last. */
function killAfter(path: string, records: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [writer, path], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    let first: number | undefined;
    child.stdout.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      const last = Number(text.split("\n").at(-2));
      first ??= last;
      if (last - first >= records) child.kill("SIGKILL");
    });
    child.on("error", reject);
    child.on("close", () => resolve(Number(text.split("\n").at(-2))));
  });
}

it("kill -9 while batches are written: the file opens, and holds every acknowledged one whole", async () => {
  const path = place("killed.duckdb");
  for (const records of [0, 150, 50, 500, 1000]) {
    const acknowledged = await killAfter(path, records);
    await using db = await openDatabase(duckdb({ path }), { indexes: [{ path: "n", type: "number" }] });
    const count = await db.count();
    expect(count % 50).toBe(0);
    expect(count).toBeGreaterThanOrEqual(acknowledged);
    expect(count).toBeLessThanOrEqual(acknowledged + 50);
    expect(await db.count({ where: { path: "n", op: "=", value: 49 } })).toBe(count / 50);
  }
}, 60_000);

it("a full disk: UNAVAILABLE at once, and old data intact", async () => {
  const path = place("full.duckdb");
  // a limit on the size of files, as `ulimit -f` sets it, fails just like a full disk, and needs no rights
  const run = spawnSync(
    "bash",
    ["-c", `trap '' XFSZ; ulimit -f 2000; exec "$0" "$@"`, process.execPath, writer, path],
    { encoding: "utf8" },
  );
  expect(run.stderr).toBe("");
  const [acknowledged, code, count] = run.stdout.trim().split("\n").slice(-3);
  expect(code).toBe("UNAVAILABLE");
  expect(count).toBe(acknowledged);
  await using db = await openDatabase(duckdb({ path }), { indexes: [{ path: "n", type: "number" }] });
  expect(await db.count()).toBe(Number(acknowledged));
  await db.create({ n: 1 });
  expect(await db.count()).toBe(Number(acknowledged) + 1);
}, 60_000);
