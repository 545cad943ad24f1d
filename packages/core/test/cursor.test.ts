import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { randomRecords } from "../src/conformance/random-records.js";
import { wireOf } from "../src/conformance/reference.js";
import { DataknobsError } from "../src/errors.js";
import { comparatorOf } from "../src/match/compare.js";
import { matcherOf } from "../src/match/matcher.js";
import type { Query } from "../src/query/ast.js";
import { where } from "../src/query/builder.js";
import { encodeCursor } from "../src/query/cursor.js";
import { lowerQuery } from "../src/query/parse.js";

const records = randomRecords(3, 80).map(wireOf);

describe("cursors", () => {
  const sorts: readonly NonNullable<Query["sort"]>[] = [
    [{ path: "m" }],
    [{ path: "m", direction: "desc" }],
    [{ path: "m", nulls: "last" }],
    [{ path: "g", direction: "desc", nulls: "first" }, { path: "m" }],
    [{ path: "g" }, { path: "s", direction: "desc" }, { path: "id", direction: "desc" }],
    [{ path: "id" }],
    [{ path: "createdAt" }, { path: "n" }],
  ];
  for (const sort of sorts) {
    it(`select just the rows after, for every row: ${JSON.stringify(sort)}`, () => {
      const query: Query = { sort };
      const { order } = lowerQuery(query);
      const sorted = [...records].sort(comparatorOf(order));
      for (const [index, record] of sorted.entries()) {
        const { where: after } = lowerQuery({ ...query, after: encodeCursor(record, query, order) });
        assert.ok(after !== undefined);
        assert.deepEqual(
          sorted.filter(matcherOf(after)).map(({ id }) => id),
          sorted.slice(index + 1).map(({ id }) => id),
          record.id,
        );
      }
    });
  }

  const query: Query = { where: where("n", ">", 0), sort: [{ path: "m" }] };
  const cursor = encodeCursor(records[0] ?? assert.fail(), query, lowerQuery(query).order);

  it("are URL-safe text", () => {
    assert.match(cursor, /^[A-Za-z0-9_-]+$/);
  });

  it("do not depend on limit and select", () => {
    lowerQuery({ ...query, limit: 5, select: ["a"], after: cursor });
  });

  const others: readonly Query[] = [
    { sort: [{ path: "m" }], after: cursor },
    { ...query, sort: [{ path: "m", direction: "desc" }], after: cursor },
    { ...query, where: where("n", ">", 1), after: cursor },
    { ...query, after: `${cursor.slice(0, -2)}AA` },
    { ...query, after: "" },
    { ...query, after: "!" },
    { ...query, after: btoa(JSON.stringify([2, "x", [], "a"])) },
    { ...query, after: btoa("[1") },
    { ...query, after: cursor, offset: 1 },
    { match: { text: "a", fields: ["t"] }, after: cursor },
  ];
  for (const [index, other] of others.entries()) {
    it(`of another query, or none, are refused (${index})`, () => {
      assert.throws(
        () => lowerQuery(other),
        (error) => DataknobsError.is(error, "INVALID_QUERY"),
      );
    });
  }

  it("with keys of a wrong type are refused", () => {
    const [version, print, , id] = JSON.parse(atob(cursor.replaceAll("-", "+").replaceAll("_", "/"))) as unknown[];
    for (const keys of [[["number", "5"]], [["bigint", 5]], [["nonsense", 5]], [5], [["string"]], [["boolean", 1]]]) {
      const forged = btoa(unescape(encodeURIComponent(JSON.stringify([version, print, keys, id]))));
      assert.throws(
        () => lowerQuery({ ...query, after: forged }),
        (error) => DataknobsError.is(error, "INVALID_QUERY"),
        JSON.stringify(keys),
      );
    }
  });
});
