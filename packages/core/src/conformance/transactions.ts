/** Transactions of the engine: seen together or not at all, reads see own writes, a throw undoes all. */
import assert from "node:assert/strict";
import { count } from "../aggregate/functions.js";
import type { Capabilities } from "../backend/spi.js";
import { where } from "../query/builder.js";
import type { StoredRecord } from "../record/stored.js";
import type { Case } from "./case.js";
import { idSet, idsOf, refuses, same } from "./expect.js";
import type { Session } from "./session.js";

const requires = ({ transactions }: Capabilities): boolean => transactions === "interactive";
const indexes = [{ path: "n" }] as const;

/** The twin: the body does not even begin. */
export async function refusesTransactions({ db, transact, capabilities, open }: Session): Promise<void> {
  if (capabilities.transactions === "interactive") {
    // it is the unique index that is lacking
    await refuses("UNSUPPORTED", () => open({ indexes: [{ path: "e", unique: true }] }));
    return;
  }
  const before = await db.create({ n: 0 }, { id: "a" });
  let begun = false;
  await refuses("UNSUPPORTED", () =>
    transact(db, function* (tx) {
      begun = true;
      yield tx.create({ n: 1 }, { id: "b" });
    }),
  );
  same(begun, false);
  same(await db.search(), [before]);
}

