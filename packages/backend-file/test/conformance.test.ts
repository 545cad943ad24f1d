import type { Backend } from "@dataknobs/core/backend";
import { testBackend } from "@dataknobs/core/conformance";
import { describe, it } from "@jest/globals";
import { type FileOptions, file } from "../src/index.js";
import { place } from "./scratch.js";

const variants: readonly (readonly [name: string, options: Omit<FileOptions, "path">])[] = [
  ["records.jsonl", {}],
  ["records.jsonl.gz", {}],
  ["records.json", {}],
  ["records.json.gz", {}],
  ["records.csv", {}],
  ["records.csv.gz", {}],
  ["records.parquet", {}],
  ["records.parquet", { compression: "zstd", rowGroupSize: 100 }],
  ["parts", { format: "jsonl", partitionBy: "city" }],
  ["parts", { format: "parquet", maxPartBytes: 50_000 }],
];

const narrowedOnly = {
  "differential/has-asked-for-every-operator-and-pair-of-classes": {
    because: "never",
    reason: "Parquet's statistics narrow what is read and select nothing exactly",
  },
} as const;

for (const [name, given] of variants) {
  for (const sync of [false, true]) {
    describe(`${name} ${JSON.stringify(given)}`, () => {
      const paths = new WeakMap<Backend, FileOptions>();
      const make = (options: FileOptions): Backend => {
        const backend = file(options);
        paths.set(backend, options);
        return backend;
      };
      testBackend({
        describe,
        it,
        sync,
        open: () => make({ fsync: false, ...given, path: place(name) }),
        reopen: (previous) => make(paths.get(previous) as FileOptions),
        capabilities: file({ ...given, path: name }).capabilities,
        // what differs from another kind in its packing only runs without declared indexes
        ...(name.endsWith(".gz") || given.compression !== undefined ? { modes: ["plain"] as const } : {}),
        timeout: 240_000,
        // statistics of row groups only ever narrow: every clause is one of core's in the end, and the case wants "pushed"
        ...(file({ ...given, path: name }).capabilities.pushdown.length > 0 ? { deviations: narrowedOnly } : {}),
      });
    });
  }
}
