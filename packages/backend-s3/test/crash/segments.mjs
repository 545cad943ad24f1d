// Opens a database and does one thing to it, in the middle of which it is killed.
import { openDatabase } from "@dataknobs/core";
import { compact, s3, vacuum } from "../../dist/index.js";

const [options, what] = process.argv.slice(2).map((text) => JSON.parse(text));
const db = await openDatabase(s3(options));
switch (what) {
  case "create":
    await db.create({ by: "the victim" }, { id: "victim" });
    break;
  case "update":
    await db.update("r0001", { by: "the victim" });
    break;
  case "createMany":
    await db.createMany(Array.from({ length: 5000 }, (_, n) => ({ id: `v${n}`, data: { n } })));
    break;
  case "compact":
    await compact(db, { full: true });
    break;
  case "vacuum":
    await vacuum(db, { graceSeconds: 0 });
}
await db.close();
