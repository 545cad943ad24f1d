// All tests: build, lint, types, every package's Jest suite, package checks, the examples of READMEs and guides, packed
// tarballs and example projects, and the suites that need something from outside. The last line is
// `N passed, N failed`, summed from the result files. `--only=static,unit,docs,pack,outside` runs a part.
// Servers that packages need are started beside the first parts and stopped before the table.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { foreground } from "../bootstrap/foreground.mjs";
import { runBundle } from "../browser/bundle.mjs";
import { runDocs } from "../docs/run.mjs";
import { runMatrix } from "../docs/support-matrix.mjs";
import { missingFaiss } from "../faiss/build.mjs";
import { runPack } from "../pack/run.mjs";
import { lacking, packages as listPackages } from "../services/packages.mjs";
import { servers } from "../services/servers/index.mjs";
import { openServers } from "../services/whole-run.mjs";
import { crashed, readCounts } from "./counts.mjs";
import { leftOut } from "./needs.mjs";
import { outsideSuites, pairServers } from "./outside.mjs";
import { runStatic } from "./static.mjs";
import { runTurbo } from "./turbo.mjs";

const only = process.argv
  .find((arg) => arg.startsWith("--only="))
  ?.slice("--only=".length)
  .split(",");
const wants = (part) => only === undefined || only.includes(part);

const packages = listPackages();

/** Rows of the closing table. */
const rows = [];
/** What could not be run here, with the reason. */
const notRun = [];
const row = (where, suite, counts) => rows.push({ where, suite, ...counts });
const single = (name, ok, message) =>
  ok ? { passed: 1, failed: 0, skipped: 0, failures: [] } : { ...crashed(message), failures: [{ name, message }] };

/** Runs one part; what it throws is a failure with its name, so that the other parts still run and are counted. */
async function part(title, run) {
  console.log(`\n── ${title} ──`);
  try {
    await run();
  } catch (error) {
    console.error(error);
    row("(repository)", title, crashed(error.message));
  }
}

const taskResults = { test: "jest.json", check: "check.json" };

/** Everything but the tests that need a server, so that the servers have the time to start. */
async function packageTasks() {
  const free = packages.filter((one) => one.servers.length === 0 && (!wants("unit") || hasNative(one)));
  const overall = ["build", ...(wants("static") ? ["typecheck", "check"] : [])];
  const tests = wants("unit") ? free.map(({ name }) => `${name}#test`) : [];
  const ends = await runTurbo([...overall, ...tests]);
  for (const one of packages) {
    const tasks = [...overall, ...(tests.includes(`${one.name}#test`) ? ["test"] : [])];
    for (const task of tasks) taskRow(one, task, ends);
  }
}

/** Whether a package has what its tests need compiled; one that has not is told, and its tests are left out. */
function hasNative({ name, native }) {
  const missing = native.includes("faiss") ? missingFaiss() : undefined;
  if (missing !== undefined) notRun.push(`the tests of ${name}: ${missing}`);
  return missing === undefined;
}

/** The tests of the packages whose servers are there; the others are listed as not run. */
async function serverTests() {
  const needing = packages.filter((one) => one.servers.length > 0);
  const there = needing.filter((one) => lacking(one).length === 0);
  if (there.length === 0) return;
  const lackingFor = await leftOut(there);
  for (const { file, reason } of lackingFor) notRun.push(`${file}: ${reason}`);
  if (lackingFor.length > 0) process.env.DATAKNOBS_LEAVE_OUT = lackingFor.map(({ file }) => file).join(",");
  const ends = await runTurbo(there.map(({ name }) => `${name}#test`));
  for (const one of there) taskRow(one, "test", ends);
}

function taskRow({ folder, name }, task, ends) {
  const end = ends.find((one) => one.package === name && one.task === task);
  const ok = end?.ok === true;
  if (taskResults[task] === undefined) {
    const reason = end === undefined ? "did not run: a task that it depends on failed" : "see the output above";
    row(name, task, single(`${name} ${task}`, ok, reason));
    return;
  }
  const counts = readCounts(join(folder, ".results", taskResults[task]));
  // A runner may fail without a failing test, for example on a handle left open.
  row(name, task, !ok && counts.failed === 0 ? { ...counts, ...failedRun(counts, name, task) } : counts);
}

/** Waits for the servers. One that this machine cannot have is told; one that does not start is a failure. */
async function awaitServers() {
  for (const { name, problem, cannotHave } of await running.ready()) {
    const without = packages.filter((one) => one.servers.includes(name)).map((one) => one.name);
    if (cannotHave) notRun.push(`the tests of ${without.join(", ")}: ${problem}`);
    else row("(servers)", name, single(`${name} starts`, false, `${problem}\nNot run for it: ${without.join(", ")}`));
  }
}

