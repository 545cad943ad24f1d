/** Every value comes back as it was given; what no store can keep is refused, and nothing is written. */
import assert from "node:assert/strict";
import { where } from "../query/builder.js";
import type { Fields, Value } from "../record/values.js";
import type { Case } from "./case.js";
import { refuses, same } from "./expect.js";
import type { TestDatabase } from "./session.js";

const values: { readonly [name: string]: Value } = {
  null: null,
  booleans: [true, false],
  "whole-numbers": [0, 1, -1, 42, 2 ** 31, -(2 ** 31) - 1],
  "the-largest-safe-integers": [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  "numbers-beyond-2-53": [2 ** 53, 2 ** 53 + 2, 2 ** 60, 2 ** 63, 1e21],
  "extreme-numbers": [5e-324, 1e308, -1.7976931348623157e308, Number.EPSILON],
  fractions: [0.1, 0.1 + 0.2, 1 / 3, 1e-7, 123456.789],
  "empty-text": "",
  "text-beyond-ascii": ["é", "e\u0301", "naïve", "日本語", "😀", "\u{10FFFF}", "\uE000", "\uFFFD", "ﬁ", "İ", "ß"],
  "right-to-left-text": "שלום \u202Ehello\u202C مرحبا",
  "control-characters-but-U+0000": "\u0001\t\n\r\u001f\u007f\u0085\u2028\u2029\uFEFF",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as hostile as it looks
  "quotes-and-backslashes": ["'", '"', "`", "\\", "\\\\", "';--", '{"a":1}', "%_", "${x}", "$1", "?", ":a", "@p"],
  "long-text": "é😀x".repeat(20_000),
  "text-that-looks-like-other-types": [
    "10",
    "true",
    "null",
    "2024-01-31",
    "2024-01-31T00:00:00.000Z",
    "AQI=",
    "NaN",
    "1e3",
  ],
  dates: [new Date(0), new Date("2024-01-31T12:34:56.789Z"), new Date(-1), new Date("0001-01-01T00:00:00.000Z")],
  "the-extreme-dates": [new Date(8.64e15), new Date(-8.64e15)],
  bigints: [0n, -1n, 2n ** 53n + 1n, 2n ** 64n, -(10n ** 40n)],
  bytes: [new Uint8Array(), new Uint8Array([0, 255, 128, 10]), Uint8Array.from({ length: 256 }, (_, byte) => byte)],
  vectors: [new Float32Array(), new Float32Array([0.1, -2.5, 3e38, 1e-40])],
  "empty-containers": [[], {}, [[]], [{}], { a: {} }],
  "lists-of-mixed-values": [1, "1", true, null, 1n, new Date(1), [2, [3]], { a: [4n] }],
  "nested-objects": { a: { b: { c: { d: [{ e: new Date(5) }] } } } },
  "nulls-inside": { a: null, b: [null], c: { d: null } },
};

function keeps([name, value]: readonly [string, Value]): Case {
  return {
    id: `values/keeps/${name}`,
    run: async ({ db }) => {
      const created = await db.create({ v: value, after: "x" }, { id: "a", metadata: { m: value } });
      same(created.data, { v: value, after: "x" }, "data of the created record");
      const read = await db.read("a");
      same(read?.data, { v: value, after: "x" }, "data of the read record");
      same(read?.metadata, { m: value }, "metadata of the read record");
      const [found] = await db.search();
      same(found?.data, { v: value, after: "x" }, "data of the found record");
      same(found?.metadata, { m: value }, "metadata of the found record");
    },
  };
}

/** A user's own objects that look like some store's or library's markers. */
const lookalikes: readonly Fields[] = [
  { $date: "2024-01-31T00:00:00.000Z" },
  { type: "Date", value: "2024-01-31T00:00:00.000Z" },
  { type: "bigint", value: "10" },
  { fields: { a: 1 } },
  { __type: "bytes", data: "AQI=" },
  { value: 1, type: "number", metadata: {} },
  { types: { "/v": "date" }, data: {}, version: "1" },
  { json: [1], meta: { values: {} } },
  JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"toString":"x","hasOwnProperty":null}') as Fields,
];

class Money {
  readonly amount = 1;
}

const cyclic: { [key: string]: unknown } = {};
cyclic["self"] = cyclic;

