import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../packages", import.meta.url));

/** The servers that a package's tests need, as its package.json says: `"dataknobs": { "servers": ["postgres"] }`. */
export function serversOf(name) {
  const found = manifests().find((manifest) => manifest.name === name);
  if (found === undefined) throw new Error(`there is no package ${JSON.stringify(name)}.`);
  return found.dataknobs?.servers ?? [];
}

function manifests() {
  return readdirSync(folder)
    .map((name) => join(folder, name, "package.json"))
    .filter(existsSync)
    .map((path) => JSON.parse(readFileSync(path, "utf8")));
}
