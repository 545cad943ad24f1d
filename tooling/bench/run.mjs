// Runs every packages/*/bench/*.bench.mjs, one process after the other, so that none disturbs another.
// Arguments choose by name: `npm run bench -- sqlite`.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const chosen = process.argv.slice(2);
const benches = readdirSync("packages")
  .map((name) => join("packages", name, "bench"))
  .filter((folder) => existsSync(folder))
  .flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)))
  .filter((path) => path.endsWith(".bench.mjs") && (chosen.length === 0 || chosen.some((word) => path.includes(word))));

if (benches.length === 0)
  console.log(chosen.length === 0 ? "There are no benchmarks." : `No benchmark matches ${chosen}.`);
for (const path of benches) {
  console.log(`\n── ${path} ──`);
  const run = spawnSync(process.execPath, ["--expose-gc", path], { stdio: "inherit" });
  if (run.status !== 0) process.exitCode = 1;
}
