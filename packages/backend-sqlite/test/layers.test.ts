/** Every layer that sees records differently, over this backend: the suite of a backend, as ever. */
import { sqlite } from "@dataknobs/backend-sqlite";
import { expiring, recordMigrations, tiered, upgrading } from "@dataknobs/core";
import type { Backend } from "@dataknobs/core/backend";
import { testBackend } from "@dataknobs/core/conformance";
import { describe, it } from "@jest/globals";

const { capabilities } = sqlite();
/** Without threads, of which every case would start four. */
const plain = (): Backend => (sqlite().toSync as () => Backend)();
const suite = { describe, it, modes: ["plain"], runs: 60 } as const;
const { pushdown: _, ...all } = capabilities;
const { nearest: __, ...unvectored } = all;

describe("expiring over sqlite", () => {
  const given = { ...all, snapshotStreams: false };
  testBackend({
    ...suite,
    sync: true,
    open: () => expiring(sqlite(), { ttl: 1e9, sweepEvery: 0 }),
    capabilities: given,
  });
});

describe("upgrading over sqlite", () => {
  const migrations = recordMigrations([{ from: 1, to: 2, rename: { $old: "$new" } }]);
  const given = { unique: false, fullText: "emulated", aggregation: "emulated", snapshotStreams: false } as const;
  testBackend({
    ...suite,
    sync: true,
    open: () => upgrading(sqlite(), migrations),
    // its records are not those whose vectors the engine keeps
    capabilities: { ...unvectored, ...given },
  });
});

describe("tiered over sqlite", () => {
  testBackend({ ...suite, open: () => tiered({ hot: plain(), cold: plain(), olderThan: 0, moveEvery: 3 }) });
});
