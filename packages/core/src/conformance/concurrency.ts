/** Races: what is atomic stays so when many call at once. */
import { where } from "../query/builder.js";
import type { Case } from "./case.js";
import { idSet, idsOf, same } from "./expect.js";

const ten = Array.from({ length: 10 }, (_, n) => n);

export const concurrencyCases: readonly Case[] = [
  {
    id: "concurrency/of-ten-creates-with-one-id-one-wins",
    run: async ({ db }) => {
      const ends = await Promise.allSettled(ten.map((n) => db.create({ n }, { id: "a" })));
      const winners = ends.flatMap((end, n) => (end.status === "fulfilled" ? [n] : []));
      same(winners.length, 1);
      for (const end of ends) {
        if (end.status === "rejected") same((end.reason as { code?: unknown }).code, "ALREADY_EXISTS");
      }
      same(
        (await db.search()).map(({ data }) => data),
        [{ n: winners[0] }],
      );
    },
  },
  {
    id: "concurrency/ten-upserts-of-one-id-all-succeed",
    run: async ({ db }) => {
      const records = await Promise.all(ten.map((n) => db.upsert("a", { n })));
      same(new Set(records.map(({ version }) => version)).size, 10);
      same(new Set(records.map(({ createdAt }) => createdAt.getTime())).size, 1, "one createdAt");
      const stored = await db.read("a");
      same(
        records.some(({ version }) => version === stored?.version),
        true,
      );
      same(await db.count(), 1);
    },
  },
  {
    id: "concurrency/patches-of-different-fields-all-stay",
    run: async ({ db }) => {
      await db.create({}, { id: "a" });
      await Promise.all(ten.map((n) => db.patch("a", { [`f${n}`]: n })));
      same((await db.read("a"))?.data, Object.fromEntries(ten.map((n) => [`f${n}`, n])));
    },
  },
  {
    id: "concurrency/one-of-ten-deletes-says-true",
    run: async ({ db }) => {
      await db.create({}, { id: "a" });
      const gone = await Promise.all(ten.map(() => db.delete("a")));
      same(gone.filter(Boolean).length, 1);
    },
  },
  {
    id: "concurrency/compare-and-set-loops-lose-no-increment",
    run: async ({ db }) => {
      await db.create({ n: 0 }, { id: "a" });
      const increment = async (): Promise<void> => {
        for (;;) {
          const record = await db.read("a");
          try {
            await db.update("a", { n: (record?.data["n"] as number) + 1 }, { ifVersion: record?.version });
            return;
          } catch (error) {
            if ((error as { code?: unknown }).code !== "VERSION_CONFLICT") throw error;
          }
        }
      };
      await Promise.all(ten.map(increment));
      same((await db.read("a"))?.data, { n: 10 });
    },
  },
  {
    id: "concurrency/updateWhere-and-writes-mix",
    indexes: [{ path: "n" }],
    run: async ({ db }) => {
      await db.createMany(Array.from({ length: 100 }, (_, n) => ({ id: `r${n}`, data: { n, hits: 0 } })));
      await Promise.all([
        db.updateWhere(where("n", ">=", 0), { seen: true }),
        ...ten.map((n) => db.patch(`r${n}`, { hits: 1 })),
        ...ten.map((n) => db.create({ n: 1000 + n, seen: true }, { id: `new${n}` })),
      ]);
      same(await db.count({ where: where("seen", "=", true) }), 110);
      same(await db.count({ where: where("hits", "=", 1) }), 10);
      same(await db.count(), 110);
    },
  },
  {
    id: "concurrency/readers-never-see-half-a-batch",
    requires: (capabilities) => capabilities.atomicBatch,
    run: async ({ db }) => {
      await db.createMany(ten.map((n) => ({ id: `r${n}`, data: { round: 0 } })));
      const writer = (async () => {
        for (let round = 1; round <= 20; round++) {
          await db.updateMany(ten.map((n) => ({ id: `r${n}`, data: { round } })));
        }
      })();
      for (let look = 0; look < 40; look++) {
        const rounds = new Set((await db.search()).map(({ data }) => data["round"]));
        same(rounds.size, 1, "rounds seen at once");
      }
      await writer;
      same(await db.count({ where: where("round", "=", 20) }), 10);
    },
    unsupported: async ({ db }) => {
      await db.createMany(ten.map((n) => ({ id: `r${n}`, data: { round: 0 } })));
      same(await db.count(), 10);
    },
  },
  {
    id: "concurrency/reads-and-queries-beside-writes-stay-whole",
    indexes: [{ path: "n" }],
    run: async ({ db }) => {
      await db.createMany(Array.from({ length: 50 }, (_, n) => ({ id: `r${n}`, data: { n, twin: n } })));
      const work = Array.from({ length: 60 }, (_, k) => async () => {
        if (k % 3 === 0) await db.update(`r${k % 50}`, { n: 1000 + k, twin: 1000 + k });
        else if (k % 3 === 1) {
          for (const { data } of await db.search({ where: where("n", ">=", 0) })) same(data["n"], data["twin"]);
        } else same((await db.read(`r${k % 50}`))?.id, `r${k % 50}`);
      });
      await Promise.all(work.map((call) => call()));
      same(idSet(await db.search()).length, 50);
      same(idsOf(await db.search({ sort: [{ path: "n" }] })).length, 50);
    },
  },
];
