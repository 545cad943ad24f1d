import type { Backend } from "@dataknobs/core/backend";
import { testBackend } from "@dataknobs/core/conformance";
import { describe, it } from "@jest/globals";
import { duckdb } from "../src/index.js";
import { place } from "./scratch.js";

const paths = new WeakMap<Backend, string>();
const onFile = (path = place("store.duckdb")): Backend => {
  const backend = duckdb({ path, threads: 2 });
  paths.set(backend, path);
  return backend;
};

const { capabilities } = duckdb();
const runner = { describe, it };

describe("duckdb in memory", () => {
  testBackend({ ...runner, open: () => duckdb({ threads: 2 }), capabilities });
});

describe("duckdb on a file", () => {
  testBackend({
    ...runner,
    open: () => onFile(),
    reopen: (previous) => onFile(paths.get(previous)),
    capabilities: { ...capabilities, durable: true },
    runs: 300,
  });
});
