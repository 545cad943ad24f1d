/** Random records: every class of value, near misses of each, hostile names, nulls and gaps. */
import fc from "fast-check";
import type { ValueClass } from "../query/lowered.js";
import type { Fields, Value } from "../record/values.js";

export interface RandomRecord {
  readonly id: string;
  readonly data: Fields;
  readonly metadata: Fields;
}

/** Classes that an operand can have. */
export type OperandClass = Exclude<ValueClass, "null">;

const numbers: readonly number[] = [
  0,
  1,
  2,
  3,
  10,
  9,
  100,
  -1,
  -10,
  0.5,
  0.1,
  0.1 + 0.2,
  0.3,
  1e-7,
  5e-324,
  1e308,
  -1e308,
  2 ** 31,
  -(2 ** 31),
  2 ** 53 - 1,
  2 ** 53,
  2 ** 53 + 2,
  2 ** 60,
  2 ** 63,
  1e21,
  Number.EPSILON,
];
const bigints: readonly bigint[] = [
  0n,
  1n,
  2n,
  9n,
  10n,
  100n,
  -1n,
  -9n,
  -10n,
  2n ** 53n + 1n,
  2n ** 63n,
  2n ** 64n,
  -(2n ** 70n),
];
const strings: readonly string[] = [
  "",
  "a",
  "A",
  "b",
  "ab",
  "aB",
  "abc",
  "a b",
  "10",
  "9",
  "100",
  "1",
  "-1",
  "0",
  "true",
  "null",
  "1e3",
  "é",
  "e\u0301",
  "É",
  "İ",
  "i\u0307",
  "ı",
  "I",
  "i",
  "ß",
  "SS",
  "ẞ",
  "Σ",
  "σ",
  "ς",
  "ΣΑΣ",
  "σας",
  "\u212A",
  "k",
  "K",
  "Å",
  "\u212B",
  "ﬁ",
  "FI",
  "😀",
  "😀b",
  "\uE000",
  "\uFFFD",
  "\uFFFF",
  "\uD7FF",
  "\u{10FFFF}",
  "a%b",
  "a_b",
  "%",
  "_",
  "\\",
  "a\\b",
  "a\\%",
  "axb",
  "a\nb",
  "a\n",
  "\n",
  "a.b",
  "(a)",
  "[a]",
  "a*",
  "^a$",
  "a|b",
  "'",
  '"',
  "x'y",
  "--",
  "AQI=",
  "AQ==",
  "2024-01-31",
  "2024-01-31T00:00:00.000Z",
  "1970-01-01T00:00:00.000Z",
  "2024-02-30",
  "red fox",
  "the red fox",
  "Red Hen",
  "東京",
  "京都",
];
const dates: readonly Date[] = [0, 1, -1, 1e12, 1706659200000, 1706659200001, -62135596800000].map(
  (time) => new Date(time),
);
const bytes: readonly Uint8Array[] = [[], [0], [1, 2], [1], [2], [62, 0], [63], [128], [255], [105, 183]].map(
  (list) => new Uint8Array(list),
);

const scalar: fc.Arbitrary<Value> = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(null, true, false) },
  { weight: 4, arbitrary: fc.constantFrom(...numbers) },
  { weight: 2, arbitrary: fc.constantFrom(...bigints) },
  { weight: 6, arbitrary: fc.constantFrom(...strings) },
  { weight: 2, arbitrary: fc.constantFrom(...dates) },
  { weight: 2, arbitrary: fc.constantFrom(...bytes) },
  { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }) },
  {
    weight: 1,
    arbitrary: fc
      .string({ unit: "grapheme", maxLength: 6 })
      .filter((text) => !text.includes("\0") && text.isWellFormed()),
  },
);
const vector: fc.Arbitrary<Value> = fc
  .constantFrom<readonly number[]>([], [1, 2], [0.5], [1])
  .map((list) => new Float32Array(list));
const list: fc.Arbitrary<Value> = fc.oneof(
  fc.array(scalar, { maxLength: 4 }),
  fc.array(fc.constantFrom<Value>(1, 2, "1", "a", null, 1n, [1], { a: 1 }), { maxLength: 3 }),
  vector,
);
const object: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom<Value>({}, { a: 1 }, { a: null }, { a: 1, b: 2 }, { b: 2, a: 1 }, { a: 1n }, { a: "1" }, { a: [1n] }),
  fc.record({ a: scalar, b: scalar }),
);
const any: fc.Arbitrary<Value> = fc.oneof(
  { weight: 7, arbitrary: scalar },
  { weight: 2, arbitrary: list },
  { weight: 1, arbitrary: object },
);

const words = ["red", "Red", "fox", "hen", "the", "quick", "naïve", "東", "京", "x2", "a", "٣"];
const text: fc.Arbitrary<Value> = fc.oneof(
  { weight: 6, arbitrary: fc.array(fc.constantFrom(...words), { maxLength: 5 }).map((picked) => picked.join(" ")) },
  { weight: 2, arbitrary: fc.array(fc.constantFrom(...words), { maxLength: 3 }) },
  { weight: 1, arbitrary: any },
);

