// Checks of the repository as a whole, each a named case: formatting and lint, unused code, hygiene.
// They take seconds and look at every file, so they are never cached.
import { spawnSync } from "node:child_process";
import { Report } from "./report.mjs";

const checks = {
  "biome: format and lint": ["node_modules/@biomejs/biome/bin/biome", "ci", "--colors=off"],
  "knip: unused files, exports and dependencies": [
    "node_modules/knip/bin/knip.js",
    "--no-progress",
    "--no-config-hints",
  ],
  hygiene: ["tooling/check/hygiene.mjs"],
};

export async function runStatic(results) {
  const report = new Report();
  for (const [name, args] of Object.entries(checks)) {
    await report.case(name, () => {
      const run = spawnSync(process.execPath, args, { encoding: "utf8" });
      if (run.status !== 0) throw new Error(`${run.stdout}${run.stderr}${run.error?.message ?? ""}`.trim());
    });
  }
  spawnSync(process.execPath, ["tooling/check/adapter-sizes.mjs"], { stdio: "inherit" });
  report.write(results, "static");
}
