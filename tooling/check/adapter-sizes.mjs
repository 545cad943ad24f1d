// Prints the source lines of each adapter against its goal. Informative: a number over its goal is a question.
// Counted are lines with code; blank lines and comments are not.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const goals = [
  ["backend-memory", 150],
  ["backend-file", 400],
  ["backend-sqlite", 350],
  ["backend-duckdb", 400],
  ["backend-postgres", 400],
  ["backend-elasticsearch", 450],
  ["backend-s3", 350, { name: "objects", except: "segments" }],
  ["backend-s3", 700, { name: "segments", below: "segments" }],
  ["vector-memory", 300],
  ["vector-faiss", 300],
  ["vector-chroma", 300],
  ["vector-pgvector", 300],
];

function codeLines(text) {
  const withoutBlocks = text.replace(/^\s*\/\*[\s\S]*?\*\//gm, "");
  return withoutBlocks.split("\n").filter((line) => line.trim() !== "" && !line.trim().startsWith("//")).length;
}

console.log("adapter                    lines  goal");
for (const [folder, goal, part = {}] of goals) {
  const source = join("packages", folder, "src", part.below ?? "");
  if (!existsSync(source)) continue;
  const lines = readdirSync(source, { recursive: true })
    .filter((file) => file.endsWith(".ts") && !(part.except && file.startsWith(part.except)))
    .reduce((sum, file) => sum + codeLines(readFileSync(join(source, file), "utf8")), 0);
  const name = part.name ? `${folder} ${part.name}` : folder;
  console.log(
    `${name.padEnd(25)}  ${String(lines).padStart(5)}  ${String(goal).padStart(4)}${lines > goal ? "  over" : ""}`,
  );
}
