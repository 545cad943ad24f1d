// Writes batches of 50 until it is ended, or the file may grow no more; says each time how many records it has written.
import { openDatabase } from "@dataknobs/core";
import { duckdb } from "../../dist/index.js";

const [path] = process.argv.slice(2);
const db = await openDatabase(duckdb({ path, timeout: 0 }), { indexes: [{ path: "n", type: "number" }] });
let written = await db.count();
try {
  for (;;) {
    await db.createMany(
      Array.from({ length: 50 }, (_, n) => ({ data: { n, text: Math.random().toString(36).repeat(20) } })),
    );
    written += 50;
    process.stdout.write(`${written}\n`);
  }
} catch (error) {
  process.stdout.write(`${error.code}\n`);
  process.stdout.write(`${await db.count()}\n`);
}
