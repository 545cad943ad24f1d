// `nearest` on PostgreSQL against postgres.js with the same SQL: records with vectors of 128 numbers, in clusters.
import { randomBytes } from "node:crypto";
import { postgres } from "@dataknobs/backend-postgres";
import { openDatabase } from "@dataknobs/core";
import { toSql } from "pgvector";
import driver from "postgres";
import { clustered, questionsNear } from "../clusters.mjs";

const dimensions = 128;
const k = 10;
const chunk = 2000;
const against = "postgres.js, the same by hand";

export default async function measure(bench, { rows }) {
  const url = process.env.DATAKNOBS_POSTGRES_URL;
  if (!url) throw new Error("DATAKNOBS_POSTGRES_URL is not set: npm run services -- start postgres");
  const schemaName = `dk_bench_${randomBytes(6).toString("hex")}`;
  const sql = driver(url, { onnotice: () => undefined });
  await sql`CREATE EXTENSION IF NOT EXISTS vector`;
  await sql`CREATE SCHEMA ${sql(schemaName)}`;
  try {
    const vectors = clustered(Math.min(rows, 20_000), dimensions);
    const inputs = vectors.map((e, n) => ({
      id: `v${n}`,
      data: { n, hundredth: n % 97, lang: n % 3 ? "en" : "de", e },
    }));
    const open = (table, index) =>
      openDatabase(postgres({ connectionString: url, schemaName, table }), {
        indexes: [
          { path: "e", vector: { dimensions, metric: "cosine", ...(index && { index }) } },
          ...(index === undefined ? [{ path: "hundredth", type: "integer" }] : []),
        ],
      });
    await loading(bench, { sql, schemaName, open, inputs });
    await using db = await open("ours");
    await db.createMany(inputs);
    await insertMany(sql, await makeByHand(sql, schemaName, "hand"), inputs);
    await sql.unsafe(`CREATE INDEX ON ${schemaName}.hand USING hnsw (embedding vector_cosine_ops)`);
    await sql.unsafe(`CREATE INDEX ON ${schemaName}.hand (((data -> 'hundredth')::float8))`);
    await sql.unsafe(`VACUUM ANALYZE ${schemaName}.ours`);
    await sql.unsafe(`VACUUM ANALYZE ${schemaName}.hand`);
    await searching(bench, { db, sql, table: `${schemaName}.hand`, questions: questionsNear(vectors, 20) });
  } finally {
    await sql`DROP SCHEMA ${sql(schemaName)} CASCADE`;
    await sql.end();
  }
}

async function makeByHand(sql, schemaName, name) {
  const table = `${schemaName}.${name}`;
  await sql.unsafe(
    `CREATE TABLE ${table} (id text COLLATE "C" PRIMARY KEY, data jsonb NOT NULL, embedding vector(${dimensions}), ` +
      "version text NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL)",
  );
  return table;
}

/** The vector in its column only, and the other fields as JSON. */
async function insertMany(sql, table, inputs) {
  let versions = 0;
  await sql.begin(async (tx) => {
    for (let start = 0; start < inputs.length; start += chunk) {
      const part = inputs.slice(start, start + chunk);
      const at = new Date().toISOString();
      const ids = part.map(({ id }) => id);
      const embeddings = part.map(({ data }) => toSql(Array.from(data.e)));
      const datas = part.map(({ data: { e, ...data } }) => JSON.stringify(data));
      const made = part.map(() => `v${versions++}`);
      await tx`
        INSERT INTO ${tx(table)} (id, data, embedding, version, created_at, updated_at)
        SELECT id, data::jsonb, embedding::vector, version, ${at}, ${at}
        FROM unnest(${ids}::text[], ${datas}::text[], ${embeddings}::text[], ${made}::text[]) AS v (id, data, embedding, version)`;
    }
  });
  return inputs.length;
}

async function loading(bench, { sql, schemaName, open, inputs }) {
  let tables = 0;
  const drop = (table) => sql.unsafe(`DROP TABLE ${schemaName}.${table}`);
  await bench.compare({
    what: `createMany ${inputs.length.toLocaleString("en")} with vectors of ${dimensions}`,
    against,
    goal: { atLeast: 0.7 },
    rounds: 5,
    ours: {
      setUp: async () => {
        const table = `t${tables++}`;
        return { table, db: await open(table, "none") };
      },
      run: async ({ db }) => (await db.createMany(inputs)).length,
      tearDown: async ({ table, db }) => {
        await db.close();
        await drop(table);
      },
    },
    theirs: {
      setUp: async () => {
        const table = `t${tables++}`;
        await makeByHand(sql, schemaName, table);
        return table;
      },
      run: (table) => insertMany(sql, `${schemaName}.${table}`, inputs),
      tearDown: drop,
    },
  });
}

const idsOf = (records) => records.map(({ id }) => id).join(" ");

async function searching(bench, { db, sql, table, questions }) {
  const filter = { path: "hundredth", op: "=", value: 7 };
  const each = async (ask) => {
    const answers = [];
    for (const question of questions) answers.push(idsOf(await ask(question)));
    return answers.join("\n");
  };
  const ask = (where, exact) => (question) =>
    db.search({ ...(where && { where }), nearest: { path: "e", vector: question, k, ...(exact && { exact }) } });
  const recordOf = ({ id, data, embedding, version, created_at, updated_at, distance }) => ({
    id,
    data: { ...data, e: Float32Array.from(JSON.parse(embedding)) },
    version,
    createdAt: created_at,
    updatedAt: updated_at,
    score: 1 - distance,
  });
  // twice as many candidates bring back what filters take from an index, and the transaction keeps its settings from others
  const byHand = (condition) => async (question) => {
    const distance = sql`(embedding <=> ${toSql(Array.from(question))}::vector)`;
    const found = await sql.begin(async (tx) => {
      await tx`SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', '100', true)`;
      return tx`
        SELECT * FROM (
          SELECT *, ${distance} AS distance FROM ${sql(table)} WHERE ${condition} ORDER BY distance LIMIT ${sql.unsafe(String(2 * k))}
        ) AS near ORDER BY distance + 0, id LIMIT ${sql.unsafe(String(k))}`;
    });
    return found.map(recordOf);
  };
  const row = (what, ours, theirs) =>
    bench.compare({
      what,
      against,
      goal: { atMost: 1.15 },
      per: questions.length,
      ours: () => each(ours),
      theirs: () => each(theirs),
    });
  await row(`the ${k} nearest by HNSW`, ask(), byHand(sql`TRUE`));
  await row("the same where 1 % match", ask(filter), byHand(sql`(data -> 'hundredth')::float8 = 7`));
  let missed = 0;
  for (const question of questions) {
    const hits = await ask(filter)(question);
    if (hits.length !== k) throw new Error(`A search gave ${hits.length} hits instead of ${k}.`);
    const truth = new Set((await ask(filter, true)(question)).map(({ id }) => id));
    missed += hits.filter(({ id }) => !truth.has(id)).length;
  }
  bench.difference({
    what: `of the ${k} nearest by HNSW where 1 % match: missed`,
    against: "the exact answer",
    goal: { below: 5, unit: "%" },
    ours: (100 * missed) / (k * questions.length),
    theirs: 0,
  });
}
