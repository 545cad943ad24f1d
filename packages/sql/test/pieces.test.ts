import {
  compareBigint,
  compareBytes,
  compareText,
  leafKinds,
  likePredicate,
  parseJson,
  resolvePath,
  toBase64,
} from "@dataknobs/core/backend";
import { describe, expect, it } from "@jest/globals";
import {
  all,
  any,
  bigintKey,
  bigintOfKey,
  bytesKey,
  bytesOfKey,
  compilerOf,
  complement,
  type Dialect,
  deepCellOf,
  deepKeyOf,
  identifier,
  jsonPath,
  jsonPathLiteral,
  keysOf,
  likeShape,
  prefixEnd,
  raw,
  render,
  type Sql,
  sql,
} from "../src/index.js";

const text = (part: Parameters<typeof render>[0]): string => render(part, () => "?").text;

describe("fragments", () => {
  it("values are bound, fragments are spliced, whatever they look like", () => {
    const hostile = "'; DROP TABLE records; --";
    const part = sql`a = ${hostile} AND ${sql`b IN (${1}, ${null})`} AND ${identifier('c"d')} = ${"?"}`;
    expect(render(part, (position) => `$${position}`)).toEqual({
      text: 'a = $1 AND b IN ($2, $3) AND "c""d" = $4',
      params: [hostile, 1, null, "?"],
    });
  });

  it("and of none is true, or of none false, one is itself", () => {
    expect([text(all([])), text(any([])), text(all([raw("x")]))]).toEqual(["TRUE", "FALSE", "x"]);
  });

  it("long chains nest by logarithm", () => {
    const depthOf = (chain: string): number => {
      let depth = 0;
      let most = 0;
      for (const character of chain) {
        if (character === "(") most = Math.max(most, ++depth);
        if (character === ")") depth--;
      }
      return most;
    };
    const chain = text(any(Array.from({ length: 100_000 }, (_, n) => raw(`x${n}`))));
    expect(depthOf(chain)).toBeLessThan(5);
    expect(Math.max(...chain.split("(").map((group) => group.split(" OR ").length))).toBeLessThan(200);
    expect(chain.match(/x\d+/g)).toHaveLength(100_000);
  });

  it("the complement is two-valued", () => {
    expect(text(complement(raw("x > 1")))).toBe("((x > 1) IS NOT TRUE)");
  });
});

describe("compilers", () => {
  const dialect: Dialect = {
    name: "bare",
    placeholder: () => "?",
    field: () => undefined,
    bind: ({ value }) => value as string,
    within: () => raw("TRUE"),
  };

  it("claim no leaf that their dialect has no hook for", () => {
    const always = ["after", "between", "compare", "equals", "exists", "in", "like", "prefix", "tied"];
    expect(leafKinds(compilerOf(dialect))).toEqual(always);
    const hook = (): Sql => raw("TRUE");
    for (const kind of ["contains", "overlaps", "regex"] as const) {
      expect(leafKinds(compilerOf({ ...dialect, [kind]: hook }))).toEqual([...always, kind].sort());
    }
  });
});

describe("sortable keys", () => {
  const decimals = [0n, 1n, 9n, 10n, 99n, 100n, 2n ** 64n, 10n ** 99n, 10n ** 100n, 10n ** 1000n].flatMap((n) =>
    n === 0n ? ["0"] : [String(n), String(-n)],
  );
  it("bigints of any length sort by value and come back", () => {
    expect([...decimals].sort((a, b) => compareText(bigintKey(a), bigintKey(b)))).toEqual(
      [...decimals].sort(compareBigint),
    );
    expect(decimals.map((one) => bigintOfKey(bigintKey(one)))).toEqual(decimals);
  });

  it("bytes sort byte by byte and come back", () => {
    const values = [[], [0], [0, 0], [1], [9, 255], [16], [255], [255, 0]].map((list) =>
      toBase64(Uint8Array.from(list)),
    );
    expect([...values].sort((a, b) => compareText(bytesKey(a), bytesKey(b)))).toEqual([...values].sort(compareBytes));
    expect(values.map((one) => bytesOfKey(bytesKey(one)))).toEqual(values);
  });

  it("are made of typed values, and of arrays and objects where asked for", () => {
    expect(keysOf({ a: 1 }, null)).toBeNull();
    expect(keysOf({ a: "x" }, { "/a": "date" })).toBeNull();
    expect(JSON.parse(keysOf({ a: { "b/c": "10" } }, { "/a/b~1c": "bigint" }) as string)).toEqual({
      "/a/b~1c": "p1210",
    });
    const place = resolvePath("u");
    expect(keysOf({ u: { a: 1, b: 2 } }, null, [place])).toBe(keysOf({ u: { b: 2, a: 1 } }, null, [place]));
    expect(keysOf({ u: 1 }, null, [place])).toBeNull();
  });
});

