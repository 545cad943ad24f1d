// The way into every task of this repository. It needs nothing but Node ≥ 20 and npm, and brings what is missing:
// Node 24 where the running one is too old, pnpm, and the workspace's dependencies.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { addressesOfRunning } from "../services/addresses.mjs";
import { download } from "./download.mjs";
import { foreground } from "./foreground.mjs";
import { defaultMajor, nodeIn, pinnedNode } from "./node.mjs";
import { tasks } from "./tasks.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const tools = join(root, ".tools");
const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Points `.tools/<name>` at a folder of the download cache. */
function link(name, target) {
  const path = join(tools, name);
  mkdirSync(tools, { recursive: true });
  try {
    if (readlinkSync(path) === target) return path;
  } catch {
    // Not there, or not a link: made anew below.
  }
  rmSync(path, { recursive: true, force: true });
  symlinkSync(target, path, "junction");
  return path;
}

/** The Node to use: the running one when new enough, else the pinned one. */
function provideNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 12)) {
    return { node: process.execPath, home: dirname(dirname(process.execPath)) };
  }
  try {
    const home = link("node", pinnedNode(defaultMajor).home);
    return { node: nodeIn(home), home };
  } catch (error) {
    throw new Error(
      `Node ${process.versions.node} is too old (22.12 or newer is needed) and ${error.message}\n` +
        `Or install Node ${defaultMajor} yourself and run the same command again.`,
    );
  }
}

/** The folder of the pinned pnpm's executables. */
function providePnpm(node) {
  const spec = readJson(join(root, "package.json")).packageManager;
  const folder = download(spec, (fresh) => {
    // pnpm's own preinstall step: puts the native executable in place of the placeholders.
    const run = spawnSync(node, ["install.js"], { cwd: join(fresh, "node_modules", "pnpm"), encoding: "utf8" });
    if (run.status !== 0) throw new Error(`pnpm could not be set up.\n${run.error?.message ?? run.stderr}`);
  });
  return join(link("pnpm", folder), "node_modules", ".bin");
}

/** Installs the workspace when its lockfile, its settings or the runtime changed since the last time. */
function installWorkspace(env, runtime) {
  const hash = createHash("sha256").update(runtime);
  for (const file of ["pnpm-lock.yaml", "pnpm-workspace.yaml"]) hash.update(readFileSync(join(root, file)));
  const wanted = hash.digest("hex");
  const stamp = join(root, "node_modules", ".dataknobs-installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;

  console.error("dataknobs: installing dependencies …");
  const run = spawnSync("pnpm", ["install", "--frozen-lockfile", "--reporter=append-only"], {
    cwd: root,
    env,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (run.status !== 0) {
    throw new Error(
      `pnpm install failed.\n${run.error?.message ?? `${run.stdout}${run.stderr}`}\n` +
        "If a package.json changed on purpose, run `npm run pnpm -- install` and commit pnpm-lock.yaml.",
    );
  }
  writeFileSync(stamp, wanted);
}

async function main([task, ...args]) {
  if (!Object.hasOwn(tasks, task)) {
    throw new Error(`unknown task ${JSON.stringify(task)}; there are: ${Object.keys(tasks).join(", ")}.`);
  }
  const { node, home } = provideNode();
  const runtime = spawnSync(node, ["-p", "[process.version, process.platform, process.arch].join('-')"], {
    encoding: "utf8",
  }).stdout.trim();
  const env = {
    ...process.env,
    PATH: [dirname(node), providePnpm(node), process.env.PATH].join(delimiter),
    // Turbo does not hash the Node version by itself.
    DATAKNOBS_RUNTIME: runtime,
    TURBO_TELEMETRY_DISABLED: "1",
  };
  // The whole run starts servers itself; any other task finds those that run.
  if (task !== "test") Object.assign(env, addressesOfRunning());
  // With headers at hand node-gyp downloads none.
  if (existsSync(join(home, "include", "node", "node.h"))) env.npm_config_nodedir = home;
  if (!(task === "pnpm" && ["install", "i", "add", "update"].includes(args[0]))) installWorkspace(env, runtime);

  for (const [command, ...rest] of tasks[task](args)) {
    const status = await foreground(command === "node" ? node : command, rest, {
      cwd: root,
      env,
      shell: command !== "node" && process.platform === "win32",
    });
    if (status !== 0) return status;
  }
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`dataknobs: ${error.message}`);
  process.exitCode = 1;
}
