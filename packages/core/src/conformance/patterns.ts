/** Text operators: like, ilike, regex, starts_with. */
import { not, where } from "../query/builder.js";
import type { Fields } from "../record/values.js";
import type { Case } from "./case.js";
import { selects } from "./conditions.js";

function texts(...values: readonly string[]): { [id: string]: Fields } {
  return Object.fromEntries(values.map((value, index) => [String.fromCharCode(97 + index), { v: value }]));
}

export const patternCases: readonly Case[] = [
  selects("patterns/like-percent-crosses-newlines", texts("a\nb", "ab", "a\r\n\r\nb\n", "b\na"), [
    [where("v", "like", "a%b"), ["a", "b"]],
    [where("v", "like", "a%"), ["a", "b", "c"]],
    [where("v", "like", "%\n%"), ["a", "c", "d"]],
  ]),
  selects("patterns/like-is-anchored-before-a-final-newline", texts("x", "x\n", "\nx"), [
    [where("v", "like", "x"), ["a"]],
    [where("v", "like", "%x"), ["a", "c"]],
    [where("v", "like", "x_"), ["b"]],
  ]),
  selects("patterns/like-underscore-is-one-code-point", texts("😀", "😀😀", "a", "e\u0301", "", "\n"), [
    [where("v", "like", "_"), ["a", "c", "f"]],
    [where("v", "like", "__"), ["b", "d"]],
    [where("v", "like", "_%"), ["a", "b", "c", "d", "f"]],
    [where("v", "not_like", "_"), ["b", "d", "e"]],
  ]),
  selects("patterns/like-escapes", texts("50%", "50x", "a_b", "axb", "a\\b", "a\\%", "\\"), [
    [where("v", "like", "50\\%"), ["a"]],
    [where("v", "like", "a\\_b"), ["c"]],
    [where("v", "like", "a\\\\b"), ["e"]],
    [where("v", "like", "a\\\\%"), ["e", "f"]],
    [where("v", "like", "\\\\"), ["g"]],
    [where("v", "like", "\\a\\x\\b"), ["d"]],
  ]),
  selects(
    "patterns/like-takes-other-meta-characters-literally",
    texts("A.B", "AxB", "[A]", "a*b", "a?b", "(x|y)", "^a$", "a+"),
    [
      [where("v", "like", "A.B"), ["a"]],
      [where("v", "like", "[A]"), ["c"]],
      [where("v", "like", "[A%"), ["c"]],
      [where("v", "like", "a*b"), ["d"]],
      [where("v", "like", "a?b"), ["e"]],
      [where("v", "like", "(x|y)"), ["f"]],
      [where("v", "like", "^a$"), ["g"]],
      [where("v", "like", "a+"), ["h"]],
    ],
  ),
  selects("patterns/like-percents-in-many-places", texts("abcabc", "abc", "acb", "aXbYc", "", "ab"), [
    [where("v", "like", "a%b%c"), ["a", "b", "d"]],
    [where("v", "like", "%a%b%c%"), ["a", "b", "d"]],
    [where("v", "like", "%abc%abc%"), ["a"]],
    [where("v", "like", "%%"), ["a", "b", "c", "d", "e", "f"]],
    [where("v", "like", "a_%_c"), ["a", "d"]],
    [where("v", "like", "%b"), ["c", "f"]],
  ]),
  selects("patterns/like-is-case-sensitive-in-and-beyond-ascii", texts("Straße", "STRASSE", "ÉCOLE", "école"), [
    [where("v", "like", "É%"), ["c"]],
    [where("v", "like", "s%"), []],
    [where("v", "like", "S%e"), ["a"]],
  ]),
  selects(
    "patterns/ilike-lowers-both-sides",
    texts("ÉCOLE", "école", "Ecole", "ÅNGSTRÖM", "ångström", "\u212Bngström"),
    [
      [where("v", "ilike", "école"), ["a", "b"]],
      [where("v", "ilike", "ÉC%"), ["a", "b"]],
      [where("v", "ilike", "ångström"), ["d", "e", "f"]],
      [where("v", "not_ilike", "é%"), ["c", "d", "e", "f"]],
    ],
  ),
  selects(
    "patterns/ilike-folds-as-toLowerCase-does",
    texts("İ", "i\u0307", "ß", "SS", "ΣΑΣ", "σας", "σασ", "K", "\u212A"),
    [
      [where("v", "ilike", "İ"), ["a", "b"]],
      [where("v", "ilike", "i_"), ["a", "b"]],
      [where("v", "ilike", "ss"), ["d"]],
      [where("v", "ilike", "ß"), ["c"]],
      [where("v", "ilike", "σας"), ["e", "f"]],
      [where("v", "ilike", "k"), ["h", "i"]],
    ],
  ),
  selects(
    "patterns/a-long-pattern-on-a-long-text-is-quick",
    { a: { v: "a".repeat(30_000) }, b: { v: `${"a".repeat(30_000)}b` } },
    [
      [where("v", "like", `${"%a".repeat(40)}b`), ["b"]],
      [where("v", "like", `${"%a_".repeat(40)}%b%b`), []],
    ],
  ),
  selects("patterns/regex-is-unanchored-and-case-sensitive", texts("foobar", "barfoo", "FOO", "fo"), [
    [where("v", "regex", "foo"), ["a", "b"]],
    [where("v", "regex", "^foo"), ["a"]],
    [where("v", "regex", "foo$"), ["b"]],
    [where("v", "regex", "^f[o]+$"), ["d"]],
    [where("v", "not_regex", "foo"), ["c", "d"]],
  ]),
  selects("patterns/regex-flags", texts("a\nb", "A", "ab"), [
    [where("v", "regex", "a.b"), []],
    [where("v", "regex", { pattern: "a.b", flags: "s" }), ["a"]],
    [where("v", "regex", "^b"), []],
    [where("v", "regex", { pattern: "^b", flags: "m" }), ["a"]],
    [where("v", "regex", { pattern: "^a$", flags: "i" }), ["b"]],
    [where("v", "regex", { pattern: "^A$", flags: "im" }), ["a", "b"]],
  ]),
  selects("patterns/regex-of-the-language-not-of-the-engine", texts("é1", "日本", "a b", "a-b", "٣", "\u00a0"), [
    [where("v", "regex", "\\p{Script=Han}"), ["b"]],
    [where("v", "regex", "\\d"), ["a"]],
    [where("v", "regex", "\\s"), ["c", "f"]],
    [where("v", "regex", "^\\w"), ["c", "d"]],
    [where("v", "regex", "(?<=a)-(?=b)"), ["d"]],
    [where("v", "regex", "\\bb"), ["c", "d"]],
    [where("v", "regex", "^(?<x>.)\\p{N}$"), ["a"]],
  ]),
  selects("patterns/regex-dot-is-one-code-point", texts("😀", "ab", "a"), [
    [where("v", "regex", "^.$"), ["a", "c"]],
    [where("v", "regex", "^..$"), ["b"]],
  ]),
  selects("patterns/a-RegExp-can-be-the-operand", texts("Foo", "foo", "bar"), [
    [where("v", "regex", /^foo$/i), ["a", "b"]],
    [where("v", "not_regex", /o/), ["c"]],
  ]),
  selects("patterns/starts-with-is-literal", texts("%a", "xa", "_b", "\\c", "a%b", "A", "[x"), [
    [where("v", "starts_with", "%"), ["a"]],
    [where("v", "starts_with", "_"), ["c"]],
    [where("v", "starts_with", "\\"), ["d"]],
    [where("v", "starts_with", "a%"), ["e"]],
    [where("v", "starts_with", "A"), ["f"]],
    [where("v", "starts_with", "["), ["g"]],
    [where("v", "starts_with", ""), ["a", "b", "c", "d", "e", "f", "g"]],
    [not(where("v", "starts_with", "%")), ["b", "c", "d", "e", "f", "g"]],
  ]),
  selects(
    "patterns/starts-with-at-the-end-of-unicode",
    texts("\u{10FFFF}", "\u{10FFFF}x", "\uFFFF", "\uFFFFa", "\uD7FF", "\uE000"),
    [
      [where("v", "starts_with", "\u{10FFFF}"), ["a", "b"]],
      [where("v", "starts_with", "\uFFFF"), ["c", "d"]],
      [where("v", "starts_with", "\uD7FF"), ["e"]],
    ],
  ),
  selects("patterns/starts-with-beyond-ascii-and-longer-than-the-text", texts("😀😀", "😀", "é", "e\u0301"), [
    [where("v", "starts_with", "😀"), ["a", "b"]],
    [where("v", "starts_with", "😀😀"), ["a"]],
    [where("v", "starts_with", "e"), ["d"]],
    [where("v", "starts_with", "é"), ["c"]],
  ]),
];
