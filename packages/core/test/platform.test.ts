import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, it } from "@jest/globals";

const here = dirname(fileURLToPath(import.meta.url));
const core = resolve(here, "../src");
const memory = resolve(here, "../../backend-memory/src");
const vectors = resolve(here, "../../vector-memory/src");

/** What a file imports when it is loaded. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const statements = text.matchAll(/^\s*(?:import|export)\s(?!type\s)(?:[^;"]*?\sfrom\s)?"([^"]+)"/gm);
  return [...statements].map(([, name]) => name as string);
}

function filesOf(folder: string): string[] {
  return globSync("**/*.ts", { cwd: folder }).map((file) => join(folder, file));
}

describe("core and the memory stores run anywhere", () => {
  for (const folder of [core, memory, vectors]) {
    it(`${relative(resolve(here, "../.."), folder)} imports no Node module outside conformance`, () => {
      const files = filesOf(folder).filter((file) => !file.includes(`${core}/conformance`));
      assert.ok(files.length > 3);
      const strangers = files.flatMap((file) =>
        importsOf(file)
          .filter((name) => name.startsWith("node:") || ["fs", "path", "os", "crypto", "util", "buffer"].includes(name))
          .map((name) => `${relative(folder, file)}: ${name}`),
      );
      assert.equal(strangers.join("\n"), "");
    });
  }

  it("core's entry points do not reach the conformance suite", () => {
    for (const entry of ["index.ts", "backend/index.ts", "vector/index.ts"]) {
      const reached = new Set<string>();
      const visit = (file: string): void => {
        if (reached.has(file)) return;
        reached.add(file);
        for (const name of importsOf(file))
          if (name.startsWith(".")) visit(resolve(dirname(file), name.replace(/\.js$/, ".ts")));
      };
      visit(join(core, entry));
      assert.ok(reached.size > 10);
      assert.equal([...reached].filter((file) => file.includes("/conformance/")).join("\n"), "");
    }
  });

  it("core depends on fast-check in the conformance suite only", () => {
    const users = filesOf(core).filter((file) => importsOf(file).includes("fast-check"));
    assert.ok(
      users.every((file) => file.includes("/conformance/")),
      users.join(),
    );
  });
});
