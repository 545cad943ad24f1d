// Moving records between embedded stores, against the two halves of the work done one after the other: streaming all of
// the source, and writing the same records into the target. And a cache's hit against the memory backend.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duckdb } from "@dataknobs/backend-duckdb";
import { file } from "@dataknobs/backend-file";
import { memory } from "@dataknobs/backend-memory";
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
    await hits(bench, inputs);
  } finally {
    rmSync(folder, { recursive: true, force: true });
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
