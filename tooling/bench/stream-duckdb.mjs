// The process of the group `duckdb` that streams: every record once, and the most memory that was resident meanwhile.
import { duckdb } from "@dataknobs/backend-duckdb";
import { openDatabase } from "@dataknobs/core";

const resident = () => process.memoryUsage.rss() / 2 ** 20;
const db = await openDatabase(duckdb({ path: process.argv[2] }));
const before = resident();
let peak = before;
let count = 0;
for await (const { data } of db.stream()) {
  if (data.age !== undefined && ++count % 10_000 === 0) peak = Math.max(peak, resident());
}
await db.close();
process.send({ count, before, peak });
process.disconnect();
