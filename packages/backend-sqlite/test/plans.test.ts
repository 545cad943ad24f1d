/** SQLite's own plans: declared fields are served by their indexes, and pages begin where the last one ended. */
import { and, type Condition, not, openDatabaseSync, or, type Query, type SyncDatabase, where } from "@dataknobs/core";
import { join, sql } from "@dataknobs/sql";
import { afterEach, describe, expect, it } from "@jest/globals";
import { Connection } from "../src/connection.js";
import { sqlite } from "../src/index.js";
import { settingsOf } from "../src/options.js";
import { finish } from "../src/select.js";

let db: SyncDatabase;
afterEach(() => db.close());

function open(): SyncDatabase {
  db = openDatabaseSync(sqlite(), {
    indexes: [
      { path: "age" },
      { path: "address.city" },
      { path: "email", unique: true },
      { path: "metadata.src" },
      { path: "bio", text: true },
    ],
  });
  db.createMany(
    Array.from({ length: 300 }, (_, n) => ({
      id: `r${String(n).padStart(4, "0")}`,
      data: {
        age: n % 50,
        address: { city: `c${n % 7}` },
        email: `e${n}`,
        bio: n % 2 === 0 ? "quick fox" : "slow dog",
      },
      metadata: { src: n % 3 },
    })),
  );
  return db;
}

const planOf = (query: Query): string => (open().explain(query, { native: true }).nativePlan as string[]).join("\n");

