import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import type { Compiler } from "../src/backend/spi.js";
import { truthFields, truthNames, truthTable } from "../src/conformance/truth.js";
import { openDatabase } from "../src/database/open.js";
import { matcherOf, type Predicate } from "../src/match/matcher.js";
import { split } from "../src/plan/split.js";
import { type Condition, operators } from "../src/query/ast.js";
import { and, not, or, where } from "../src/query/builder.js";
import type { LeafKind } from "../src/query/lowered.js";
import { lowerCondition } from "../src/query/parse.js";
import { leafKinds, Tiny } from "./mutants/tiny.js";
import { wire } from "./wire.js";

const records = truthNames.map((name) => wire(name, truthFields(name)));

/** A compiler for some kinds; those in `loose` select too much. */
function compilerOf(kinds: readonly LeafKind[], loose: readonly LeafKind[] = []): Compiler<Predicate> {
  const handlers = kinds.map((kind) => [
    kind,
    (leaf: Parameters<typeof matcherOf>[0]) =>
      loose.includes(kind) ? { code: () => true, exact: false } : { code: matcherOf(leaf), exact: true },
  ]);
  return {
    leaf: Object.fromEntries(handlers) as Compiler<Predicate>["leaf"],
    and: (parts) => (record) => parts.every((part) => part(record)),
    or: (parts) => (record) => parts.some((part) => part(record)),
    not: (part) => (record) => !part(record),
  };
}

const compilers: { readonly [name: string]: Compiler<Predicate> | undefined } = {
  none: undefined,
  "nothing handled": compilerOf([]),
  everything: compilerOf(leafKinds),
  "everything but exists": compilerOf(leafKinds.filter((kind) => kind !== "exists")),
  "equality and presence": compilerOf(["equals", "exists"]),
  "loose texts": compilerOf(leafKinds, ["like", "regex", "prefix"]),
  "all of it loose": compilerOf(leafKinds, leafKinds),
  "no joins": {
    ...compilerOf(leafKinds),
    and: () => undefined,
    or: (parts) => (parts.length === 0 ? () => false : undefined),
  },
  "no complements": { ...compilerOf(leafKinds), not: () => undefined },
};

const leaves = truthTable.map(({ op, operand }) => where("v", op, operand));

/** Every leaf alone and negated, and neighbours joined in every way. */
const conditions: readonly Condition[] = leaves.flatMap((leaf, index) => {
  const next = leaves[(index + 17) % leaves.length] as Condition;
  return [
    leaf,
    not(leaf),
    and(leaf, next),
    or(leaf, next),
    not(and(leaf, next)),
    not(or(leaf, next)),
    and(or(leaf, next), not(leaf)),
    or(and(), leaf),
    and(or(), leaf),
    not(and()),
    not(or()),
  ];
});

describe("split", () => {
  for (const [name, compiler] of Object.entries(compilers)) {
    it(`with ${name}: the pushed part never selects less, and both together select just the condition`, () => {
      for (const condition of conditions) {
        const lowered = lowerCondition(condition);
        const wanted = matcherOf(lowered);
        const { pushed, residual } = split(lowered, compiler);
        const rest = residual === undefined ? () => true : matcherOf(residual);
        for (const record of records) {
          const kept = pushed?.(record) ?? true;
          const text = `${JSON.stringify(condition)} on ${record.id}`;
          if (wanted(record)) assert.ok(kept, `under-selects: ${text}`);
          assert.equal(kept && rest(record), wanted(record), text);
        }
      }
    });
  }

  it("with every leaf exact, leaves nothing", () => {
    for (const condition of conditions)
      assert.equal(split(lowerCondition(condition), compilers["everything"]).residual, undefined);
  });

  it("without a compiler, pushes nothing", () => {
    for (const condition of conditions) assert.equal(split(lowerCondition(condition), undefined).pushed, undefined);
  });

  it("never asks for the complement of code that is not exact", () => {
    const compiler: Compiler<Predicate> = {
      ...compilerOf(leafKinds, leafKinds),
      not: () => assert.fail("not of loose code"),
    };
    for (const condition of conditions) {
      const lowered = lowerCondition(condition);
      if (
        JSON.stringify(condition) === JSON.stringify(not(and())) ||
        JSON.stringify(condition) === JSON.stringify(not(or()))
      )
        continue;
      split(lowered, compiler);
    }
  });
});

describe("explain", () => {
  for (const op of operators) {
    it(`${op}: pushed where the compiler has it, else emulated with a reason`, async () => {
      const operand = truthTable.find((row) => row.op === op && row.operand !== null)?.operand;
      const condition = where("v", op, operand);
      await using all = await openDatabase(new Tiny());
      assert.deepEqual(all.explain({ where: condition }).clauses, [{ clause: condition, how: "pushed" }]);
      const bare = new Tiny();
      bare.compiler = { ...bare.compiler, leaf: {} };
      await using none = await openDatabase(bare);
      const [clause] = none.explain({ where: condition }).clauses;
      assert.equal(clause?.how, "emulated");
      assert.match(clause?.why ?? "", new RegExp(`does not push "${op}"`));
    });
  }

  it("tells what is narrowed by the engine and finished by core", async () => {
    const loose = new Tiny();
    const { compileLeaf } = loose;
    loose.compileLeaf = (leaf) => {
      const compiled = compileLeaf.call(loose, leaf);
      return compiled === undefined ? undefined : { ...compiled, exact: false, why: "it folds case", index: "by_v" };
    };
    await using db = await openDatabase(loose);
    const condition = where("v", "=", "a");
    assert.deepEqual(db.explain({ where: condition }).clauses, [
      { clause: condition, how: "emulated", narrowed: true, index: "by_v", why: "it folds case" },
    ]);
    assert.equal(db.explain({ where: condition }).scan, "index");
  });

  it("limit goes down only when nothing is left for core", async () => {
    const half = new Tiny();
    const { like: _, ...leaf } = half.compiler.leaf;
    half.compiler = { ...half.compiler, leaf };
    await using db = await openDatabase(half);
    assert.equal(db.explain({ where: where("v", "=", 1), limit: 5 }).limit.how, "pushed");
    assert.equal(
      db.explain({ where: and(where("v", "=", 1), where("v", "like", "a")), limit: 5 }).limit.how,
      "emulated",
    );
  });

  it("is refused for a query that is wrong, and on a closed database", async () => {
    const db = await openDatabase(new Tiny());
    assert.throws(() => db.explain({ limit: -1 }));
    await db.close();
    assert.throws(() => db.explain());
  });
});

describe("a scan of which only values are looked at", () => {
  it("says so to the backend: counts and groups do, records and what is staged over do not", async () => {
    const asked: boolean[] = [];
    const tiny = new Tiny();
    tiny.compiler = { ...tiny.compiler, leaf: {} };
    tiny.capabilities = { ...tiny.capabilities, aggregation: "emulated" };
    const scan = tiny.scan.bind(tiny);
    tiny.scan = (request) => {
      asked.push(request.bare === true);
      return scan(request);
    };
    await using db = await openDatabase(tiny);
    await db.create({ n: 1 }, { id: "a" });
    const one = { where: where("n", "=", 1) };
    assert.equal(await db.count(one), 1);
    await db.aggregate({ ...one, groupBy: { n: "n" }, select: { k: { fn: "count" } } });
    await db.search(one);
    assert.deepEqual(asked.splice(0), [true, true, false]);
    await db.transaction(
      async (tx) => {
        await tx.update("a", { n: 2 });
        assert.equal(await tx.count(one), 0);
      },
      { mode: "buffered" },
    );
    assert.deepEqual(asked, [false]);
  });
});
