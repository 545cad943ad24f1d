/** PostgreSQL's own plans over 100,000 rows: declared fields are served by their indexes, and pages begin where the last one ended. */
import { and, type Condition, type Database, not, openDatabase, or, type Query, where } from "@dataknobs/core";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { makeSchema, newTable, open, schemaName, sql } from "./server.js";

const table = newTable();
const size = 100_000;
let db: Database;

beforeAll(async () => {
  await makeSchema();
  db = await openDatabase(open({ table }), {
    indexes: [
      { path: "age", type: "number" },
      { path: "address.city", type: "string" },
      { path: "email", unique: true },
      { path: "tags" },
      { path: "metadata.src", type: "number" },
      { path: "bio", text: true },
      { path: "title", text: true },
    ],
  });
  await db.createMany(
    Array.from({ length: size }, (_, n) => ({
      id: `r${String(n).padStart(6, "0")}`,
      data: {
        age: n % 1000,
        address: { city: `c${(n * 7) % 500}` },
        email: `e${n}`,
        tags: [`t${n % 300}`, n % 777],
        bio: n % 250 === 0 ? "the quick fox" : `slow dog w${n % 90}`,
        title: n % 400 === 0 ? "red herring" : "blue whale",
      },
      metadata: { src: n % 800 },
    })),
  );
  await sql`VACUUM ANALYZE ${sql(schemaName)}.${sql(table)}`;
}, 300_000);
afterAll(() => db.close());

async function planOf(query: Query): Promise<string> {
  const { nativePlan } = await db.explain(query, { native: true });
  return (nativePlan as string[]).join("\n");
}

describe("a declared field is searched by its index", () => {
  it.each<[string, Query, RegExp]>([
    ["=", { where: where("age", "=", 3) }, /Index (?:Scan using|Scan on) dk_index_age_/],
    ["<", { where: where("age", "<", 3) }, /Index (?:Scan using|Scan on) dk_index_age_/],
    ["between", { where: where("age", "between", [3, 5]) }, /Index (?:Scan using|Scan on) dk_index_age_/],
    ["in", { where: where("age", "in", [1, 2, 3]) }, /Index (?:Scan using|Scan on) dk_index_age_/],
    ["text", { where: where("address.city", "=", "c7") }, /dk_index_address_city_/],
    ["starts_with", { where: where("address.city", "starts_with", "c49") }, /dk_index_address_city_/],
    ["like with a prefix", { where: where("address.city", "like", "c49%") }, /dk_index_address_city_/],
    ["a unique one", { where: where("email", "=", "e7") }, /dk_unique_email_/],
    ["a value as long as can be", { where: where("email", "=", "e".repeat(5000)) }, /dk_unique_email_/],
    ["contains", { where: where("tags", "contains", "t7") }, /dk_index_tags_\w+_lists/],
    ["overlaps", { where: where("tags", "overlaps", ["t7", 5]) }, /dk_index_tags_\w+_lists/],
    ["an array", { where: where("tags", "=", ["t7", 7]) }, /dk_index_tags_\w+_lists/],
    ["metadata", { where: where("metadata.src", "=", 1) }, /dk_index_src_/],
    ["id", { where: where("id", "=", "r000001") }, /_pkey/],
    ["ids", { where: where("id", "in", ["r000001", "r000002"]) }, /_pkey/],
    ["and", { where: and(where("age", "=", 1), where("address.city", "=", "c7")) }, /dk_index_/],
    ["or", { where: or(where("age", "=", 1), where("email", "=", "e1")) }, /BitmapOr/],
    ["match", { match: { text: "quick fox", fields: ["bio"] } }, /Index Scan on dk_text_bio_/],
    ["match of any word", { match: { text: "quick w7", fields: ["bio"], mode: "any" } }, /Index Scan on dk_text_bio_/],
    ["match over two fields", { match: { text: "quick herring" } }, /dk_text_bio_[\s\S]*dk_text_title_/],
  ])("%s", async (_, query, index) => {
    const plan = await planOf(query);
    expect(plan).toMatch(index);
    expect(plan).not.toMatch(/Seq Scan/);
  });
});

describe("an order comes from the index", () => {
  it.each<[string, Query, RegExp]>([
    ["ascending", { sort: [{ path: "age" }], limit: 5 }, /Index Scan using dk_index_age_/],
    ["descending", { sort: [{ path: "age", direction: "desc" }], limit: 5 }, /dk_index_age_/],
    ["by id", { limit: 5 }, /_pkey/],
    [
      "within a range",
      { where: where("age", ">", 990), sort: [{ path: "age" }], limit: 5 },
      /Index Scan using dk_index_age_/,
    ],
    ["of a few values only", { sort: [{ path: "metadata.src" }], limit: 5 }, /dk_index_src_/],
  ])("%s", async (_, query, index) => {
    const plan = await planOf(query);
    expect(plan).toMatch(index);
    expect(plan).not.toMatch(/Seq Scan|(?<!Incremental )Sort {2}\(/);
  });

  it.each<[string, Query]>([
    ["by one key", { sort: [{ path: "age" }], limit: 5 }],
    ["by id", { limit: 5 }],
  ])("and a page begins where the last one ended: %s", async (_, query) => {
    const first = await db.page({ ...query, limit: 50_000 });
    const cost = async (after: string | undefined): Promise<number> => {
      const plan = await planOf({ ...query, ...(after !== undefined && { after }) });
      expect(plan).toMatch(/Index Scan using/);
      if (after !== undefined) expect(plan).toMatch(/Index Cond/);
      return Number(/cost=[\d.]+\.\.([\d.]+)/.exec(plan)?.[1]);
    };
    expect(await cost(first.next)).toBeLessThan(20 * (await cost(undefined)));
  });
});

describe("explain", () => {
  const how = (condition: Condition) =>
    db.explain({ where: condition }).clauses.map(({ how: one, index }) => [one, index]);

  it("names the index", () => {
    expect(how(where("age", ">", 3))).toEqual([["pushed", "age"]]);
    expect(how(where("email", "=", "e"))).toEqual([["pushed", "email:unique"]]);
    expect(how(where("tags", "contains", "t7"))).toEqual([["pushed", "tags"]]);
    expect(how(where("tags", "=", ["t7"]))).toEqual([["pushed", "tags"]]);
    expect(how(where("age", "contains", 7))).toEqual([["pushed", undefined]]);
    expect(how(where("nowhere", "=", "e"))).toEqual([["pushed", undefined]]);
    expect(how(not(where("age", ">", 3)))).toEqual([["pushed", "age"]]);
  });

  it("says what core does", () => {
    expect(how(where("address.city", "regex", "c[0-9]"))).toEqual([["emulated", undefined]]);
    const { clauses } = db.explain({ where: where("address.city", "ilike", "C4%") });
    expect(clauses[0]?.why).toMatch(/lower case/);
  });

  it("shows the statement", () => {
    const { native } = db.explain({ where: where("age", "=", 3), limit: 2 });
    expect((native as { sql: string }).sql).toMatch(/^SELECT .* FROM ".*" WHERE .* LIMIT \$2::bigint$/s);
  });
});
