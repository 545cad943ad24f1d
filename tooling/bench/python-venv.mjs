// A Python with the package dataknobs-data in the download cache, keyed by both versions.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../bootstrap/download.mjs";

/** The newest version of the package that each Python can have, newest Python first. */
const versions = [
  { python: [3, 12], version: "0.11.0" },
  { python: [3, 10], version: "0.4.13" },
];

/** What to start, and what it is. `DATAKNOBS_PYTHON` names another Python than `python3`. */
export function pythonWithDataknobs() {
  const command = process.env.DATAKNOBS_PYTHON ?? "python3";
  const asked = spawnSync(command, ["-c", "import sys; print(*sys.version_info[:3])"], { encoding: "utf8" });
  if (asked.status !== 0) throw new Error(`${command} does not run; name a Python with DATAKNOBS_PYTHON.`);
  const python = asked.stdout.trim().split(" ").map(Number);
  const fits = versions.find(({ python: [major, minor] }) => python[0] === major && python[1] >= minor);
  if (fits === undefined)
    throw new Error(`dataknobs-data needs Python 3.10 or newer; ${command} is ${python.join(".")}.`);
  const name = `python-${python.join(".")}-dataknobs-data-${fits.version}-${process.platform}-${process.arch}`;
  const folder = join(cacheFolder(), name);
  if (!existsSync(join(folder, "complete"))) make(command, folder, fits.version);
  return { executable: executableIn(folder), title: `Python ${python.join(".")}, dataknobs-data ${fits.version}` };
}

function executableIn(folder) {
  return process.platform === "win32" ? join(folder, "Scripts", "python.exe") : join(folder, "bin", "python");
}

/** In its final place, since a venv knows its path; the mark comes last, so that half a venv is made anew. */
function make(command, folder, version) {
  console.error(`dataknobs: installing dataknobs-data ${version} from PyPI into ${folder} …`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(cacheFolder(), { recursive: true });
  run(command, ["-m", "venv", folder]);
  run(executableIn(folder), [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    `dataknobs-data==${version}`,
  ]);
  const mark = mkdtempSync(join(cacheFolder(), "mark-"));
  renameSync(mark, join(folder, "complete"));
}

function run(command, args) {
  const { status, error, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed.\n${error?.message ?? stderr}`);
}