describe("text", () => {
  it.each([
    ["a", "b"],
    ["az", "a{"],
    ["\ud7ff", "\ue000"],
    ["a\u{10ffff}", "b"],
    ["\uffff", "\u{10000}"],
  ])("the texts beginning with %j end before %j", (prefix, end) => {
    expect(prefixEnd(prefix)).toBe(end);
    expect(compareText(`${prefix}\u{10ffff}\u{10ffff}`, end)).toBeLessThan(0);
  });

  it("nothing comes after the last code point", () => {
    expect([prefixEnd("\u{10ffff}"), prefixEnd("")]).toEqual([undefined, undefined]);
  });

  it.each([
    ["abc", { kind: "equals", text: "abc" }],
    ["", { kind: "equals", text: "" }],
    ["%", { kind: "any" }],
    ["%%", { kind: "any" }],
    ["a%", { kind: "prefix", text: "a" }],
    ["%a", { kind: "suffix", text: "a" }],
    ["%a\\%%", { kind: "includes", text: "a%" }],
    ["a_b%", { kind: "pattern", glob: "a?b*", prefix: "a" }],
    ["_[*?]", { kind: "pattern", glob: "?[[][*][?]]", prefix: "" }],
  ])("the pattern %j is %j", (pattern, shape) => {
    expect(likeShape(pattern)).toEqual(shape);
    expect(likePredicate(pattern, false)).toBeInstanceOf(Function);
  });
});

describe("JSON", () => {
  it("paths say every name", () => {
    expect(jsonPath(['a"b', "c.d", "\\", "\n"])).toBe('$."a\\"b"."c.d"."\\\\"."\\n"');
    expect(jsonPathLiteral(["it's"])).toBe(`'$."it''s"'`);
  });

  it("keys with escapes come back right, whatever was parsed before", () => {
    // nodejs/node#63785
    const texts = ["\\", "\t", "\n", '"', "xx\\", "xx\t", "A", "\u0001", "__proto__"].flatMap((key) => [
      { z: 0, [key]: 1 },
      { z: [{ [key]: "\\" }] },
    ]);
    for (let round = 0; round < 3; round++) {
      for (const value of texts) expect(JSON.stringify(parseJson(JSON.stringify(value)))).toBe(JSON.stringify(value));
    }
    expect(parseJson('{ "a\\u0041" : "b\\"c\\": ", "d": "\\\\" }')).toEqual({ aA: 'b"c": ', d: "\\" });
    expect(Object.keys(parseJson('{"__proto__":1,"\\t":2}') as object)).toEqual(["__proto__", "\t"]);
  });

  it("what is no JSON is refused", () => {
    for (const wrong of ['{"a\\":1}', '{"a":\\}', "\\", '{"\\x":1}'])
      expect(() => parseJson(wrong)).toThrow(SyntaxError);
  });

  it("deep keys are equal for equal values only", () => {
    expect(deepKeyOf('{"a":1,"b":[1.0]}', null, "")).toBe(deepKeyOf('{"b":[1],"a":1}', null, ""));
    expect(deepKeyOf('["1"]', null, "")).not.toBe(deepKeyOf('["1"]', '{"/0":"bigint"}', ""));
    expect(deepCellOf('{"b":"1","a":2}', '{"/p/b":"bigint","/q":"bytes"}', "/p")).toBe(
      '[{"a":2,"b":"1"},{"/b":"bigint"}]',
    );
  });
});
