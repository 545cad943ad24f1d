// Writes until there is no more room, looks whether all that was acknowledged is there, and says how far it came.
import { openDatabase } from "@dataknobs/core";
import { file } from "../../dist/index.js";

const [path] = process.argv.slice(2);
let written = 0;
let failure;
{
  await using db = await openDatabase(file({ path }));
  try {
    for (; written < 20_000; written += 20) {
      await db.createMany(
        Array.from({ length: 20 }, () => ({ data: { text: Math.random().toString(36).repeat(20) } })),
      );
    }
  } catch ({ code, details }) {
    failure = { code, errno: details?.errno };
  }
  if ((await db.count()) !== written) throw new Error("the store differs from what was acknowledged");
}
await using again = await openDatabase(file({ path }));
if ((await again.count()) !== written) throw new Error("the file differs from what was acknowledged");
process.stdout.write(JSON.stringify({ written, ...failure }));
