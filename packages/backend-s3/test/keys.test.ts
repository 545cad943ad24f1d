import assert from "node:assert/strict";
import { compareText } from "@dataknobs/core/backend";
import { describe, it } from "@jest/globals";
import fc from "fast-check";
import { idOf, longestId, nameOf, stemOf } from "../src/objects/keys.js";

const seed = 20_240_131;
function check<T>(property: fc.IProperty<T>): void {
  fc.assert(property, { seed, numRuns: 3000 });
}

/** The byte order of keys; they have ASCII only. */
const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const letters = [
  "a",
  "b",
  "z",
  "A",
  "0",
  "-",
  ".",
  "/",
  "_",
  "~",
  "!",
  " ",
  "%",
  "\u0001",
  "\u007f",
  "é",
  "漢",
  "\ud83d\ude00",
  "\uffff",
  "\u{10ffff}",
];
const letter = fc.constantFrom(...letters);
/** Long ones often: the encoding changes at 96 bytes, and slashes come after 200 letters. */
const id = fc
  .oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 40 }),
    fc.array(letter, { minLength: 1, maxLength: 200 }).map((all) => all.join("")),
    fc
      .tuple(letter, fc.nat(300), fc.array(letter, { maxLength: 6 }))
      .map(([one, n, end]) => one.repeat(n) + end.join("")),
  )
  .map((text) => text.replaceAll("\0", "").toWellFormed())
  .filter((text) => text !== "" && Buffer.byteLength(text) <= longestId);
/** Often one the beginning of the other. */
const pair = fc.oneof(
  fc.tuple(id, id),
  fc
    .tuple(id, id)
    .map(([a, b]): [string, string] => [a, a + b])
    .filter(([, b]) => Buffer.byteLength(b) <= longestId),
);

describe("names of objects", () => {
  it("are read as the ids that they were made of", () => {
    check(fc.property(id, (one) => assert.equal(idOf(nameOf(one)), one)));
  });

  it("sort by byte as ids sort by code point", () => {
    check(
      fc.property(pair, ([a, b]) =>
        assert.equal(Math.sign(byBytes(nameOf(a), nameOf(b))), Math.sign(compareText(a, b)), `${a} ${b}`),
      ),
    );
  });

  it("are no folders of each other", () => {
    check(
      fc.property(pair, ([a, b]) => assert.ok(!`${nameOf(b)}/`.startsWith(`${nameOf(a)}/`) || a === b, `${a} ${b}`)),
    );
  });

  it("a stem sorts before the names of its id and greater ones, after those of lesser ones", () => {
    check(
      fc.property(pair, ([a, b]) => {
        assert.equal(byBytes(stemOf(a), nameOf(b)) < 0, compareText(a, b) <= 0, `${a} ${b}`);
      }),
    );
  });

  it("fit into a key, and into a file's name between slashes, for the longest ids", () => {
    for (const one of letters) {
      const longest = one.repeat(Math.floor(longestId / Buffer.byteLength(one)));
      const name = nameOf(longest);
      assert.match(name, /^[-0-9A-Za-z,.=_~!/]+$/);
      assert.ok(name.length <= 860, `${name.length} for ${one}`);
      for (const part of name.split("/")) assert.ok(part.length > 0 && part.length <= 255 && !/^\.{1,2}$/.test(part));
    }
  });

  it("show plain ids plainly", () => {
    assert.equal(nameOf("0198c2f0-0000-7000-8000-000000000000"), "0198c2f0-0000-7000-8000-000000000000!.json");
    assert.equal(nameOf("a/b é"), "a.2fb,20~c3~a9!.json");
    assert.equal(nameOf("user_1@x.org"), "user_5f1=40x.2eorg!.json");
  });

  it("names of others are no ids", () => {
    for (const name of [
      "ada.json",
      "readme",
      "!.json",
      "a b!.json",
      "a/b!.json",
      "a.2Fb!.json",
      "a_61!.json",
      "~ff!.json",
      "q/ada!.json",
    ]) {
      assert.equal(idOf(name), undefined, name);
    }
  });
});
