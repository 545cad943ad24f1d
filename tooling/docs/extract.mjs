// Finds the runnable examples: fenced `ts` and `js` blocks of the READMEs and guides, and the complete `@example`s of
// the packages' sources.
//
// A block runs as a module of its own. Its info string may say more:
//   ```ts setup=people    runs, and may be begun with by later blocks
//   ```ts with=people     begins with that block, which may stand in an HTML comment where readers need not see it
//   ```ts ignore          is not run
//   ```ts needs=postgres  is compiled, but run only where DATAKNOBS_POSTGRES_URL names a server; "needs=a,b" needs both;
//                         "needs=faiss" the native module of the Faiss store
import { existsSync, globSync, readFileSync } from "node:fs";

/**
 * `{ file, line, language, lines, needs }`: `lines` has the code of the example and its setup at their own line
 * numbers, so that a compiler's or a stack's line is the file's; `needs` has the servers that it and its setup name.
 */
export function findExamples() {
  const examples = [];
  const ignored = [];
  const documents = ["README.md", ...globSync("packages/*/README.md"), ...globSync("docs/*.md")].filter(existsSync);
  for (const file of documents.sort()) {
    const blocks = fencedBlocks(file);
    const setups = new Map();
    for (const block of blocks) {
      if (block.tags.ignore !== undefined) {
        ignored.push(`${file}:${block.line}`);
        continue;
      }
      const before = block.tags.with === undefined ? undefined : setups.get(block.tags.with);
      if (block.tags.with !== undefined && before === undefined) {
        throw new Error(`${file}:${block.line} begins with "${block.tags.with}", which is no setup above it.`);
      }
      const lines = [...(before?.lines ?? [])];
      for (const [index, text] of block.code.entries()) lines[block.line + index] = text;
      const needs = new Set([...(before?.needs ?? []), ...(block.tags.needs?.split(",") ?? [])]);
      const example = { file, line: block.line, language: block.language, lines, needs };
      if (block.tags.setup !== undefined) setups.set(block.tags.setup, example);
      examples.push(example);
    }
  }
  for (const file of globSync("packages/*/src/**/*.ts").sort()) examples.push(...docExamples(file));
  return { examples, ignored };
}

/** The environment variable that has the address of a server. */
export function variableOf(server) {
  return `DATAKNOBS_${server.toUpperCase()}_URL`;
}

/** Every fenced block of TypeScript or JavaScript, with the number of its first line of code, from 1. */
function fencedBlocks(file) {
  const blocks = [];
  let open;
  for (const [index, text] of readFileSync(file, "utf8").split("\n").entries()) {
    const fence = /^\s*(`{3,})(.*)$/.exec(text);
    if (open === undefined && fence !== null) {
      const [language = "", ...tags] = fence[2].trim().split(/\s+/);
      const pairs = tags.map((tag) => tag.split("=")).map(([name, value = ""]) => [name, value]);
      open = { fence: fence[1], language, tags: Object.fromEntries(pairs), line: index + 2, code: [] };
    } else if (open !== undefined && fence !== null && fence[1] === open.fence && fence[2].trim() === "") {
      if (["ts", "js"].includes(open.language)) blocks.push(open);
      open = undefined;
    } else open?.code.push(text);
  }
  if (open !== undefined) throw new Error(`${file}:${open.line - 1} opens a block that is never closed.`);
  return blocks;
}

/** The `@example`s that import what they use; the others are fragments. */
function docExamples(file) {
  const examples = [];
  let open;
  const end = () => {
    if (open?.lines.some((text) => text?.startsWith("import "))) examples.push({ ...open, needs: new Set() });
    open = undefined;
  };
  for (const [index, text] of readFileSync(file, "utf8").split("\n").entries()) {
    if (/^\s*\* @example\s*$/.test(text)) {
      end();
      open = { file, line: index + 2, language: "ts", lines: [] };
    } else if (open !== undefined && (/^\s*\*\//.test(text) || /^\s*\* @\w/.test(text))) end();
    else if (open !== undefined) open.lines[index + 1] = text.replace(/^\s*\* ?/, "");
  }
  return examples;
}

/**
 * The example as a module. What an arrow claims is checked:
 *   `await db.count(); // → 2`              the value is deeply equal to that
 *   `const n = await db.count(); // → 2`    the same of a declaration
 *   `await db.read(""); // ✗ INVALID_QUERY` it throws an error with that code
 * An arrow may stand in the line below its code, and a long value goes on in comments indented by two blanks or more.
 */
export function moduleOf({ lines }, helpers) {
  const body = Array.from(lines, (text) => text ?? "");
  for (let index = 0; index < body.length; index++) {
    const found = /^(\s*)(.*?);?\s*\/\/ (→|✗) (.+)$/.exec(body[index]);
    if (found === null) continue;
    let [, indent, code, mark, said] = found;
    const at = code === "" ? index - 1 : index;
    if (code === "") [, indent, code] = /^(\s*)(.*?);?\s*$/.exec(body[at] ?? "");
    body[index] = "";
    for (let next = index + 1; /^\s*\/\/ {2,}/.test(body[next] ?? ""); next++) {
      said += ` ${body[next].trim().slice(2).trim()}`;
      body[next] = "";
    }
    body[at] = indent + claim(code, mark, said);
  }
  const imports = `import { same as $same, fails as $fails } from ${JSON.stringify(helpers)};`;
  return `${body.slice(1).join("\n")}\n${imports}\nexport {};\n`;
}

function claim(code, mark, said) {
  if (mark === "✗") return `await $fails(async () => { ${code}; }, ${JSON.stringify(said.split(" ")[0])});`;
  const declared = /^(?:const|let) (\w+)\b[^=]*=(?!=)/.exec(code)?.[1];
  if (declared !== undefined) return `${code}; $same(${declared}, ${said});`;
  return `$same(${code}, ${said});`;
}
