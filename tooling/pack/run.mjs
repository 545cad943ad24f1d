// Tries the packages as their users get them: packed, installed with npm into an empty folder, and loaded under every
// supported Node; then runs each folder in examples/ against the same tarballs.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { npm } from "../bootstrap/download.mjs";
import { pinnedNode } from "../bootstrap/node.mjs";
import { lacking } from "../services/packages.mjs";
import { Report } from "../test/report.mjs";
import { installFrom, packAll } from "./tarballs.mjs";

const majors = ["22", "24", "26"];

/** Writes both result files; answers with what could not be run here. */
export async function runPack(packResults, exampleResults) {
  const temporary = mkdtempSync(join(tmpdir(), "dataknobs-pack-"));
  const pack = new Report();
  const examples = new Report();
  const notRun = [];
  try {
    const target = join(temporary, "tarballs");
    mkdirSync(target);
    const packed = [];
    if (await pack.case("every package packs", () => packed.push(...packAll(target)))) {
      await tryPackages(packed, join(temporary, "consumer"), pack, notRun);
      await tryExamples(packed, join(temporary, "examples"), examples);
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  pack.write(packResults, "tarballs");
  examples.write(exampleResults, "examples");
  return notRun;
}

async function tryPackages(packed, folder, report, notRun) {
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  if (!(await report.case("the tarballs install", () => installFrom(packed, folder, { all: true })))) return;

  for (const { name } of packed) {
    await report.case(`${name} names no machine path`, () => refuseMachinePaths(join(folder, "node_modules", name)));
  }
  const entries = packed.flatMap(({ name, manifest }) =>
    Object.keys(manifest.exports)
      .filter((path) => path !== "./package.json")
      .map((path) => name + path.slice(1)),
  );
  for (const major of majors) {
    let node;
    try {
      node = pinnedNode(major).node;
    } catch (error) {
      notRun.push(`tarballs under Node ${major}: ${error.message}`);
      continue;
    }
    const script = fileURLToPath(new URL("entries.mjs", import.meta.url));
    const run = spawnSync(node, [script, ...entries], { cwd: folder, encoding: "utf8" });
    const lines = run.stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    for (const { name, failure } of lines) report.add(`Node ${major}: ${name}`, failure);
    if (lines.length !== entries.length * 2) report.add(`Node ${major}: all entry points were tried`, run.stderr);
    for (const one of packed) {
      const missing = lacking({ servers: one.manifest.dataknobs?.servers ?? [] });
      if (missing.length === 0) await smoke(one, folder, major, node, report);
      else notRun.push(`${one.name} smoke under Node ${major}: no server (${missing.join(", ")})`);
    }
  }
}

async function smoke({ name, folder }, consumer, major, node, report) {
  const script = join(folder, "smoke.mjs");
  if (!existsSync(script)) return;
  await report.case(`Node ${major}: ${name} smoke`, () => {
    const copy = join(consumer, `${basename(folder)}.smoke.mjs`);
    cpSync(script, copy);
    const run = spawnSync(node, [copy], { cwd: consumer, encoding: "utf8", timeout: 120_000 });
    if (run.status !== 0) throw new Error(`${run.stdout}${run.stderr}${run.error?.message ?? ""}`.trim());
  });
}

function refuseMachinePaths(folder) {
  const own = [resolve("."), homedir()].map((path) => `${path}/`);
  for (const file of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name);
    if (!file.isFile() || path.includes("node_modules", folder.length)) continue;
    const text = readFileSync(path, "utf8");
    const found =
      own.find((prefix) => text.includes(prefix)) ?? /file:\/\/\/|\/(?:home|Users)\/[\w.-]+\//.exec(text)?.[0];
    if (found !== undefined) throw new Error(`${path.slice(folder.length + 1)} contains ${found}`);
  }
}

async function tryExamples(packed, target, report) {
  if (!existsSync("examples")) return;
  for (const name of readdirSync("examples").filter((one) => existsSync(join("examples", one, "package.json")))) {
    await report.case(`examples/${name}`, () => {
      const copy = join(target, name);
      cpSync(join("examples", name), copy, {
        recursive: true,
        filter: (path) => !["node_modules", "package-lock.json"].includes(basename(path)),
      });
      installFrom(packed, copy);
      const run = npm(["test"], { cwd: copy, env: { PATH: process.env.PATH }, timeout: 300_000 });
      if (run.status !== 0) throw new Error(`${run.stdout}${run.stderr}${run.error?.message ?? ""}`.trim());
    });
  }
}
