// Runs Jest for the package in the current folder. The whole suite leaves its counts in .results/jest.json;
// a part of it (`test like.test.ts -t percent`) leaves none, so that nobody takes a part for the whole.
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";

const jest = createRequire(import.meta.url).resolve("jest/bin/jest");
const chosen = process.argv.slice(2).filter((arg) => arg !== "--");
const results = join(".results", "jest.json");
/** Files that this machine lacks something for: left out by the whole run, which lists them at its end. */
const leftOut = (process.env.DATAKNOBS_LEAVE_OUT ?? "")
  .split(",")
  .filter((file) => file.startsWith(`packages/${basename(process.cwd())}/test/`))
  .map((file) => `--testPathIgnorePatterns=/test/${basename(file).replaceAll(".", "\\.")}$`);

mkdirSync(".results", { recursive: true });
if (chosen.length === 0) rmSync(results, { force: true });

const run = spawnSync(
  process.execPath,
  [
    "--experimental-vm-modules",
    "--disable-warning=ExperimentalWarning",
    jest,
    ...(chosen.length === 0 ? ["--json", `--outputFile=${results}`, ...leftOut] : chosen),
  ],
  { stdio: "inherit" },
);
process.exit(run.status ?? 1);
