import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import fc from "fast-check";
import { isSame } from "../src/conformance/expect.js";
import { randomRecords } from "../src/conformance/random-records.js";
import { DataknobsError } from "../src/errors.js";
import { fromBase64, toBase64 } from "../src/record/base64.js";
import { mergeFields } from "../src/record/merge.js";
import { fromPointer, toPointer } from "../src/record/pointer.js";
import { isPortableText, utf8Length } from "../src/record/text.js";
import { decode, encode, encodeFields, type Fields, type Value } from "../src/record/values.js";

const options = { subject: "data", code: "INVALID_RECORD", freeze: false } as const;

function roundTrip(value: Value): unknown {
  const { json, types } = encode(value, options);
  return decode(JSON.parse(JSON.stringify(json)) as never, types);
}

function codeOf(value: unknown): string {
  try {
    encode(value, options);
    return "none";
  } catch (error) {
    return DataknobsError.is(error) ? error.code : String(error);
  }
}

describe("encode", () => {
  it("keeps data plain and puts types beside it, by pointer", () => {
    const fields = { at: new Date(0), "a/b": { "~": [1n, new Uint8Array([1])] }, v: new Float32Array([0.5]), plain: 1 };
    assert.deepEqual(encodeFields(fields), {
      json: { at: "1970-01-01T00:00:00.000Z", "a/b": { "~": ["1", "AQ=="] }, v: [0.5], plain: 1 },
      types: { "/at": "date", "/a~1b/~0/0": "bigint", "/a~1b/~0/1": "bytes", "/v": "float32" },
    });
  });

  it("has no types where JSON says it all", () => {
    assert.equal(encodeFields({ a: 1, b: [null, "x", { c: true }] }).types, null);
  });

  it("types a value itself under the empty pointer", () => {
    assert.deepEqual(encode(5n, options), { json: "5", types: { "": "bigint" } });
  });

  it("makes zero of minus zero, everywhere", () => {
    const { json } = encodeFields({ a: -0, b: [-0], c: { d: -0 }, v: new Float32Array([-0]) });
    assert.ok(isSame(json, { a: 0, b: [0], c: { d: 0 }, v: [0] }));
  });

  it("leaves undefined out of objects and makes null of it in lists", () => {
    const holed: number[] = [];
    holed[2] = 1;
    assert.deepEqual(encodeFields({ a: undefined, b: [undefined, 1], c: holed }).json, {
      b: [null, 1],
      c: [null, null, 1],
    });
  });

  it("does not change or keep its input", () => {
    const input = { a: [1], b: { c: new Date(0) } };
    const { json } = encodeFields(input, { ...options, freeze: true });
    assert.ok(Object.isFrozen(json) && Object.isFrozen(json["a"]) && Object.isFrozen(json["b"]));
    assert.ok(!Object.isFrozen(input) && !Object.isFrozen(input.a));
    assert.notEqual(json["a"], input.a);
  });

  it("freezes all of the copy where asked, the numbers of a vector too", () => {
    const { json } = encodeFields({ v: new Float32Array([1]), l: [[{ a: 1 }]] }, { ...options, freeze: true });
    assert.ok(Object.isFrozen(json["v"]));
    assert.ok(Object.isFrozen((json["l"] as readonly (readonly object[])[])[0]?.[0]));
  });

  it("takes objects without prototype and of other realms", () => {
    const bare = Object.assign(Object.create(null) as object, { a: 1 });
    assert.deepEqual(encodeFields(bare).json, { a: 1 });
  });

  it("takes subarrays and Buffers for their bytes", () => {
    const bytes = new Uint8Array([0, 1, 2, 3]).subarray(1, 3);
    assert.deepEqual(encode(bytes, options).json, toBase64(new Uint8Array([1, 2])));
    assert.deepEqual(encode(Buffer.from([1, 2]), options), { json: "AQI=", types: { "": "bytes" } });
  });

  it("asks toJSON of class instances", () => {
    assert.equal(encode(new URL("https://a.b/"), options).json, "https://a.b/");
    const own = { toJSON: () => ({ at: new Date(0) }) };
    class Point {
      toJSON(): object {
        return { x: 1n };
      }
    }
    assert.deepEqual(encode({ p: new Point() }, options), { json: { p: { x: "1" } }, types: { "/p/x": "bigint" } });
    assert.equal(codeOf(own), "INVALID_RECORD");
  });

  const refused: readonly unknown[] = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    () => 1,
    Symbol("x"),
    new Date(Number.NaN),
    new Map(),
    new Set(),
    /x/,
    new Error("x"),
    Promise.resolve(),
    new Int8Array(1),
    new Float64Array(1),
    new ArrayBuffer(1),
    "a\0",
    "\ud800",
    "\udc00a",
    "a\udc00\ud800",
    new Float32Array([Number.NaN]),
    { [Symbol("s")]: 1 },
    { "\0": 1 },
    { "\ud800": 1 },
    new WeakMap(),
    new (class A {})(),
  ];
  for (const [index, value] of refused.entries()) {
    it(`refuses ${Object.prototype.toString.call(value)} (${index})`, () => {
      assert.equal(codeOf(value), "INVALID_RECORD");
      assert.equal(codeOf({ deep: [value] }), "INVALID_RECORD");
    });
  }

  it("tells a cycle from what is only deep, and objects met twice from both", () => {
    const cycle: { [key: string]: unknown } = {};
    cycle["a"] = { b: cycle };
    assert.equal(codeOf(cycle), "INVALID_RECORD");
    const list: unknown[] = [];
    list.push(list);
    assert.equal(codeOf(list), "INVALID_RECORD");
    let deep: unknown = 1;
    for (let level = 0; level < 65; level++) deep = [deep];
    assert.equal(codeOf(deep), "LIMIT_EXCEEDED");
    const twice = { x: 1 };
    assert.equal(codeOf({ a: twice, b: twice }), "none");
  });

  it("counts the bytes of a field name", () => {
    assert.equal(codeOf({ ["é".repeat(512)]: 1 }), "none");
    assert.equal(codeOf({ ["é".repeat(513)]: 1 }), "LIMIT_EXCEEDED");
  });

  it("names the field that cannot be kept", () => {
    assert.throws(
      () => encodeFields({ a: { "b.c": [Number.NaN] } }),
      (error) => DataknobsError.is(error) && error.details.field === "a.b.c.0" && /NaN/.test(error.message),
    );
  });
});

