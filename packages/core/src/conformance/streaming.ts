/** stream: the rows and order of search, in batches, ended by `break`; and writing from any iterable. */
import assert from "node:assert/strict";
import type { WriteRecord } from "../database/write-stream.js";
import type { Query } from "../query/ast.js";
import { where } from "../query/builder.js";
import type { Case } from "./case.js";
import { collect, idSet, idsOf, refuses, same } from "./expect.js";
import type { TestDatabase } from "./session.js";

const indexes = [{ path: "n" }, { path: "t", text: true }] as const;
const size = 2300;

async function loadMany(db: TestDatabase): Promise<void> {
  await db.createMany(
    Array.from({ length: size }, (_, n) => ({
      id: `r${String((n * 7) % size).padStart(4, "0")}`,
      data: { n, odd: n % 2 === 1, t: n % 100 === 0 ? "red" : "blue" },
    })),
  );
}

const queries: readonly Query[] = [
  { sort: [{ path: "n" }] },
  {
    sort: [
      { path: "odd", direction: "desc" },
      { path: "n", direction: "desc" },
    ],
    limit: 1500,
    offset: 20,
  },
  { where: where("n", ">=", 100), sort: [{ path: "n" }] },
  { where: where("odd", "=", true), limit: 700 },
  { where: where("n", "<", 0) },
  { limit: 0 },
  { offset: size - 3 },
  { match: { text: "red", fields: ["t"] } },
  { match: { text: "red", fields: ["t"] }, sort: [{ path: "n", direction: "desc" }], limit: 5 },
  { select: ["n"], sort: [{ path: "n" }], limit: 3 },
];

