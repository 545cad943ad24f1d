// The DuckDB backend against DuckDB by hand and against our own SQLite backend. `--rows 1000000` for the figures of the
// README; the answers of both sides are compared in every row.
import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duckdb } from "@dataknobs/backend-duckdb";
import { sqlite } from "@dataknobs/backend-sqlite";
import { openDatabase, openDatabaseSync } from "@dataknobs/core";
import { DuckDBInstance, DuckDBTimestampValue } from "@duckdb/node-api";
import { makePeople } from "../data.mjs";

const fields = [
  { path: "name", type: "string" },
  { path: "age", type: "number" },
  { path: "city", type: "string" },
  { path: "active", type: "boolean" },
  { path: "score", type: "number" },
  { path: "joined", type: "date" },
];

export default async function measure(bench, { rows }) {
  const folder = mkdtempSync(join(tmpdir(), "dataknobs-bench-"));
  try {
    await appending(
      bench,
      recordsOf(100_000).map(({ data }) => ({ data })),
    );
    const path = join(folder, "people.duckdb");
    await fill(duckdb({ path }), fields, rows);
    await byHand(bench, path, rows);
    await againstSqlite(bench, path, folder, rows);
    await streaming(bench, path, rows);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function recordsOf(count) {
  return makePeople(count).map((person, index) => ({
    id: `person-${String(index).padStart(7, "0")}`,
    data: { ...person, joined: new Date(person.joined) },
  }));
}

async function fill(backend, indexes, rows) {
  const db = await openDatabase(backend, { indexes });
  const records = recordsOf(rows);
  for (let start = 0; start < rows; start += 100_000) await db.createMany(records.slice(start, start + 100_000));
  await db.close();
}

// ---------- bulk writes

/**
 * Both sides mint ids and versions, split the records into columns and JSON, and keep the primary key. Ours also checks
 * and copies every value, and gives the records back.
 */
async function appending(bench, records) {
  await bench.compare({
    what: "createMany 100,000",
    against: "raw Appender, same columns and primary key",
    goal: { atLeast: 0.75 },
    rounds: 5,
    ours: {
      setUp: () => openDatabase(duckdb(), { indexes: fields }),
      run: async (db) => (await db.createMany(records)).length,
      tearDown: (db) => db.close(),
    },
    theirs: {
      setUp: async () => {
        const db = await openDatabase(duckdb(), { indexes: fields });
        const columns = await db.sql(
          "SELECT column_name || ' ' || data_type AS one FROM duckdb_columns() WHERE table_name = 'records' ORDER BY column_index",
        );
        await db.close();
        const instance = await DuckDBInstance.create(":memory:");
        const connection = await instance.connect();
        const definition = columns.map(({ one }) => one.replace(/^id VARCHAR$/, "id VARCHAR PRIMARY KEY")).join(", ");
        await connection.run(`CREATE TABLE records (${definition})`);
        return { instance, connection };
      },
      run: ({ connection }) => appendRaw(connection, records),
      tearDown: ({ instance, connection }) => {
        connection.closeSync();
        instance.closeSync();
      },
    },
  });
}

/** What one would write who knows the columns; ids ascend as ours do, which spares the primary key. */
async function appendRaw(connection, records) {
  const appender = await connection.createAppender("records");
  const now = new DuckDBTimestampValue(BigInt(Date.now()) * 1000n);
  const time = Date.now().toString(16).padStart(12, "0");
  let count = 0;
  for (const { data } of records) {
    const { name, age, city, active, score, joined, ...rest } = data;
    const random = randomUUID();
    appender.appendVarchar(
      `${time.slice(0, 8)}-${time.slice(8)}-7${(count++).toString(16).padStart(7, "0")}${random.slice(22)}`,
    );
    appender.appendVarchar(JSON.stringify(rest));
    appender.appendNull();
    appender.appendNull();
    appender.appendVarchar(randomUUID());
    appender.appendTimestamp(now);
    appender.appendTimestamp(now);
    appender.appendNull();
    appender.appendVarchar(name);
    appender.appendDouble(age);
    appender.appendVarchar(city);
    appender.appendBoolean(active);
    appender.appendDouble(score);
    appender.appendTimestamp(new DuckDBTimestampValue(BigInt(joined.getTime()) * 1000n));
    appender.endRow();
  }
  appender.closeSync();
  return records.length;
}

// ---------- against a hand-made table

async function byHand(bench, path, rows) {
  const db = await openDatabase(duckdb({ path }), { indexes: fields });
  await db.sql("CREATE OR REPLACE TABLE by_hand AS SELECT name, age, city, active, score, joined FROM records");
  await bench.compare({
    what: `filter + group-by, ${rows.toLocaleString("en")} records`,
    against: "the same SQL on a hand-made typed table",
    goal: { atMost: 1.3 },
    ours: async () => digest(await db.aggregate(groupedByCity)),
    theirs: async () =>
      digest(
        await db.sql(
          "SELECT city, count(*)::DOUBLE AS n, avg(score) AS score FROM by_hand WHERE age > 40 AND active GROUP BY city ORDER BY city",
        ),
      ),
  });
  await db.sql("DROP TABLE by_hand");
  await db.close();
}

const groupedByCity = {
  where: {
    and: [
      { path: "age", op: ">", value: 40 },
      { path: "active", op: "=", value: true },
    ],
  },
  groupBy: { city: "city" },
  select: { n: { fn: "count" }, score: { fn: "avg", path: "score" } },
};

/** Sums are not added in one order, so that their last digits differ. */
function digest(rows) {
  return JSON.stringify(rows, (_, value) => (typeof value === "number" ? Number(value.toPrecision(9)) : value));
}

// ---------- against SQLite

const questions = {
  "by city: count and average": groupedByCity,
  "by month: count, sum": {
    groupBy: { month: { dateBucket: "joined", unit: "month" } },
    select: { n: { fn: "count" }, total: { fn: "sum", path: "score" } },
  },
  "by decade of age: median": {
    groupBy: { decade: { bucket: "age", width: 10 } },
    select: { median: { fn: "percentile", path: "score", fraction: 0.5 } },
  },
  "distinct names by active": {
    groupBy: { active: "active" },
    select: { names: { fn: "countDistinct", path: "name" }, oldest: { fn: "max", path: "age" } },
  },
  "count of a range of two fields": {
    where: {
      and: [
        { path: "score", op: "between", value: [10, 60] },
        { path: "joined", op: ">=", value: "2020-01-01" },
      ],
    },
    select: { n: { fn: "count" }, mean: { fn: "avg", path: "age" } },
  },
};

async function againstSqlite(bench, path, folder, rows) {
  const file = join(folder, "people.db");
  await fill(sqlite({ path: file }), fields, rows);
  const ours = await openDatabase(duckdb({ path }), { indexes: fields });
  const theirs = openDatabaseSync(sqlite({ path: file }), { indexes: fields });
  for (const [what, question] of Object.entries(questions)) {
    await bench.compare({
      what: `${what}, ${rows.toLocaleString("en")} records`,
      against: "our SQLite backend, an index per field",
      goal: { atLeast: 10 },
      rounds: 3,
      ours: async () => digest(await ours.aggregate(question)),
      theirs: () => digest(theirs.aggregate(question)),
    });
  }
  theirs.close();
  await ours.close();
}

// ---------- memory of a stream

/** In a process of its own, whose memory holds nothing else. */
async function streaming(bench, path, rows) {
  const child = fork(new URL("../stream-duckdb.mjs", import.meta.url), [path], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const { count, before, peak } = await new Promise((resolve, reject) => {
    child.on("message", resolve);
    child.on("error", reject);
    child.on("exit", (code) => code !== 0 && reject(new Error(`The stream's process ended with ${code}.`)));
  });
  if (count !== rows) throw new Error(`The stream gave ${count} records of ${rows}.`);
  bench.difference({
    what: `stream ${rows.toLocaleString("en")}: resident memory`,
    against: "the same process before",
    goal: { below: 300, unit: "MB" },
    ours: peak,
    theirs: before,
  });
}
