// Creates records one by one; for several processes on one file. Prints a dot for each that was acknowledged.
import { writeSync } from "node:fs";
import { openDatabase } from "@dataknobs/core";
import { file } from "../../dist/index.js";

const { options, name, count } = JSON.parse(process.argv[2]);
await using db = await openDatabase(file(options));
for (let number = 0; number < count; number++) {
  await db.create({ number, by: name }, { id: `${name}-${number}` });
  writeSync(1, ".");
}