describe("decode", () => {
  it("undoes encode, for a hundred random records", () => {
    for (const { data, metadata } of randomRecords(7, 100)) {
      assert.ok(isSame(roundTrip(data), data));
      assert.ok(isSame(roundTrip(metadata), metadata));
    }
  });

  it("undoes encode, for any JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const once = roundTrip(value as Value);
        assert.deepEqual(once, JSON.parse(JSON.stringify(value)));
      }),
      { seed: 11 },
    );
  });

  it("does not take a user's object for one of ours", () => {
    const value = { type: "date", value: "1970-01-01T00:00:00.000Z", "/at": "date", types: { "/at": "date" } };
    assert.deepEqual(roundTrip(value), value);
  });

  it("tells maps apart that differ little, one record after another", () => {
    const values = [
      { a: new Date(0), b: 1 },
      { a: new Date(1), b: 2n },
      { a: 1, b: new Date(2) },
      { a: new Date(3) },
      { a: new Date(4), b: { c: new Date(5) } },
      { a: 5n, b: new Uint8Array([1]) },
      { ["__proto__"]: new Date(6), a: new Date(7) },
      { "a/b": new Date(8), "a~b": 9n },
    ];
    for (const first of values) {
      for (const second of values) {
        const encoded = [first, second].map((value) => encodeFields(value));
        assert.deepEqual(
          encoded.map(({ json, types }) => decode(json, types)),
          [first, second],
        );
      }
    }
  });

  it("leaves the stored JSON alone", () => {
    const { json, types } = encodeFields({ a: { at: new Date(0) } });
    decode(json, types);
    assert.deepEqual(json, { a: { at: "1970-01-01T00:00:00.000Z" } });
  });

  it("leaves as it is what another program changed", () => {
    assert.deepEqual(
      decode({ a: 5, b: "x", c: "?" }, { "/a": "date", "/b": "bigint", "/c": "bytes", "/gone/x": "date" }),
      { a: 5, b: "x", c: "?" },
    );
  });

  it("sets own fields, never the prototype", () => {
    const record = JSON.parse('{"__proto__":{"at":"1970-01-01T00:00:00.000Z"}}') as Fields;
    const decoded = decode(record as never, { "/__proto__/at": "date" }) as object;
    assert.deepEqual(Object.keys(decoded), ["__proto__"]);
    assert.equal(Object.getPrototypeOf(decoded), Object.prototype);
  });
});

describe("mergeFields", () => {
  it("puts fields over fields, with their types", () => {
    const merged = mergeFields(
      { a: "1", b: { at: "x" }, c: 1 },
      { "/a": "bigint", "/b/at": "date" },
      { a: "1", d: "2" },
      { "/d": "bigint" },
    );
    assert.deepEqual(merged, {
      data: { a: "1", b: { at: "x" }, c: 1, d: "2" },
      types: { "/b/at": "date", "/d": "bigint" },
    });
  });

  it("forgets the types below a replaced field, and none beside it", () => {
    const { types } = mergeFields({ a: { x: "1" }, ab: "2" }, { "/a/x": "bigint", "/ab": "bigint" }, { a: 1 }, null);
    assert.deepEqual(types, { "/ab": "bigint" });
  });

  it("changes neither side", () => {
    const [data, patch] = [Object.freeze({ a: 1 }), Object.freeze({ b: 2 })];
    assert.deepEqual(mergeFields(data, null, patch, null), { data: { a: 1, b: 2 }, types: null });
  });

  it("knows names with slashes and tildes", () => {
    const { types } = mergeFields(
      { "a/b": "1", "~": "1" },
      { "/a~1b": "bigint", "/~0": "bigint" },
      { "a/b": "x" },
      null,
    );
    assert.deepEqual(types, { "/~0": "bigint" });
  });
});

describe("texts and pointers", () => {
  it("base64 goes there and back, for every byte and length", () => {
    for (let length = 0; length < 70; length++) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 37 + length) % 256);
      assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64"));
      assert.deepEqual([...(fromBase64(toBase64(bytes)) ?? [])], [...bytes]);
    }
    assert.equal(toBase64(new Uint8Array(100_000)).length, 133_336);
    assert.equal(fromBase64("?"), undefined);
  });

  it("counts UTF-8 bytes", () => {
    for (const text of ["", "a", "é", "日", "😀", "a😀é\uFFFF\uE000"])
      assert.equal(utf8Length(text), Buffer.byteLength(text), text);
  });

  it("knows what every store can keep", () => {
    assert.deepEqual(["a", "😀", "\uFFFF", ""].map(isPortableText), [true, true, true, true]);
    assert.deepEqual(["\0", "a\ud800", "\udc00", "😀\0"].map(isPortableText), [false, false, false, false]);
  });

  it("pointers go there and back", () => {
    for (const segments of [[], [""], ["a", "b"], ["a/b", "~", "~1", "~0", ""]])
      assert.deepEqual(fromPointer(toPointer(segments)), segments);
    assert.equal(toPointer(["a/b", "c~d"]), "/a~1b/c~0d");
  });
});
