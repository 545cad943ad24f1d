// Writes the support table of README.md between its markers, from what the packages themselves say: the capabilities
// that each backend declares, what `explain` answers for every operator, and the results of the conformance suite.
// `--check` writes nothing and fails where README.md is stale. Needs the packages built; the row about the suite
// needs its results too (`npm test` leaves them), and stays as it is where there are none.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { servers } from "../services/servers/index.mjs";
import { Report } from "../test/report.mjs";

const begin = "<!-- support-matrix: made by `node tooling/docs/support-matrix.mjs`, not by hand -->";
const end = "<!-- /support-matrix -->";
const suiteRow = "conformance suite";

/** What the operators are asked with, where it is not the text "a". */
const operands = {
  like: "%a%",
  not_like: "%a%",
  ilike: "%a%",
  not_ilike: "%a%",
  between: ["a", "b"],
  not_between: ["a", "b"],
  in: ["a", "b"],
  not_in: ["a", "b"],
  overlaps: ["a", "b"],
  exists: undefined,
  not_exists: undefined,
};

/** Backends that are more than one thing: a column of the table each, and what the suite's groups are called. */
const variants = {
  "backend-s3": [
    { title: "s3 objects", options: { layout: "objects" } },
    { title: "s3 segments", options: { layout: "segments", prefix: "segments" } },
  ],
};

/** The checks as named cases among the tests. */
export async function runMatrix(results) {
  const report = new Report();
  await report.case("README.md lists every package", () => {
    const text = readFileSync("README.md", "utf8");
    const unlisted = packages("").filter((folder) => !text.includes(`(packages/${folder}/README.md)`));
    if (unlisted.length > 0) throw new Error(`not in the table of packages: ${unlisted.join(", ")}`);
  });
  await report.case("the support table of README.md is up to date", checkMatrix);
  report.write(results, "support table");
}

/** The folders of the packages whose names begin so. */
function packages(prefix) {
  return readdirSync("packages").filter(
    (name) => name.startsWith(prefix) && existsSync(join("packages", name, "src", "index.ts")),
  );
}

async function checkMatrix() {
  const text = readFileSync("README.md", "utf8");
  const made = await withMatrix(text);
  if (made === text) return;
  const before = new Set(text.split("\n"));
  const changed = made.split("\n").filter((line) => !before.has(line));
  throw new Error(`it is stale; run: npm run docs\nnew lines:\n${changed.join("\n")}`);
}

async function withMatrix(text) {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`README.md has no line ${begin} or ${end}`);
  const before = text.slice(from + begin.length, to);
  const table = await matrix(before.split("\n").find((line) => line.startsWith(`| ${suiteRow} `)));
  return `${text.slice(0, from + begin.length)}\n${table}\n${text.slice(to)}`;
}

