/** explain: pure, one entry per clause, and true. */
import assert from "node:assert/strict";
import { operators, type Query } from "../query/ast.js";
import { and, not, or, where } from "../query/builder.js";
import type { Case } from "./case.js";
import { idSet, refuses, same } from "./expect.js";
import { truthFields, truthNames, truthTable } from "./truth.js";

const indexes = [{ path: "v" }, { path: "t", text: true }] as const;

export const explainCases: readonly Case[] = [
  ...operators.map(
    (op): Case => ({
      id: `explain/operator/${op}`,
      indexes,
      run: async ({ db }) => {
        for (const { operand } of truthTable.filter((row) => row.op === op)) {
          const condition = where("v", op, operand);
          const plan = db.explain({ where: condition });
          const clauses = plan.clauses.filter(({ clause }) => clause === condition);
          same(clauses.length, 1, "entries of the clause");
          for (const { how, why } of clauses) {
            assert.ok(how === "pushed" || how === "emulated");
            if (how === "emulated") assert.ok(typeof why === "string" && why !== "", "an emulated clause says why");
          }
          same(
            plan.emulated,
            clauses.some(({ how }) => how === "emulated"),
          );
        }
      },
    }),
  ),
  {
    id: "explain/names-every-clause-once",
    indexes,
    run: async ({ db }) => {
      const parts = [where("v", ">", 1), where("w", "!=", "x"), where("t", "like", "a%"), where("v", "not_in", [1])];
      const [a, b, c, d] = parts as [(typeof parts)[0], (typeof parts)[0], (typeof parts)[0], (typeof parts)[0]];
      const plan = db.explain({ where: and(or(a, not(b)), c, not(d)) });
      same(
        plan.clauses.map(({ clause }) => clause),
        parts,
      );
    },
  },
  {
    id: "explain/says-what-is-emulated-as-residual-error-refuses-it",
    indexes,
    run: async ({ db }) => {
      await db.createMany(truthNames.map((name) => ({ id: name, data: truthFields(name) })));
      for (const { op, operand, holds } of truthTable) {
        const query: Query = { where: where("v", op, operand), residual: "error" };
        if (db.explain(query).emulated) await refuses("UNSUPPORTED", () => db.search(query));
        else same(idSet(await db.search(query)), [...holds].sort());
      }
    },
  },
  {
    id: "explain/residual-error-refuses-an-emulated-sort-and-match",
    indexes,
    run: async ({ db }) => {
      const queries: readonly Query[] = [
        { sort: [{ path: "v" }] },
        { sort: [{ path: "w" }], limit: 3 },
        { match: { text: "a", fields: ["t"] } },
        { match: { text: "a", fields: ["other"] } },
      ];
      for (const query of queries) {
        const plan = db.explain(query);
        const emulated = plan.sort.how === "emulated" || plan.match.how === "emulated";
        same(plan.emulated, emulated, JSON.stringify(query));
        if (emulated) await refuses("UNSUPPORTED", () => db.search({ ...query, residual: "error" }));
        else same(await db.search({ ...query, residual: "error" }), []);
      }
    },
  },
  {
    id: "explain/a-database-may-refuse-in-memory-work",
    run: async ({ open }) => {
      const db = await open({ residual: "error" });
      const query: Query = { where: where("v", "regex", "a"), sort: [{ path: "w" }] };
      if (db.explain(query).emulated) await refuses("UNSUPPORTED", () => db.search(query));
      else same(await db.search(query), []);
      same(await db.search({ ...query, residual: "allow" }), []);
    },
  },
  {
    id: "explain/steps-that-are-not-asked-for-are-none",
    run: async ({ db }) => {
      const plan = db.explain({ where: where("v", "=", 1) });
      same([plan.match.how, plan.sort.how, plan.limit.how], ["none", "none", "none"]);
      const all = db.explain({ sort: [{ path: "v" }], limit: 2, match: { text: "a", fields: ["t"] } });
      assert.ok(![all.match.how, all.sort.how, all.limit.how].includes("none"));
    },
  },
  {
    id: "explain/is-pure-and-plain",
    indexes,
    run: async ({ db }) => {
      const query = { where: where("v", "=", 1), sort: [{ path: "v" }], limit: 1 } as const;
      const plan = db.explain(query);
      same(typeof plan.backend, "string");
      assert.ok(plan.scan === "full" || plan.scan === "index");
      same(db.explain(query), plan);
      same(await db.count(), 0);
    },
  },
  {
    id: "explain/maxBuffered-bounds-what-core-sorts",
    run: async ({ open }) => {
      const db = await open({ maxBuffered: 10 });
      await db.createMany(Array.from({ length: 30 }, (_, n) => ({ data: { v: n, t: "red" } })));
      const sorted: Query = { sort: [{ path: "v" }] };
      if (db.explain(sorted).sort.how === "emulated") {
        await refuses("LIMIT_EXCEEDED", () => db.search(sorted));
        same(
          (await db.search({ ...sorted, limit: 5 })).map(({ data }) => data["v"]),
          [0, 1, 2, 3, 4],
        );
      } else same((await db.search(sorted)).length, 30);
      const ranked: Query = { match: { text: "red", fields: ["t"] } };
      if (db.explain(ranked).emulated) await refuses("LIMIT_EXCEEDED", () => db.search(ranked));
      same((await db.search()).length, 30);
    },
  },
];
