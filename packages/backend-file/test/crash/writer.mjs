// Writes into many stores at once, each until it comes to the fault point that its plan names, where it stops for good;
// when all have stopped, the process kills itself. Prints what was acknowledged.
import { writeSync } from "node:fs";
import { openDatabase } from "@dataknobs/core";
import { file } from "../../dist/index.js";

const plans = JSON.parse(process.argv[2]);
const seen = plans.map(() => 0);
let stopped = 0;

globalThis[Symbol.for("@dataknobs/backend-file/fault")] = async ({ point, path, partly }) => {
  const index = plans.findIndex(({ options }) => path.startsWith(options.path));
  if (plans[index].point !== point || ++seen[index] < plans[index].after) return;
  partly?.(plans[index].share);
  if (++stopped === plans.length) process.kill(process.pid, "SIGKILL");
  await new Promise(() => {});
};

await Promise.all(plans.map(write));
process.stderr.write("not every store came to its fault point\n");
process.exitCode = 1;

async function write({ options, name, garbage }, plan) {
  const say = (line) => writeSync(1, `${JSON.stringify({ plan, ...line })}\n`);
  const db = await openDatabase(file({ ...options, onRecover: ({ bytes }) => say({ recovered: bytes }) }));
  for (let number = 0; number < 60; number++) {
    const id = `${name}-${number}`;
    if (number % 5 === 4) {
      // an atomic batch: all three or none
      const batch = [0, 1, 2].map((part) => ({ id: `${id}.${part}`, data: { number, part, text: "x".repeat(50) } }));
      say({ trying: batch.map((one) => one.id) });
      await db.createMany(batch);
      say({ done: batch.map((one) => one.id) });
    } else if (number % 5 === 3) {
      // garbage, for compaction
      await Promise.all(Array.from({ length: garbage }, (_, round) => db.upsert("hot", { number, round })));
    } else {
      await db.create({ number, text: "ü".repeat(20) }, { id });
      say({ done: [id] });
    }
  }
}