async function matrix(formerSuiteRow) {
  // not at the top: whoever imports this file may be about to build core
  const core = await import("@dataknobs/core");
  const backends = [];
  const folder = mkdtempSync(join(tmpdir(), "dataknobs-matrix-"));
  try {
    for (const name of packages("backend-")) {
      for (const variant of variants[name] ?? [{}]) backends.push(await describeBackend(core, name, folder, variant));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const row = (title, cell) => `| ${title} | ${backends.map(cell).join(" | ")} |`;
  const yes = (value) => (value ? "yes" : "no");
  const suites = backends.map(({ suite }) => suite);
  const rows = [
    row("", ({ name }) => name),
    row("---", () => "---"),
    row("keeps data when the process ends", ({ can }) => yes(can.durable)),
    row("transactions", ({ can }) => (can.transactions ? "interactive, buffered" : "buffered")),
    row("batches all or nothing", ({ can }) => yes(can.atomicBatch)),
    row("unique indexes", ({ can }) => yes(can.unique)),
    row("full text", ({ can }) => can.fullText),
    row("`nearest` vectors", ({ can }) => (can.nearest === undefined ? "core, exact" : `engine, ${can.nearest}`)),
    row("aggregation", ({ can }) => can.aggregation),
    row("exact percentiles", ({ can }) => yes(can.percentile === "exact")),
    row("a stream is a snapshot", ({ can }) => yes(can.snapshotStreams)),
    row("an abort stops the engine", ({ can }) => yes(can.cancel)),
    row("`openDatabaseSync`", ({ sync }) => yes(sync)),
    ...operatorRows(backends).map(({ ops, cells }) => `| ${ops.map(code).join(" ")} | ${cells.join(" | ")} |`),
    row("order", ({ order }) => order),
    suites.includes(undefined) ? formerSuiteRow : row(suiteRow, ({ suite }) => suite),
  ];
  return rows.filter((line) => line !== undefined).join("\n");
}

/** A store of its own: in a folder, in memory, or on the server that the environment names. */
function optionsFor(name, definition, temporary) {
  if (name === "file") return { path: join(temporary, "file.jsonl") };
  if (!Object.hasOwn(servers, name)) return "path" in definition.options ? { path: join(temporary, name) } : {};
  const url = process.env[servers[name].variable];
  if (!url) throw new Error(`${servers[name].variable} is not set; start it by: npm run services -- start ${name}`);
  return {
    postgres: { connectionString: url, table: "dataknobs_matrix" },
    elasticsearch: { hosts: url, index: "dataknobs-matrix" },
    s3: { endpointUrl: url, bucket: "dataknobs-matrix", createBucket: true },
  }[name];
}

/** Opens the backend with one field declared and asks what becomes of every operator. */
async function describeBackend({ openDatabase, operators, where }, folder, temporary, { title, options = {} }) {
  const name = folder.slice("backend-".length);
  const entry = pathToFileURL(join("packages", folder, "dist", "index.js")).href;
  const module = await import(entry).catch((error) => {
    throw new Error(`packages/${folder} cannot be imported; is it built? ${error.message}`, { cause: error });
  });
  const factory = module[name];
  const backend = factory({ ...optionsFor(name, factory.definition, temporary), ...options });
  const sync = backend.capabilities.synchronous || backend.toSync !== undefined;
  const db = await openDatabase(backend, { indexes: [{ path: "declared" }] });
  try {
    const how = (part) => {
      const whole = (path) => part(db.explain.bind(db), path);
      if (whole("other")) return "engine";
      return whole("declared") ? "engine, where declared" : "core";
    };
    const operator = (op) =>
      how((explain, path) => {
        const value = Object.hasOwn(operands, op) ? operands[op] : "a";
        return explain({ where: where(path, op, value) }).clauses.every((clause) => clause.how === "pushed");
      });
    return {
      name: `[${title ?? name}](packages/${folder}/README.md)`,
      can: db.capabilities,
      sync,
      operators: Object.fromEntries(operators.map((op) => [op, operator(op)])),
      order: how((explain, path) => explain({ sort: [{ path }] }).sort.how === "pushed"),
      suite: suiteResult(folder, title),
    };
  } finally {
    await db.close();
  }
}

/** Operators that every backend treats alike are one row. */
function operatorRows(backends) {
  const rows = new Map();
  for (const op of Object.keys(backends[0].operators)) {
    const cells = backends.map((backend) => backend.operators[op]);
    const key = cells.join("|");
    if (!rows.has(key)) rows.set(key, { ops: [], cells });
    rows.get(key).ops.push(op);
  }
  return [...rows.values()];
}

/** What the suite found, by the package's last whole test run; `undefined` where there was none. */
function suiteResult(folder, title = "") {
  const file = join("packages", folder, ".results", "jest.json");
  if (!existsSync(file)) return undefined;
  const tests = JSON.parse(readFileSync(file, "utf8")).testResults.flatMap((suite) => suite.assertionResults);
  const cases = tests.filter(({ fullName }) => fullName.startsWith(title) && fullName.includes("conformance"));
  if (cases.length === 0) return "not joined";
  if (cases.some(({ status }) => status !== "passed")) return "fails";
  const deviations = new Set(
    cases.map(({ title }) => / \(deviates, [^:]*: (.*)\)$/.exec(title)?.[1]).filter((reason) => reason !== undefined),
  );
  return deviations.size === 0 ? "passes, no deviations" : `passes, deviates: ${[...deviations].join("; ")}`;
}

function code(text) {
  return `\`${text}\``;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (process.argv.includes("--check")) await checkMatrix();
  else writeFileSync("README.md", await withMatrix(readFileSync("README.md", "utf8")));
}