const supported: readonly Case[] = [
  {
    id: "transactions/commit-together-and-give-the-bodys-result",
    requires,
    indexes,
    run: async ({ db, transact }) => {
      const result = await transact(db, function* (tx) {
        yield tx.create({ n: 1 }, { id: "a" });
        yield tx.create({ n: 2 }, { id: "b" });
        return "done";
      });
      same(result, "done");
      same(idSet(await db.search()), ["a", "b"]);
      same(idsOf(await db.search({ where: where("n", "=", 2) })), ["b"]);
    },
  },
  {
    id: "transactions/a-throw-undoes-all-and-is-passed-on",
    requires,
    indexes,
    run: async ({ db, transact }) => {
      const before = await transact(db, function* (tx) {
        return (yield tx.createMany([
          { id: "a", data: { n: 1 } },
          { id: "b", data: { n: 2 } },
        ])) as StoredRecord[];
      });
      const own = new RangeError("mine");
      await assert.rejects(
        () =>
          transact(db, function* (tx) {
            yield tx.create({ n: 3 }, { id: "c" });
            yield tx.update("a", { n: 9 }, { metadata: { m: 1 } });
            yield tx.delete("b");
            yield tx.updateWhere(where("n", ">", 0), { n: 7 });
            throw own;
          }),
        (error) => error === own,
      );
      same(await db.search({ sort: [{ path: "id" }] }), before);
      same(idSet(await db.search({ where: where("n", "in", [3, 7, 9]) })), []);
    },
  },
  {
    id: "transactions/reads-and-queries-see-own-writes",
    requires,
    indexes,
    run: async ({ db, transact }) => {
      await transact(db, function* (tx) {
        yield tx.create({ n: 1 }, { id: "a" });
        yield tx.createMany([
          { id: "b", data: { n: 2 } },
          { id: "c", data: { n: 3 } },
        ]);
        yield tx.patch("a", { n: 10 });
        yield tx.delete("b");
        same(((yield tx.read("a")) as StoredRecord).data, { n: 10 });
        same(yield tx.read("b"), undefined);
        same(yield tx.exists("c"), true);
        same(idsOf((yield tx.search({ sort: [{ path: "n", direction: "desc" }] })) as StoredRecord[]), ["a", "c"]);
        same(idsOf((yield tx.search({ where: where("n", "=", 10) })) as StoredRecord[]), ["a"]);
        same(yield tx.count({ where: where("n", "<", 10) }), 1);
        same(yield tx.aggregate({ select: { n: count() } }), [{ n: 2 }]);
        same(yield tx.deleteWhere(where("n", "=", 3)), 1);
        same(yield tx.count(), 1);
      });
      same(idSet(await db.search()), ["a"]);
    },
  },
  {
    id: "transactions/others-see-nothing-before-the-commit",
    requires,
    indexes,
    asyncOnly: true,
    run: async ({ db }) => {
      await db.create({ n: 0 }, { id: "a" });
      await db.transaction(async (tx) => {
        await tx.update("a", { n: 1 });
        await tx.create({ n: 2 }, { id: "b" });
        same((await db.read("a"))?.data, { n: 0 });
        same(await db.exists("b"), false);
        same(await db.count({ where: where("n", ">", 0) }), 0);
      });
      same(await db.count({ where: where("n", ">", 0) }), 2);
    },
  },
  {
    id: "transactions/a-refused-write-can-be-caught-inside",
    requires,
    run: async ({ db, transact }) => {
      await db.create({ n: 0 }, { id: "a" });
      await transact(db, function* (tx) {
        let code = "";
        try {
          yield tx.create({ n: 1 }, { id: "a" });
        } catch (error) {
          ({ code } = error as { code: string });
        }
        same(code, "ALREADY_EXISTS");
        yield tx.create({ n: 2 }, { id: "b" });
      });
      same(idSet(await db.search()), ["a", "b"]);
      same((await db.read("a"))?.data, { n: 0 });
    },
  },
  {
    id: "transactions/a-refused-write-not-caught-undoes-all",
    requires,
    run: async ({ db, transact }) => {
      await db.create({ n: 0 }, { id: "a" });
      await refuses("ALREADY_EXISTS", () =>
        transact(db, function* (tx) {
          yield tx.create({ n: 2 }, { id: "b" });
          yield tx.create({ n: 1 }, { id: "a" });
        }),
      );
      same(idSet(await db.search()), ["a"]);
    },
  },
  {
    id: "transactions/versions-inside-are-those-outside",
    requires,
    run: async ({ db, transact }) => {
      const { version } = await db.create({ n: 0 }, { id: "a" });
      const inside = await transact(db, function* (tx) {
        return (yield tx.update("a", { n: 1 }, { ifVersion: version })) as StoredRecord;
      });
      same(await db.read("a"), inside);
      await refuses("VERSION_CONFLICT", () =>
        transact(db, function* (tx) {
          yield tx.update("a", { n: 2 }, { ifVersion: version });
        }),
      );
      same(await db.read("a"), inside);
    },
  },
  {
    id: "transactions/clear-inside-can-be-undone",
    requires,
    run: async ({ db, transact }) => {
      await db.createMany([{ data: { n: 1 } }, { data: { n: 2 } }]);
      await assert.rejects(() =>
        transact(db, function* (tx) {
          same(yield tx.clear(), 2);
          same(yield tx.count(), 0);
          throw new Error("undo");
        }),
      );
      same(await db.count(), 2);
    },
  },
  {
    id: "transactions/the-database-works-after-a-rollback",
    requires,
    run: async ({ db, transact }) => {
      for (let round = 0; round < 3; round++) {
        await assert.rejects(() =>
          transact(db, function* (tx) {
            yield tx.create({ n: 1 }, { id: "a" });
            throw new Error("undo");
          }),
        );
      }
      await db.create({ n: 1 }, { id: "a" });
      await transact(db, function* (tx) {
        yield tx.create({ n: 2 }, { id: "b" });
      });
      same(await db.count(), 2);
    },
  },
  {
    id: "transactions/the-argument-is-of-no-use-after-the-end",
    requires,
    run: async ({ db, transact }) => {
      const kept = await transact(db, function* (tx) {
        yield tx.create({ n: 1 }, { id: "a" });
        return () => tx.create({ n: 2 }, { id: "b" });
      });
      await refuses("NOT_OPEN", kept);
      same(idSet(await db.search()), ["a"]);
    },
  },
  {
    id: "transactions/a-write-to-the-database-inside-does-not-hang",
    requires,
    asyncOnly: true,
    run: async ({ db }) => {
      let code: unknown;
      await db
        .transaction(async (tx) => {
          await tx.create({}, { id: "inside" });
          await db.create({}, { id: "outside", timeout: 2000 }).catch((error: { code: unknown }) => {
            ({ code } = error);
          });
        })
        .catch((error: unknown) => assert.equal((error as { code?: unknown }).code, "TIMEOUT"));
      assert.ok(code === "UNSUPPORTED" || code === "TIMEOUT", `an outer write inside gave ${String(code)}`);
      same(await db.exists("outside"), false);
    },
  },
  {
    id: "transactions/a-write-outside-never-slips-in",
    requires,
    asyncOnly: true,
    run: async ({ db }) => {
      await db.create({ n: 0 }, { id: "a" });
      let begun = (): void => undefined;
      const inTheMiddle = new Promise<void>((resolve) => {
        begun = resolve;
      });
      const whole = db.transaction(async (tx) => {
        await tx.create({}, { id: "inside" });
        begun();
        await new Promise((resolve) => setTimeout(resolve, 20));
        throw new Error("undo");
      });
      await inTheMiddle;
      const outside = db.create({}, { id: "outside" });
      await assert.rejects(whole);
      await outside;
      same(idSet(await db.search()), ["a", "outside"]);
    },
  },
  {
    id: "transactions/racing-increments-lose-none",
    requires,
    asyncOnly: true,
    run: async ({ db }) => {
      await db.create({ n: 0 }, { id: "a" });
      const increment = (): Promise<unknown> =>
        db.transaction(
          async (tx) => {
            const { data } = (await tx.read("a")) as StoredRecord;
            await tx.update("a", { n: (data["n"] as number) + 1 });
          },
          { retries: 50 },
        );
      await Promise.all(Array.from({ length: 8 }, increment));
      same((await db.read("a"))?.data, { n: 8 });
    },
  },
  {
    id: "transactions/a-lost-race-is-CONFLICT-and-retryable",
    requires,
    asyncOnly: true,
    run: async ({ db }) => {
      await db.create({ n: 0 }, { id: "a" });
      const ends = await Promise.allSettled(
        [1, 2].map((n) =>
          db.transaction(async (tx) => {
            await tx.read("a");
            await new Promise((resolve) => setTimeout(resolve, 10));
            await tx.update("a", { n });
          }),
        ),
      );
      const errors = ends.flatMap((end) =>
        end.status === "rejected" ? [end.reason as { code: string; retryable: boolean }] : [],
      );
      assert.ok(errors.length < 2, "both lost");
      for (const { code, retryable } of errors) same([code, retryable], ["CONFLICT", true]);
    },
  },
  {
    id: "transactions/unique-indexes-hold-inside",
    requires: (capabilities) => requires(capabilities) && capabilities.unique,
    run: async ({ open, transact }) => {
      const db = await open({ indexes: [{ path: "e", unique: true }] });
      await db.create({ e: 1 }, { id: "a" });
      await refuses("ALREADY_EXISTS", () =>
        transact(db, function* (tx) {
          yield tx.create({ e: 2 }, { id: "b" });
          yield tx.create({ e: 1 }, { id: "c" });
        }),
      );
      same(idSet(await db.search()), ["a"]);
      await transact(db, function* (tx) {
        yield tx.delete("a");
        yield tx.create({ e: 1 }, { id: "d" });
      });
      same(idSet(await db.search({ where: where("e", "=", 1) })), ["d"]);
    },
  },
  {
    id: "transactions/streams-inside-end-with-it",
    requires,
    asyncOnly: true,
    run: async ({ db }) => {
      await db.createMany(Array.from({ length: 20 }, (_, n) => ({ data: { n } })));
      const seen: unknown[] = [];
      const iterator = await db.transaction(async (tx) => {
        const rows = tx.stream({ sort: [{ path: "n" }] })[Symbol.asyncIterator]();
        seen.push((await rows.next()).value?.data["n"]);
        return rows;
      });
      same(seen, [0]);
      await assert.rejects(async () => {
        for (let n = 0; n < 25; n++) if ((await iterator.next()).done === true) throw new Error("ended");
      });
      same(await db.count(), 20);
    },
  },
  {
    id: "transactions/an-unknown-mode-is-refused",
    asyncOnly: true,
    run: async ({ db }) => {
      const mode = "serial" as "buffered";
      await assert.rejects(() => db.transaction(async (tx) => tx.create({}), { mode }));
      same(await db.count(), 0);
    },
  },
];

export const transactionCases: readonly Case[] = supported.map((one) =>
  one.requires === undefined ? one : { ...one, unsupported: refusesTransactions },
);
