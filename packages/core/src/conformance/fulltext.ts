/** Full text: which records match is the contract; scores only order one result. */
import assert from "node:assert/strict";
import { count } from "../aggregate/functions.js";
import type { MatchClause } from "../query/ast.js";
import { where } from "../query/builder.js";
import type { Fields } from "../record/values.js";
import type { Case } from "./case.js";
import { load } from "./conditions.js";
import { collect, idSet, idsOf, refuses, same } from "./expect.js";

const indexes = [
  { path: "t", text: true },
  { path: "u", text: true },
] as const;

/** Which records the text finds in the field `t`, or as the clause says. */
function matches(
  id: string,
  records: { readonly [id: string]: Fields },
  expectations: readonly (readonly [string | MatchClause, readonly string[]])[],
): Case {
  return {
    id: `fulltext/${id}`,
    indexes,
    run: async ({ db }) => {
      await load(db, records);
      for (const [given, expected] of expectations) {
        const match = typeof given === "string" ? { text: given, fields: ["t"] } : given;
        const what = JSON.stringify(match);
        same(idSet(await db.search({ match })), [...expected].sort(), what);
        same(await db.count({ match }), expected.length, `count of ${what}`);
      }
    },
  };
}

const fields = ["t"];

export const fulltextCases: readonly Case[] = [
  matches(
    "every-word-or-any",
    { a: { t: "the quick brown fox" }, b: { t: "quick hen" }, c: { t: "a fox" }, d: { t: "" } },
    [
      ["quick fox", ["a"]],
      [{ text: "quick fox", fields, mode: "all" }, ["a"]],
      [{ text: "quick fox", fields, mode: "any" }, ["a", "b", "c"]],
      ["fox quick fox", ["a"]],
      ["wolf", []],
      ["quick wolf", []],
      [{ text: "quick wolf", fields, mode: "any" }, ["a", "b"]],
    ],
  ),
  matches(
    "words-may-be-in-different-fields",
    { a: { t: "quick", u: "fox" }, b: { t: "quick fox" }, c: { u: "quick fox" }, d: { t: "quick" } },
    [
      [{ text: "quick fox", fields: ["t", "u"] }, ["a", "b", "c"]],
      [{ text: "quick fox", fields: ["t"] }, ["b"]],
      [{ text: "quick fox", fields: ["u"] }, ["c"]],
      [{ text: "quick", fields: ["t", "t"] }, ["a", "b", "d"]],
    ],
  ),
  matches(
    "case-and-punctuation-do-not-matter",
    { a: { t: "Hello, WORLD!" }, b: { t: "hello-world" }, c: { t: "helloworld" }, d: { t: "x_hello_y" } },
    [
      ["hello", ["a", "b", "d"]],
      ["(WORLD) hello?", ["a", "b"]],
      ["world's", []],
    ],
  ),
  matches(
    "whole-words-only-no-stems-no-stop-words",
    { a: { t: "running runs" }, b: { t: "run" }, c: { t: "the" }, d: { t: "then" } },
    [
      ["run", ["b"]],
      ["runs", ["a"]],
      ["the", ["c"]],
    ],
  ),
  matches(
    "letters-marks-and-numbers-make-words",
    { a: { t: "naïve café" }, b: { t: "naive cafe" }, c: { t: "c3po x2" }, d: { t: "cafe\u0301" }, e: { t: "٣٤ ½" } },
    [
      ["naïve", ["a"]],
      ["NAÏVE", ["a"]],
      ["cafe", ["b"]],
      ["c3po", ["c"]],
      ["3", []],
      ["cafe\u0301", ["d"]],
      ["٣٤", ["e"]],
    ],
  ),
  matches(
    "in-scripts-without-spaces-each-code-point-is-a-word",
    {
      a: { t: "東京都" },
      b: { t: "京都" },
      c: { t: "ひらがな" },
      d: { t: "カタカナ x" },
      e: { t: "สวัสดี" },
      f: { t: "한국어" },
    },
    [
      ["京", ["a", "b"]],
      ["京都", ["a", "b"]],
      ["都東", ["a"]],
      ["が", ["c"]],
      ["カナ", ["d"]],
      ["ส", ["e"]],
      ["한국어", ["f"]],
      ["한", []],
    ],
  ),
  matches(
    "texts-beyond-ascii-and-other-alphabets",
    { a: { t: "ΣΊΣΥΦΟΣ" }, b: { t: "Москва" }, c: { t: "İstanbul" }, d: { t: "😀 smile" }, e: { t: "straße" } },
    [
      ["σίσυφος", ["a"]],
      ["МОСКВА", ["b"]],
      ["i\u0307stanbul", ["c"]],
      ["smile", ["d"]],
      ["STRASSE", []],
    ],
  ),
  matches(
    "lists-of-texts-are-searched-other-values-are-not",
    {
      a: { t: ["red fox", "hen"] },
      b: { t: 10 },
      c: { t: { x: "red" } },
      d: { t: ["blue", 7, null, ["red"]] },
      e: { t: 10n },
      f: { t: true },
      g: { t: new Date("2024-01-31") },
    },
    [
      ["red", ["a"]],
      ["fox hen", ["a"]],
      ["blue", ["d"]],
      ["10", []],
      ["7", []],
      ["true", []],
      ["2024", ["g"]],
    ],
  ),
  matches("bytes-and-bigints-are-no-text", { a: { t: new Uint8Array([105, 183]) }, b: { t: [10n] }, c: { t: "abc" } }, [
    ["abc", ["c"]],
    ["10", []],
    ["abc", ["c"]],
  ]),
  matches(
    "operators-of-engines-mean-nothing",
    { a: { t: "red AND blue" }, b: { t: "red" }, c: { t: "not near" }, d: { t: "r*d" } },
    [
      ["red AND blue", ["a"]],
      ["red OR blue", []],
      ['"red', ["a", "b"]],
      ["-red", ["a", "b"]],
      ["NEAR(not)", ["c"]],
      ["re*", []],
      ["r*d", ["d"]],
      ["t:red", []],
      ["red^2", []],
      ["'; DROP TABLE x", []],
    ],
  ),
  matches("nested-and-metadata-fields", { a: { o: { t: "deep word" } }, b: { t: "word" } }, [
    [{ text: "word", fields: ["o.t"] }, ["a"]],
    [{ text: "word", fields: ["o.t", "t"] }, ["a", "b"]],
    [{ text: "word", fields: ["metadata.t"] }, []],
  ]),
  {
    id: "fulltext/is-joined-to-conditions-by-and",
    indexes: [...indexes, { path: "n" }],
    run: async ({ db }) => {
      await load(db, { a: { t: "red", n: 1 }, b: { t: "red", n: 2 }, c: { t: "blue", n: 1 } });
      const match = { text: "red", fields };
      same(idSet(await db.search({ match, where: where("n", "=", 1) })), ["a"]);
      same(await db.count({ match, where: where("n", ">", 1) }), 1);
      same(await db.aggregate({ match, select: { n: count() } }), [{ n: 2 }]);
      same(await db.aggregate({ match, where: where("n", "=", 2), select: { n: count() } }), [{ n: 1 }]);
    },
  },
  {
    id: "fulltext/scores-descend-and-ties-go-by-id",
    indexes,
    run: async ({ db }) => {
      await load(db, {
        d: { t: "red" },
        b: { t: "red" },
        a: { t: "green" },
        c: { t: "red red red red" },
        e: { t: "red and many other words beside it here" },
      });
      const found = await db.search({ match: { text: "red", fields } });
      same(found.length, 4);
      for (let index = 0; index < found.length; index++) {
        const { score } = found[index] as { readonly score?: number };
        assert.ok(typeof score === "number" && Number.isFinite(score), "a hit has a score");
        const before = found[index - 1];
        if (before === undefined) continue;
        assert.ok((before.score ?? 0) >= score, "scores descend");
        if (before.score === score) assert.ok(before.id < (found[index]?.id ?? ""), "ties go by id");
      }
      const ids = idsOf(found);
      assert.ok(ids.indexOf("b") < ids.indexOf("d"), "equal texts tie");
      assert.ok(
        ids.indexOf("c") < ids.indexOf("e"),
        "a word that is repeated in a short text outranks one in a long text",
      );
      same(idsOf(await db.search({ match: { text: "red", fields }, limit: 2 })), ids.slice(0, 2));
      same(idsOf(await db.search({ match: { text: "red", fields }, limit: 2, offset: 1 })), ids.slice(1, 3));
      same(idsOf(await collect(db.stream({ match: { text: "red", fields } }))), ids);
      same((await db.first({ match: { text: "red", fields } }))?.id, ids[0]);
    },
  },
  {
    id: "fulltext/a-sort-replaces-the-ranking",
    indexes: [...indexes, { path: "n" }],
    run: async ({ db }) => {
      await load(db, { a: { t: "red", n: 3 }, b: { t: "red red", n: 1 }, c: { t: "red", n: 2 }, d: { n: 0 } });
      same(idsOf(await db.search({ match: { text: "red", fields }, sort: [{ path: "n" }] })), ["b", "c", "a"]);
      same(
        idsOf(await db.search({ match: { text: "red", fields }, sort: [{ path: "n", direction: "desc" }], limit: 1 })),
        ["a"],
      );
    },
  },
  {
    id: "fulltext/declared-fields-are-the-default",
    run: async ({ open, db }) => {
      await refuses("INVALID_QUERY", () => db.search({ match: { text: "red" } }));
      const declared = await open({ indexes });
      await load(declared, { a: { t: "red" }, b: { u: "red" }, c: { v: "red" } });
      same(idSet(await declared.search({ match: { text: "red" } })), ["a", "b"]);
      same(await declared.count({ match: { text: "red" } }), 2);
      same(idSet(await declared.search({ match: { text: "red", fields: ["v"] } })), ["c"]);
    },
  },
  {
    id: "fulltext/follows-later-writes",
    indexes,
    run: async ({ db }) => {
      const find = async (text: string): Promise<string[]> => idSet(await db.search({ match: { text, fields } }));
      await load(db, { a: { t: "red" }, b: { t: "red" }, c: { t: "red" } });
      await db.update("a", { t: "blue" });
      await db.patch("b", { t: ["green", "red"] });
      await db.delete("c");
      same([await find("red"), await find("blue"), await find("green")], [["b"], ["a"], ["b"]]);
      await db.patch("b", { t: null });
      await db.upsert("c", { t: "red again" });
      same([await find("red"), await find("again")], [["c"], ["c"]]);
      await db.clear();
      same(await find("red"), []);
    },
  },
  {
    id: "fulltext/a-text-without-a-word-is-refused",
    run: async ({ db }) => {
      for (const text of ["", " ", "!?", "--", "😀", "\n"]) {
        await refuses("INVALID_QUERY", () => db.search({ match: { text, fields } }));
      }
    },
  },
  {
    id: "fulltext/an-unknown-analyzer-is-refused",
    run: async ({ db }) => {
      await refuses("UNSUPPORTED", () => db.search({ match: { text: "red", fields, analyzer: "no-such-analyzer" } }));
    },
  },
];
