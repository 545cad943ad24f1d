// `nearest` on SQLite and DuckDB: 50,000 records with vectors of 384 numbers, in clusters; the ten nearest.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duckdb } from "@dataknobs/backend-duckdb";
import { sqlite } from "@dataknobs/backend-sqlite";
import { openDatabase, where } from "@dataknobs/core";
import { DuckDBInstance } from "@duckdb/node-api";
import Database from "better-sqlite3";
import * as sqliteVec from "sqlite-vec";
import { clustered, questionsNear } from "../clusters.mjs";

const dimensions = 384;
const k = 10;
const indexes = [
  { path: "e", vector: { dimensions, metric: "cosine" } },
  { path: "tenth", type: "number" },
];

export default async function measure(bench, { rows }) {
  const count = Math.min(rows, 50_000);
  const vectors = clustered(count, dimensions);
  const questions = questionsNear(vectors, 4);
  const folder = mkdtempSync(join(tmpdir(), "dataknobs-bench-"));
  const scene = { count, vectors, questions, folder };
  try {
    await onSqlite(bench, scene);
    await onDuckdb(bench, scene);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All questions, one after another. What is found is told by how near it is: 32-bit sums change places of near ones. */
async function each({ questions, vectors }, ask) {
  const answers = [];
  for (const question of questions) {
    const found = (await ask(question)).map((id) => cosine(question, vectors[Number(id.slice(1))]));
    answers.push(`${found.length}: ${found.reduce((sum, one) => sum + one, 0).toFixed(3)}`);
  }
  return answers.join(" ");
}

function cosine(a, b) {
  let [dot, x, y] = [0, 0, 0];
  for (let index = 0; index < a.length; index++) {
    dot += a[index] * b[index];
    x += a[index] * a[index];
    y += b[index] * b[index];
  }
  return dot / Math.sqrt(x * y);
}

async function filled(backend, vectors) {
  const db = await openDatabase(backend, { indexes });
  for (let from = 0; from < vectors.length; from += 5000) {
    await db.createMany(
      vectors.slice(from, from + 5000).map((e, n) => ({ id: `v${from + n}`, data: { e, tenth: (from + n) % 10 } })),
    );
  }
  return db;
}

const near = (db, vector, more) =>
  db.search({ nearest: { path: "e", vector, k }, select: [], ...more }).then((found) => found.map(({ id }) => id));

async function onSqlite(bench, scene) {
  const { count, vectors, questions, folder } = scene;
  const db = await filled(sqlite({ path: join(folder, "ours.db") }), vectors);
  const peer = new Database(join(folder, "peer.db"));
  sqliteVec.load(peer);
  peer.pragma("journal_mode = WAL");
  peer.exec(`CREATE VIRTUAL TABLE v USING vec0(tenth INTEGER, e FLOAT[${dimensions}] distance_metric=cosine)`);
  const insert = peer.prepare("INSERT INTO v (rowid, tenth, e) VALUES (?, ?, ?)");
  peer.transaction(() => {
    for (const [n, e] of vectors.entries()) insert.run(BigInt(n), BigInt(n % 10), Buffer.from(e.buffer));
  })();
  const all = peer.prepare("SELECT rowid FROM v WHERE e MATCH ? AND k = ? ORDER BY distance").pluck();
  const some = peer.prepare("SELECT rowid FROM v WHERE e MATCH ? AND k = ? AND tenth = 3 ORDER BY distance").pluck();
  const asked = (statement, vector) => statement.all(Buffer.from(vector.buffer), k).map((n) => `v${n}`);
  const what = `sqlite: the ${k} nearest of ${count} × ${dimensions}, cosine`;
  await bench.compare({
    what,
    against: "sqlite-vec, a vec0 table asked on this thread",
    goal: { atMost: 1.2 },
    per: questions.length,
    ours: () => each(scene, (one) => near(db, one)),
    theirs: () => each(scene, (one) => asked(all, one)),
  });
  await bench.compare({
    what: `${what}, of a tenth`,
    against: "sqlite-vec, the tenth in a metadata column",
    goal: { atMost: 1.2 },
    per: questions.length,
    ours: () => each(scene, (one) => near(db, one, { where: where("tenth", "=", 3) })),
    theirs: () => each(scene, (one) => asked(some, one)),
  });
  peer.close();
  await db.close();
}

async function onDuckdb(bench, scene) {
  const { count, vectors, questions, folder } = scene;
  const db = await filled(duckdb({ path: join(folder, "ours.duckdb") }), vectors);
  const instance = await DuckDBInstance.create(join(folder, "peer.duckdb"));
  const peer = await instance.connect();
  await peer.run(`CREATE TABLE v (id VARCHAR PRIMARY KEY, e FLOAT[${dimensions}], tenth DOUBLE)`);
  for (let from = 0; from < count; from += 5000) {
    const part = vectors.slice(from, from + 5000);
    const texts = part.map((e) => JSON.stringify(Array.from(e))).join("\0");
    await peer.run(
      `INSERT INTO v SELECT 'v' || n, text::FLOAT[${dimensions}], n % 10 FROM (SELECT unnest(string_split($1, chr(0))) AS text, ` +
        `unnest(range(${from}, ${from + part.length})) AS n)`,
      [texts],
    );
  }
  const asked = async (vector, filter) => {
    const text = `SELECT id FROM v WHERE ${filter} ORDER BY array_cosine_distance(e, $1::FLOAT[${dimensions}]) LIMIT ${k}`;
    const reader = await peer.runAndReadAll(text, [JSON.stringify(Array.from(vector))]);
    return reader.getRows().map(([id]) => id);
  };
  const what = `duckdb: the ${k} nearest of ${count} × ${dimensions}, cosine`;
  await bench.compare({
    what,
    against: "the same SQL by hand, which gives the ids",
    goal: { atMost: 1.2 },
    per: questions.length,
    ours: () => each(scene, (one) => near(db, one)),
    theirs: () => each(scene, (one) => asked(one, "TRUE")),
  });
  await bench.compare({
    what: `${what}, of a tenth`,
    against: "the same SQL by hand, which gives the ids",
    goal: { atMost: 1.2 },
    per: questions.length,
    ours: () => each(scene, (one) => near(db, one, { where: where("tenth", "=", 3) })),
    theirs: () => each(scene, (one) => asked(one, "tenth = 3")),
  });
  peer.closeSync();
  instance.closeSync();
  await db.close();
}
