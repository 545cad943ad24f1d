// Runs inside the folder where the tarballs are installed, under the Node to be tried: imports and requires every
// entry point named in the arguments and prints one JSON line per case.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const consumer = join(process.cwd(), "consumer.mjs");
const require = createRequire(pathToFileURL(consumer));

for (const entry of process.argv.slice(2)) {
  // Resolved from here, the folder of the consumer, and not from this script's.
  await attempt(`import ${entry}`, () => import(pathToFileURL(require.resolve(entry)).href));
  await attempt(`require ${entry}`, () => require(entry));
}

async function attempt(name, load) {
  try {
    await load();
    console.log(JSON.stringify({ name }));
  } catch (error) {
    console.log(JSON.stringify({ name, failure: String(error.stack) }));
  }
}