function failedRun(counts, name, task) {
  return { failed: 1, failures: [...counts.failures, { name: `${name} ${task}`, message: "ended with an error" }] };
}

async function outside() {
  for (const suite of outsideSuites) {
    const missing = await suite.missing();
    if (missing !== undefined) {
      notRun.push(`${suite.name}: ${missing}`);
      continue;
    }
    rmSync(suite.results, { force: true });
    const [command, ...args] = suite.command;
    const status = await foreground(command === "node" ? process.execPath : command, args);
    const counts = readCounts(suite.results);
    row("(outside)", suite.name, status !== 0 && counts.failed === 0 ? failedRun(counts, suite.name, "run") : counts);
  }
}

function printTable() {
  const cells = [
    ["package", "suite", "passed", "failed", "skipped"],
    ...rows.map((one) => [one.where, one.suite, one.passed, one.failed, one.skipped].map(String)),
  ];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  console.log("");
  for (const line of cells) {
    console.log(line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "));
  }
}

// The coverage of the differential tests belongs into the record of a run.
if (process.env.CI === "true") process.env.DATAKNOBS_COVERAGE ??= "1";

for (const folder of [".", ...packages.map((one) => one.folder)]) {
  rmSync(join(folder, ".results"), { recursive: true, force: true });
}

// Not for the static checks alone, which are the quick ones.
const needed = [
  ...new Set([
    ...(["unit", "docs", "pack"].some(wants) ? packages.flatMap((one) => one.servers) : []),
    ...(wants("outside") ? pairServers : []),
  ]),
];
const running = openServers(needed, wants("outside") ? Object.keys(servers) : []);

if (wants("static")) {
  await part("lint, unused code, hygiene", async () => {
    await runStatic(join(".results", "static.json"));
    row("(repository)", "static", readCounts(join(".results", "static.json")));
  });
}
await part("packages", packageTasks);
if (needed.length > 0) {
  await part("servers", awaitServers);
  if (wants("unit")) await part("packages that need a server", serverTests);
}
if (wants("docs")) {
  await part("examples of READMEs and guides", async () => {
    notRun.push(...(await runDocs(join(".results", "docs.json"))).notRun);
    row("(repository)", "docs", readCounts(join(".results", "docs.json")));
  });
  await part("browser bundle", async () => {
    await runBundle(join(".results", "bundle.json"));
    row("(repository)", "bundle", readCounts(join(".results", "bundle.json")));
  });
}
if (wants("static") || wants("docs")) {
  await part("support table", async () => {
    const without = packages.filter((one) => lacking(one).length > 0).map((one) => one.name);
    if (without.length > 0) {
      notRun.push(`the check of the support table, which asks every backend: no server for ${without.join(", ")}`);
      return;
    }
    await runMatrix(join(".results", "support.json"));
    row("(repository)", "support table", readCounts(join(".results", "support.json")));
  });
}
if (wants("pack")) {
  await part("tarballs and examples", async () => {
    if (rows.some((one) => one.suite === "build" && one.failed > 0)) throw new Error("not run: the build failed");
    notRun.push(...(await runPack(join(".results", "pack.json"), join(".results", "examples.json"))));
    row("(repository)", "tarballs", readCounts(join(".results", "pack.json")));
    row("(repository)", "examples", readCounts(join(".results", "examples.json")));
  });
}
if (wants("outside")) await part("suites needing something from outside", outside);
await running.close();

for (const { where, suite, failures } of rows) {
  for (const { name, message } of failures) {
    const lines = message.trimEnd().split("\n");
    const shown = lines.length > 40 ? [...lines.slice(0, 40), `… and ${lines.length - 40} more lines`] : lines;
    console.log(`\n✗ ${where} · ${suite} · ${name}\n    ${shown.join("\n    ")}`);
  }
}
printTable();
if (notRun.length > 0) {
  console.log(`\n!! DID NOT RUN HERE (${notRun.length}) !!`);
  for (const reason of notRun) console.log(reason.replace(/^/gm, "!! "));
  if (process.env.CI === "true") console.log("!! With CI=true this fails the run.");
}
const sum = (column) => rows.reduce((total, one) => total + one[column], 0);
process.exitCode = sum("failed") > 0 || (notRun.length > 0 && process.env.CI === "true") ? 1 : 0;
console.log(`\n${sum("passed")} passed, ${sum("failed")} failed`);