describe("a declared field is searched by its index", () => {
  it.each<[string, Query, RegExp]>([
    ["=", { where: where("age", "=", 3) }, /SEARCH.*index_age_\w+ \(rank_age_\w+=\? AND value_age_\w+=\?\)/],
    ["<", { where: where("age", "<", 3) }, /SEARCH.*index_age_\w+ \(rank_age_\w+=\? AND value_age_\w+<\?\)/],
    ["between", { where: where("age", "between", [3, 5]) }, /value_age_\w+>\? AND value_age_\w+<\?/],
    ["in", { where: where("age", "in", [1, 2, 3]) }, /SEARCH.*index_age_\w+ \(rank_age_\w+=\? AND value_age_\w+=\?\)/],
    [
      "starts_with",
      { where: where("address.city", "starts_with", "c1") },
      /value_address_city_\w+>\? AND value_address_city_\w+<\?/,
    ],
    ["like with a prefix", { where: where("address.city", "like", "c%") }, /SEARCH.*index_address_city/],
    [
      "a unique one",
      { where: where("email", "=", "e7") },
      /SEARCH.*unique_email_\w+ \(rank_email_\w+=\? AND value_email/,
    ],
    ["metadata", { where: where("metadata.src", "=", 1) }, /SEARCH.*index_src_/],
    ["id", { where: where("id", "=", "r0001") }, /SEARCH.*sqlite_autoindex_records_1 \(id=\?\)/],
    ["or", { where: or(where("age", "=", 1), where("address.city", "=", "c1")) }, /MULTI-INDEX OR/],
    ["sort", { sort: [{ path: "age" }], limit: 5 }, /SCAN.*index_age_\w+$/],
    ["match", { match: { text: "fox" } }, /VIRTUAL TABLE INDEX/],
  ])("%s", (_, query, expected) => {
    expect(planOf(query)).toMatch(expected);
  });

  it("a sort by a declared field with a limit sorts nothing", () => {
    expect(planOf({ sort: [{ path: "age" }], limit: 5 })).not.toContain("TEMP B-TREE");
  });
});

describe("keyset paging", () => {
  it.each(["asc", "desc"] as const)("%s: a page begins in the index where the last one ended", (direction) => {
    open();
    const query: Query = { sort: [{ path: "age", direction }], limit: 10 };
    const { next } = db.page(query);
    const plan = (db.explain({ ...query, after: next as string }, { native: true }).nativePlan as string[]).join("\n");
    expect(plan).toMatch(
      direction === "asc"
        ? /SEARCH.*\(\(rank_age_\w+,value_age_\w+,id\)>\(\?,\?,\?\)\)/
        : /SEARCH.*\(\(rank_age_\w+,value_age_\w+\)<\(\?,\?\)\)/,
    );
  });

  it.each([
    [[{ path: "age" }]],
    [[{ path: "age", direction: "desc" }]],
    [[{ path: "age", direction: "desc" }, { path: "address.city" }]],
    [[{ path: "age", nulls: "last" }]],
    [[{ path: "age", direction: "desc", nulls: "first" }]],
    [[{ path: "createdAt" }]],
    [[{ path: "missing" }]],
    [[{ path: "address" }]],
    [[{ path: "id", direction: "desc" }]],
  ] as [NonNullable<Query["sort"]>][])("pages of %j give every record once, in order", (sort) => {
    open();
    db.createMany([
      { id: "null", data: { age: null } },
      { id: "text", data: { age: "30" } },
      { id: "list", data: { age: [1] } },
      { id: "big", data: { age: 10n } },
      { id: "none", data: {} },
    ]);
    const whole = db.search({ sort }).map(({ id }) => id);
    const paged: string[] = [];
    let after: string | undefined;
    do {
      const page = db.page({ sort, limit: 7 }, { after });
      paged.push(...page.records.map(({ id }) => id));
      after = page.next;
    } while (after !== undefined);
    expect(paged).toEqual(whole);
  });
});

describe("large queries", () => {
  it("100,000 values in a list", () => {
    open();
    const values = Array.from({ length: 100_000 }, (_, n) => (n % 3 === 0 ? n : n % 3 === 1 ? `e${n}` : n % 2 === 0));
    expect(db.count({ where: where("email", "in", values) })).toBe(100);
    expect(db.count({ where: where("age", "in", values) })).toBe(
      300 - db.count({ where: where("age", "not_in", values) }),
    );
    expect(db.count({ where: where("tags", "overlaps", values) })).toBe(0);
  });

  it("4,000 conditions joined by or, and by and", () => {
    open();
    const conditions = Array.from({ length: 4000 }, (_, n) =>
      n % 2 === 0 ? where("email", "=", `e${n}`) : where("age", ">", n),
    );
    expect(db.count({ where: or(...conditions) })).toBe(
      db.count({ where: or(where("age", ">", 1), where("email", "regex", "[02468]$")) }),
    );
    expect(db.count({ where: and(...conditions.map((one) => not(one))) })).toBe(
      300 - db.count({ where: or(...conditions) }),
    );
  });

  it("parameters beyond the engine's limit go as one list", () => {
    const values = ["a", 2 ** 60, "q\"'", 0.5, "last"];
    const statement = finish(
      sql`SELECT ${join(
        values.map((value) => sql`${value}`),
        ", ",
      )}`,
      { placeholder: () => "?" },
      2,
    );
    expect(statement.params).toHaveLength(3);
    const connection = new Connection(settingsOf({}));
    expect(connection.all(statement)).toEqual([values]);
    connection.close();
    open();
  });

  it("conditions nested as deep as core allows", () => {
    open();
    let condition: Condition = where("age", "=", 1);
    for (let depth = 0; depth < 60; depth++)
      condition = depth % 2 === 0 ? not(condition) : or(condition, where("age", "=", -1));
    expect(db.count({ where: condition })).toBeGreaterThan(0);
  });
});

describe("hostile names", () => {
  it.each([
    'x"y',
    "x'y",
    "$",
    "--",
    "__proto__",
    "",
    "naïve",
    "ORDER BY",
    "[0]",
    "\\",
    "\n",
    "'); DROP TABLE records; --",
    "k".repeat(1000),
  ])("%j is a field like any other, declared or not", (name) => {
    for (const indexes of [[], [{ path: ["data", name] }, { path: ["data", name], unique: true }]]) {
      const own = openDatabaseSync(sqlite(), { indexes });
      own.create(
        Object.fromEntries([
          [name, "value'\""],
          ["other", 1],
        ]),
        { id: "a" },
      );
      expect(own.search({ where: { path: ["data", name], op: "=", value: "value'\"" } })).toHaveLength(1);
      expect(
        own.search({ where: { path: ["data", name], op: "contains", value: "'; DROP TABLE records; --" } }),
      ).toHaveLength(0);
      expect(own.search({ sort: [{ path: ["data", name] }] })).toHaveLength(1);
      expect(own.aggregate({ groupBy: { k: ["data", name] }, select: { n: { fn: "count" } } })).toEqual([
        { k: "value'\"", n: 1 },
      ]);
      own.close();
    }
    open();
  });
});
