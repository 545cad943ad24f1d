// Uses the installed package once; throws if the result is wrong.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { file } from "@dataknobs/backend-file";
import { openDatabase } from "@dataknobs/core";

const folder = mkdtempSync(join(tmpdir(), "dataknobs-smoke-"));
try {
  for (const name of ["a.jsonl", "a.json.gz", "a.csv", "a.parquet"]) {
    const path = join(folder, name);
    for (let round = 1; round <= 2; round++) {
      const db = await openDatabase(file({ path }));
      await db.create({ round, at: new Date(0) });
      const found = await db.search({ where: { path: "round", op: "<=", value: 2 }, sort: [{ path: "round" }] });
      if (found.length !== round || !(found[0].data.at instanceof Date)) throw new Error(`wrong answer from ${name}`);
      await db.close();
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
