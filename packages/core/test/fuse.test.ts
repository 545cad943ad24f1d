import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import fc from "fast-check";
import { questionOf } from "../src/conformance/random-queries.js";
import { poolOf, randomRecords } from "../src/conformance/random-records.js";
import { wireOf } from "../src/conformance/reference.js";
import { truthFields, truthNames, truthTable } from "../src/conformance/truth.js";
import { fused } from "../src/match/fuse.js";
import { closureOf, matcherOf } from "../src/match/matcher.js";
import type { Condition } from "../src/query/ast.js";
import { where } from "../src/query/builder.js";
import type { Lowered } from "../src/query/lowered.js";
import { lowerCondition } from "../src/query/parse.js";
import { wire } from "./wire.js";

/** The condition as one function at once, however rarely its shape was asked for. */
const atOnce = (condition: Lowered): ((record: ReturnType<typeof wire>) => boolean) =>
  fused(condition, closureOf, { after: 1 })?.test ?? closureOf(condition);

describe("a condition as one function", () => {
  const records = truthNames.map((name) => wire(name, truthFields(name)));
  for (const { says, op, operand, holds } of truthTable) {
    it(`agrees with the truth table, ${op}: ${says}`, () => {
      const condition = lowerCondition(where("v", op, operand));
      const found = records.filter(atOnce(condition)).map(({ id }) => id);
      assert.deepEqual(
        found,
        truthNames.filter((name) => holds.includes(name)),
      );
      const others = records.filter(atOnce({ kind: "not", condition })).map(({ id }) => id);
      assert.deepEqual(
        others,
        truthNames.filter((name) => !holds.includes(name)),
      );
    });
  }

  it("agrees with the truth table on fields of metadata", () => {
    const described = records.map((record) => ({
      ...record,
      data: {},
      types: null,
      metadata: record.data,
      metadataTypes: record.types,
    }));
    for (const { says, op, operand, holds } of truthTable) {
      const condition = lowerCondition(where("metadata.v", op, operand));
      assert.deepEqual(
        described.filter(atOnce(condition)).map(({ id }) => id),
        truthNames.filter((name) => holds.includes(name)),
        says,
      );
    }
  });

  it("agrees with the closures on 3,000 random conditions over typed values and hostile names", () => {
    const seed = 20_240_131;
    const random = randomRecords(seed);
    const wires = random.map(wireOf);
    let compiled = 0;
    const check = (condition: Condition | undefined): void => {
      if (condition === undefined) return;
      const lowered = lowerCondition(condition);
      const matcher = fused(lowered, closureOf, { after: 1 });
      const expected = wires.filter(closureOf(lowered)).map(({ id }) => id);
      if (matcher !== undefined) {
        compiled++;
        assert.deepEqual(
          matcher.filter(wires).map(({ id }) => id),
          expected,
          JSON.stringify(condition),
        );
        assert.equal(matcher.count(wires), expected.length, JSON.stringify(condition));
        const visited: string[] = [];
        matcher.each(wires, ({ id }) => visited.push(id));
        assert.deepEqual(visited, expected, JSON.stringify(condition));
      }
      assert.deepEqual(
        wires.filter(atOnce(lowered)).map(({ id }) => id),
        expected,
        JSON.stringify(condition),
      );
    };
    fc.assert(
      fc.property(questionOf(poolOf(random)), (question) => {
        check("query" in question ? question.query.where : question.aggregation.where);
      }),
      { seed, numRuns: 3000 },
    );
    assert.ok(compiled > 500, `only ${compiled} conditions were compiled`);
  });

  it("tells fields and values of one shape apart", () => {
    const three = [wire("a", { x: 1, y: 2 }), wire("b", { x: 2, y: 1 }), wire("c", { x: "1", y: null })];
    const found = (path: string, value: unknown): string[] => {
      let ids: string[] = [];
      for (let time = 0; time < 4; time++) {
        ids = three.filter(matcherOf(lowerCondition(where(path, "=", value)))).map(({ id }) => id);
      }
      return ids;
    };
    assert.deepEqual([found("x", 1), found("x", 2), found("y", 1), found("x", "1")], [["a"], ["b"], ["b"], ["c"]]);
  });

  it("never makes code of names or values", () => {
    const hostile = '"]; globalThis.hacked = true; r["';
    const record = wire("a", { [hostile]: hostile });
    const condition = lowerCondition(where([hostile], "=", hostile));
    assert.equal(atOnce(condition)(record), true);
    assert.equal("hacked" in globalThis, false);
  });
});
