/** select: the named paths, nested shape kept; the record's own properties stay. */
import { where } from "../query/builder.js";
import type { Case } from "./case.js";
import { collect, same } from "./expect.js";

const data = { a: 1, b: { c: 2n, d: { e: new Date(5), f: null } }, "x.y": [1, { z: 2n }], id: "inner" };

export const projectionCases: readonly Case[] = [
  {
    id: "projection/keeps-the-named-paths-in-their-shape",
    indexes: [{ path: "a" }],
    run: async ({ db }) => {
      const stored = await db.create(data, { id: "r", metadata: { m: 1n } });
      const select = async (...paths: readonly (string | readonly string[])[]): Promise<unknown> =>
        (await db.search({ where: where("a", "=", 1), select: paths }))[0]?.data;
      same(await select("a"), { a: 1 });
      same(await select("b.c"), { b: { c: 2n } });
      same(await select("b.d.e", "a"), { a: 1, b: { d: { e: new Date(5) } } });
      same(await select("b"), { b: data.b });
      same(await select("b", "b.c"), { b: data.b });
      same(await select("b.d.f"), { b: { d: { f: null } } });
      same(await select("x\\.y"), { "x.y": data["x.y"] });
      same(await select(["x.y"]), { "x.y": data["x.y"] });
      same(await select("data.id"), { id: "inner" });
      same(await select("data"), data);
      same(await select("data.b.c", "a"), { a: 1, b: { c: 2n } });
      same((await db.read("r"))?.data, stored.data);
    },
  },
  {
    id: "projection/unknown-paths-are-left-out",
    run: async ({ db }) => {
      await db.create(data, { id: "r" });
      const select = async (...paths: readonly string[]): Promise<unknown> =>
        (await db.search({ select: paths }))[0]?.data;
      same(await select("nope"), {});
      same(await select("a.b", "b.nope", "a"), { a: 1 });
      same(await select("toString", "b.constructor"), {});
      same(await select("x\\.y.0"), {});
    },
  },
  {
    id: "projection/of-nothing-keeps-the-record-without-data",
    run: async ({ db }) => {
      const stored = await db.create(data, { id: "r", metadata: { m: 1n } });
      same(await db.search({ select: [] }), [{ ...stored, data: {} }]);
    },
  },
  {
    id: "projection/id-metadata-version-and-times-stay",
    run: async ({ db }) => {
      const stored = await db.create(data, { id: "r", metadata: { m: new Date(7), k: { l: 1n } } });
      same(await db.search({ select: ["a"] }), [{ ...stored, data: { a: 1 } }]);
      same(await db.search({ select: ["id", "metadata.m"] }), [{ ...stored, data: {} }]);
    },
  },
  {
    id: "projection/does-not-limit-what-is-filtered-sorted-or-matched",
    indexes: [{ path: "n" }],
    run: async ({ db }) => {
      await db.createMany([
        { id: "a", data: { n: 2, t: "red fox", o: { p: 1 } } },
        { id: "b", data: { n: 1, t: "red hen" } },
        { id: "c", data: { n: 3, t: "blue" } },
      ]);
      const match = { text: "red", fields: ["t"] };
      const found = await db.search({ where: where("n", ">", 0), match, sort: [{ path: "n" }], select: ["o.p"] });
      same(
        found.map(({ id, data: rest }) => [id, rest]),
        [
          ["b", {}],
          ["a", { o: { p: 1 } }],
        ],
      );
      const streamed = await collect(db.stream({ where: where("n", "!=", 3), sort: [{ path: "n" }], select: ["n"] }));
      same(
        streamed.map(({ data: rest }) => rest),
        [{ n: 1 }, { n: 2 }],
      );
    },
  },
];
