// Runs every example of the READMEs, the guides and the sources' complete `@example`s, against the built packages:
// type-checked as a user's strict project would, then executed, each in an empty folder. One that needs a server is
// executed where the server's variable is set, and listed as not run elsewhere.
// `node tooling/docs/run.mjs [results.json]`; under `npm test` it is a part of its own.
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { missingFaiss } from "../faiss/build.mjs";
import { Report } from "../test/report.mjs";
import { findExamples, moduleOf, variableOf } from "./extract.mjs";
import { brokenLinks } from "./links.mjs";

const tsc = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));
const timeout = 120_000;

const compilerOptions = {
  target: "es2023",
  lib: ["es2023", "es2024.string", "esnext.disposable"],
  module: "nodenext",
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  allowJs: true,
  checkJs: true,
  inlineSourceMap: true,
  rootDir: ".",
  outDir: "out",
};

/** How many failed, and what was not run for want of a server. */
export async function runDocs(results) {
  const report = new Report();
  const notRun = [];
  const project = mkdtempSync(join(tmpdir(), "dataknobs-docs-"));
  try {
    await report.case("every link between documents leads somewhere", () => {
      const broken = brokenLinks();
      if (broken.length > 0) throw new Error(broken.join("\n"));
    });
    const { examples, ignored } = findExamples();
    for (const place of ignored) console.log(`  (not run, tagged ignore: ${place})`);
    makeProject(project);
    for (const example of examples) {
      example.name = `${example.file.replaceAll(/[\\/]/g, "--")}.${example.line}`;
      writeFileSync(join(project, `${example.name}.${example.language}`), moduleOf(example, "./claims.js"));
    }
    const errors = typeErrors(project);
    await inTurns(examples, async (example) => {
      const mine = errors.filter((line) => line.startsWith(`${example.name}.`));
      const missing = [...example.needs].map(lackOf).filter((reason) => reason !== undefined);
      if (mine.length === 0 && missing.length > 0) {
        notRun.push(`example ${example.file}:${example.line}: ${missing.join(" and ")}`);
        return;
      }
      const failure = mine.length > 0 ? readable(mine.join("\n"), example, project) : await execute(example, project);
      report.add(`${example.file}:${example.line}`, failure);
    });
    const stray = errors.filter((line) => !examples.some(({ name }) => line.startsWith(`${name}.`)));
    if (stray.length > 0) report.add("the examples compile", stray.join("\n"));
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
  report.write(results, "docs");
  for (const reason of notRun) console.log(`  (not run: ${reason})`);
  return { failed: report.failed, notRun };
}

/** Why what an example needs is not there; `undefined` where it is. */
function lackOf(need) {
  if (need === "faiss") return missingFaiss();
  const variable = variableOf(need);
  return (process.env[variable] ?? "") === "" ? `${variable} not set` : undefined;
}

/** An empty project that has our packages and those that examples may use beside them. */
function makeProject(project) {
  const link = (name, target) => {
    mkdirSync(join(project, "node_modules", name, ".."), { recursive: true });
    symlinkSync(resolve(target), join(project, "node_modules", name), "junction");
  };
  for (const folder of readdirSync("packages")) link(`@dataknobs/${folder}`, join("packages", folder));
  for (const name of ["@types/node", "zod", "valibot"]) link(name, join("node_modules", name));
  writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }\n');
  writeFileSync(
    join(project, "tsconfig.json"),
    JSON.stringify({ compilerOptions, include: ["*.ts", "*.js"] }, undefined, 2),
  );
  cpSync(new URL("claims.ts", import.meta.url), join(project, "claims.ts"));
}

/** Compiles all at once; what does not fit is a list of lines that begin with the file's name. */
function typeErrors(project) {
  const run = spawnSync(process.execPath, [tsc, "-p", ".", "--pretty", "false"], { cwd: project, encoding: "utf8" });
  const lines = run.stdout.split("\n").filter((line) => line !== "");
  if (run.status !== 0 && lines.length === 0) throw new Error(`tsc failed: ${run.stderr}${run.error?.message ?? ""}`);
  // a message goes on in indented lines
  return lines.reduce((all, line) => {
    if (/^\s/.test(line) && all.length > 0) all[all.length - 1] += `\n${line}`;
    else all.push(line);
    return all;
  }, []);
}

/** Runs one example in a folder of its own; the output where it failed. */
function execute({ name, file, line }, project) {
  const folder = join(project, "work", name);
  mkdirSync(folder, { recursive: true });
  const args = [
    "--enable-source-maps",
    "--test-reporter=spec",
    "--disable-warning=ExperimentalWarning",
    join(project, "out", `${name}.js`),
  ];
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: folder, timeout, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => done(error.message));
    child.on("close", (status, signal) => {
      if (status === 0) return done(undefined);
      const reason = signal === null ? "" : `ended by ${signal} after ${timeout} ms\n`;
      // node:test lists what failed at the end, after all that passed
      const failures = output.indexOf("✖ failing tests");
      const shown = failures < 0 ? output.slice(-4000) : output.slice(failures, failures + 4000);
      done(reason + readable(shown, { name, file, line }, project));
    });
  });
}

/** Lines of the project named as lines of the document. */
function readable(text, { name, file }, project) {
  return text
    .replaceAll(pathToFileURL(join(project, "/")).href, "")
    .replaceAll(`${name}.ts`, file)
    .replaceAll(`${name}.js`, file)
    .replaceAll(join(project, "/"), "");
}

async function inTurns(items, work) {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { failed } = await runDocs(process.argv[2] ?? join(".results", "docs.json"));
  process.exitCode = failed > 0 ? 1 : 0;
}
