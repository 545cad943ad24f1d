/** The index: how it is made, shared, changed while in use, and what others may do with it. */
import { type ElasticsearchOptions, elasticsearch, nativeOf } from "@dataknobs/backend-elasticsearch";
import { count, type Database, DataknobsError, type ErrorCode, openDatabase, query, where } from "@dataknobs/core";
import type { Backend } from "@dataknobs/core/backend";
import { Client } from "@elastic/elasticsearch";
import { afterAll, describe, expect, it, jest } from "@jest/globals";
import { freshName, removeAll, request, serverUrl } from "./server.js";

const hosts = serverUrl();
// a shared machine may be slow
jest.setTimeout(120_000);
afterAll(removeAll);

type Settings = Parameters<typeof openDatabase>[1];
const open = (options: ElasticsearchOptions = {}, settings: Settings = {}): Promise<Database> =>
  openDatabase(elasticsearch({ hosts, index: freshName(), replicas: 0, ...options }), settings) as Promise<Database>;

async function refused(code: ErrorCode, call: () => unknown): Promise<DataknobsError> {
  try {
    await call();
  } catch (error) {
    if (!DataknobsError.is(error, code)) throw error;
    return error;
  }
  throw new Error(`expected ${code}, got an answer`);
}

/** A backend that is not ours. */
const nothing: Backend = {
  name: "nothing",
  ownership: "keep",
  capabilities: { ...elasticsearch().capabilities, durable: false, pushdown: [] },
  read: (ids) => ids.map(() => undefined),
  write: () => [],
  scan: () => [],
};

const idsOf = (records: readonly { readonly id: string }[]): string[] => records.map(({ id }) => id);

describe("opening", () => {
  it("of a new index by ten at once works, each with fields of its own", async () => {
    const index = freshName();
    const all = await Promise.all(
      Array.from({ length: 10 }, (_, n) => open({ index }, { indexes: [{ path: `f${n}` }, { path: "shared" }] })),
    );
    await Promise.all(all.map((db, n) => db.create({ [`f${n}`]: n, shared: n }, { id: `r${n}` })));
    for (const [n, db] of all.entries()) {
      await db.settle();
      const found = await db.search({ where: where(`f${n}`, "exists"), sort: [{ path: "shared" }, { path: `f${n}` }] });
      expect(idsOf(found)).toEqual([`r${n}`]);
    }
    const last = all[0] as Database;
    expect(await last.count()).toBe(10);
    const { keep, drop } = await last.indexes.plan();
    expect(keep.length + drop.length).toBe(11);
    for (const db of all) await db.close();
  });

  it("refuses an index of another program, and leaves it as it is", async () => {
    const index = freshName();
    await request("PUT", `/${index}`, { mappings: { properties: { name: { type: "text" } } } });
    await request("PUT", `/${index}/_doc/1?refresh=true`, { name: "Ada" });
    const error = await refused("INVALID_CONFIG", () => open({ index }));
    expect(error.message).toContain("index");
    const { body } = await request("GET", `/${index}`);
    expect((body as { [name: string]: { aliases: object } })[index]?.aliases).toEqual({});
  });

  it("refuses a layout of a newer version", async () => {
    const index = freshName();
    await (await open({ index })).close();
    await request("PUT", `/${index}/_mapping`, { _meta: { dataknobs: { layout: 99 } } });
    expect((await refused("INVALID_CONFIG", () => open({ index }))).message).toContain("newer");
  });

  it("by an alias works, by one of several indexes not", async () => {
    const [index, alias] = [freshName(), freshName()];
    await using db = await open({ index, alias });
    await db.create({ n: 1 }, { id: "a" });
    await using same = await open({ index: alias });
    expect((await same.read("a"))?.data).toEqual({ n: 1 });
    const other = freshName();
    await (await open({ index: other })).close();
    await request("POST", "/_aliases", { actions: [{ add: { index: other, alias } }] });
    await refused("INVALID_CONFIG", () => open({ index: alias }));
  });

  it("with manage: false makes nothing", async () => {
    const index = freshName();
    await refused("INVALID_CONFIG", () => open({ index, manage: false }));
    expect((await request("GET", `/${index}`)).status).toBe(404);
    await (await open({ index }, { indexes: [{ path: "n" }] })).close();
    await using db = await open({ index, manage: false }, { indexes: [{ path: "n" }, { path: "m" }] });
    await db.createMany([3, 1, 2].map((n) => ({ id: `r${n}`, data: { n } })));
    expect(idsOf(await db.search(query().sort("n")))).toEqual(["r1", "r2", "r3"]);
    expect(db.explain(query().sort("n")).sort.how).toBe("pushed");
    expect(db.explain(query().sort("m")).sort.how).toBe("emulated");
  });

  it("by configuration and URL", async () => {
    const index = freshName();
    await using db = await openDatabase({ backend: "elasticsearch", hosts, index, replicas: 0 });
    await db.create({ n: 1 }, { id: "a" });
    const url = new URL(hosts);
    await using same = await openDatabase(`elasticsearch:${url.origin}/${index}?manage=false`);
    expect(await same.count()).toBe(1);
    await using again = await openDatabase(`elasticsearch://${url.host}/${index}`);
    expect(await again.count()).toBe(1);
  });

  it.each<[string, object]>([
    ["a wrong name", { index: "No Such" }],
    ["an address that is none", { hosts: "localhost:9200" }],
    ["a password without a user", { password: "x" }],
    ["two ways to log in", { apiKey: "x", username: "a", password: "b" }],
    ["a client and hosts", { client: new Client({ node: hosts }), hosts }],
    ["a client that is none", { client: {} }],
    ["an unknown refresh", { refresh: "later" }],
    ["settings that are a list", { settings: [] }],
    ["analyzers that are no names", { analyzers: ["a b"] }],
    ["an option that does not exist", { host: "x" }],
  ])("refuses %s", (_, options) => {
    expect(() => elasticsearch(options as ElasticsearchOptions)).toThrow(
      expect.objectContaining({ code: "INVALID_CONFIG" }),
    );
  });

  it("uses a client of the user's and does not close it", async () => {
    const client = new Client({ node: hosts });
    const index = freshName();
    const db = await openDatabase(elasticsearch({ client, index, replicas: 0 }));
    await db.create({ n: 1 });
    await db.close();
    expect((await client.count({ index })).count).toBeGreaterThanOrEqual(0);
    await client.close();
  });
});