const unkeepable: { readonly [name: string]: unknown } = {
  NaN: Number.NaN,
  infinity: Number.POSITIVE_INFINITY,
  "minus-infinity": Number.NEGATIVE_INFINITY,
  "a-function": () => 1,
  "a-symbol": Symbol("s"),
  "an-invalid-date": new Date(Number.NaN),
  "a-cyclic-object": cyclic,
  "a-class-instance": new Money(),
  "a-map": new Map([["a", 1]]),
  "a-set": new Set([1]),
  "a-regexp": /x/,
  "a-lone-surrogate": "a\ud800b",
  "U+0000-in-text": "a\0b",
  "U+0000-in-a-field-name": { "a\0b": 1 },
  "a-lone-surrogate-in-a-field-name": { "\udfff": 1 },
  "a-vector-with-NaN": new Float32Array([Number.NaN]),
};

function refusesValue([name, value]: readonly [string, unknown]): Case {
  return {
    id: `values/refuses/${name}`,
    run: async ({ db }) => {
      await db.create({ v: 1 }, { id: "kept", metadata: { m: 1 } });
      for (const bad of [{ v: value }, { deep: { list: [value] } }] as readonly Fields[]) {
        await refuses("INVALID_RECORD", () => db.create(bad));
        await refuses("INVALID_RECORD", () => db.create({ v: 1 }, { metadata: bad }));
        await refuses("INVALID_RECORD", () => db.update("kept", bad));
        await refuses("INVALID_RECORD", () => db.patch("kept", bad));
        await refuses("INVALID_RECORD", () => db.upsert("kept", bad));
        await refuses("INVALID_RECORD", () => db.createMany([{ data: { v: 2 } }, { data: bad }]));
        await refuses("INVALID_RECORD", () =>
          db.upsertMany([
            { id: "kept", data: { v: 2 } },
            { id: "b", data: bad },
          ]),
        );
        await refuses("INVALID_RECORD", () => db.updateWhere(where("v", "=", 1), bad));
      }
      await untouched(db);
    },
  };
}

async function untouched(db: TestDatabase): Promise<void> {
  assert.equal(await db.count(), 1);
  const kept = await db.read("kept");
  same(kept?.data, { v: 1 });
  same(kept?.metadata, { m: 1 });
}

function nested(depth: number): Fields {
  let value: Fields = { leaf: 1 };
  for (let level = 1; level < depth; level++) value = { n: value };
  return value;
}