/** Where the fields are, as conditions name them; the first holds every class. */
export const paths: readonly (string | readonly string[])[] = [
  "m",
  "n",
  "s",
  "g",
  "l",
  "o.k",
  "o.d.e",
  ["o", "x.y"],
  ["data", "x'y"],
  ["data", "__proto__"],
  ["data", "$.a"],
  ["data", "id"],
  "metadata.m",
  ["metadata", 'a"b'],
  "missing",
];

/** Declared in the mode `indexed`. */
export const declared = [
  { path: "m" },
  { path: "n", type: "number" },
  { path: "s", type: "string" },
  { path: "g" },
  { path: "l" },
  { path: "o.k" },
  { path: ["data", "x'y"] },
  { path: "metadata.m" },
  { path: "t", text: true },
] as const;

function record(id: string): fc.Arbitrary<RandomRecord> {
  const often = (value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
    fc.option(value, { nil: undefined, freq: 8 });
  return fc
    .record({
      m: often(any),
      n: often(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...numbers) }, { weight: 1, arbitrary: any })),
      s: often(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...strings) }, { weight: 1, arbitrary: any })),
      g: often(fc.constantFrom<Value>(null, 1, 2, "1", "a", 1n, true, new Date(0))),
      l: often(fc.oneof({ weight: 6, arbitrary: list }, { weight: 1, arbitrary: any })),
      o: often(
        fc.oneof(
          { weight: 6, arbitrary: fc.record({ k: any, d: fc.record({ e: scalar }), "x.y": any }) },
          { weight: 1, arbitrary: any },
        ),
      ),
      t: often(text),
      "x'y": often(any),
      "$.a": often(any),
      id: often(scalar),
      proto: often(any),
      meta: often(any),
      odd: often(any),
    })
    .map(({ proto, meta, odd, ...rest }) => ({
      id,
      data: withField(compact(rest), "__proto__", proto),
      metadata: compact({ m: meta, 'a"b': odd }),
    }));
}

function compact(fields: { readonly [name: string]: Value }): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function withField(fields: Fields, name: string, value: Value): Fields {
  if (value === undefined) return fields;
  return Object.defineProperty({ ...fields }, name, { value, enumerable: true, configurable: true, writable: true });
}

/** One record per class in `m`, so that no dataset lacks a pair of classes. */
const everyClass: readonly Value[] = [
  null,
  true,
  10,
  10n,
  "10",
  new Uint8Array([1, 2]),
  [1, "1"],
  { a: 1 },
  new Date(0),
  "Oslo",
];

/** Ids out of order, some of them hostile. */
function idOf(index: number): string {
  const odd = ["a/b", "é", "😀", "\uFFFD", "x'y", "Z", "10", "9", " ", "%"];
  return index < odd.length ? (odd[index] as string) : `r${(index * 37) % 100}`;
}

/** The records of a seed. */
export function randomRecords(seed: number, size = 60): RandomRecord[] {
  const random =
    fc.sample(fc.tuple(...Array.from({ length: size }, (_, index) => record(idOf(index)))), { seed, numRuns: 1 })[0] ??
    [];
  return random.map((one, index) =>
    index < everyClass.length ? { ...one, data: { ...one.data, m: everyClass[index] ?? null } } : one,
  );
}

/** Values to draw operands from: those of the records, their elements, and some of our own. */
export type Pool = { readonly [K in OperandClass | "id"]: readonly [Value, ...Value[]] };

export function poolOf(records: readonly RandomRecord[]): Pool {
  const pool = {
    id: ["r5", ...records.map(({ id }) => id)] as [Value, ...Value[]],
    boolean: [true, false] as [Value, ...Value[]],
    number: [10, ...numbers] as [Value, ...Value[]],
    bigint: [10n, ...bigints] as [Value, ...Value[]],
    string: ["a", ...strings, ...dates] as [Value, ...Value[]],
    bytes: [bytes[1], ...bytes] as [Value, ...Value[]],
    array: [[1, 2], [], [1n], [[1]]] as [Value, ...Value[]],
    object: [{ a: 1 }, {}, { a: null }] as [Value, ...Value[]],
  } satisfies Pool;
  const add = (value: Value, depth: number): void => {
    const valueClass = classOfValue(value);
    if (valueClass === "null") return;
    pool[valueClass].push(value);
    if (depth > 0 && (valueClass === "array" || valueClass === "object")) {
      for (const inner of Object.values(value as Fields)) add(inner, depth - 1);
    }
  };
  for (const { data, metadata } of records) {
    add(data, 2);
    add(metadata, 1);
  }
  return pool;
}

/** The class of a value as users hold it. */
export function classOfValue(value: Value): ValueClass {
  if (value === null || value === undefined) return "null";
  switch (typeof value) {
    case "boolean":
    case "number":
    case "bigint":
    case "string":
      return typeof value as ValueClass;
    default: {
      const tag = Object.prototype.toString.call(value);
      if (tag === "[object Date]") return "string";
      if (tag === "[object Uint8Array]") return "bytes";
      return Array.isArray(value) || tag === "[object Float32Array]" ? "array" : "object";
    }
  }
}