describe("another process that changes the declared fields", () => {
  it("is noticed: what is written afterwards has the new field", async () => {
    const index = freshName();
    await using old = await open({ index });
    await old.createMany([2, 1].map((n) => ({ id: `before${n}`, data: { n } })));
    await using other = await open({ index }, { indexes: [{ path: "n" }] });
    await old.createMany([4, 3].map((n) => ({ id: `after${n}`, data: { n } })));
    await old.patch("before1", { m: 1 });
    await old.settle();
    expect(idsOf(await other.search(query().sort("n")))).toEqual(["before1", "before2", "after3", "after4"]);
    expect(other.explain(query().sort("n")).sort.how).toBe("pushed");
    expect(await old.count()).toBe(4);
  });

  it("drops one: a query by it is asked again, or in another way, and never wrong", async () => {
    const index = freshName();
    await using a = await open({ index }, { indexes: [{ path: "n" }, { path: "t", text: true }] });
    await a.createMany([2, 1].map((n) => ({ id: `r${n}`, data: { n, t: "red" } })));
    await using b = await open({ index }, { indexes: [{ path: "t", text: true }] });
    const { drop } = await b.indexes.apply({ drop: true });
    expect(drop.map(({ name }) => name)).toEqual(["n"]);
    await b.create({ n: 0, t: "red" }, { id: "r0" });
    await b.settle();
    await refused("CONFLICT", () => a.search(query().sort("n")));
    expect(a.explain(query().sort("n")).sort.how).toBe("emulated");
    expect(idsOf(await a.search(query().sort("n")))).toEqual(["r0", "r1", "r2"]);
    expect(await a.count(query().match("red"))).toBe(3);
    expect((await b.indexes.plan()).drop).toEqual([]);
  });

  it("dies over it: whoever opens next goes on where it stopped", async () => {
    const index = freshName();
    await using old = await open({ index });
    await old.create({ n: 2 }, { id: "r2" });
    const { body } = await request("GET", `/${index}/_alias`);
    const [alias] = Object.keys((body as { [name: string]: { aliases: object } })[index]?.aliases ?? {});
    const actions = [{ remove: { index, alias } }, { add: { index, alias: `${index}~lock-dead` } }];
    await request("POST", "/_aliases", { actions });
    const writing = old.create({ n: 1 }, { id: "r1" });
    await using next = await open({ index }, { indexes: [{ path: "n" }] });
    await writing.catch((error: unknown) => {
      if (!DataknobsError.is(error, "UNAVAILABLE")) throw error;
      return old.create({ n: 1 }, { id: "r1" });
    });
    await next.settle();
    expect(idsOf(await next.search(query().sort("n")))).toEqual(["r1", "r2"]);
  });

  it("declares it again: documents from between have it", async () => {
    const index = freshName();
    await using a = await open({ index }, { indexes: [{ path: "n" }] });
    await a.create({ n: 2 }, { id: "r2" });
    await using b = await open({ index });
    await b.indexes.apply({ drop: true });
    await b.create({ n: 1 }, { id: "r1" });
    await using c = await open({ index }, { indexes: [{ path: "n" }] });
    expect(c.explain(query().sort("n")).sort.how).toBe("pushed");
    expect(idsOf(await c.search(query().sort("n")))).toEqual(["r1", "r2"]);
  });
});

