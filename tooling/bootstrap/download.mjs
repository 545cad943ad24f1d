// Brings one npm package into a cache outside the checkout, keyed by its version, and answers with its folder.
// No install script is run, so nothing but npm itself is contacted.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const platform = `${process.platform}-${process.arch}`;

/** The cache of downloads; it may be deleted at any time. */
export function cacheFolder() {
  if (process.env.XDG_CACHE_HOME) return join(process.env.XDG_CACHE_HOME, "dataknobs");
  if (process.platform === "win32" && process.env.LOCALAPPDATA) return join(process.env.LOCALAPPDATA, "dataknobs");
  return join(homedir(), ".cache", "dataknobs");
}

/** Runs the npm that started us, or the one on PATH. */
export function npm(args, options = {}) {
  const own = /npm-cli\.js$/.test(process.env.npm_execpath ?? "") ? process.env.npm_execpath : undefined;
  const [command, first] = own ? [process.execPath, [own]] : ["npm", []];
  // These an outer `npm run` or pnpm sets, and they would move the inner install elsewhere.
  const foreign = /^npm_config_(?:prefix|local_prefix|global_prefix|workspaces?|dir)$/i;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
  return spawnSync(command, [...first, ...args], {
    encoding: "utf8",
    shell: !own && process.platform === "win32",
    ...options,
    env: { ...env, ...options.env },
  });
}

/**
 * The folder holding `node_modules/<name>` for `name@version`, downloaded if need be.
 * `finish` completes a fresh download before anyone else can see it.
 */
export function download(spec, finish = () => {}) {
  const at = spec.lastIndexOf("@");
  const name = spec.slice(0, at);
  const cache = cacheFolder();
  const folder = join(cache, `${name.replace("/", "-")}-${spec.slice(at + 1)}-${platform}`);
  if (existsSync(join(folder, "node_modules", name, "package.json"))) return folder;

  console.error(`dataknobs: downloading ${spec} …`);
  const work = incoming(cache);
  try {
    writeFileSync(join(work, "package.json"), '{ "private": true }\n');
    const run = npm(["install", "--prefix", work, "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", spec], {
      cwd: work,
    });
    if (run.status !== 0) {
      throw new Error(
        `could not download ${spec} with npm.\n${run.error?.message ?? run.stderr}\n` +
          "Check that this machine reaches an npm registry (`npm ping`), then run the same command again; " +
          `or put the package at ${join(folder, "node_modules", name)} by hand.`,
      );
    }
    finish(work);
    rmSync(folder, { recursive: true, force: true });
    try {
      renameSync(work, folder);
    } catch (error) {
      // Another process was faster; its copy is as good as ours.
      if (!existsSync(join(folder, "node_modules", name, "package.json"))) throw error;
    }
    return folder;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A fresh folder inside the cache: a rename then moves the finished download into place at once. */
function incoming(cache) {
  try {
    mkdirSync(cache, { recursive: true });
    return mkdtempSync(join(cache, "incoming-"));
  } catch (error) {
    throw new Error(
      `downloads cannot be kept in ${cache} (${error.message}). Set XDG_CACHE_HOME to a folder that can be written.`,
    );
  }
}
