// Checks that every path in a package's exports exists: `node tooling/check/exports.mjs packages/core …`.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The files that the exports of the package in `folder` name and that are not there. */
export function missingExports(folder) {
  const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return targets(exports).filter((path) => !existsSync(join(folder, path)));
}

function targets(entry) {
  return typeof entry === "string" ? [entry] : Object.values(entry ?? {}).flatMap(targets);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const folder of process.argv.slice(2)) {
    for (const path of missingExports(folder)) {
      console.error(`${folder}: ${path} is exported but does not exist`);
      process.exitCode = 1;
    }
  }
}
