// The pgvector store against postgres.js with the same SQL: 20,000 × 128 in clusters, the ten nearest.
import { randomBytes } from "node:crypto";
import { openVectorStore, where } from "@dataknobs/core";
import { pgvector } from "@dataknobs/vector-pgvector";
import { toSql } from "pgvector";
import driver from "postgres";
import { clustered, questionsNear } from "../clusters.mjs";

const dimensions = 128;
const k = 10;
const chunk = 2000;

export default async function measure(bench, { rows }) {
  const url = process.env.DATAKNOBS_POSTGRES_URL;
  if (!url) throw new Error("DATAKNOBS_POSTGRES_URL is not set: npm run services -- start postgres");
  const schemaName = `dk_bench_${randomBytes(6).toString("hex")}`;
  const sql = driver(url, { onnotice: () => undefined });
  const open = (table, options = {}) =>
    openVectorStore(pgvector({ connectionString: url, schemaName, createExtension: true, table, ...options }), {
      dimensions,
    });
  await sql`CREATE SCHEMA ${sql(schemaName)}`;
  const opened = [];
  try {
    const vectors = clustered(Math.min(rows, 20_000), dimensions);
    const entries = vectors.map((vector, n) => ({
      id: `v${n}`,
      vector,
      metadata: { n, hundredth: n % 97, lang: n % 3 ? "en" : "de" },
    }));
    const questions = questionsNear(vectors, 20);
    const plain = await open("plain");
    const indexed = await open("indexed", { indexType: "hnsw", buildAt: 0 });
    opened.push(plain, indexed);
    await loading(bench, { sql, schemaName, open, entries });
    await plain.add(entries);
    await indexed.add(entries);
    await indexed.buildIndex();
    await sql.unsafe(`VACUUM ANALYZE ${schemaName}.plain`);
    await searching(bench, { sql, schemaName, plain, indexed, questions, count: vectors.length });
  } finally {
    for (const store of opened) await store.close();
    await sql`DROP SCHEMA ${sql(schemaName)} CASCADE`;
    await sql.end();
  }
}

async function loading(bench, { sql, schemaName, open, entries }) {
  let tables = 0;
  const drop = (table) => sql.unsafe(`DROP TABLE ${schemaName}.${table}`);
  await bench.compare({
    what: `pgvector: load ${entries.length} × ${dimensions}`,
    against: "postgres.js, the same SQL",
    goal: { atLeast: 0.7 },
    rounds: 5,
    ours: {
      setUp: async () => {
        const table = `t${tables++}`;
        return { table, store: await open(table) };
      },
      run: async ({ store }) => (await store.add(entries)).length,
      tearDown: async ({ table, store }) => {
        await store.close();
        await drop(table);
      },
    },
    theirs: {
      setUp: async () => {
        const table = `t${tables++}`;
        await sql.unsafe(
          `CREATE TABLE ${schemaName}.${table} (scope text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, ` +
            `embedding vector(${dimensions}) NOT NULL, metadata jsonb NOT NULL DEFAULT '{}', metadata_types jsonb, text text, ` +
            "PRIMARY KEY (scope, id))",
        );
        return table;
      },
      run: (table) => insertMany(sql, `${schemaName}.${table}`, entries),
      tearDown: drop,
    },
  });
}

async function insertMany(sql, table, entries) {
  await sql.begin(async (tx) => {
    for (let start = 0; start < entries.length; start += chunk) {
      const part = entries.slice(start, start + chunk);
      const [ids, vectors, metadata] = [
        part.map(({ id }) => id),
        part.map(({ vector }) => toSql(Array.from(vector))),
        part.map((entry) => JSON.stringify(entry.metadata)),
      ];
      await tx`
        INSERT INTO ${tx(table)} (scope, id, embedding, metadata)
        SELECT '', id, embedding::vector, metadata::jsonb
        FROM unnest(${ids}::text[], ${vectors}::text[], ${metadata}::text[]) AS v (id, embedding, metadata)
        ON CONFLICT (scope, id) DO UPDATE SET embedding = excluded.embedding, metadata = excluded.metadata`;
    }
  });
  return entries.length;
}

async function searching(bench, { sql, schemaName, plain, indexed, questions, count }) {
  const filter = where("hundredth", "=", 7);
  /** All questions, one after another. */
  const each = async (ask) => {
    const answers = [];
    for (const question of questions) answers.push(idsOf(await ask(question)));
    return answers.join("\n");
  };
  const ask = (store, options) => (question) => store.search(question, { k, include: [], ...options });
  const table = (name) => sql(`${schemaName}.${name}`);
  const where7 = sql`CASE WHEN jsonb_typeof(metadata -> 'hundredth') = 'number' THEN (metadata -> 'hundredth')::float8 = 7 ELSE FALSE END`;
  const distance = (question) => sql`(embedding <=> ${toSql(Array.from(question))}::vector)`;
  const byScan = (condition) => (question) =>
    sql`
    SELECT id, distance FROM (
      SELECT id, ${distance(question)} + 0 AS distance FROM ${table("plain")}
      WHERE scope = '' AND ${condition} ORDER BY distance, id LIMIT ${sql.unsafe(String(k))}
    ) AS near ORDER BY distance, id`;
  // one hit more tells whether there are ties, twice as many candidates bring back what filters take from an index, and
  // the transaction keeps its settings from others
  const byIndex = (condition) => async (question) =>
    (
      await sql.begin(async (tx) => {
        await tx`SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', '100', true)`;
        return tx`
          SELECT id, distance FROM (
            SELECT id, ${distance(question)} AS distance FROM ${table("indexed")}
            WHERE scope = '' AND ${condition} ORDER BY distance LIMIT ${sql.unsafe(String(2 * (k + 1)))}
          ) AS near ORDER BY distance + 0, id LIMIT ${sql.unsafe(String(k + 1))}`;
      })
    ).slice(0, k);
  const against = "postgres.js, the same SQL";
  const row = (what, ours, theirs) =>
    bench.compare({
      what: `pgvector: ${what}`,
      against,
      goal: { atMost: 1.15 },
      per: questions.length,
      ours: () => each(ours),
      theirs: () => each(theirs),
    });
  await row(`the ${k} nearest of ${count} × ${dimensions}, exact`, ask(plain), byScan(sql`TRUE`));
  await row("the same where 1 % match", ask(plain, { filter }), byScan(where7));
  await row("the same by HNSW", ask(indexed), byIndex(sql`TRUE`));
  await row("the same by HNSW where 1 % match", ask(indexed, { filter }), byIndex(where7));
  for (const [what, options] of [
    ["all", {}],
    ["where 1 % match", { filter }],
  ]) {
    let missed = 0;
    for (const question of questions) {
      const hits = await ask(indexed, options)(question);
      if (hits.length !== k) throw new Error(`A search gave ${hits.length} hits instead of ${k}.`);
      const truth = new Set((await ask(indexed, { ...options, exact: true })(question)).map(({ id }) => id));
      missed += hits.filter(({ id }) => !truth.has(id)).length;
    }
    bench.difference({
      what: `pgvector: of the ${k} nearest by HNSW, ${what}: missed`,
      against: "the exact answer",
      goal: { below: 5, unit: "%" },
      ours: (100 * missed) / (k * questions.length),
      theirs: 0,
    });
  }
}

function idsOf(hits) {
  return hits.map(({ id }) => id).join(" ");
}
