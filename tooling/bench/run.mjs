// `npm run bench`: every group of comparisons in a process of its own, then one table and .results/bench.json.
// Nothing here asserts a time. See README.md for the options and for how to add a group.
import { fork } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { tableOf } from "./table.mjs";

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    rows: { type: "string", default: "100000" },
    rounds: { type: "string", default: "9" },
    json: { type: "boolean", default: false },
    python: { type: "boolean", default: false },
  },
});
const known = readdirSync(new URL("groups", import.meta.url)).map((file) => file.replace(/\.mjs$/, ""));
// The groups that need more than an installed workspace run when they are asked for, or when it is there.
const server = (name) => process.env[`DATAKNOBS_${name}_URL`];
const needs = {
  python: options.python,
  postgres: server("POSTGRES"),
  elasticsearch: server("ELASTICSEARCH"),
  s3: server("S3"),
  "s3-segments": server("S3"),
  chroma: server("CHROMA"),
  pgvector: server("POSTGRES"),
};
const groups = options.only?.split(",") ?? known.filter((name) => !Object.hasOwn(needs, name) || needs[name]);
const settings = { rows: wholeNumber("rows"), rounds: wholeNumber("rounds") };
for (const name of groups) {
  if (!known.includes(name)) throw new Error(`There is no group "${name}"; there are ${known.join(", ")}.`);
}

const loadBefore = loadavg()[0];
const rows = [];
const failed = [];
for (const name of groups) {
  if (!options.json) console.log(`── ${name}, ${settings.rows.toLocaleString("en")} records ──`);
  if (!(await runGroup(name))) failed.push(name);
}

const { node, v8 } = process.versions;
const load = { before: loadBefore, after: loadavg()[0] };
const machine = { node, v8, cpu: cpus()[0]?.model, cores: cpus().length, load };
const results = { at: new Date().toISOString(), machine, ...settings, rows, failed };
mkdirSync(".results", { recursive: true });
writeFileSync(".results/bench.json", `${JSON.stringify(results, undefined, 2)}\n`);
if (options.json) console.log(JSON.stringify(results, undefined, 2));
else {
  const missed = rows.filter(({ met }) => met === false).length;
  console.log(
    `\n${tableOf(rows)}\n\n${rows.length} rows, ${missed} missed their goal; .results/bench.json has them all.`,
  );
  console.log(
    `Node ${node}, ${machine.cores} × ${machine.cpu}, load ${load.before.toFixed(1)} to ${load.after.toFixed(1)}`,
  );
  if (load.before > machine.cores) console.log("The machine was busy with other work: trust this run little.");
}
// A missed goal is a finding; a group that broke is an error.
if (failed.length > 0) {
  console.error(`Not measured, see above: ${failed.join(", ")}.`);
  process.exitCode = 1;
}

/** Whether it came to its end. */
function runGroup(name) {
  const child = fork(new URL("group.mjs", import.meta.url), [name, JSON.stringify(settings)], {
    execArgv: ["--expose-gc"],
    stdio: ["inherit", options.json ? 2 : "inherit", "inherit", "ipc"],
  });
  child.on("message", (row) => {
    rows.push(row);
    if (!options.json) console.log(`  ${row.what} / ${row.against}`);
  });
  return new Promise((resolve) => child.on("close", (code) => resolve(code === 0)));
}

function wholeNumber(name) {
  const value = Number(options[name]);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} takes a whole number, 1 or more.`);
  return value;
}
