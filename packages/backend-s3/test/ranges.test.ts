import assert from "node:assert/strict";
import { compareText } from "@dataknobs/core/backend";
import { describe, it } from "@jest/globals";
import fc from "fast-check";
import {
  complement,
  everyId,
  type IdSet,
  includes,
  intersection,
  next,
  onlyId,
  range,
  startingWith,
  union,
} from "../src/objects/ranges.js";

const seed = 20_240_131;
const texts = ["a", "aa", "ab", "b", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}", "\u{10ffff}a", "z"];
const text = fc.constantFrom(...texts);
const simple: fc.Arbitrary<IdSet> = fc.oneof(
  text.map((one) => range(one, next(one))),
  text.map((one) => range("", one)),
  text.map((one) => range(one, undefined)),
  fc.tuple(text, text).map(([from, to]) => range(from, next(to))),
  text.map(startingWith),
);
const sets = fc.array(simple, { minLength: 1, maxLength: 5 });
const has = (set: IdSet, id: string): boolean => set.some((one) => includes(one, id));
const check = (property: fc.IProperty<[IdSet[]]>): void => fc.assert(property, { seed, numRuns: 2000 });

/** Sorted, apart, none empty. */
function isNormal(set: IdSet): boolean {
  return set.every(({ from, to }, at) => {
    const after = set[at + 1];
    return to === undefined
      ? after === undefined
      : compareText(from, to) < 0 && (after === undefined || compareText(to, after.from) < 0);
  });
}

describe("sets of ids", () => {
  it("union, intersection and complement are those of the sets", () => {
    check(
      fc.property(sets, (all) => {
        const [any, every, none] = [union(all), intersection(all), complement(union(all))];
        for (const id of texts) {
          assert.equal(
            has(any, id),
            all.some((one) => has(one, id)),
          );
          assert.equal(
            has(every, id),
            all.every((one) => has(one, id)),
          );
          assert.equal(has(none, id), !has(any, id));
        }
        assert.ok(isNormal(any) && isNormal(every) && isNormal(none));
      }),
    );
  });

  it("a prefix has just the texts that begin with it", () => {
    for (const prefix of ["", ...texts]) {
      for (const id of texts) assert.equal(has(startingWith(prefix), id), id.startsWith(prefix), `${prefix} ${id}`);
    }
  });

  it("of nothing: no set at all is every id to `and`, none to `or`", () => {
    assert.deepEqual(intersection([]), everyId);
    assert.deepEqual(union([]), []);
    assert.deepEqual(complement([]), everyId);
  });

  it("tells a single id, and only one that a record can have", () => {
    const point = (id: string) => onlyId({ from: id, to: next(id) });
    assert.equal(point("ada"), "ada");
    for (const id of ["", "\ud800", "a\0", "x".repeat(513)]) assert.equal(point(id), undefined);
    assert.equal(onlyId({ from: "a", to: "b" }), undefined);
  });
});
