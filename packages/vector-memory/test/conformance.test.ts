import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testVectorBackend } from "@dataknobs/core/conformance";
import { afterAll, describe, it } from "@jest/globals";
import { vectorMemory } from "../src/index.js";

const { capabilities } = vectorMemory();
const folder = mkdtempSync(join(tmpdir(), "dataknobs-vector-memory-"));
const paths = new WeakMap<object, string>();
let files = 0;

function saved(path: string): ReturnType<typeof vectorMemory> {
  const backend = vectorMemory({ path });
  paths.set(backend, path);
  return backend;
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("in memory", () => {
  testVectorBackend({ describe, it, open: () => vectorMemory(), capabilities });
});

describe("with quantisation", () => {
  testVectorBackend({
    describe,
    it,
    open: () => vectorMemory({ quantization: "int8" }),
    capabilities,
    modes: ["plain"],
  });
});

describe("with a file", () => {
  testVectorBackend({
    describe,
    it,
    open: () => saved(join(folder, `${files++}.dkv`)),
    reopen: (previous) => saved(paths.get(previous) as string),
    capabilities: { ...capabilities, persistence: "save" },
    modes: ["plain"],
  });
});
