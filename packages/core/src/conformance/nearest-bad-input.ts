/** What no store takes of vectors: questions, declarations and vectors that do not fit. */
import { where } from "../query/builder.js";
import type { Case } from "./case.js";
import { load } from "./conditions.js";
import { idSet, refuses, same } from "./expect.js";
import { compass, gives, indexed, vector } from "./nearest.js";

const metric = "cosine";
const cosine = [indexed(metric)];

export const nearestBadInputCases: readonly Case[] = [
  {
    id: "nearest/refuses-bad-questions",
    run: async ({ open }) => {
      const db = await open({ indexes: cosine });
      await load(db, compass);
      const good = { path: "e", vector: [1, 0], k: 3 };
      await gives(db, { nearest: good }, ["a", "b", "c"]);
      const bad: readonly unknown[] = [
        { ...good, k: 0 },
        { ...good, k: 1.5 },
        { ...good, k: undefined },
        { ...good, vector: [1] },
        { ...good, vector: [1, 0, 0] },
        { ...good, vector: [] },
        { ...good, vector: [0, 0] },
        { ...good, vector: [1, Number.NaN] },
        { ...good, vector: [1, Number.POSITIVE_INFINITY] },
        { ...good, vector: [1, 1e39] },
        { ...good, vector: [1, "0"] },
        { ...good, vector: "10" },
        { ...good, metric: "manhattan" },
        { ...good, minScore: "high" },
        { ...good, minScore: Number.NaN },
        { ...good, exact: 1 },
        { ...good, path: "id" },
        { ...good, path: "createdAt" },
        { ...good, path: "other" },
        { ...good, limit: 3 },
        [],
        "e",
      ];
      for (const nearest of bad) await refuses("INVALID_QUERY", () => db.search({ nearest } as never));
      await refuses("INVALID_QUERY", () => db.page({ nearest: good, limit: 2 }));
      await refuses("INVALID_QUERY", () => db.search({ nearest: good, fusion: {} }));
      const both = { nearest: good, match: { text: "red", fields: ["t"] } };
      for (const fusion of [{ by: "luck" }, { k: -1 }, { by: "score", k: 1 }, { weights: { match: -1 } }, { w: 1 }]) {
        await refuses("INVALID_QUERY", () => db.search({ ...both, fusion } as never));
      }
    },
  },
  {
    id: "nearest/refuses-vectors-that-do-not-fit-the-declaration",
    run: async ({ open }) => {
      const db = await open({ indexes: [...cosine, indexed("dot", 3, "metadata.m")] });
      await db.create({ e: vector(1, 0) }, { id: "a" });
      const bad = [vector(1), vector(1, 0, 0), vector(), vector(0, 0), vector(-0, 0)];
      for (const e of bad) {
        await refuses("INVALID_RECORD", () => db.create({ e }));
        await refuses("INVALID_RECORD", () => db.createMany([{ data: { e: vector(1, 1) } }, { data: { e } }]));
        await refuses("INVALID_RECORD", () => db.upsert("a", { e }));
        await refuses("INVALID_RECORD", () => db.update("a", { e }));
        await refuses("INVALID_RECORD", () => db.patch("a", { e }));
        await refuses("INVALID_RECORD", () => db.updateWhere(where("id", "=", "a"), { e }));
      }
      await refuses("INVALID_RECORD", () => db.create({}, { metadata: { m: vector(1) } }));
      await db.create({}, { id: "b", metadata: { m: vector(0, 0, 0) } });
      same(idSet(await db.search()), ["a", "b"]);
      same((await db.read("a"))?.data, { e: vector(1, 0) });
    },
  },
  {
    id: "nearest/refuses-bad-declarations",
    run: async ({ open }) => {
      const bad: readonly unknown[] = [
        { dimensions: 0, metric },
        { dimensions: 1.5, metric },
        { dimensions: 100_000, metric },
        { dimensions: 2 },
        { dimensions: 2, metric: "l1" },
        { dimensions: 2, metric, index: "btree" },
        { dimensions: 2, metric, size: 2 },
        "cosine",
      ];
      for (const given of bad)
        await refuses("INVALID_CONFIG", () => open({ indexes: [{ path: "e", vector: given }] as never }));
      const given = { dimensions: 2, metric } as const;
      for (const more of [{ unique: true }, { text: true }, { type: "number" }] as const) {
        await refuses("INVALID_CONFIG", () => open({ indexes: [{ path: "e", vector: given, ...more }] }));
      }
      const twice = [indexed("cosine"), indexed("dot")];
      await refuses("INVALID_CONFIG", () => open({ indexes: twice }));
      await (await open({ indexes: [indexed("cosine"), indexed("cosine")] })).count();
    },
  },
];
