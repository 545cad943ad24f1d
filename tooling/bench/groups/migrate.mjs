// Moving records between embedded stores, against the two halves of the work done one after the other: streaming all of
// the source, and writing the same records into the target; between them and the servers that the environment names,
// against the slower of the two halves. The memory that a million records take. And a cache's hit against the memory backend.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { duckdb } from "@dataknobs/backend-duckdb";
import { elasticsearch } from "@dataknobs/backend-elasticsearch";
import { file } from "@dataknobs/backend-file";
import { memory } from "@dataknobs/backend-memory";
import { postgres } from "@dataknobs/backend-postgres";
import { s3 } from "@dataknobs/backend-s3";
import { sqlite } from "@dataknobs/backend-sqlite";
import { cached, migrate, openDatabase } from "@dataknobs/core";
import { makePeople, somePositions } from "../data.mjs";

const stores = {
  memory: () => memory(),
  jsonl: (folder) => file({ path: join(folder, "people.jsonl") }),
  parquet: (folder) => file({ path: join(folder, "people.parquet") }),
  sqlite: (folder) => sqlite({ path: join(folder, "people.db") }),
  duckdb: (folder) => duckdb({ path: join(folder, "people.duckdb") }),
};

const own = `dk-bench-${randomBytes(4).toString("hex")}`;
let places = 0;
const { DATAKNOBS_POSTGRES_URL, DATAKNOBS_ELASTICSEARCH_URL, DATAKNOBS_S3_URL } = process.env;
const servers = {
  ...(DATAKNOBS_POSTGRES_URL && {
    postgres: () => postgres({ connectionString: DATAKNOBS_POSTGRES_URL, table: `${own}-${places++}` }),
  }),
  ...(DATAKNOBS_ELASTICSEARCH_URL && {
    elasticsearch: () => elasticsearch({ hosts: DATAKNOBS_ELASTICSEARCH_URL, index: `${own}-${places++}` }),
  }),
  ...(DATAKNOBS_S3_URL && {
    s3: () => s3({ endpointUrl: DATAKNOBS_S3_URL, bucket: own, prefix: `p${places++}`, createBucket: true }),
  }),
};

export default async function measure(bench, { rows }) {
  const folder = mkdtempSync(join(tmpdir(), "dataknobs-bench-"));
  const inputs = makePeople(rows).map((data, index) => ({ id: `person-${String(index).padStart(7, "0")}`, data }));
  let targets = 0;
  const fresh = async (name) => {
    const place = mkdtempSync(join(folder, `${name}-${targets++}-`));
    return { place, db: await openDatabase(stores[name](place)) };
  };
  const gone = async ({ place, db }) => {
    await db.close();
    rmSync(place, { recursive: true, force: true });
  };
  try {
    for (const from of Object.keys(stores)) {
      const source = await fresh(from);
      await source.db.createMany(inputs);
      for (const to of Object.keys(stores).filter((name) => name !== from)) {
        await bench.compare({
          what: `migrate ${rows.toLocaleString("en")}, ${from} to ${to}`,
          against: "stream of the source alone + createMany into the target alone",
          goal: { atMost: 1.15 },
          rounds: 3,
          ours: {
            setUp: () => fresh(to),
            run: async ({ db }) => (await migrate(source.db, db)).written,
            tearDown: gone,
          },
          theirs: {
            setUp: () => fresh(to),
            run: async ({ db }) => {
              let count = 0;
              for await (const _ of source.db.stream()) count++;
              await db.createMany(inputs);
              return count;
            },
            tearDown: gone,
          },
        });
      }
      await gone(source);
    }
    await served(bench, inputs);
    if (rows >= 100_000) residence(bench, folder, rows * 10);
    await hits(bench, inputs);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A server's stores and SQLite, and servers among themselves. */
async function served(bench, inputs) {
  const all = { sqlite: () => sqlite(), ...servers };
  const removed = async (db) => {
    await db.clear();
    await db.close();
  };
  for (const from of Object.keys(all)) {
    const source = await openDatabase(all[from]());
    await source.createMany(inputs);
    for (const to of Object.keys(all).filter((name) => name !== from)) {
      const fresh = () => openDatabase(all[to]());
      await bench.compare({
        what: `migrate ${inputs.length.toLocaleString("en")}, ${from} to ${to}`,
        against: "the slower of the stream of the source alone and createMany into the target alone",
        goal: { atMost: 1.3 },
        rounds: 3,
        ours: { setUp: fresh, run: async (db) => (await migrate(source, db)).written, tearDown: removed },
        theirs: {
          time: async () => {
            const db = await fresh();
            let count = 0;
            const began = performance.now();
            for await (const _ of source.stream()) count++;
            const streamed = performance.now() - began;
            await db.createMany(inputs);
            const written = performance.now() - began - streamed;
            await removed(db);
            return { ms: Math.max(streamed, written), answer: count };
          },
        },
      });
    }
    await removed(source);
  }
}

/** Resident memory, each in a process of its own. */
function residence(bench, folder, rows) {
  const script = fileURLToPath(new URL("../migrate-memory.mjs", import.meta.url));
  const run = (what) =>
    execFileSync(process.execPath, ["--expose-gc", script, what, folder, String(rows)], { encoding: "utf8" });
  run("fill");
  for (const what of ["duckdb", "parquet"]) {
    const { most, start } = JSON.parse(run(what));
    bench.difference({
      what: `resident memory of migrate ${rows.toLocaleString("en")}, sqlite to ${what}`,
      against: "at the start",
      goal: { below: 300, unit: "MB" },
      ours: most,
      theirs: start,
    });
  }
}

async function hits(bench, inputs) {
  const backend = cached(sqlite(), { maxEntries: inputs.length });
  await using db = await openDatabase(backend);
  await using plain = await openDatabase(memory());
  await db.createMany(inputs);
  await plain.createMany(inputs);
  const ids = somePositions(inputs.length, 1000).map((position) => inputs[position].id);
  const reading = (store) => async () => {
    let sum = 0;
    for (const id of ids) sum += (await store.read(id)).data.age;
    return sum;
  };
  await bench.compare({
    what: "read through the cache, hit",
    against: "the memory backend",
    goal: { atMost: 2 },
    per: ids.length,
    ours: reading(db),
    theirs: reading(plain),
  });
}
