import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { servers } from "./servers/index.mjs";

const folder = fileURLToPath(new URL("../../packages", import.meta.url));

/** The servers that a package's tests need, as its package.json says: `"dataknobs": { "servers": ["postgres"] }`. */
export function serversOf(name) {
  const found = packages().find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no package ${JSON.stringify(name)}.`);
  return found.servers;
}

/**
 * `{ name, folder, servers, native, needs }` of every package; `native`: what its tests need compiled, as `"faiss"`;
 * `needs`: by test file what only that one needs.
 */
export function packages() {
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "package.json")))
    .map((name) => {
      const manifest = JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8"));
      const native = manifest.dataknobs?.native ?? [];
      const needs = manifest.dataknobs?.needs ?? {};
      return { name: manifest.name, folder: join("packages", name), servers: known(manifest), native, needs };
    });
}

function known({ name, dataknobs }) {
  const named = dataknobs?.servers ?? [];
  for (const server of named) {
    if (!Object.hasOwn(servers, server))
      throw new Error(`${name} needs a server ${JSON.stringify(server)}, which is unknown.`);
  }
  return named;
}

/** Those of a package's servers whose addresses the environment has not. */
export function lacking({ servers: needed }) {
  return needed.filter((name) => !process.env[servers[name].variable]);
}
