// Both backends against the Python package that this project descends from: same data, same questions. Needs Python and
// PyPI, so it only runs with `--python`. The Python process stays up and is asked in turn with ours.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { memory } from "@dataknobs/backend-memory";
import { sqlite } from "@dataknobs/backend-sqlite";
import { openDatabaseSync } from "@dataknobs/core";
import { makePeople, somePositions } from "../data.mjs";
import { pythonWithDataknobs } from "../python-venv.mjs";

const questions = {
  adults: [
    ["age", ">", 40],
    ["active", "=", true],
  ],
  old: [
    ["age", ">=", 88],
    ["active", "=", true],
  ],
};
const whereOf = (name) => ({ and: questions[name].map(([path, op, value]) => ({ path, op, value })) });
const rounds = 5;

export default async function measure(bench, { rows }) {
  const { executable, title } = pythonWithDataknobs();
  const folder = mkdtempSync(join(tmpdir(), "dataknobs-bench-"));
  const people = makePeople(rows);
  const positions = somePositions(rows, 1000);
  const files = { "people.json": people, "ids.json": positions, "query.json": questions };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(content));
  const python = new Python(executable, folder);
  try {
    await python.ready();
    let opened = 0;
    const open = {
      memory: () => openDatabaseSync(memory()),
      sqlite: () => openDatabaseSync(sqlite({ path: join(folder, `ours-${opened++}.db`) })),
    };
    for (const store of ["memory", "sqlite"])
      await compareStore(bench, { python, title, store, open: open[store], people, positions });
  } finally {
    python.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compareStore(bench, { python, title, store, open, people, positions }) {
  const inputs = people.map((data) => ({ data }));
  const row = (what, wanted, atLeast, ours, per = 1) =>
    bench.compare({
      what: `${store}: ${what}`,
      against: title,
      goal: { atLeast },
      rounds,
      per,
      ours,
      theirs: { time: () => python.time(store, wanted) },
    });

  await row(`createMany ${people.length.toLocaleString("en")}`, "load", store === "sqlite" ? 2 : 5, {
    setUp: open,
    run: (db) => db.createMany(inputs).length,
    tearDown: (db) => db.close(),
  });
  using db = open();
  const records = db.createMany(inputs);
  const ids = positions.map((position) => records[position].id);
  await row("read", "read", 5, () => ids.reduce((sum, id) => sum + db.read(id).data.age, 0), ids.length);
  await row("count, two conditions", "count", 5, () => db.count({ where: whereOf("adults") }));
  await row(
    "search, two conditions, sort, limit 10",
    "sort",
    5,
    () => db.search({ where: whereOf("adults"), sort: [{ path: "score", direction: "desc" }], limit: 10 }).length,
  );
  await row("search, two conditions, 3 % hit", "scan", 5, () => db.search({ where: whereOf("old") }).length);
}

class Python {
  #process;
  #answers;

  constructor(executable, folder) {
    const script = fileURLToPath(new URL("../python-side.py", import.meta.url));
    this.#process = spawn(executable, [script, folder], { stdio: ["pipe", "pipe", "inherit"] });
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async ready() {
    await this.#answer();
  }

  /** One operation: its answer, and its milliseconds by Python's own clock. */
  async time(store, wanted) {
    this.#process.stdin.write(`${JSON.stringify({ store, do: wanted })}\n`);
    const answer = await this.#answer();
    if (answer.error !== undefined) throw new Error(`Python, ${store} ${wanted}: ${answer.error}`);
    return answer;
  }

  stop() {
    this.#process.stdin.end();
  }

  async #answer() {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error("The Python process ended; its errors are above.");
    return JSON.parse(value);
  }
}
