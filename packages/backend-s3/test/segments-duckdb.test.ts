/** Other engines read the segments: the real DuckDB over the files that `storage` names. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { avg, count, type Database, openDatabase, sum, where } from "@dataknobs/core";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, describe, it } from "@jest/globals";
import { compact, download, s3, storage } from "../src/index.js";
import { place } from "./server.js";

const folder = mkdtempSync(join(tmpdir(), "dataknobs-s3-duckdb-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The rows of a query over the segments, as JSON has them. */
async function duckdb(db: Database, sql: (files: string) => string): Promise<unknown[]> {
  const paths = await download(db, folder);
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const list = paths.map((path) => `'${path}'`).join(", ");
    const reader = await connection.runAndReadAll(sql(`read_parquet([${list}], union_by_name = true)`));
    return reader.getRowObjectsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

describe("DuckDB", () => {
  it("finds in the segments just what the database has", async () => {
    const options = place({ layout: "segments", segmentRows: 4000, autoCompact: false });
    await using db = await openDatabase(s3(options), {
      indexes: [{ path: "age", type: "integer" }, { path: "home.city" }],
    });
    const cities = ["Oslo", "Rome", "Kyiv", "Łódź"];
    await db.createMany(
      Array.from({ length: 20_000 }, (_, n) => ({
        id: `p${String(n).padStart(5, "0")}`,
        data: {
          age: n % 90,
          score: n / 7,
          active: n % 3 === 0,
          home: { city: cities[n % 4] as string, zip: n },
          born: new Date(Date.UTC(1990, 0, 1 + (n % 9000))),
          ...(n % 100 === 0 && { mixed: n % 200 === 0 ? "text" : n }),
        },
        metadata: { source: "test" },
      })),
    );
    await db.updateMany(
      Array.from({ length: 50 }, (_, n) => ({ id: `p${String(n * 3).padStart(5, "0")}`, data: { age: 1000 } })),
    );
    await db.deleteMany(Array.from({ length: 70 }, (_, n) => `p${String(n * 5 + 1).padStart(5, "0")}`));
    await compact(db);
    assert.equal((await storage(db)).logs.files, 0);

    assert.deepEqual(
      await duckdb(db, (files) => `SELECT count(*)::INT AS n, count(DISTINCT id)::INT AS ids FROM ${files}`),
      [{ n: await db.count(), ids: await db.count() }],
    );
    const theirs = await duckdb(
      db,
      (files) => `SELECT "home.city" AS city, count(*)::INT AS n, sum(age)::INT AS total, avg(score) AS mean
        FROM ${files} WHERE age < 50 GROUP BY 1 ORDER BY 1`,
    );
    const ours = await db.aggregate({
      where: where("age", "<", 50),
      groupBy: { city: "home.city" },
      select: { n: count(), total: sum("age"), mean: avg("score") },
    });
    assert.equal(theirs.length, 4);
    for (const [index, row] of (theirs as { city: string; n: number; total: number; mean: number }[]).entries()) {
      const { mean, ...rest } = ours[index] as unknown as typeof row;
      assert.deepEqual({ city: row.city, n: row.n, total: row.total }, rest);
      assert.ok(Math.abs(row.mean - mean) < 1e-9 * mean);
    }
    const days = await duckdb(
      db,
      (files) => `SELECT count(*)::INT AS n FROM ${files} WHERE born < TIMESTAMP '1991-01-01' AND active`,
    );
    assert.deepEqual(days, [
      { n: await db.count({ where: { and: [where("born", "<", "1991-01-01"), where("active", "=", true)] } }) },
    ]);
    const rest = await duckdb(
      db,
      (files) => `SELECT json_extract(dataknobs_rest, '$.data.home.zip')::INT AS zip FROM ${files} WHERE id = 'p12345'`,
    );
    assert.deepEqual(rest, [{ zip: 12_345 }]);

    await compact(db, { full: true });
    const paths = await download(db, folder);
    assert.equal(readdirSync(folder).length, paths.length, "files of segments that are no more are gone");
    const left = await duckdb(db, (files) => `SELECT count(*)::INT AS n FROM ${files}`);
    assert.deepEqual(left, [{ n: await db.count() }]);
  });
});