export const valueCases: readonly Case[] = [
  ...Object.entries(values).map(keeps),
  ...lookalikes.map(
    (value, index): Case => ({
      id: `values/keeps/lookalike-${index + 1}`,
      run: async ({ db }) => {
        await db.create({ v: value, list: [value] }, { id: "a", metadata: value });
        await db.create(value, { id: "b" });
        const [a, b] = await db.readMany(["a", "b"]);
        same(a?.data, { v: value, list: [value] });
        same(a?.metadata, value);
        same(b?.data, value);
      },
    }),
  ),
  ...Object.entries(unkeepable).map(refusesValue),
  {
    id: "values/keeps/an-empty-record",
    run: async ({ db }) => {
      const created = await db.create({}, { id: "a" });
      same(created.data, {});
      same((await db.read("a"))?.data, {});
      same(
        (await db.search()).map(({ data }) => data),
        [{}],
      );
    },
  },
  {
    id: "values/minus-zero-becomes-zero",
    run: async ({ db }) => {
      await db.create({ v: -0, list: [-0], vector: new Float32Array([-0]) }, { id: "a" });
      same((await db.read("a"))?.data, { v: 0, list: [0], vector: new Float32Array([0]) });
    },
  },
  {
    id: "values/undefined-is-left-out-of-objects-and-null-in-lists",
    run: async ({ db }) => {
      await db.create({ a: undefined, b: { c: undefined }, d: [undefined] }, { id: "a" });
      same((await db.read("a"))?.data, { b: {}, d: [null] });
    },
  },
  {
    id: "values/a-class-instance-with-toJSON-is-its-plain-form",
    run: async ({ db }) => {
      const url = new URL("https://example.org/a?b=c") as unknown as Value;
      await db.create({ v: url }, { id: "a" });
      same((await db.read("a"))?.data, { v: "https://example.org/a?b=c" });
    },
  },
  {
    id: "values/types-survive-update-patch-and-upsert",
    run: async ({ db }) => {
      await db.create({ a: 1n, b: new Date(1), c: new Uint8Array([1]) }, { id: "a" });
      await db.patch("a", { b: 2n, d: new Date(2) });
      same((await db.read("a"))?.data, { a: 1n, b: 2n, c: new Uint8Array([1]), d: new Date(2) });
      await db.patch("a", { a: "1" });
      same((await db.read("a"))?.data, { a: "1", b: 2n, c: new Uint8Array([1]), d: new Date(2) });
      await db.update("a", { a: "1", c: new Float32Array([1]) });
      same((await db.read("a"))?.data, { a: "1", c: new Float32Array([1]) });
      await db.upsert("a", { c: [1], e: new Date(3) });
      same((await db.read("a"))?.data, { c: [1], e: new Date(3) });
    },
  },
  {
    id: "values/types-of-replaced-values-are-forgotten",
    run: async ({ db }) => {
      await db.create({ v: new Date(0), w: { x: 5n } }, { id: "a" });
      await db.update("a", { v: "1970-01-01T00:00:00.000Z", w: { x: "5" } });
      same((await db.read("a"))?.data, { v: "1970-01-01T00:00:00.000Z", w: { x: "5" } });
    },
  },
  {
    id: "values/nesting-of-64-works-and-65-is-refused",
    run: async ({ db }) => {
      await db.create(nested(64), { id: "a" });
      same((await db.read("a"))?.data, nested(64));
      await refuses("LIMIT_EXCEEDED", () => db.create(nested(65), { id: "b" }));
      await refuses("LIMIT_EXCEEDED", () => db.create({}, { id: "b", metadata: nested(65) }));
      assert.equal(await db.exists("b"), false);
    },
  },
  {
    id: "values/data-that-is-no-object-is-refused",
    run: async ({ db }) => {
      for (const bad of [null, 1, "x", [], new Date(), undefined, true, 1n] as readonly unknown[]) {
        await refuses("INVALID_RECORD", () => db.create(bad as Fields));
        await refuses("INVALID_RECORD", () => db.upsert("a", bad as Fields));
      }
      assert.equal(await db.count(), 0);
    },
  },
  {
    id: "values/writes-never-change-the-callers-objects",
    run: async ({ db }) => {
      const data = { list: [1, { a: 1n }], date: new Date(5), bytes: new Uint8Array([1]), o: { z: -0, u: undefined } };
      const metadata = { tags: ["x"] };
      const before = structuredClone({ data, metadata });
      await db.create(data, { id: "a", metadata });
      await db.update("a", data, { metadata });
      await db.patch("a", data);
      await db.upsert("a", data, { metadata });
      await db.createMany([{ id: "b", data, metadata }]);
      same({ data, metadata }, before);
      assert.equal(Object.isFrozen(data) || Object.isFrozen(data.list) || Object.isFrozen(data.o), false);
    },
  },
  {
    id: "values/changing-what-was-written-later-changes-nothing",
    run: async ({ db }) => {
      const data = {
        list: [1],
        date: new Date(5),
        bytes: new Uint8Array([1]),
        vector: new Float32Array([1]),
        o: { a: 1 },
      };
      const before = structuredClone(data);
      await db.create(data, { id: "a" });
      data.list.push(2);
      data.date.setTime(6);
      data.bytes[0] = 2;
      data.vector[0] = 2;
      data.o.a = 2;
      same((await db.read("a"))?.data, before);
    },
  },
  {
    id: "values/changing-a-result-never-changes-the-store",
    indexes: [{ path: "n" }],
    run: async ({ db }) => {
      const data = {
        n: 1,
        date: new Date(5),
        bytes: new Uint8Array([1]),
        vector: new Float32Array([1]),
        list: [1],
        o: { a: 1 },
      };
      const created = await db.create(data, { id: "a", metadata: { at: new Date(5) } });
      const results = [created, await db.read("a"), ...(await db.search({ where: where("n", "=", 1) }))];
      for (const result of results) vandalise(result);
      const [again] = await db.search({ where: where("n", "=", 1) });
      same(again?.data, data);
      same(again?.metadata, { at: new Date(5) });
      assert.notEqual(again?.createdAt.getTime(), 0);
      assert.notEqual((await db.read("a"))?.updatedAt.getTime(), 0);
    },
  },
];

/** Changes all that can be changed; what is frozen throws, which is as good. */
function vandalise(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  for (const inner of Object.values(value)) vandalise(inner);
  if (Object.prototype.toString.call(value) === "[object Date]") (value as Date).setTime(0);
  else if (ArrayBuffer.isView(value)) (value as Uint8Array).fill(9);
  else if (Array.isArray(value)) attempt(() => value.push("vandal"));
  else {
    const bag = value as { [key: string]: unknown };
    for (const key of Object.keys(bag)) attempt(() => delete bag[key]);
    attempt(() => {
      bag["vandal"] = true;
    });
  }
}

function attempt(change: () => unknown): void {
  try {
    change();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "TypeError") throw error;
  }
}
