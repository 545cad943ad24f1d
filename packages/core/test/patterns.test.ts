import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { DataknobsError } from "../src/errors.js";
import { likePredicate } from "../src/match/matcher.js";
import { parseLike } from "../src/match/patterns.js";
import { tokenize } from "../src/match/tokens.js";
import { checkRegex } from "../src/query/regex.js";

// biome-ignore format: a table
const likes: readonly (readonly [pattern: string, text: string, fits: boolean])[] = [
  ["", "", true], ["", "a", false], ["%", "", true], ["%", "a\nb", true], ["_", "", false], ["_", "a", true],
  ["_", "ab", false], ["_", "😀", true], ["__", "😀", false], ["_", "\n", true], ["a", "A", false], ["a%", "a", true],
  ["a%", "ba", false], ["%a", "ba", true], ["%a", "ab", false], ["%a%", "bab", true], ["a%b", "ab", true],
  ["a%b", "a\r\nb", true], ["a%b", "abc", false], ["a_b", "ab", false], ["a_b", "axb", true], ["\\%", "%", true],
  ["\\%", "x", false], ["\\_", "_", true], ["\\_", "x", false], ["\\\\", "\\", true], ["\\a", "a", true],
  ["a\\%b", "a%b", true], ["a\\%b", "axb", false], ["%\\%", "50%", true], ["%\\%", "50", false], ["A.B", "AxB", false],
  ["A.B", "A.B", true], ["[a]", "a", false], ["[a]", "[a]", true], ["(%", "(x", true], ["^a$", "a", false],
  ["%a%a%", "a", false], ["%a%a%", "aa", true], ["%ab%ab", "abab", true], ["%ab%ab", "ab", false], ["a%a", "a", false],
  ["_%_", "a", false], ["_%_", "ab", true], ["%_", "", false], ["%_😀", "a😀", true], ["%_😀", "😀", false],
  ["%__", "😀a", true], ["%__", "😀", false], ["a%%b", "ab", true], ["%b_d%", "abcde", true], ["%b_d%", "abde", false],
  ["ab%ba", "aba", false], ["ab%ba", "abba", true], ["%aab", "aaab", true], ["%a_b%", "aaxb", true], ["\u0301%", "e\u0301", false],
];

describe("like", () => {
  for (const [pattern, text, fits] of likes) {
    it(`${JSON.stringify(pattern)} ${fits ? "fits" : "does not fit"} ${JSON.stringify(text)}`, () => {
      assert.equal(likePredicate(pattern, false)(text), fits);
    });
  }

  it("refuses a trailing backslash and no other", () => {
    assert.equal(parseLike("a\\"), undefined);
    assert.equal(parseLike("\\\\\\"), undefined);
    assert.deepEqual(parseLike("a\\\\"), [{ kind: "text", text: "a\\" }]);
  });

  it("takes time linear in the text for any pattern", () => {
    const text = "a".repeat(100_000);
    const begin = performance.now();
    assert.equal(likePredicate(`${"%a".repeat(2000)}%b`, false)(text), false);
    assert.equal(likePredicate(`${"%_a".repeat(1000)}%b%`, false)(text), false);
    assert.ok(performance.now() - begin < 2000);
  });

  it("agrees with a regular expression on small alphabets", () => {
    const alphabet = ["a", "b", "%", "_"];
    const patterns = words(alphabet, 4);
    const texts = words(["a", "b"], 4);
    for (const pattern of patterns) {
      const expected = new RegExp(`^${pattern.replaceAll("%", "[^]*").replaceAll("_", "[^]")}$`, "u");
      const test = likePredicate(pattern, false);
      for (const text of texts) assert.equal(test(text), expected.test(text), `${pattern} ${text}`);
    }
  });
});

function words(alphabet: readonly string[], length: number): string[] {
  let all = [""];
  let last = [""];
  for (let size = 1; size <= length; size++) {
    last = last.flatMap((word) => alphabet.map((letter) => word + letter));
    all = [...all, ...last];
  }
  return all;
}

