// Migrates between every ordered pair of stores and compares what arrived with what was put in, value by value:
// `node tooling/pairs/run.mjs embedded results.json`, `… postgres …` for the pairs of that server with the embedded stores,
// `… postgres,s3 …` for those between two servers.
import { deepStrictEqual, equal, notEqual, ok, rejects } from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentHash, DataknobsError, migrate } from "@dataknobs/core";
import { Report } from "../test/report.mjs";
import { makeDataset } from "./dataset.mjs";
import { embeddedNames, openStore, servedNames, sweep } from "./stores.mjs";

const [what, results = ".results/pairs.json"] = process.argv.slice(2);
const named = what === "embedded" ? [] : (what ?? "").split(",");
if (what === undefined || named.length > 2 || !named.every((name) => servedNames.includes(name))) {
  throw new Error(`pairs: embedded, or one or two of ${servedNames.join(", ")} with a comma between.`);
}

const folder = mkdtempSync(join(tmpdir(), "dataknobs-pairs-"));
const dataset = makeDataset();
/** One batch is not the whole of it. */
const batchSize = 40;
const report = new Report();

/** The ordered pairs that these names stand for. */
function pairsOf() {
  const [a, b] = named;
  if (b !== undefined)
    return [
      [a, b],
      [b, a],
    ];
  if (a !== undefined)
    return embeddedNames.flatMap((other) => [
      [a, other],
      [other, a],
    ]);
  return embeddedNames.flatMap((from) => embeddedNames.filter((to) => to !== from).map((to) => [from, to]));
}

/** Records as they came to be in life: some were changed, one was removed and made anew. */
async function fill(db) {
  await db.createMany(dataset.map(({ id }) => ({ id, data: { before: true } })));
  await db.upsertMany(dataset);
  await db.patch("plain 1", { n: -1 });
  await db.patch("plain 1", { n: 1 });
  await db.delete("plain 2");
  const { id, data, metadata } = dataset.find((one) => one.id === "plain 2");
  await db.create(data, { id, metadata });
}

/** All of a store by id, without what is the store's own. */
async function contents(db) {
  const found = new Map();
  for await (const { id, data, metadata } of db.stream()) {
    ok(!found.has(id), `the record ${JSON.stringify(id)} comes twice`);
    found.set(id, { data, metadata });
  }
  return found;
}

function same(found, side) {
  equal(found.size, dataset.length, `records of the ${side}`);
  for (const { id, data, metadata } of dataset) {
    deepStrictEqual(found.get(id), { data, metadata }, `the record ${JSON.stringify(id)} of the ${side}`);
  }
}

async function moved(source, target) {
  const made = await migrate(source, target, {
    batchSize,
    verify: "content",
    checkpoint: join(folder, `${crypto.randomUUID()}.json`),
  });
  equal(made.written, dataset.length);
  equal(made.failed + made.skipped + made.dropped, 0);
  equal(made.verification.ok, true);
  same(await contents(target), "target");
  same(await contents(source), "source");
  deepStrictEqual(await contentHash(target), await contentHash(source));
  equal((await contentHash(target)).hash, made.verification.targetHash);
  // queries find by type what came over
  equal(await target.count({ where: { path: "v", op: "=", value: (2n ** 70n).toString(), type: "bigint" } }), 1);
  equal(await target.count({ where: { path: "x", op: "not_exists" } }), dataset.length);
  // versions are the target's own, and good for its compare-and-set
  const [from, to] = [await source.read("plain 1"), await target.read("plain 1")];
  notEqual(to.version, from.version);
  await rejects(
    async () => target.patch("plain 1", { n: 2 }, { ifVersion: from.version }),
    (error) => DataknobsError.is(error, "VERSION_CONFLICT"),
  );
  ok((await target.patch("plain 1", { n: 2 }, { ifVersion: to.version })) !== undefined);
  // again: what is there is left alone, the changed one too
  const again = await migrate(source, target, { batchSize, onConflict: "skip" });
  deepStrictEqual([again.written, again.skipped], [0, dataset.length]);
  notEqual((await contentHash(target)).hash, (await contentHash(source)).hash);
  const mended = await migrate(source, target, { batchSize, onConflict: "replace", verify: "content" });
  equal(mended.written, dataset.length);
  deepStrictEqual(await contentHash(target), await contentHash(source));
}

const pairs = pairsOf();
const sources = new Map();
try {
  for (const name of new Set(pairs.map(([from]) => from))) {
    await report.case(`${name}: takes the records of the dataset and gives them back`, async () => {
      const store = await openStore(name, folder);
      sources.set(name, store);
      await fill(store.db);
      same(await contents(store.db), "source");
    });
  }
  for (const [from, to] of pairs) {
    await report.case(`${from} to ${to}: all arrives as it was, and the source stays`, async () => {
      if (!sources.has(from)) throw new Error(`there is no ${from} store to move from`);
      const target = await openStore(to, folder);
      try {
        await moved(sources.get(from).db, target.db);
      } finally {
        await target.gone();
      }
    });
  }
} finally {
  for (const { gone } of sources.values()) await gone();
  await sweep(named);
  rmSync(folder, { recursive: true, force: true });
}
report.write(results, `migration between pairs of stores: ${what}`);
process.exitCode = report.failed > 0 ? 1 : 0;
