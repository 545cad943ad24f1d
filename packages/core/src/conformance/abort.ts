/** AbortSignal and timeout: an aborted call does nothing, a call under way ends soon, and the store stays usable. */
import assert from "node:assert/strict";
import type { CallOptions } from "../database/session.js";
import { where } from "../query/builder.js";
import type { Case } from "./case.js";
import { collect, idSet, refuses, same } from "./expect.js";
import type { TestDatabase } from "./session.js";
import { refusesTransactions } from "./transactions.js";

const aborted: { readonly [name: string]: (db: TestDatabase, options: CallOptions) => unknown } = {
  create: (db, options) => db.create({ n: 9 }, { id: "z", ...options }),
  read: (db, options) => db.read("a", options),
  readMany: (db, options) => db.readMany(["a"], options),
  update: (db, options) => db.update("a", { n: 9 }, options),
  patch: (db, options) => db.patch("a", { n: 9 }, options),
  upsert: (db, options) => db.upsert("a", { n: 9 }, options),
  delete: (db, options) => db.delete("a", options),
  createMany: (db, options) => db.createMany([{ id: "z", data: {} }], options),
  upsertMany: (db, options) => db.upsertMany([{ id: "a", data: {} }], options),
  updateMany: (db, options) => db.updateMany([{ id: "a", data: {} }], options),
  deleteMany: (db, options) => db.deleteMany(["a"], options),
  updateWhere: (db, options) => db.updateWhere(where("n", "=", 1), { n: 9 }, options),
  deleteWhere: (db, options) => db.deleteWhere(where("n", "=", 1), options),
  clear: (db, options) => db.clear(options),
  search: (db, options) => db.search({}, options),
  first: (db, options) => db.first({}, options),
  count: (db, options) => db.count({}, options),
  page: (db, options) => db.page({}, options),
  aggregate: (db, options) => db.aggregate({ select: { n: { fn: "count" } } }, options),
  stream: (db, options) => collect(db.stream({}, options)),
  write: (db, options) => db.write([{ id: "z", data: {} }], options),
  buffered: (db, options) => db.transaction(async (tx) => tx.create({}, { id: "z" }), { mode: "buffered", ...options }),
};

export const abortCases: readonly Case[] = [
  ...Object.entries(aborted).map(
    ([name, call]): Case => ({
      id: `abort/before/${name}-does-nothing`,
      asyncOnly: true,
      run: async ({ db }) => {
        const before = await db.create({ n: 1 }, { id: "a" });
        const reason = new Error("why");
        const error = await refuses("ABORTED", () => call(db, { signal: AbortSignal.abort(reason) }));
        same(error.cause === reason, true, "the signal's reason is the cause");
        same(await db.search(), [before]);
      },
    }),
  ),
  {
    id: "abort/a-stream-ends-and-the-store-stays-usable",
    asyncOnly: true,
    run: async ({ db }) => {
      await db.createMany(Array.from({ length: 5000 }, (_, n) => ({ data: { n } })));
      const controller = new AbortController();
      let seen = 0;
      await refuses("ABORTED", async () => {
        for await (const _ of db.stream({}, { signal: controller.signal })) {
          if (++seen === 10) controller.abort();
        }
      });
      assert.ok(seen < 5000, "the stream ran to its end");
      same(await db.count(), 5000);
      await db.create({}, { id: "after" });
    },
  },
  {
    id: "abort/a-transaction-is-rolled-back",
    asyncOnly: true,
    requires: (capabilities) => capabilities.transactions === "interactive",
    unsupported: refusesTransactions,
    run: async ({ db }) => {
      await db.create({ n: 0 }, { id: "a" });
      const controller = new AbortController();
      await refuses("ABORTED", () =>
        db.transaction(
          async (tx) => {
            await tx.update("a", { n: 1 });
            controller.abort();
            await new Promise((resolve) => setTimeout(resolve, 5));
            await tx.create({}, { id: "b" });
          },
          { signal: controller.signal },
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
      same(
        (await db.search()).map(({ id, data }) => [id, data]),
        [["a", { n: 0 }]],
      );
      await db.create({}, { id: "c" });
    },
  },
  {
    id: "abort/write-stops-reading-its-source",
    asyncOnly: true,
    run: async ({ db }) => {
      const controller = new AbortController();
      let read = 0;
      let ended = false;
      async function* source(): AsyncGenerator<{ readonly data: never }> {
        try {
          for (;;) {
            if (++read === 50) controller.abort();
            yield { data: { read } as never };
          }
        } finally {
          ended = true;
        }
      }
      await refuses("ABORTED", () => db.write(source(), { signal: controller.signal, batchSize: 10 }));
      assert.ok(read < 1000 && ended, "the source was read on");
      assert.ok((await db.count()) <= 50);
    },
  },
  {
    id: "abort/a-timeout-is-TIMEOUT-and-retryable",
    asyncOnly: true,
    run: async ({ db }) => {
      async function* slow(): AsyncGenerator<{ readonly data: never }> {
        for (;;) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          yield { data: {} as never };
        }
      }
      const error = await refuses("TIMEOUT", () => db.write(slow(), { timeout: 30 }));
      same(error.retryable, true);
      same((await db.search({}, { timeout: 60_000 })).length, await db.count());
    },
  },
  {
    id: "abort/a-signal-that-never-fires-changes-nothing",
    asyncOnly: true,
    run: async ({ db }) => {
      const { signal } = new AbortController();
      await db.create({ n: 1 }, { id: "a", signal, timeout: 60_000 });
      same(idSet(await db.search({}, { signal })), ["a"]);
      same(idSet(await collect(db.stream({}, { signal }))), ["a"]);
    },
  },
];
