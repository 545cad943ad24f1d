/** Every layer that sees records differently, over this backend: the suite of a backend, as ever. */
import { cached, expiring, recordMigrations, tiered, upgrading } from "@dataknobs/core";
import { testBackend } from "@dataknobs/core/conformance";
import { describe, it } from "@jest/globals";
import { memory } from "../src/index.js";

const { capabilities } = memory();
const suite = { describe, it, modes: ["plain"], runs: 1000 } as const;

describe("expiring over memory", () => {
  testBackend({ ...suite, open: () => expiring(memory(), { ttl: 1e9, sweepEvery: 0 }), capabilities });
});

describe("upgrading over memory", () => {
  const migrations = recordMigrations([{ from: 1, to: 2, rename: { $old: "$new" } }]);
  const given = { unique: false, fullText: "emulated", aggregation: "emulated" } as const;
  testBackend({ ...suite, open: () => upgrading(memory(), migrations), capabilities: { ...capabilities, ...given } });
});

describe("cached in a store, over memory", () => {
  const later = { ...capabilities, synchronous: false };
  testBackend({ ...suite, open: () => cached(memory(), { store: memory() }), capabilities: later });
});

describe("tiered over memory", () => {
  const { pushdown } = capabilities;
  testBackend({
    ...suite,
    open: () => tiered({ hot: memory(), cold: memory(), olderThan: 0, moveEvery: 1 }),
    capabilities: { pushdown },
  });
});