describe("ilike", () => {
  const fits = (pattern: string, text: string): boolean => likePredicate(pattern, true)(text);

  it("lowers both sides as toLowerCase does", () => {
    assert.ok(fits("ÉC%", "école"));
    assert.ok(fits("İ", "i\u0307"));
    assert.ok(fits("\u212A", "k"));
    assert.ok(!fits("ß", "SS"));
    assert.ok(fits("σας", "ΣΑΣ"));
    assert.ok(!fits("σασ", "ΣΑΣ"));
  });

  it("keeps escapes", () => {
    assert.ok(fits("A\\%", "a%"));
    assert.ok(!fits("A\\%", "ab"));
    assert.ok(fits("\\İ", "i\u0307"));
  });
});

// biome-ignore format: a table
const tokens: readonly (readonly [text: string, words: readonly string[]])[] = [
  ["", []], ["  ", []], ["!?-", []], ["😀", []], ["Hello, World", ["hello", "world"]], ["a_b", ["a", "b"]],
  ["don't", ["don", "t"]], ["c3po", ["c3po"]], ["3.14", ["3", "14"]], ["naïve", ["naïve"]], ["cafe\u0301", ["cafe\u0301"]],
  ["a a", ["a", "a"]], ["東京", ["東", "京"]], ["x東y", ["x", "東", "y"]], ["ひら", ["ひ", "ら"]], ["カナ", ["カ", "ナ"]],
  ["한국어", ["한국어"]], ["สวย", ["ส", "ว", "ย"]], ["ΣΑΣ", ["σας"]], ["İ", ["i\u0307"]], ["½ ٣", ["½", "٣"]], ["a\u0000b", ["a", "b"]],
  ["𠀀𠀁", ["𠀀", "𠀁"]], ["é1-é2", ["é1", "é2"]], ["Москва", ["москва"]], ["शब्द", ["शब्द"]],
];

describe("the tokenizer", () => {
  for (const [text, expected] of tokens) {
    it(`${JSON.stringify(text)} has the words ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(tokenize(text), expected);
    });
  }

  it("gives the same words for ASCII by either way", () => {
    for (let code = 0; code < 128; code++) {
      const text = `a${String.fromCharCode(code)}b`;
      assert.deepEqual(tokenize(text), tokenize(`${text} é`).slice(0, -1), JSON.stringify(text));
    }
  });
});

describe("regular expressions", () => {
  const code = (pattern: string, flags = ""): string => {
    try {
      return checkRegex(pattern, flags, false, "v");
    } catch (error) {
      return DataknobsError.is(error) ? error.code : String(error);
    }
  };

  it("get the flag u", () => {
    assert.equal(code("a"), "u");
    assert.equal(code("a", "mis"), "imsu");
    assert.equal(code("a", "u"), "u");
  });

  it("are refused when they are none", () => {
    for (const pattern of ["(", "[", "a{2,1}", "\\", "(?<a>x)(?<a>y)", "\\-", "{"])
      assert.equal(code(pattern), "INVALID_QUERY", pattern);
    for (const flags of ["g", "y", "v", "d", "ii", "x"]) assert.equal(code("a", flags), "INVALID_QUERY", flags);
  });

  const explosive = [
    "(a+)+$",
    "^(a+)+$",
    "(a|a)*b",
    "(a|aa)+$",
    "(x|x)*y",
    "(.*)*x",
    "^(\\w+\\s?)*$",
    "([a-z]+)*\\d",
    "(?:a|b|ab)*c",
  ];
  for (const pattern of explosive) {
    it(`${pattern} may explode and is refused, soon`, () => {
      const begin = performance.now();
      assert.equal(code(pattern), "INVALID_QUERY");
      assert.ok(performance.now() - begin < 1500, "the check itself takes long");
      assert.equal(checkRegex(pattern, "", true, "v"), "u");
    });
  }

  for (const pattern of [
    "^\\d+(?:\\.\\d+)*$",
    "^(?:ab)+$",
    "(foo|bar)?baz",
    "^\\d{3}-(?:\\d{2}-)?\\d{4}$",
    "a+b*c",
    "(?:x|y){1,3}",
  ]) {
    it(`${pattern} is harmless`, () => {
      assert.equal(code(pattern), "u");
    });
  }
});
