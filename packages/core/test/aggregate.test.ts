import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import type { Aggregation, DateUnit } from "../src/aggregate/ast.js";
import { bucketOf, dateBucketOf } from "../src/aggregate/buckets.js";
import { finishRows } from "../src/aggregate/finish.js";
import {
  avg,
  bucket,
  count,
  countDistinct,
  dateBucket,
  max,
  min,
  percentile,
  sum,
} from "../src/aggregate/functions.js";
import { lowerAggregation } from "../src/aggregate/parse.js";
import { aggregatorOf, percentileOf } from "../src/aggregate/run.js";
import type { Fields } from "../src/record/values.js";
import { wire } from "./wire.js";

function run(aggregation: Aggregation, ...data: readonly Fields[]): unknown {
  const lowered = lowerAggregation(aggregation, { textFields: [], vectorFields: [] });
  const aggregator = aggregatorOf(lowered.plan);
  for (const [index, fields] of data.entries()) aggregator.add(wire(`r${index}`, fields));
  return finishRows(aggregator.rows(), lowered);
}

describe("buckets of numbers", () => {
  // biome-ignore format: a table
  const rows: readonly (readonly [value: number, width: number, lower: number])[] = [
    [0, 10, 0], [9.99, 10, 0], [10, 10, 10], [-0.1, 10, -10], [-10, 10, -10], [7, 2, 6], [0.6, 0.25, 0.5], [-0, 5, 0], [1e15, 1, 1e15],
  ];
  for (const [value, width, lower] of rows) {
    it(`${value} by ${width} is in ${lower}`, () => {
      assert.ok(Object.is(bucketOf(value, width), lower));
    });
  }
});

describe("buckets of dates", () => {
  // biome-ignore format: a table
  const rows: readonly (readonly [text: string, unit: DateUnit, start: string | null])[] = [
    ["2024-02-29T23:59:59.999Z", "hour", "2024-02-29T23:00:00.000Z"],
    ["2024-02-29T23:59:59.999Z", "day", "2024-02-29T00:00:00.000Z"],
    ["2024-02-29T23:59:59.999Z", "week", "2024-02-26T00:00:00.000Z"],
    ["2024-02-29T23:59:59.999Z", "month", "2024-02-01T00:00:00.000Z"],
    ["2024-02-29T23:59:59.999Z", "quarter", "2024-01-01T00:00:00.000Z"],
    ["2024-02-29T23:59:59.999Z", "year", "2024-01-01T00:00:00.000Z"],
    ["2024-02-26", "week", "2024-02-26T00:00:00.000Z"],
    ["2024-03-03", "week", "2024-02-26T00:00:00.000Z"],
    ["2024-12-31", "week", "2024-12-30T00:00:00.000Z"],
    ["2023-01-01", "week", "2022-12-26T00:00:00.000Z"],
    ["1969-12-31", "week", "1969-12-29T00:00:00.000Z"],
    ["1969-12-28T05:00:00.000Z", "week", "1969-12-22T00:00:00.000Z"],
    ["1969-12-31T23:30:00.000Z", "hour", "1969-12-31T23:00:00.000Z"],
    ["0001-05-05", "year", "0001-01-01T00:00:00.000Z"],
    ["0099-12-31", "month", "0099-12-01T00:00:00.000Z"],
    ["2023-12-31", "quarter", "2023-10-01T00:00:00.000Z"],
    ["2023-02-29", "day", null], ["2024-13-01", "day", null], ["2024-1-1", "day", null], ["2024", "year", null], ["", "day", null],
    ["2024-01-01T00:00:00Z", "day", null], ["2024-01-01T25:00:00.000Z", "day", null], ["2024-01-01T24:00:00.000Z", "day", null],
    ["2024-02-30", "day", null], ["2024-01-01T00:00:00.000+01:00", "day", null],
    ["x2024-01-01", "day", null], ["2024-01-01 ", "day", null],
  ];
  for (const [text, unit, start] of rows) {
    it(`${text || "nothing"} by ${unit} is in ${start}`, () => {
      assert.equal(dateBucketOf(text, unit), start);
    });
  }
});

