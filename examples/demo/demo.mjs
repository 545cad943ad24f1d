// The same questions to several stores: what each does itself, what core does for it, and that the answers are equal.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { openDatabase } from "@dataknobs/core";
import { loadMovies } from "./movies.mjs";
import { bold, dim, green, heading, line, red, table, wrap, yellow } from "./print.mjs";
import { questions } from "./questions.mjs";
import { embedded, servers } from "./stores.mjs";

const runs = 5;

/** Fields that queries ask for often. Everything else works too, only slower. */
const indexes = [
  { path: "Major Genre", type: "string" },
  { path: "IMDB Rating", type: "number" },
  { path: "Release Date", type: "date" },
  { path: "Title", text: true },
];

async function main() {
  const folder = await mkdtemp(join(tmpdir(), "dataknobs-demo-"));
  const stores = [];
  try {
    const sources = [...embedded(folder), ...(process.argv.includes("--all") ? await servers() : [])];
    for (const source of sources) stores.push(await openDatabase(source, { indexes }));
    return await compare(stores);
  } finally {
    for (const db of stores) await close(db);
    await rm(folder, { recursive: true, force: true });
  }
}

/** A server keeps nothing of the demo. */
async function close(db) {
  if (servedBy(db)) await db.clear();
  await db.close();
}

function servedBy({ name }) {
  return ["postgres", "elasticsearch", "s3"].includes(name);
}

async function compare(stores) {
  line(bold(`One set of questions, ${stores.length} stores, the same answers`));
  const movies = await loadMovies();
  for (const db of stores) {
    await db.clear();
    const { ms } = await timed(() => db.createMany(movies));
    line(`  ${db.name.padEnd(14)}${movies.length.toLocaleString("en")} films written in ${milliseconds(ms)}`);
  }
  line(dim(`  indexes: ${indexes.map(({ path, text }) => (text ? `${path} (text)` : path)).join(", ")}`));
  line(dim("  The films are as they come; some release dates, for one, are a century off."));
  line();
  line(dim("  How to read a plan: `index`, the store does it by an index; `store`, the store does it by looking at"));
  line(dim("  every record; `core`, dataknobs does it on what the store gives, for the reason in the note."));

  let different = 0;
  for (const [index, question] of questions.entries()) {
    heading(`${index + 1}. ${question.title}`);
    line(wrap(question.text, "  "));
    line();
    printCode(question.query ?? question.aggregation);
    line();
    const answers = [];
    for (const db of stores) answers.push(await answer(db, question, stores));
    const [first] = answers;
    table(
      question.columns,
      first.rows.map((row) => question.columns.map((column) => cellOf(row, column))),
    );
    line();
    printPlans(stores, answers);
    const equal = answers.every(({ rows }) => isDeepStrictEqual(rows, first.rows));
    if (!equal) different++;
    line();
    line(
      equal
        ? `  ${green("✓ equal")}: ${first.rows.length} rows, value by value and in the same order`
        : `  ${red("✗ NOT EQUAL")}:\n${answers.map(({ rows }) => JSON.stringify(rows, undefined, 2)).join("\n")}`,
    );
  }

  heading(different === 0 ? "All answers are equal" : `${different} of ${questions.length} answers differ`);
  line("  What to look at next:");
  line("    examples/demo/questions.mjs       the questions; change one and run the demo again");
  line("    README.md                         the library in five minutes");
  line("    docs/contract.md                  what every call means, on every store");
  line("    examples/third-party-backend/     a backend of your own");
  return different === 0 ? 0 : 1;
}

/** The rows without what differs by nature (versions, times of writing), the plan, and the time. */
async function answer(db, question, stores) {
  const ask = asker(db, question, stores);
  const times = [];
  let rows;
  for (let run = 0; run < runs; run++) {
    const { value, ms } = await timed(ask);
    rows = value;
    times.push(ms);
  }
  const { where, match, ...rest } = question.query?.().toQuery() ?? question.aggregation();
  const asked = { ...(where && { where }), ...(match && { match }), ...(question.query && rest) };
  return { rows, plan: db.explain(asked), ms: times.sort((a, b) => a - b)[Math.floor(runs / 2)] };
}

function asker(db, { query, aggregation, pages }, stores) {
  const plain = (records) => records.map(({ id, data }) => ({ id, ...data }));
  if (aggregation !== undefined) return () => db.aggregate(aggregation());
  if (pages === undefined) return async () => plain(await db.search(query()));
  return async () => {
    const rows = [];
    let after;
    for (let number = 0; number < pages; number++) {
      const page = await db.page(query(), { after });
      rows.push(...plain(page.records));
      // a cursor holds keys, not a place in one store: the next page goes on from another store's
      const other = stores[(stores.indexOf(db) + 1) % stores.length];
      after = (await other.page(query(), { after })).next;
    }
    return rows;
  };
}

/** One line per clause and step, one column per store; reasons as notes below. */
function printPlans(stores, answers) {
  const notes = [];
  const cell = ({ how, index, narrowed, why }) => {
    if (how === "none") return "";
    if (how === "pushed") return index === undefined ? "store" : "index";
    const text = why ?? "";
    if (!notes.includes(text)) notes.push(text);
    return `core (${notes.indexOf(text) + 1})${narrowed ? "*" : ""}`;
  };
  const [{ plan }] = answers;
  const rows = plan.clauses.map(({ clause }, index) => [
    clauseText(clause),
    ...answers.map((one) => cell(one.plan.clauses[index])),
  ]);
  for (const part of ["match", "sort", "limit"]) {
    if (plan[part].how !== "none") rows.push([part, ...answers.map((one) => cell(one.plan[part]))]);
  }
  rows.push(["records looked at", ...answers.map(({ plan }) => (plan.scan === "index" ? "some" : "all"))]);
  rows.push([`time, median of ${runs}`, ...answers.map(({ ms }) => milliseconds(ms))]);
  table(["plan", ...stores.map(({ name }) => name)], rows, {
    style: (text, column) => (column > 0 && text.startsWith("core") ? yellow(text) : text),
  });
  notes.forEach((note, index) => {
    line(dim(wrap(note, `  (${index + 1}) `)));
  });
  if (answers.some((one) => one.plan.clauses.some(({ narrowed }) => narrowed))) {
    line(dim("  *   the store leaves out most of what does not fit; core tests the rest"));
  }
}

function clauseText({ path, op, value }) {
  const operand =
    value === undefined ? "" : ` ${JSON.stringify(value?.pattern ?? value).replaceAll("T00:00:00.000Z", "")}`;
  return `${[path].flat().join(".")} ${op}${operand}`;
}

/** The question as it stands in the source. */
function printCode(question) {
  const lines = question
    .toString()
    .replace(/^\(\) =>\s*/, "")
    .split("\n");
  const margins = lines.slice(1).map((one) => /^ */.exec(one)[0].length);
  const margin = lines.length > 1 ? Math.min(...margins) : 0;
  const body = lines.map((one, index) => (index === 0 ? one : one.slice(margin)));
  const chained = lines.length > 1 && body[0].endsWith("()");
  for (const [index, one] of body.entries()) line(dim(`    ${chained && index > 0 ? "  " : ""}${one}`));
}

function cellOf(row, column) {
  return Object.hasOwn(row, column) ? row[column] : undefined;
}

async function timed(work) {
  const start = performance.now();
  const value = await work();
  return { value, ms: performance.now() - start };
}

function milliseconds(ms) {
  return `${ms < 10 ? ms.toFixed(2) : ms.toFixed(0)} ms`;
}

process.exitCode = await main();
