// Migrates between every ordered pair of vector stores and compares what arrived to the bit:
// `node tooling/pairs/vectors.mjs memory,faiss results.json`. The names are those of the stores to take.
import { deepStrictEqual, equal } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrateVectors, openVectorStore, vectorContentHash } from "@dataknobs/core";
import { Report } from "../test/report.mjs";

const [named, results = ".results/pairs-vectors.json"] = process.argv.slice(2);
const names = (named ?? "").split(",");
const folder = mkdtempSync(join(tmpdir(), "dataknobs-vector-pairs-"));
const run = `dk-pairs-${randomBytes(5).toString("hex")}`;
const dimensions = 5;
const report = new Report();
let made = 0;

/** `{ open, remove }`; a module is loaded only where its store is asked for: faiss may not be there. */
const kinds = {
  memory: async () => {
    const { vectorMemory } = await import("@dataknobs/vector-memory");
    return { open: () => vectorMemory({ path: join(folder, `${++made}.dkv`) }), remove: () => undefined };
  },
  faiss: async () => {
    const { faiss } = await import("@dataknobs/vector-faiss");
    return { open: () => faiss({ path: join(folder, `${++made}.dkf`) }), remove: () => undefined };
  },
  chroma: async () => {
    const { chroma } = await import("@dataknobs/vector-chroma");
    const url = process.env.DATAKNOBS_CHROMA_URL;
    const collections = "/api/v2/tenants/default_tenant/databases/default_database/collections";
    let name = "";
    return {
      open: () => {
        name = `${run}-${++made}`;
        return chroma({ url, collection: name });
      },
      remove: () => fetch(new URL(`${collections}/${name}`, url), { method: "DELETE" }),
    };
  },
  pgvector: async () => {
    const { pgvector } = await import("@dataknobs/vector-pgvector");
    const driver = createRequire(new URL("../../packages/backend-postgres/package.json", import.meta.url))("postgres");
    const connectionString = process.env.DATAKNOBS_POSTGRES_URL;
    let table = "";
    return {
      open: () => {
        table = `${run}-${++made}`;
        return pgvector({ connectionString, table, poolSize: 2, createExtension: true });
      },
      remove: async () => {
        const sql = driver(connectionString, { max: 1, onnotice: () => undefined });
        await sql`DROP TABLE IF EXISTS ${sql(table)}`;
        await sql.end();
      },
    };
  },
};

async function openStore(name) {
  const { open, remove } = await kinds[name]();
  const store = await openVectorStore(open(), { dimensions, metric: "euclidean" });
  return {
    store,
    gone: async () => {
      await store.close();
      await remove();
    },
  };
}

const ids = ["a.b", "../x", "é", "😀", "%", "'", '"', "\\", "__proto__", "a:b|c", "\u0001", " x ", "x".repeat(512)];
const scopes = [undefined, "tenant-1", "../é'"];

/** Of one scope; the ids of all scopes are the same. */
function entriesOf(scope) {
  const shift = scopes.indexOf(scope);
  const hostile = ids.map((id, n) => ({
    id,
    vector: Float32Array.of(n + 0.1 + shift, -1e-40, 1e18, 2 ** -149, -1 - n),
    metadata: {
      n,
      at: new Date(n),
      big: 2n ** 70n + BigInt(n),
      bytes: Uint8Array.of(n, 255),
      none: null,
      list: ["x", n],
    },
    text: n % 3 === 0 ? "" : `text ${id} ${n}`,
  }));
  const plain = Array.from({ length: 70 }, (_, n) => ({
    id: `plain ${n}`,
    vector: Float32Array.from({ length: dimensions }, (_, at) => Math.fround(Math.sin(n * 7 + at + shift))),
    metadata: n % 2 === 0 ? {} : { n },
  }));
  return [...hostile, ...plain];
}

async function contents(scoped) {
  const found = new Map();
  for await (const row of scoped.stream()) found.set(row.id, row);
  return found;
}

async function same(store) {
  for (const scope of scopes) {
    const scoped = scope === undefined ? store : store.scoped(scope);
    const found = await contents(scoped);
    const entries = entriesOf(scope);
    equal(found.size, entries.length, `vectors of the scope ${scope}`);
    for (const entry of entries)
      deepStrictEqual(found.get(entry.id), entry, `${JSON.stringify(entry.id)} of the scope ${scope}`);
  }
}

async function moved(source, target) {
  const count = entriesOf(undefined).length * scopes.length;
  const checkpoint = join(folder, `${crypto.randomUUID()}.json`);
  const made = await migrateVectors(source, target, { scopes, batchSize: 30, verify: "content", checkpoint });
  deepStrictEqual([made.read, made.written, made.verification.ok], [count, count, true]);
  await same(target);
  await same(source);
  for (const scope of scopes) {
    const [a, b] = [source, target].map((store) => (scope === undefined ? store : store.scoped(scope)));
    deepStrictEqual(await vectorContentHash(b), await vectorContentHash(a));
  }
  const again = await migrateVectors(source, target, { scopes, onConflict: "skip", verify: "count" });
  deepStrictEqual([again.written, again.skipped, again.verification.ok], [0, count, true]);
  const replaced = await migrateVectors(source, target, { scopes, onConflict: "replace", verify: "count" });
  deepStrictEqual([replaced.written, replaced.verification.ok], [count, true]);
}

try {
  for (const from of names) {
    const source = await openStore(from);
    try {
      const filled = await report.case(`${from}: takes the vectors and gives them back`, async () => {
        for (const scope of scopes) {
          await (scope === undefined ? source.store : source.store.scoped(scope)).add(entriesOf(scope));
        }
        await same(source.store);
      });
      if (!filled) continue;
      for (const to of names.filter((name) => name !== from)) {
        await report.case(`${from} to ${to}: all arrives to the bit, each scope in its own`, async () => {
          const target = await openStore(to);
          try {
            await moved(source.store, target.store);
          } finally {
            await target.gone();
          }
        });
      }
    } finally {
      await source.gone();
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
report.write(results, `migration between vector stores: ${named}`);
process.exitCode = report.failed > 0 ? 1 : 0;
