// A process that writes until it is killed at the fault point named by its arguments; prints what was acknowledged.
import { writeSync } from "node:fs";
import { openDatabase } from "@dataknobs/core";
import { file } from "../../dist/index.js";

const {
  options: { garbage, ...options },
  point,
  after,
  share,
  name,
} = JSON.parse(process.argv[2]);
let seen = 0;
globalThis[Symbol.for("@dataknobs/backend-file/fault")] = (at, written) => {
  if (at !== point || ++seen < after) return;
  written?.(share);
  process.kill(process.pid, "SIGKILL");
};

const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);
const db = await openDatabase(file({ ...options, onRecover: (recovery) => say({ recovered: recovery.bytes }) }));
for (let number = 0; number < 400; number++) {
  const id = `${name}-${number}`;
  if (number % 5 === 4) {
    // an atomic batch: all three or none
    const batch = [0, 1, 2].map((part) => ({ id: `${id}.${part}`, data: { number, part, text: "x".repeat(50) } }));
    say({ trying: batch.map((one) => one.id) });
    await db.createMany(batch);
    say({ done: batch.map((one) => one.id) });
  } else if (number % 5 === 3) {
    // garbage, for compaction
    for (let round = 0; round < garbage; round++) await db.upsert("hot", { number, round });
  } else {
    await db.create({ number, text: "ü".repeat(20) }, { id });
    say({ done: [id] });
  }
}
