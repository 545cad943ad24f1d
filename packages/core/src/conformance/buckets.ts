/** Groups by intervals of numbers and by units of time. */
import type { Aggregation, DateUnit } from "../aggregate/ast.js";
import { bucket, dateBucket } from "../aggregate/functions.js";
import { where } from "../query/builder.js";
import type { Fields } from "../record/values.js";
import { aggregates, column, n } from "./aggregate.js";
import type { Case } from "./case.js";

const at = (text: string): Date => new Date(`${text}Z`);

function starts(
  unit: DateUnit,
  expected: readonly (readonly [string, number])[],
): readonly [Aggregation, readonly Fields[]] {
  return [
    { groupBy: { at: dateBucket("v", unit) }, select: n },
    expected.map(([start, size]) => ({ at: at(start), n: size })),
  ];
}

export const bucketCases: readonly Case[] = [
  aggregates("buckets-have-their-lower-bound-as-key", column(0, 4.9, 5, 9, 10, -1, -5, -5.1, "7", null), [
    [
      { groupBy: { from: bucket("v", 5) }, select: n },
      [
        { from: null, n: 2 },
        { from: -10, n: 1 },
        { from: -5, n: 2 },
        { from: 0, n: 2 },
        { from: 5, n: 2 },
        { from: 10, n: 1 },
      ],
    ],
    [
      { where: where("v", ">=", 4.9), groupBy: { from: bucket("v", 0.5) }, select: n },
      [
        { from: 4.5, n: 1 },
        { from: 5, n: 1 },
        { from: 9, n: 1 },
        { from: 10, n: 1 },
      ],
    ],
  ]),
  aggregates(
    "date-buckets-start-in-UTC",
    column(
      at("2024-01-31T23:59:59.999"),
      at("2024-02-01T00:00:00.000"),
      at("2024-03-31T12:30:00.000"),
      at("2024-12-31T23:00:00.000"),
      at("2025-01-01T00:00:00.000"),
    ),
    [
      starts("hour", [
        ["2024-01-31T23:00:00.000", 1],
        ["2024-02-01T00:00:00.000", 1],
        ["2024-03-31T12:00:00.000", 1],
        ["2024-12-31T23:00:00.000", 1],
        ["2025-01-01T00:00:00.000", 1],
      ]),
      starts("day", [
        ["2024-01-31T00:00:00.000", 1],
        ["2024-02-01T00:00:00.000", 1],
        ["2024-03-31T00:00:00.000", 1],
        ["2024-12-31T00:00:00.000", 1],
        ["2025-01-01T00:00:00.000", 1],
      ]),
      starts("month", [
        ["2024-01-01T00:00:00.000", 1],
        ["2024-02-01T00:00:00.000", 1],
        ["2024-03-01T00:00:00.000", 1],
        ["2024-12-01T00:00:00.000", 1],
        ["2025-01-01T00:00:00.000", 1],
      ]),
      starts("quarter", [
        ["2024-01-01T00:00:00.000", 3],
        ["2024-10-01T00:00:00.000", 1],
        ["2025-01-01T00:00:00.000", 1],
      ]),
      starts("year", [
        ["2024-01-01T00:00:00.000", 4],
        ["2025-01-01T00:00:00.000", 1],
      ]),
    ],
  ),
  aggregates(
    "weeks-begin-on-Monday",
    column(
      at("2024-01-07T23:59:59.999"),
      at("2024-01-08T00:00:00.000"),
      at("2024-01-14T12:00:00.000"),
      at("2024-12-31T00:00:00.000"),
      at("1969-12-31T00:00:00.000"),
    ),
    [
      starts("week", [
        ["1969-12-29T00:00:00.000", 1],
        ["2024-01-01T00:00:00.000", 1],
        ["2024-01-08T00:00:00.000", 2],
        ["2024-12-30T00:00:00.000", 1],
      ]),
    ],
  ),
  aggregates(
    "date-buckets-take-ISO-texts-and-nothing-else",
    column(
      "2024-01-31",
      "2024-01-31T05:00:00.000Z",
      "2024-02-30",
      "January",
      5,
      null,
      10n,
      "2024-1-9",
      "2024-01-31T05:00:00+02:00",
    ),
    [
      [
        { groupBy: { at: dateBucket("v", "day") }, select: n },
        [
          { at: null, n: 7 },
          { at: at("2024-01-31T00:00:00.000"), n: 2 },
        ],
      ],
    ],
  ),
];
