/** Declared indexes change speed, never answers; and they can be planned and changed on a live store. */
import type { IndexDeclaration } from "../database/indexes.js";
import type { Query } from "../query/ast.js";
import { where } from "../query/builder.js";
import type { Value } from "../record/values.js";
import type { Case } from "./case.js";
import { idSet, idsOf, same } from "./expect.js";
import { truthFields, truthNames, truthTable } from "./truth.js";

const typed: readonly IndexDeclaration["type"][] = [
  "string",
  "number",
  "integer",
  "boolean",
  "date",
  "bigint",
  "bytes",
];

export const indexCases: readonly Case[] = [
  ...typed.map(
    (type): Case => ({
      id: `indexes/a-field-declared-${type}-still-holds-and-finds-every-class`,
      run: async ({ open }) => {
        const db = await open({ indexes: [{ path: "v", ...(type !== undefined && { type }) }] });
        await db.createMany(truthNames.map((name) => ({ id: name, data: truthFields(name) })));
        for (const { op, operand, holds } of truthTable) {
          const condition = where("v", op, operand);
          same(idSet(await db.search({ where: condition })), [...holds].sort(), JSON.stringify(condition));
        }
        const order = idsOf(await db.search({ sort: [{ path: "v" }, { path: "id" }] }));
        same(order.slice(0, 4), ["missing", "null", "false", "true"]);
        same(order.slice(-3), ["blank", "nullField", "object"]);
        for (const name of truthNames) same((await db.read(name))?.data, truthFields(name));
      },
    }),
  ),
  {
    id: "indexes/on-nested-and-metadata-fields",
    run: async ({ open }) => {
      const db = await open({
        indexes: [{ path: "o.p.q" }, { path: "metadata.m" }, { path: ["a.b"] }, { path: "data.id" }],
      });
      await db.create({ o: { p: { q: 1 } }, "a.b": 2, id: "x" }, { id: "a", metadata: { m: 5n } });
      await db.create({ o: { p: 7 }, a: { b: 2 } }, { id: "b", metadata: { m: "5" } });
      const queries: readonly (readonly [Query, readonly string[]])[] = [
        [{ where: where("o.p.q", "=", 1) }, ["a"]],
        [{ where: where("o.p.q", "not_exists") }, ["b"]],
        [{ where: where("metadata.m", "=", 5n) }, ["a"]],
        [{ where: where("metadata.m", "=", "5") }, ["b"]],
        [{ where: where(["a.b"], "=", 2) }, ["a"]],
        [{ where: where("a.b", "=", 2) }, ["b"]],
        [{ where: where("data.id", "=", "x") }, ["a"]],
      ];
      for (const [query, ids] of queries) same(idSet(await db.search(query)), ids, JSON.stringify(query));
    },
  },
  {
    id: "indexes/the-same-declaration-twice-is-one",
    run: async ({ open }) => {
      const db = await open({ indexes: [{ path: "v" }, { path: "v" }, { path: "data.v" }, { path: "v", text: true }] });
      await db.create({ v: "red" }, { id: "a" });
      same(idSet(await db.search({ where: where("v", "=", "red") })), ["a"]);
      same(idSet(await db.search({ match: { text: "red" } })), ["a"]);
    },
  },
  {
    id: "indexes/a-list-field-is-found-as-a-whole-and-by-element",
    run: async ({ open }) => {
      const db = await open({ indexes: [{ path: "v" }] });
      const lists: readonly Value[] = [["x", "y"], ["x"], "x", [["x"]], [], null];
      await db.createMany(lists.map((v, n) => ({ id: `r${n}`, data: { v } })));
      const find = async (query: Query): Promise<string[]> => idSet(await db.search(query));
      same(await find({ where: where("v", "=", ["x"]) }), ["r1"]);
      same(await find({ where: where("v", "=", "x") }), ["r2"]);
      same(await find({ where: where("v", "contains", "x") }), ["r0", "r1"]);
      same(await find({ where: where("v", "contains", ["x"]) }), ["r3"]);
      same(await find({ where: where("v", "overlaps", ["y", "z"]) }), ["r0"]);
      same(await find({ where: where("v", "in", [["x"], "x"]) }), ["r1", "r2"]);
    },
  },
  {
    id: "indexes/very-long-values-can-be-stored-and-found",
    run: async ({ open }) => {
      const db = await open({ indexes: [{ path: "v" }, { path: "t", text: true }] });
      const long = "é".repeat(20_000);
      await db.createMany([
        { id: "a", data: { v: long, t: long } },
        { id: "b", data: { v: `${long}x`, t: "x" } },
      ]);
      same(idSet(await db.search({ where: where("v", "=", long) })), ["a"]);
      same(idSet(await db.search({ where: where("v", ">", long) })), ["b"]);
      same(idsOf(await db.search({ sort: [{ path: "v", direction: "desc" }] })), ["b", "a"]);
    },
  },
];
