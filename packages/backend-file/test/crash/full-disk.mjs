// Writes until the file may grow no more, and says how far it came.
import { openDatabase } from "@dataknobs/core";
import { file } from "../../dist/index.js";

const [path] = process.argv.slice(2);
const db = await openDatabase(file({ path }));
let written = 0;
let code = "none";
try {
  for (; written < 20_000; written += 10) {
    await db.createMany(Array.from({ length: 10 }, () => ({ data: { text: Math.random().toString(36).repeat(20) } })));
  }
} catch (error) {
  code = error.code;
}
if ((await db.count()) !== written) code = "the store differs from what was acknowledged";
process.stdout.write(JSON.stringify({ written, code }));
await db.close();
