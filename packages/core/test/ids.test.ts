import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { DataknobsError } from "../src/errors.js";
import { checkId, newId, newVersion } from "../src/record/ids.js";

describe("ids", () => {
  it("are UUIDs of version 7, of this time", () => {
    const id = newId();
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const time = Number.parseInt(id.replace("-", "").slice(0, 12), 16);
    assert.ok(Math.abs(time - Date.now()) < 10_000);
  });

  it("ascend and differ, 50,000 of them", () => {
    const ids = Array.from({ length: 50_000 }, newId);
    for (let index = 1; index < ids.length; index++) assert.ok((ids[index - 1] as string) < (ids[index] as string));
  });

  it("may be any text of 1 to 512 bytes", () => {
    for (const id of ["a", " ", "a/b", "../x", "é".repeat(256), "😀".repeat(128), "\u0001", "\uFFFF"]) checkId(id);
  });

  const refused: readonly (readonly [unknown, string])[] = [
    ["", "INVALID_RECORD"],
    ["a\0", "INVALID_RECORD"],
    ["\ud800", "INVALID_RECORD"],
    [1, "INVALID_RECORD"],
    [null, "INVALID_RECORD"],
    [undefined, "INVALID_RECORD"],
    [["a"], "INVALID_RECORD"],
    ["a".repeat(513), "LIMIT_EXCEEDED"],
    [`${"é".repeat(256)}a`, "LIMIT_EXCEEDED"],
  ];
  for (const [id, code] of refused) {
    it(`${JSON.stringify(id)?.slice(0, 20)} is ${code}`, () => {
      assert.throws(
        () => checkId(id),
        (error) => DataknobsError.is(error) && error.code === code,
      );
    });
  }

  it("in a query are refused as the query's fault", () => {
    assert.throws(
      () => checkId("", "INVALID_QUERY"),
      (error) => DataknobsError.is(error, "INVALID_QUERY"),
    );
  });
});

describe("versions", () => {
  it("are never the same twice", () => {
    const versions = new Set(Array.from({ length: 10_000 }, newVersion));
    assert.equal(versions.size, 10_000);
  });
});
