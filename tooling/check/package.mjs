// Checks the package in the current folder as its users will get it and leaves the cases in .results/check.json.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Report } from "../test/report.mjs";
import { missingExports } from "./exports.mjs";

const tool = (path) => fileURLToPath(new URL(`../../node_modules/${path}`, import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), "dataknobs-check-"));
const report = new Report();

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: "utf8", ...options });
  if (result.status !== 0) throw new Error(`${result.stdout}${result.stderr}${result.error?.message ?? ""}`.trim());
}

try {
  await report.case("every exported path exists", () => {
    const missing = missingExports(".");
    if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}`);
  });
  const packed = await report.case("packs", () =>
    run("pnpm", ["pack", "--pack-destination", temporary], { shell: process.platform === "win32" }),
  );
  if (packed) {
    const tarball = join(temporary, readdirSync(temporary)[0]);
    await report.case("publint finds nothing", () =>
      run(process.execPath, [tool("publint/src/cli.js"), tarball, "--strict"]),
    );
    // The packages are ES modules only; TypeScript users on classic CommonJS resolution are told so by the profile.
    await report.case("types are right for every resolution", () =>
      run(process.execPath, [
        tool("@arethetypeswrong/cli/dist/index.js"),
        tarball,
        "--profile",
        "esm-only",
        "--no-emoji",
      ]),
    );
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

report.write(join(".results", "check.json"), basename(process.cwd()));
process.exitCode = report.failed > 0 ? 1 : 0;
