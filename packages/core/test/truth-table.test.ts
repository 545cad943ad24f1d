import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { truthFields, truthNames, truthTable } from "../src/conformance/truth.js";
import { closureOf } from "../src/match/matcher.js";
import { where } from "../src/query/builder.js";
import { lowerCondition } from "../src/query/parse.js";
import type { WireRecord } from "../src/record/json.js";
import { wire } from "./wire.js";

const records: readonly WireRecord[] = truthNames.map((name) => wire(name, truthFields(name)));

describe("the reference matcher against the hand-written truth table", () => {
  for (const { says, op, operand, holds } of truthTable) {
    it(`${op}: ${says}`, () => {
      const condition = lowerCondition(where("v", op, operand));
      const found = records.filter(closureOf(condition)).map(({ id }) => id);
      assert.deepEqual(found, inTableOrder(holds));
    });
    it(`not ${op}: ${says}`, () => {
      const condition = lowerCondition({ not: where("v", op, operand) });
      const found = records.filter(closureOf(condition)).map(({ id }) => id);
      assert.deepEqual(
        found,
        truthNames.filter((name) => !holds.includes(name)),
      );
    });
  }

  it("names every row once", () => {
    const names = truthTable.map(({ op, says }) => `${op}: ${says}`);
    assert.equal(new Set(names).size, names.length);
  });
});

function inTableOrder(names: readonly string[]): string[] {
  return truthNames.filter((name) => names.includes(name));
}
