/** The conformance suite over one way to keep files. */
import type { Backend } from "@dataknobs/core/backend";
import { type BackendSuite, testBackend } from "@dataknobs/core/conformance";
import { describe, it } from "@jest/globals";
import { type FileOptions, file } from "../src/index.js";
import { place } from "./scratch.js";

const narrowedOnly = {
  "differential/has-asked-for-every-operator-and-pair-of-classes": {
    because: "never",
    reason: "Parquet's statistics narrow what is read and select nothing exactly",
  },
} as const;

export type Variant = readonly [name: string, options: Omit<FileOptions, "path">];

/** A format, with and without declared indexes. */
export function testFormat(variant: Variant): void {
  run(variant, { sync: true });
  run(variant, { sync: false, ...brief });
}

/** What differs from a format only in how its files are packed. */
export function testPacking(variant: Variant): void {
  run(variant, { sync: true, ...brief });
  run(variant, { sync: false, ...brief });
}

// every case once: what is stored does not depend on it
const brief: Pick<BackendSuite, "modes" | "runs"> = { modes: ["plain"], runs: 300 };

function run([name, given]: Variant, how: Pick<BackendSuite, "sync" | "modes" | "runs">): void {
  const paths = new WeakMap<Backend, FileOptions>();
  const make = (options: FileOptions): Backend => {
    const backend = file(options);
    paths.set(backend, options);
    return backend;
  };
  const { capabilities } = file({ ...given, path: name });
  describe(`${name} ${JSON.stringify(given)}`, () => {
    testBackend({
      describe,
      it,
      ...how,
      open: () => make({ fsync: false, ...given, path: place(name) }),
      reopen: (previous) => make(paths.get(previous) as FileOptions),
      capabilities,
      timeout: 240_000,
      // statistics of row groups only ever narrow: every clause is one of core's in the end, and the case wants "pushed"
      ...(capabilities.pushdown.length > 0 && { deviations: narrowedOnly }),
    });
  });
}
