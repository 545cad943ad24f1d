import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqlite } from "@dataknobs/backend-sqlite";
import type { Backend } from "@dataknobs/core/backend";
import { type BackendSuite, testBackend } from "@dataknobs/core/conformance";
import { afterAll, describe, it } from "@jest/globals";

const folder = mkdtempSync(join(tmpdir(), "dataknobs-conformance-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
const paths = new WeakMap<Backend, string>();
const onFile = (path = join(folder, `${++count}.db`)): Backend => {
  const backend = sqlite({ path });
  paths.set(backend, path);
  return backend;
};

const { capabilities } = sqlite();
const runner = { describe, it };
const files: Pick<BackendSuite, "open" | "reopen"> = {
  open: () => onFile(),
  reopen: (previous) => onFile(paths.get(previous)),
};

describe("sqlite in memory, synchronous", () => {
  testBackend({
    ...runner,
    open: () => sqlite(),
    sync: true,
    capabilities: { ...capabilities, snapshotStreams: false },
  });
});

describe("sqlite on a file, synchronous", () => {
  testBackend({
    ...runner,
    ...files,
    sync: true,
    capabilities: { ...capabilities, durable: true, snapshotStreams: false },
  });
});

describe("sqlite in memory, on threads", () => {
  testBackend({ ...runner, open: () => sqlite(), capabilities, modes: ["plain"], runs: 300 });
});

describe("sqlite on a file, on threads", () => {
  testBackend({ ...runner, ...files, capabilities: { ...capabilities, durable: true }, runs: 300 });
});
