// Uses the installed command once, as a user would.
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// of a run before, under another Node
rmSync("cli-smoke.db", { force: true });
writeFileSync("people.csv", "name,age\nAda,36\nBob,24\n");
const bin = join("node_modules", "@dataknobs", "cli", "dist", "bin.js");
const run = (...args) => execFileSync(process.execPath, [bin, ...args], { encoding: "utf8" });
run("import", "people.csv", "sqlite:cli-smoke.db");
const found = run("query", "sqlite:cli-smoke.db", "-w", "age > 30", "--csv", "--select", "name");
if (!found.includes("Ada") || found.includes("Bob")) throw new Error(found);
if (!run("verify", "people.csv", "sqlite:cli-smoke.db").endsWith("equal\n")) throw new Error("they differ");
