// The process of one measurement of memory: fills a SQLite file, or migrates it into another store, and prints the resident
// memory at the start and the most of it meanwhile, in MB, as JSON. `node migrate-memory.mjs fill|duckdb|parquet <folder> <rows>`.
import { join } from "node:path";
import { duckdb } from "@dataknobs/backend-duckdb";
import { file } from "@dataknobs/backend-file";
import { sqlite } from "@dataknobs/backend-sqlite";
import { migrate, openDatabase } from "@dataknobs/core";
import { makePeople } from "./data.mjs";

const [what, folder, count] = process.argv.slice(2);
const targets = {
  // its own memory is DuckDB's business
  duckdb: () => duckdb({ path: join(folder, "target.duckdb"), memoryLimit: "120MB" }),
  // a single Parquet file is copied with every write
  parquet: () => file({ path: join(folder, "parts"), format: "parquet", maxPartBytes: 8 * 1024 * 1024 }),
};

await using source = await openDatabase(sqlite({ path: join(folder, "source.db") }));
if (what === "fill") {
  const part = 50_000;
  for (let at = 0; at < Number(count); at += part) {
    const people = makePeople(Math.min(part, Number(count) - at));
    await source.createMany(
      people.map((data, index) => ({ id: `person-${String(at + index).padStart(7, "0")}`, data })),
    );
  }
} else {
  await using target = await openDatabase(targets[what]());
  globalThis.gc?.();
  const start = process.memoryUsage().rss;
  let most = start;
  const looking = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss);
  }, 20);
  const { written } = await migrate(source, target);
  clearInterval(looking);
  console.log(JSON.stringify({ written, start: start / 2 ** 20, most: most / 2 ** 20 }));
}
