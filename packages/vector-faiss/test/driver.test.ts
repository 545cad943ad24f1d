/** Where the binary is not there, the store says so and what to do, and nothing else breaks. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "@jest/globals";

const script = `
  import { DataknobsError, openVectorStore } from "@dataknobs/core";
  import { faiss } from "@dataknobs/vector-faiss";
  for (const thread of [true, false]) {
    const error = await openVectorStore(faiss({ thread }), { dimensions: 2 }).catch((error) => error);
    console.log(DataknobsError.is(error, "MISSING_DRIVER"), error.message);
  }
`;

/** A project that has this package, and faiss-node as `prepare` puts it. */
function inProject(prepare: (modules: string) => void): string {
  const project = realpathSync(mkdtempSync(join(tmpdir(), "dataknobs-driver-")));
  try {
    const modules = join(project, "node_modules");
    const own = join(modules, "@dataknobs", "vector-faiss");
    mkdirSync(own, { recursive: true });
    cpSync("dist", join(own, "dist"), { recursive: true });
    cpSync("package.json", join(own, "package.json"));
    symlinkSync(realpathSync("node_modules/@dataknobs/core"), join(modules, "@dataknobs", "core"));
    prepare(modules);
    writeFileSync(join(project, "main.mjs"), script);
    const { stdout, stderr, status } = spawnSync(process.execPath, ["main.mjs"], { cwd: project, encoding: "utf8" });
    assert.deepEqual([status, stderr], [0, ""]);
    return stdout;
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

describe("MISSING_DRIVER", () => {
  it("where faiss-node is not installed", () => {
    const text = inProject(() => undefined);
    assert.match(text, /^true .*which is not installed.*\ntrue .*which is not installed/);
    assert.match(text, /npm install faiss-node.*npm install-scripts approve faiss-node.*vector-memory/);
  });

  it("where its install script was not run", () => {
    const text = inProject((modules) => {
      const own = realpathSync("node_modules/faiss-node");
      cpSync(own, join(modules, "faiss-node"), { recursive: true, filter: (path) => !path.endsWith("build") });
      for (const name of ["bindings", "file-uri-to-path"]) {
        const found = [join(own, "..", name), join(own, "..", "..", "..", name)].find((path) => existsSync(path));
        if (found !== undefined) cpSync(realpathSync(found), join(modules, name), { recursive: true });
      }
    });
    assert.match(text, /^true .*whose binary is not there.*\ntrue .*whose binary is not there/);
  });
});
