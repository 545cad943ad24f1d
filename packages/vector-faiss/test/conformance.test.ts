import { testVectorBackend } from "@dataknobs/core/conformance";
import type { VectorBackend } from "@dataknobs/core/vector";
import { type FaissOptions, faiss } from "@dataknobs/vector-faiss";
import { describe, it } from "@jest/globals";
import { place } from "./scratch.js";

const paths = new WeakMap<VectorBackend, string>();

function saved(options: FaissOptions, path: string): VectorBackend {
  const backend = faiss({ ...options, path });
  paths.set(backend, path);
  return backend;
}

/** Those that are trained are so early: the suite's stores are small. */
const kinds: { readonly [title: string]: FaissOptions } = {
  Flat: { indexType: "Flat", thread: false },
  HNSW: { indexType: "HNSW16", efSearch: 64 },
};

for (const [title, options] of Object.entries(kinds)) {
  describe(title, () => {
    testVectorBackend({
      describe,
      it,
      open: () => faiss(options),
      capabilities: faiss(options).capabilities,
      modes: ["plain"],
    });
  });
}

describe("HNSW on this thread, core doing what is optional", () => {
  const options: FaissOptions = { indexType: "HNSW16", efSearch: 64, thread: false };
  testVectorBackend({
    describe,
    it,
    open: () => faiss(options),
    capabilities: faiss(options).capabilities,
    modes: ["emulated"],
    runs: 100,
  });
});

describe("IVF with a file", () => {
  const options: FaissOptions = { indexType: "IVF8,Flat", trainAt: 8, nprobe: 4 };
  testVectorBackend({
    describe,
    it,
    open: () => saved(options, place()),
    reopen: (previous) => saved(options, paths.get(previous) as string),
    capabilities: { ...faiss(options).capabilities, persistence: "save" },
    modes: ["plain"],
    runs: 200,
  });
});