describe("options of the index", () => {
  it("shards, replicas, settings and an alias are what the server has", async () => {
    const [index, alias] = [freshName(), freshName()];
    await using db = await open({ index, alias, shards: 3, settings: { refresh_interval: "7s" } });
    await db.createMany(
      Array.from({ length: 300 }, (_, n) => ({ id: `r${n}`, data: { n, t: n % 3 === 0 ? "red" : "blue" } })),
    );
    const { body } = await request("GET", `/${index}`);
    const found = (body as { [name: string]: { settings: { index: object }; aliases: object } })[index];
    expect(found?.settings.index).toMatchObject({
      number_of_shards: "3",
      number_of_replicas: "0",
      refresh_interval: "7s",
    });
    expect(Object.keys(found?.aliases ?? {})).toContain(alias);
    expect(await db.count()).toBe(300);
    expect((await db.search(query().sort("id").limit(2))).map(({ id }) => id)).toEqual(["r0", "r1"]);
  });

  it("groups are exact over several shards, and however many there are", async () => {
    await using db = await open({ shards: 3 }, { indexes: [{ path: "g" }, { path: "h" }] });
    await db.createMany(Array.from({ length: 12_000 }, (_, n) => ({ data: { g: n % 11_000, h: `h${n % 7}` } })));
    const rows = await db.aggregate({ groupBy: { g: "g" }, select: { n: count() } });
    expect(rows).toHaveLength(11_000);
    expect(rows.filter(({ n }) => n === 2)).toHaveLength(1000);
    const few = await db.aggregate({
      groupBy: { h: "h" },
      select: { n: count(), all: { fn: "countDistinct", path: "g" } },
    });
    expect(few).toHaveLength(7);
    expect(few.reduce((sum, { n }) => sum + (n as number), 0)).toBe(12_000);
    expect(db.explainAggregate({ groupBy: { h: "h" }, select: { n: count() } }).groups.how).toBe("pushed");
  });

  it("routing puts all on one shard, and is the same for all users", async () => {
    const index = freshName();
    await using db = await open({ index, shards: 4, routing: "tenant" });
    await db.createMany(Array.from({ length: 40 }, (_, n) => ({ id: `r${n}`, data: { n } })));
    await db.update("r1", { n: 100 });
    expect(await db.delete("r2")).toBe(true);
    expect(await db.count(query().filter("n", ">=", 0))).toBe(39);
    expect((await db.read("r1"))?.data).toEqual({ n: 100 });
    const { body } = await request("GET", `/_cat/shards/${index}?format=json&h=docs`);
    expect((body as { docs: string }[]).filter(({ docs }) => Number(docs) > 0)).toHaveLength(1);
    await refused("INVALID_CONFIG", () => open({ index }));
  });

  it("mappings of the user's make fields for other tools, and may refuse a record", async () => {
    const index = freshName();
    await using db = await open({ index, mappings: { age: { type: "integer" } } });
    await db.create({ age: 36, free: "text" }, { id: "a" });
    await db.settle();
    const { body } = await request("POST", `/${index}/_search`, { query: { range: { "data.age": { gte: 30 } } } });
    expect((body as { hits: { hits: unknown[] } }).hits.hits).toHaveLength(1);
    const error = await refused("INVALID_RECORD", () =>
      db.createMany([
        { id: "b", data: { age: "many" } },
        { id: "c", data: { age: 1 } },
      ]),
    );
    expect(error.details["outcomes"]).toEqual([
      { id: "b", status: "failed" },
      { id: "c", status: "written" },
    ]);
  });

  it.each(["wait_for", true] as const)(
    "refresh: %p makes a write visible to others before it returns",
    async (refresh) => {
      const index = freshName();
      await using db = await open({ index, refresh, settings: { refresh_interval: "200ms" } });
      await using other = await open({ index });
      await db.create({ n: 1 });
      expect(await other.count()).toBe(1);
      expect(await db.clear()).toBe(1);
      expect(await other.count()).toBe(0);
    },
  );
});