export const streamingCases: readonly Case[] = [
  {
    id: "streaming/gives-the-rows-and-order-of-search",
    indexes,
    run: async ({ db }) => {
      await loadMany(db);
      for (const query of queries) same(await collect(db.stream(query)), await db.search(query), JSON.stringify(query));
    },
  },
  {
    id: "streaming/gives-every-record-once",
    indexes,
    run: async ({ db }) => {
      await loadMany(db);
      const ids = idSet(await collect(db.stream()));
      same(ids.length, size);
      same(new Set(ids).size, size);
      same(ids, idSet(await db.search()));
    },
  },
  {
    id: "streaming/of-an-empty-store-ends-at-once",
    run: async ({ db }) => {
      same(await collect(db.stream()), []);
      same(await collect(db.stream().batches(10)), []);
    },
  },
  {
    id: "streaming/batches-have-the-size-asked-for",
    indexes,
    run: async ({ db }) => {
      await loadMany(db);
      const batches = await collect(db.stream({ sort: [{ path: "n" }] }).batches(1000));
      same(
        batches.map((batch) => batch.length),
        [1000, 1000, 300],
      );
      same(
        batches.flat().map(({ data }) => data["n"]),
        Array.from({ length: size }, (_, n) => n),
      );
      same((await collect(db.stream({ limit: 5 }).batches(1))).length, 5);
    },
  },
  {
    id: "streaming/can-be-left-early-and-begun-again",
    indexes,
    run: async ({ db }) => {
      await loadMany(db);
      const stream = db.stream({ sort: [{ path: "n" }] });
      for (let round = 0; round < 3; round++) {
        const seen: unknown[] = [];
        for await (const { data } of stream) {
          seen.push(data["n"]);
          if (seen.length === 5) break;
        }
        same(seen, [0, 1, 2, 3, 4]);
      }
      for await (const batch of stream.batches(7)) {
        same(batch.length, 7);
        break;
      }
      await db.create({ n: -1 }, { id: "after" });
      same((await db.first({ sort: [{ path: "n" }] }))?.id, "after");
    },
  },
  {
    id: "streaming/a-throw-in-the-loop-leaves-the-store-usable",
    indexes,
    run: async ({ db }) => {
      await loadMany(db);
      await assert.rejects(async () => {
        for await (const _ of db.stream()) throw new Error("mine");
      }, /mine/);
      same(await db.delete("r0000"), true);
      same(await db.clear(), size - 1);
    },
  },
  {
    id: "streaming/several-at-once",
    indexes,
    run: async ({ db }) => {
      await loadMany(db);
      const a = db.stream({ sort: [{ path: "n" }] })[Symbol.asyncIterator]();
      const b = db.stream({ sort: [{ path: "n", direction: "desc" }] })[Symbol.asyncIterator]();
      for (let n = 0; n < 1200; n++) {
        same((await a.next()).value?.data["n"], n);
        same((await b.next()).value?.data["n"], size - 1 - n);
      }
      await a.return?.();
      await b.return?.();
    },
  },
  {
    id: "streaming/writing-meanwhile-works-and-no-record-comes-twice",
    indexes,
    run: async ({ db }) => {
      await loadMany(db);
      const seen: string[] = [];
      for await (const { id, data } of db.stream()) {
        seen.push(id);
        if (seen.length % 100 === 0) await db.patch(id, { n: size + (data["n"] as number), touched: true });
        if (seen.length === 150) await db.create({ n: -5 }, { id: "new" });
      }
      const old = seen.filter((id) => id !== "new");
      same(old.length, size, "each record that stayed comes once");
      same(new Set(seen).size, seen.length, "no record comes twice");
      same(await db.count({ where: where("touched", "=", true) }), Math.floor(seen.length / 100));
      same(await db.count(), size + 1);
    },
  },
  {
    id: "streaming/deleting-what-is-streamed-works",
    indexes,
    run: async ({ db }) => {
      await loadMany(db);
      let met = 0;
      let group: string[] = [];
      for await (const { id } of db.stream({ where: where("odd", "=", true) })) {
        met++;
        group.push(id);
        // in groups, for stores that pay for every write
        if (group.length < 50) continue;
        await db.deleteMany(group);
        group = [];
      }
      same(met, size / 2);
      same(await db.count(), size / 2);
      same(await db.count({ where: where("odd", "=", true) }), 0);
    },
  },
  {
    id: "streaming/shows-the-store-as-it-was-when-it-began",
    indexes,
    requires: (capabilities) => capabilities.snapshotStreams,
    run: async ({ db }) => {
      await loadMany(db);
      const iterator = db.stream({ sort: [{ path: "n" }] })[Symbol.asyncIterator]();
      same((await iterator.next()).value?.data["n"], 0);
      await db.updateWhere(where("n", ">", 0), { n: -1 });
      await db.create({ n: 7 }, { id: "new" });
      for (let n = 1; n < size; n++) same((await iterator.next()).value?.data["n"], n);
      same((await iterator.next()).done, true);
    },
    unsupported: async ({ db }) => {
      await loadMany(db);
      const iterator = db.stream()[Symbol.asyncIterator]();
      const ids = [(await iterator.next()).value?.id];
      await db.create({ n: 7 }, { id: "new" });
      for (let step = await iterator.next(); step.done !== true; step = await iterator.next()) ids.push(step.value.id);
      same(ids.filter((id) => id !== "new").length, size);
    },
  },
  {
    id: "streaming/checks-the-query-before-the-first-row",
    run: async ({ db }) => {
      assert.throws(
        () => db.stream({ limit: -1 }),
        (error) => (error as { code?: string }).code === "INVALID_QUERY",
      );
    },
  },
  {
    id: "streaming/write/takes-any-iterable-and-sums-up",
    asyncOnly: true,
    run: async ({ db }) => {
      async function* source(): AsyncGenerator<WriteRecord<never>> {
        for (let n = 0; n < 250; n++) yield { id: `r${n}`, data: { n, at: new Date(n) } as never, metadata: { m: 1n } };
      }
      const progress: number[] = [];
      const summary = await db.write(source(), { batchSize: 100, onProgress: ({ written }) => progress.push(written) });
      same(summary, { read: 250, written: 250, skipped: 0, failed: 0, errors: [] });
      same(progress, [100, 200, 250]);
      same((await db.read("r7"))?.data, { n: 7, at: new Date(7) });
      same((await db.read("r7"))?.metadata, { m: 1n });
      same((await db.write([{ data: {} }, { data: {} }])).written, 2);
      same(await db.count(), 252);
    },
  },
  {
    id: "streaming/write/onConflict",
    asyncOnly: true,
    run: async ({ db }) => {
      const old = await db.create({ n: 0 }, { id: "b" });
      const records = ["a", "b", "c"].map((id) => ({ id, data: { n: 1 } }));
      const skipped = await db.write(records, { onConflict: "skip" });
      same([skipped.read, skipped.written, skipped.skipped, skipped.failed], [3, 2, 1, 0]);
      same(await db.read("b"), old);
      const replaced = await db.write(records, { onConflict: "replace" });
      same([replaced.read, replaced.written, replaced.skipped, replaced.failed], [3, 3, 0, 0]);
      same((await db.read("b"))?.data, { n: 1 });
      const error = await refuses("ALREADY_EXISTS", () => db.write(records));
      const summary = error.details["summary"] as { readonly read: number; readonly failed: number };
      same(summary.failed, 1);
    },
  },
  {
    id: "streaming/write/goes-on-where-onError-says-so",
    asyncOnly: true,
    run: async ({ db }) => {
      await db.create({}, { id: "b" });
      const records: WriteRecord<{ readonly n: number }>[] = [
        { id: "a", data: { n: 1 } },
        { id: "b", data: { n: 2 } },
        { id: "c", data: { n: Number.NaN } },
        { id: "", data: { n: 4 } },
        { id: "e", data: { n: 5 } },
      ];
      const summary = await db.write(records, { onError: () => true });
      same([summary.read, summary.written, summary.skipped, summary.failed], [5, 2, 0, 3]);
      const codes = summary.errors.map(({ index, id, error }) => [index, id, (error as { code?: unknown }).code]);
      same(codes.sort(), [
        [1, "b", "ALREADY_EXISTS"],
        [2, "c", "INVALID_RECORD"],
        [3, "", "INVALID_RECORD"],
      ]);
      same(idSet(await db.search()), ["a", "b", "e"]);
    },
  },
  {
    id: "streaming/write/copies-a-store-into-another",
    asyncOnly: true,
    run: async ({ db, open }) => {
      await loadMany(db);
      const other = await open();
      const summary = await other.write(db.stream());
      same(summary.written, size);
      same(idsOf(await other.search({ limit: 3 })), idsOf(await db.search({ limit: 3 })));
      same((await other.read("r0001"))?.data, (await db.read("r0001"))?.data);
    },
  },
  {
    id: "streaming/write/passes-on-what-the-source-throws",
    asyncOnly: true,
    run: async ({ db }) => {
      const own = new RangeError("mine");
      function* source(): Generator<WriteRecord<never>> {
        yield { id: "a", data: {} as never };
        throw own;
      }
      await assert.rejects(
        () => db.write(source()),
        (error) => error === own,
      );
    },
  },
];
