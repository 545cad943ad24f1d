// Compiles the package in the current folder to dist and removes output whose source is gone.
// dist is never emptied first: a test that reads it meanwhile keeps working.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const run = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { stdio: "inherit" });

for (const file of existsSync("dist") ? readdirSync("dist", { recursive: true }) : []) {
  const stem = /^(.*?)(?:\.js|\.d\.ts)(?:\.map)?$/.exec(file)?.[1];
  if (stem !== undefined && !existsSync(join("src", `${stem}.ts`))) rmSync(join("dist", file));
}

process.exit(run.status ?? 1);