describe("what lies beyond a term's or an answer's size", () => {
  const long = (end: string): string => `${"é".repeat(20_000)}${end}`;

  it("long texts are found, ordered, paged and grouped exactly", async () => {
    await using db = await open({}, { indexes: [{ path: "v" }] });
    const texts = ["c", "a", "b", "e", "d"].map(long);
    await db.createMany([
      ...texts.map((v, n) => ({ id: `r${n}`, data: { v } })),
      { id: "short", data: { v: "é".repeat(499) } },
      { id: "other", data: { v: "z" } },
    ]);
    const byValue = ["other", "short", "r1", "r2", "r0", "r4", "r3"];
    expect(idsOf(await db.search(query().sort("v")))).toEqual(byValue);
    expect(idsOf(await db.search(query().sort("v", "desc")))).toEqual([...byValue].reverse());
    expect(idsOf(await db.search(query().sort("v").offset(3).limit(2)))).toEqual(["r2", "r0"]);
    expect(idsOf(await db.search(query().filter("v", "=", long("b"))))).toEqual(["r2"]);
    expect(idsOf(await db.search(query().filter("v", ">", long("b")).sort("v")))).toEqual(["r0", "r4", "r3"]);
    expect(idsOf(await db.search(query().filter("v", "like", "%ée")))).toEqual(["r3"]);
    expect(
      await db.aggregate({ select: { n: { fn: "countDistinct", path: "v" }, least: { fn: "min", path: "v" } } }),
    ).toEqual([{ n: 7, least: "z" }]);
    expect(await db.aggregate({ groupBy: { v: "v" }, select: { n: count() } })).toHaveLength(7);
    const pages: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await db.page(query().sort("v").limit(2), { after });
      pages.push(...idsOf(page.records));
      after = page.next;
      if (after === undefined) break;
    }
    expect(pages).toEqual(byValue);
  });

  it("pages and streams go on beyond 10,000 records", async () => {
    await using db = await open({}, { indexes: [{ path: "n" }] });
    const size = 12_500;
    await db.createMany(Array.from({ length: size }, (_, n) => ({ id: `r${n}`, data: { n } })));
    expect((await db.search(query().sort("n").offset(12_000).limit(3))).map(({ data }) => data["n"])).toEqual([
      12_000, 12_001, 12_002,
    ]);
    let seen = 0;
    for await (const { data } of db.stream(query().sort("n", "desc"))) expect(data["n"]).toBe(size - 1 - seen++);
    expect(seen).toBe(size);
    expect(await db.count(query().filter("n", ">=", 1))).toBe(size - 1);
  });

  it("streams that are left close their point in time", async () => {
    await using db = await open();
    await db.createMany(Array.from({ length: 3000 }, (_, n) => ({ data: { n } })));
    const openContexts = async (): Promise<number> => {
      const { body } = await request("GET", "/_nodes/stats/indices/search");
      const nodes = (body as { nodes: { [id: string]: { indices: { search: { open_contexts: number } } } } }).nodes;
      return Object.values(nodes).reduce((sum, node) => sum + node.indices.search.open_contexts, 0);
    };
    const before = await openContexts();
    for (let round = 0; round < 20; round++) {
      for await (const _ of db.stream()) break;
    }
    // other suites may use the server at the same time, with a few at once
    expect((await openContexts()) - before).toBeLessThan(15);
  });
});

