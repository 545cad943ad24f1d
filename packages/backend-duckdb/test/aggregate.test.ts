/** Buckets, percentiles and sums against the reference, from columns and from JSON. */
import { type Database, openDatabase } from "@dataknobs/core";
import { bucketOf, dateBucketOf, percentileOf } from "@dataknobs/core/backend";
import { describe, expect, it } from "@jest/globals";
import { duckdb } from "../src/index.js";

const texts = [
  "2024-02-29",
  "2023-02-29",
  "2024-02-30",
  "2024-13-01",
  "2024-00-10",
  "0000-01-01",
  "0001-12-31",
  "9999-12-31T23:59:59.999Z",
  "1969-12-31T23:59:59.999Z",
  "2024-03-10T24:00:00.000Z",
  "2024-03-10T23:60:00.000Z",
  "2024-03-10T12:34:56.789Z",
  "2024-03-10T12:34:56.789",
  "2024-03-10 12:34:56.789Z",
  "2024-03-10\n",
  " 2024-03-10",
  "20240310",
  "infinity",
  "epoch",
  "",
  "+010000-01-01T00:00:00.000Z",
];
const numbers = [0, 5e-324, -5e-324, 1e308, -1.5, 2 ** 53, 0.1, 0.2, 0.3, 1e21, -7, 7, 10, 29.999999999999996];

async function filled(indexes: Parameters<typeof openDatabase>[1]): Promise<Database> {
  const db = await openDatabase(duckdb(), indexes);
  await db.createMany([
    ...texts.map((text) => ({ data: { when: text } })),
    ...texts.filter((text) => !Number.isNaN(Date.parse(text))).map((text) => ({ data: { when: new Date(text) } })),
    ...numbers.map((n) => ({ data: { n } })),
    { data: { n: "30", when: 5 } },
    { data: { n: null, when: null } },
    { data: { n: true, when: ["2024-01-01"] } },
  ]);
  return db;
}

const settings = [
  ["JSON", {}],
  [
    "typed columns",
    {
      indexes: [
        { path: "when", type: "date" },
        { path: "n", type: "number" },
      ],
    },
  ],
  [
    "text columns",
    {
      indexes: [
        { path: "when", type: "string" },
        { path: "n", type: "integer" },
      ],
    },
  ],
  ["columns of every class", { indexes: [{ path: "when" }, { path: "n" }] }],
] as const;

describe.each(settings)("from %s", (_, indexes) => {
  it.each(["hour", "day", "week", "month", "quarter", "year"] as const)(
    "dateBucket by %s takes real dates only",
    async (unit) => {
      await using db = await filled(indexes);
      const wanted = new Map<string, number>();
      const add = (key: string | null): unknown => wanted.set(String(key), (wanted.get(String(key)) ?? 0) + 1);
      for (const text of texts) {
        add(dateBucketOf(text, unit));
        if (!Number.isNaN(Date.parse(text))) add(dateBucketOf(new Date(text).toISOString(), unit));
      }
      for (let other = numbers.length + 3; other > 0; other--) add(null);
      const rows = await db.aggregate({
        groupBy: { key: { dateBucket: "when", unit } },
        select: { n: { fn: "count" } },
      });
      const found = rows.map(({ key, n }) => [key === null ? "null" : (key as Date).toISOString(), n] as const);
      expect(new Map(found)).toEqual(wanted);
    },
  );

  it.each([0.1, 1, 7, 1e300])("bucket of %d is floor(value / width) × width", async (width) => {
    await using db = await filled(indexes);
    const rows = await db.aggregate({ groupBy: { key: { bucket: "n", width } }, select: { n: { fn: "count" } } });
    const keys = rows.map(({ key }) => key).filter((key) => key !== null);
    expect(new Set(keys)).toEqual(new Set(numbers.map((n) => bucketOf(n, width))));
    expect(keys.some((key) => Object.is(key, -0))).toBe(false);
  });

  it.each([0, 0.25, 0.5, 0.9, 1])("percentile %d is linear between ranks", async (fraction) => {
    await using db = await filled(indexes);
    const where = { path: "n", op: "between", value: [-10, 10] } as const;
    const some = numbers.filter((n) => n >= -10 && n <= 10);
    const [row] = await db.aggregate({
      where,
      select: { p: { fn: "percentile", path: "n", fraction }, sum: { fn: "sum", path: "n" } },
    });
    expect(row?.["p"]).toBeCloseTo(percentileOf([...some], fraction) as number, 12);
    expect(row?.["sum"]).toBeCloseTo(
      some.reduce((sum, n) => sum + n, 0),
      12,
    );
  });

  it("nothing gives 0 and null", async () => {
    await using db = await filled(indexes);
    const select = {
      n: { fn: "count" },
      sum: { fn: "sum", path: "n" },
      avg: { fn: "avg", path: "n" },
      min: { fn: "min", path: "when" },
    } as const;
    expect(await db.aggregate({ where: { path: "n", op: "=", value: -1 }, select })).toEqual([
      { n: 0, sum: 0, avg: null, min: null },
    ]);
  });
});