describe("percentiles", () => {
  // biome-ignore format: a table
  const rows: readonly (readonly [numbers: number[], fraction: number, result: number | null])[] = [
    [[], 0.5, null], [[7], 0, 7], [[7], 1, 7], [[1, 2], 0.5, 1.5], [[3, 1, 2], 0.5, 2], [[40, 10, 30, 20], 0.25, 17.5],
    [[1, 2, 3, 4, 5], 0.9, 4.6], [[-1, 1], 0.25, -0.5], [[10, 9, 100], 1, 100], [[5, 5, 5], 0.3, 5],
  ];
  for (const [numbers, fraction, result] of rows) {
    it(`${fraction} of [${numbers}] is ${result}`, () => {
      assert.equal(percentileOf([...numbers], fraction), result);
    });
  }
});

describe("the reference aggregation", () => {
  it("counts, sums and finds extremes per group, null and missing as one", () => {
    const rows = run(
      { groupBy: { g: "g" }, select: { n: count(), s: sum("v"), a: avg("v"), lo: min("v"), hi: max("v") } },
      { g: "x", v: 1 },
      { g: null, v: 5 },
      { v: 7 },
      { g: "x", v: 3 },
      { g: "x" },
    );
    assert.deepEqual(rows, [
      { g: null, n: 2, s: 12, a: 6, lo: 5, hi: 7 },
      { g: "x", n: 3, s: 4, a: 2, lo: 1, hi: 3 },
    ]);
  });

  it("on nothing gives one row without keys and none with", () => {
    const select = {
      n: count(),
      d: countDistinct("v"),
      s: sum("v"),
      a: avg("v"),
      m: min("v"),
      p: percentile("v", 0.5),
    };
    assert.deepEqual(run({ select }), [{ n: 0, d: 0, s: 0, a: null, m: null, p: null }]);
    assert.deepEqual(run({ select, groupBy: { g: "g" } }), []);
  });

  it("sums do not depend on the order of the records", () => {
    const values = [1e16, 1, -1e16, 1, 0.1, 1e-9, -0.1];
    const once = run({ select: { s: sum("v") } }, ...values.map((v) => ({ v })));
    assert.deepEqual(run({ select: { s: sum("v") } }, ...[...values].reverse().map((v) => ({ v }))), once);
    assert.deepEqual(run({ select: { s: sum("v") } }, { v: 1e308 }, { v: 1e308 }), [{ s: Number.POSITIVE_INFINITY }]);
  });

  it("a group is a Date only where all its values are", () => {
    const [date, text] = [new Date(0), "1970-01-01T00:00:00.000Z"];
    assert.deepEqual(run({ groupBy: { v: "v" }, select: { n: count() } }, { v: date }, { v: date }), [
      { v: date, n: 2 },
    ]);
    assert.deepEqual(run({ groupBy: { v: "v" }, select: { n: count() } }, { v: date }, { v: text }), [
      { v: text, n: 2 },
    ]);
    assert.deepEqual(run({ groupBy: { v: "v" }, select: { n: count() } }, { v: text }, { v: date }), [
      { v: text, n: 2 },
    ]);
  });

  it("numbers only go into buckets, and ISO dates only into date buckets", () => {
    assert.deepEqual(
      run({ groupBy: { b: bucket("v", 10) }, select: { n: count() } }, { v: 5 }, { v: "5" }, { v: 15n }),
      [
        { b: null, n: 2 },
        { b: 0, n: 1 },
      ],
    );
    assert.deepEqual(
      run(
        { groupBy: { d: dateBucket("v", "day") }, select: { n: count() } },
        { v: 5 },
        { v: "2024-01-31" },
        { v: new Date(0) },
      ),
      [
        { d: null, n: 1 },
        { d: new Date(0), n: 1 },
        { d: new Date("2024-01-31"), n: 1 },
      ],
    );
  });

  it("rows of lists and objects come in one order, whatever the records' order", () => {
    const records = [{ v: [2] }, { v: { a: 1 } }, { v: [1] }, { v: { A: 1 } }];
    const aggregation: Aggregation = { groupBy: { v: "v" }, select: { n: count() } };
    assert.deepEqual(run(aggregation, ...records), run(aggregation, ...[...records].reverse()));
  });

  it("having and sort mean what they mean for records", () => {
    const rows = run(
      {
        groupBy: { g: "g" },
        select: { n: count() },
        having: { path: "n", op: ">=", value: 1 },
        sort: [{ path: "g", nulls: "last" }],
        limit: 2,
        offset: 1,
      },
      { g: 2 },
      {},
      { g: "a" },
      { g: 10 },
    );
    assert.deepEqual(rows, [
      { g: 10, n: 1 },
      { g: "a", n: 1 },
    ]);
  });
});