describe("full text", () => {
  const texts = { a: "The Foxes are running", b: "A fox ran", c: "Foxglove" };
  const load = async (options: ElasticsearchOptions): Promise<Database> => {
    const db = await open(options, { indexes: [{ path: "t", text: true }] });
    await db.createMany(Object.entries(texts).map(([id, t]) => ({ id, data: { t } })));
    return db;
  };

  it("ranks by BM25: rare words and short texts first", async () => {
    await using db = await open({ shards: 2 }, { indexes: [{ path: "t", text: true }] });
    await db.createMany([
      { id: "long", data: { t: `fox ${"and ".repeat(60)}` } },
      { id: "short", data: { t: "fox" } },
      ...Array.from({ length: 30 }, (_, n) => ({ id: `none${n}`, data: { t: "and" } })),
    ]);
    const found = await db.search(query().match("fox"));
    expect(idsOf(found)).toEqual(["short", "long"]);
    expect(found[0]?.score).toBeGreaterThan(found[1]?.score as number);
  });

  it("takes analyzers of Elasticsearch where they are asked for", async () => {
    await using db = await load({ analyzers: ["english"] });
    expect(db.capabilities.analyzers).toEqual(["fuzzy", "english"]);
    const find = (text: string, analyzer?: string): Promise<string[]> =>
      db.search({ match: { text, ...(analyzer !== undefined && { analyzer }) } }).then((all) => idsOf(all).sort());
    expect(await find("fox")).toEqual(["b"]);
    expect(await find("fox", "english")).toEqual(["a", "b"]);
    expect(await find("run foxes", "english")).toEqual(["a"]);
    await refused("UNSUPPORTED", () => db.search({ match: { text: "fox", analyzer: "german" } }));
    await refused("UNSUPPORTED", () => db.search({ match: { text: "fox", fields: ["other"], analyzer: "english" } }));
  });

  it("forgives misspellings with the analyzer fuzzy", async () => {
    await using db = await load({});
    expect(idsOf(await db.search({ match: { text: "foxglvoe", analyzer: "fuzzy" } }))).toEqual(["c"]);
    expect(idsOf(await db.search({ match: { text: "foxglvoe" } }))).toEqual([]);
  });

  it("takes an analyzer later: texts that are there are indexed by it too", async () => {
    const index = freshName();
    await (await load({ index })).close();
    await using db = await open({ index, analyzers: ["english"] }, { indexes: [{ path: "t", text: true }] });
    expect(idsOf(await db.search({ match: { text: "fox", analyzer: "english" } })).sort()).toEqual(["a", "b"]);
  });
});

describe("the way down", () => {
  it("gives the client and the fields: highlights, for one", async () => {
    await using db = await open({ analyzers: ["english"] }, { indexes: [{ path: "t", text: true }, { path: "n" }] });
    await db.create({ t: "The foxes ran", n: 7 }, { id: "a" });
    await db.settle();
    const { client, index, field } = nativeOf<Client>(db);
    const english = field("t").analyzed["english"] as string;
    const { hits } = await client.search({
      index,
      query: { match: { [english]: "fox" } },
      highlight: { fields: { [english]: {} } },
    });
    expect(hits.hits[0]?._id).toBe("a");
    expect(hits.hits[0]?.highlight?.[english]).toEqual(["The <em>foxes</em> ran"]);
    // what is made of the record is not kept beside it, but for the texts that highlighting reads
    const source = hits.hits[0]?._source as { readonly side?: object } | undefined;
    expect(source?.side).toEqual({ a: { [english.split(".")[2] as string]: ["The foxes ran"] } });
    const { number, key, words } = field(["n"]);
    expect(words).toBeUndefined();
    expect((await client.count({ index, query: { range: { [number as string]: { gte: 7 } } } })).count).toBe(1);
    expect(key).toBeDefined();
    expect(() => field("other")).toThrow(expect.objectContaining({ code: "NOT_FOUND" }));
  });

  it("is refused for databases on other backends, and closed ones", async () => {
    await using other = await openDatabase(nothing);
    expect(() => nativeOf(other)).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
    const db = await open();
    await db.close();
    expect(() => nativeOf(db)).toThrow(expect.objectContaining({ code: "NOT_OPEN" }));
  });
});

describe("secrets", () => {
  it("are in no error and in no inspection", async () => {
    const { inspect } = await import("node:util");
    const backend = elasticsearch({ hosts, username: "dev", password: "hunter2", index: freshName(), replicas: 0 });
    expect(inspect(backend, { depth: 9, showHidden: true })).not.toContain("hunter2");
    await using db = await openDatabase(backend);
    expect(inspect(db, { depth: 9 })).not.toContain("hunter2");
  });
});
