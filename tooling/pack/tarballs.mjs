import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { npm } from "../bootstrap/download.mjs";

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Packs every publishable package into `target`; answers with name, folder, manifest and tarball of each. */
export function packAll(target) {
  const packed = [];
  for (const folder of readdirSync("packages").map((name) => join("packages", name))) {
    const manifest = readJson(join(folder, "package.json"));
    if (manifest.private) continue;
    const before = new Set(readdirSync(target));
    const run = spawnSync("pnpm", ["pack", "--pack-destination", target], {
      cwd: folder,
      encoding: "utf8",
      shell: process.platform === "win32",
    });
    const file = readdirSync(target).find((name) => !before.has(name));
    if (run.status !== 0 || file === undefined)
      throw new Error(`pnpm pack failed in ${folder}:\n${run.stdout}${run.stderr}`);
    packed.push({ name: manifest.name, folder, manifest, tarball: join(target, file) });
  }
  return packed;
}

/**
 * Installs the project in `folder` with npm, with every dependency on our packages taken from the tarballs.
 * The overrides do the same for what the tarballs ask of each other, released or not.
 */
export function installFrom(packed, folder, { all = false } = {}) {
  const path = join(folder, "package.json");
  const manifest = readJson(path);
  const wanted = new Set(all ? packed.map((one) => one.name) : []);
  for (const group of ["dependencies", "devDependencies"]) {
    for (const name of Object.keys(manifest[group] ?? {})) {
      if (!packed.some((one) => one.name === name)) continue;
      delete manifest[group][name];
      wanted.add(name);
    }
  }
  const file = (one) => `file:${one.tarball.replaceAll("\\", "/")}`;
  manifest.dependencies = { ...manifest.dependencies };
  for (const one of packed) if (wanted.has(one.name)) manifest.dependencies[one.name] = file(one);
  manifest.overrides = {
    ...manifest.overrides,
    ...Object.fromEntries(packed.map((one) => [one.name, wanted.has(one.name) ? `$${one.name}` : file(one)])),
  };
  writeFileSync(path, JSON.stringify(manifest, undefined, 2));
  const run = npm(["install", "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: folder });
  if (run.status !== 0) throw new Error(`npm install failed:\n${run.stdout}${run.stderr}`);
}
