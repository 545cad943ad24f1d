import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { comparatorOf, compareBigint, compareBytes, compareText, equalJson, keyOf } from "../src/match/compare.js";
import type { SortClause } from "../src/query/ast.js";
import { lowerQuery } from "../src/query/parse.js";
import { toBase64 } from "../src/record/base64.js";
import { encode, type Value } from "../src/record/values.js";
import { wire } from "./wire.js";

/** The total order, written by hand: later groups come after earlier ones, members of one group are level. */
const order: readonly (readonly Value[])[] = [
  [undefined, null],
  [false],
  [true],
  [-1e308],
  [-10],
  [-0.5],
  [0],
  [5e-324],
  [1, 1.0],
  [9],
  [10],
  [2 ** 53],
  [2 ** 53 + 2],
  [1e308],
  [-(10n ** 30n)],
  [-10n],
  [-9n],
  [0n],
  [9n],
  [10n],
  [10n ** 30n],
  [""],
  ["\u0001"],
  ["10"],
  [new Date("2024-01-31T00:00:00.000Z"), "2024-01-31T00:00:00.000Z"],
  ["9"],
  ["A"],
  ["a"],
  ["aa"],
  ["é"],
  ["\uD7FF"],
  ["\uE000"],
  ["\uFFFF"],
  ["\u{10000}"],
  ["😀"],
  ["\u{10FFFF}"],
  [new Uint8Array()],
  [new Uint8Array([0])],
  [new Uint8Array([0, 0])],
  [new Uint8Array([62])],
  [new Uint8Array([63])],
  [new Uint8Array([128])],
  [[], [1], ["x", null], new Float32Array([2])],
  [{}, { a: 1 }],
];

const records = order.flatMap((group, rank) =>
  group.map((value, index) => ({ rank, record: wire(`${rank}-${index}`, value === undefined ? {} : { v: value }) })),
);

function compare(sort: SortClause, withId = false): ReturnType<typeof comparatorOf> {
  const { order: orders } = lowerQuery({ sort: [sort] });
  return comparatorOf(withId ? orders : orders.slice(0, -1));
}

describe("the total order", () => {
  it("holds for every pair, ascending", () => {
    const ascending = compare({ path: "v" });
    for (const a of records) {
      for (const b of records) {
        assert.equal(
          Math.sign(ascending(a.record, b.record)),
          Math.sign(a.rank - b.rank),
          `${a.record.id} ${b.record.id}`,
        );
      }
    }
  });

  it("is reversed by desc, nulls included", () => {
    const descending = compare({ path: "v", direction: "desc" });
    for (const a of records) {
      for (const b of records) assert.ok(Math.sign(descending(a.record, b.record)) === Math.sign(b.rank - a.rank));
    }
  });

  it("puts nulls where it is told, whatever the direction", () => {
    const absent = (rank: number): boolean => rank === 0;
    for (const direction of ["asc", "desc"] as const) {
      for (const nulls of ["first", "last"] as const) {
        const by = compare({ path: "v", direction, nulls });
        for (const a of records) {
          for (const b of records) {
            if (absent(a.rank) === absent(b.rank)) continue;
            assert.equal(by(a.record, b.record) < 0, absent(a.rank) === (nulls === "first"));
          }
        }
      }
    }
  });

  it("breaks ties by id, ascending in both directions", () => {
    const [a, b] = [wire("a", { v: 1 }), wire("b", { v: 1 })];
    assert.ok(compare({ path: "v" }, true)(a, b) < 0);
    assert.ok(compare({ path: "v", direction: "desc" }, true)(a, b) < 0);
  });
});

describe("comparing within a class", () => {
  it("text by code point", () => {
    assert.ok(compareText("\uFFFF", "\u{10000}") < 0);
    assert.ok(compareText("a\uE000", "a😀") < 0);
    assert.ok(compareText("a", "ab") < 0);
    assert.equal(compareText("a", "a"), 0);
  });

  it("bigints by value", () => {
    assert.ok(compareBigint("9", "10") < 0);
    assert.ok(compareBigint("-9", "-10") > 0);
    assert.ok(compareBigint("-1", "0") < 0);
    assert.equal(compareBigint("5", "5"), 0);
  });

  it("bytes byte by byte", () => {
    const text = (...bytes: readonly number[]): string => toBase64(new Uint8Array(bytes));
    assert.ok(compareBytes(text(62, 0), text(63)) < 0);
    assert.ok(compareBytes(text(1), text(1, 0)) < 0);
    assert.ok(compareBytes(text(251), text(5)) > 0);
  });
});

const differing: readonly Value[] = [
  null,
  true,
  false,
  0,
  1,
  "1",
  1n,
  "",
  "AQ==",
  new Uint8Array([1]),
  [],
  [1],
  ["1"],
  [1n],
  [null],
  [[1]],
  {},
  { a: 1 },
  { a: "1" },
  { a: 1n },
  { a: null },
  { a: [1] },
  { b: 1 },
  { a: 1, b: 1 },
  "z",
  "t",
  "j[]",
  "s1",
  "n1",
];

describe("deep equality and its keys", () => {
  const encoded = differing.map((value) => encode(value, { subject: "v", code: "INVALID_RECORD", freeze: false }));

  it("tells all of these apart", () => {
    for (const [x, a] of encoded.entries()) {
      for (const [y, b] of encoded.entries()) {
        assert.equal(equalJson(a.json, a.types, "", b.json, b.types, ""), x === y, `${x} ${y}`);
        assert.equal(keyOf(a.json, a.types, "") === keyOf(b.json, b.types, ""), x === y, `keys of ${x} ${y}`);
      }
    }
  });

  it("does not look at the order of keys", () => {
    assert.ok(equalJson({ a: 1, b: 2 }, null, "", { b: 2, a: 1 }, null, ""));
    assert.equal(keyOf({ a: 1, b: 2 }, null, ""), keyOf({ b: 2, a: 1 }, null, ""));
  });
});
