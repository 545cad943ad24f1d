import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { DataknobsError } from "../src/errors.js";
import { getterOf } from "../src/match/access.js";
import { projectorOf } from "../src/plan/project.js";
import type { PathInput } from "../src/query/ast.js";
import { joinPath, pathKey, resolvePath, samePath, splitPath } from "../src/query/paths.js";
import type { Fields } from "../src/record/values.js";
import { wire } from "./wire.js";

// biome-ignore format: a table
const splits: readonly (readonly [text: string, segments: readonly string[]])[] = [
  ["a", ["a"]], ["a.b", ["a", "b"]], ["a\\.b", ["a.b"]], ["a\\\\.b", ["a\\", "b"]], ["", [""]], [".", ["", ""]], ["a.", ["a", ""]],
  [".a", ["", "a"]], ["a\\b", ["a\\b"]], ["a\\\\b", ["a\\b"]], ["\\.", ["."]], ["a\\", ["a\\"]], ["x y.z'", ["x y", "z'"]],
];

describe("paths", () => {
  for (const [text, segments] of splits) {
    it(`${JSON.stringify(text)} has the segments ${JSON.stringify(segments)}`, () => {
      assert.deepEqual(splitPath(text), segments);
      assert.deepEqual(splitPath(joinPath(segments)), segments);
    });
  }

  it("resolve to root, segments and pointer", () => {
    const parts = (input: PathInput): unknown => {
      const { root, segments, pointer } = resolvePath(input);
      return [root, segments, pointer];
    };
    assert.deepEqual(parts("a.b"), ["data", ["a", "b"], "/a/b"]);
    assert.deepEqual(parts(["a.b"]), ["data", ["a.b"], "/a.b"]);
    assert.deepEqual(parts("data.id"), ["data", ["id"], "/id"]);
    assert.deepEqual(parts("data"), ["data", [], ""]);
    assert.deepEqual(parts("metadata.a/b"), ["metadata", ["a/b"], "/a~1b"]);
    assert.deepEqual(parts("metadata"), ["metadata", [], ""]);
    assert.deepEqual(parts("id"), ["id", [], ""]);
    assert.deepEqual(parts("createdAt"), ["createdAt", [], ""]);
    assert.deepEqual(parts("a.id"), ["data", ["a", "id"], "/a/id"]);
    assert.deepEqual(parts("data.data.x"), ["data", ["data", "x"], "/data/x"]);
  });

  it("are the same where they name the same place", () => {
    assert.ok(samePath(resolvePath("data.x"), resolvePath(["x"])));
    assert.ok(!samePath(resolvePath("metadata.x"), resolvePath("x")));
    assert.equal(pathKey(resolvePath("a\\.b")), pathKey(resolvePath(["a.b"])));
    assert.notEqual(pathKey(resolvePath("a.b")), pathKey(resolvePath(["a.b"])));
  });

  const refused: readonly unknown[] = [
    [],
    1,
    null,
    undefined,
    {},
    [1],
    ["a", null],
    "id.x",
    "createdAt.y",
    ["updatedAt", "z"],
    "a\0b",
    ["\ud800"],
  ];
  for (const input of refused) {
    it(`${JSON.stringify(input)} is none`, () => {
      assert.throws(
        () => resolvePath(input as PathInput),
        (error) => DataknobsError.is(error, "INVALID_QUERY"),
      );
    });
  }

  it("have segments of at most 1024 bytes", () => {
    resolvePath(["é".repeat(512)]);
    assert.throws(
      () => resolvePath(["é".repeat(513)]),
      (error) => DataknobsError.is(error, "LIMIT_EXCEEDED"),
    );
  });
});

describe("reading a path", () => {
  const record = wire(
    "r",
    { a: { b: { c: 1 } }, list: [{ x: 1 }], text: "abc", n: null, "": { "": 2 } },
    { m: { k: 5 } },
  );
  const read = (input: PathInput): unknown => getterOf(resolvePath(input))(record);

  it("goes into objects", () => {
    assert.equal(read("a.b.c"), 1);
    assert.deepEqual(read("a.b"), { c: 1 });
    assert.equal(read("metadata.m.k"), 5);
    assert.equal(read(["", ""]), 2);
    assert.equal(read("id"), "r");
    assert.equal(read("createdAt"), "1970-01-01T00:00:00.000Z");
    assert.deepEqual(read("metadata"), { m: { k: 5 } });
  });

  it("finds nothing in lists, texts and null, nor by inheritance", () => {
    const none = [
      "list.0",
      "list.length",
      "list.0.x",
      "text.length",
      "text.0",
      "n.x",
      "a.b.c.d",
      "toString",
      "a.constructor",
      "a.b.valueOf",
      "__proto__",
      "a.__proto__",
      "metadata.toString",
    ];
    for (const path of none) assert.equal(read(path), undefined, path);
  });
});

describe("projection", () => {
  const record = wire("r", { a: 1, b: { c: 2n, d: new Date(0), e: { f: 1 } }, "x.y": 3 }, { m: 1 });
  const project = (...select: readonly PathInput[]): unknown => {
    const { data, types } = projectorOf(select.map(resolvePath))(record);
    return [data, types];
  };

  it("keeps the shape and the types of what is named", () => {
    assert.deepEqual(project("b.c"), [{ b: { c: "2" } }, { "/b/c": "bigint" }]);
    assert.deepEqual(project("a", "b.e.f"), [{ a: 1, b: { e: { f: 1 } } }, null]);
    assert.deepEqual(project(["x.y"]), [{ "x.y": 3 }, null]);
    assert.deepEqual(project("b", "b.c"), [{ b: record.data["b"] }, record.types]);
  });

  it("leaves out what is not there, and all data for no paths", () => {
    assert.deepEqual(project("nope", "a.x", "b.zz.y", "toString"), [{}, null]);
    assert.deepEqual(project(), [{}, null]);
    assert.deepEqual(project("id", "metadata.m"), [{}, null]);
  });

  it("does not touch the record", () => {
    const before = structuredClone(record);
    project("b.e.f", "b.c", "b.e.g");
    assert.deepEqual(JSON.stringify(record), JSON.stringify(before));
  });

  it("keeps a field named __proto__ as a field", () => {
    const hostile = wire("r", JSON.parse('{"__proto__":{"x":1}}') as Fields);
    const { data } = projectorOf([resolvePath(["__proto__", "x"])])(hostile);
    assert.equal(JSON.stringify(data), '{"__proto__":{"x":1}}');
  });
});
