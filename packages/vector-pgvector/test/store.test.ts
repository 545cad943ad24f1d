/** Options, opening, existing tables. */
import { inspect } from "node:util";
import { openVectorStore, type VectorStore, where } from "@dataknobs/core";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import driver from "postgres";
import { type PgvectorOptions, pgvector } from "../src/index.js";
import { failure } from "./failure.js";
import { makeSchema, newTable, open, schemaName, sql, url } from "./server.js";

beforeAll(makeSchema);

const stores: VectorStore[] = [];
afterAll(async () => {
  for (const store of stores) await store.close();
});

async function openStore(
  options: PgvectorOptions,
  settings: Parameters<typeof openVectorStore>[1] = { dimensions: 3 },
): Promise<VectorStore> {
  const store = await openVectorStore(open(options), settings);
  stores.push(store);
  return store;
}

const at = (table: string) => sql`${sql(schemaName)}.${sql(table)}`;
const idsOf = (hits: readonly { readonly id: string }[]): string[] => hits.map(({ id }) => id);

describe("options", () => {
  it.each<[string, object]>([
    ["an unknown key", { tabel: "x" }],
    ["an empty table", { table: "" }],
    ["a table with U+0000", { table: "a\0b" }],
    ["a name that the server would cut", { table: "x".repeat(64) }],
    ["a schema name that the server would cut", { schemaName: "é".repeat(40) }],
    ["a URL of something else", { connectionString: "mysql://u:secret@h/d" }],
    ["no pool", { poolSize: 0 }],
    ["a client that is none", { sql: {} }],
    ["TLS that is none", { ssl: 7 }],
    ["an index that is none", { indexType: "lsh" }],
    ["an m that is too large", { m: 101 }],
    ["an m that is too small", { m: 1 }],
    ["efConstruction below twice m", { m: 40, efConstruction: 64 }],
    ["an efSearch that is too large", { efSearch: 1001 }],
    ["probes of 0", { probes: 0 }],
    ["lists beyond what there may be", { lists: 40_000 }],
    ["half a row to build at", { buildAt: 1.5 }],
    ["columns that are a list", { columns: ["id"] }],
    ["a column that is unknown", { columns: { vector: "v" } }],
    ["a column without a name", { columns: { id: "" } }],
    ["one column for two things", { columns: { id: "a", text: "a" } }],
    ["a column for what another has by default", { columns: { text: "embedding" } }],
    ["options of the other backend that mean nothing here", { replicas: [] }],
  ])("%s is INVALID_CONFIG", async (_, options) => {
    expect((await failure(() => pgvector(options as PgvectorOptions))).code).toBe("INVALID_CONFIG");
  });

  it("a password shows nowhere", async () => {
    const backend = pgvector({
      host: "127.0.0.1",
      port: 1,
      user: "u",
      password: "secret",
      connectionString: "postgres://u:secret@127.0.0.1:1/d",
    });
    const error = await failure(() => openVectorStore(backend, { dimensions: 3 }));
    expect([error.code, error.details["backend"]]).toEqual(["UNAVAILABLE", "pgvector"]);
    const shown = [
      inspect(backend, { depth: 9, showHidden: true }),
      inspect(error, { depth: 9 }),
      JSON.stringify(error),
      JSON.stringify(backend),
    ];
    for (const text of shown) expect(text).not.toMatch(/secret/);
  });

  it("snake_case, configuration and URL mean the same", async () => {
    const table = newTable();
    const config = {
      backend: "pgvector",
      connection_string: url,
      schema_name: schemaName,
      table,
      create_extension: true,
    };
    const store = await openVectorStore({ ...config, dimensions: 3 });
    await store.add([{ id: "a", vector: [1, 2, 3] }]);
    await store.close();
    const rest = url.replace(/^postgres(?:ql)?:/, "");
    const again = await openVectorStore(
      `pgvector:${rest}?schemaName=${schemaName}&table=${table}&index_type=hnsw&ef_search=50&dimensions=3`,
    );
    stores.push(again);
    expect(again.name).toBe("pgvector");
    expect(again.capabilities.index).toBe("approximate");
    expect(await again.count()).toBe(1);
  });

  it("hostile names are names", async () => {
    const hostile = `a"; DROP TABLE x; -- '\\ é %`;
    const columns = {
      id: `id"`,
      embedding: "em'b\\",
      metadata: "m; --",
      metadataTypes: `"t"`,
      text: "select",
      scope: "ü",
    };
    for (const indexType of ["none", "hnsw"] as const) {
      const store = await openStore({ table: `${hostile}${indexType}`, columns, indexType, buildAt: 1 });
      const bound = store.scoped("tenant");
      await bound.add([{ id: "a", vector: [1, 2, 3], metadata: { at: new Date(5), "x'y": 1 }, text: "t" }]);
      expect(await bound.search([1, 2, 3], { filter: where(["metadata", "x'y"], "=", 1) })).toMatchObject([
        { id: "a", metadata: { at: new Date(5) }, text: "t" },
      ]);
      expect(await bound.updateMetadataWhere(where("at", "<", new Date(6)), { at: 2n })).toBe(1);
      expect((await bound.get(["a"]))[0]?.metadata).toEqual({ at: 2n, "x'y": 1 });
      expect(store.explain().search).toBe(indexType === "hnsw" ? "approximate" : "exact");
    }
  });

  it("a client that was given is used and not closed", async () => {
    const one = driver(url, { max: 1, onnotice: () => undefined, transform: driver.camel });
    const store = await openVectorStore(open({ sql: one }), { dimensions: 3 });
    await store.add([{ id: "a", vector: [1, 2, 3], metadata: { snake_case: 1 } }]);
    expect((await store.get(["a"]))[0]?.metadata).toEqual({ snake_case: 1 });
    expect((await store.search([1, 2, 3], { timeout: 60_000 }))[0]?.metadata).toEqual({ snake_case: 1 });
    await store.close();
    expect((await one`SELECT 1 AS one_row`)[0]).toEqual({ oneRow: 1 });
    await one.end();
  });
});

describe("opening", () => {
  it("what has other dimensions or another metric is INVALID_CONFIG, and stays as it is", async () => {
    const table = newTable();
    await (await openStore({ table })).add([{ id: "a", vector: [1, 2, 3] }]);
    for (const settings of [{ dimensions: 4 }, { dimensions: 3, metric: "dot" }] as const) {
      const error = await failure(() => openVectorStore(open({ table }), settings));
      expect([error.code, error.message]).toEqual([
        "INVALID_CONFIG",
        expect.stringMatching(/were asked for|was asked for/),
      ]);
    }
    expect(await (await openStore({ table })).count()).toBe(1);
  });

  it("a new store by many at once makes one table and, once due, one index", async () => {
    const table = newTable();
    const many = await Promise.all(
      Array.from({ length: 6 }, () => openStore({ table, indexType: "hnsw", buildAt: 5 })),
    );
    await Promise.all(many.map((store, n) => store.add([{ id: `r${n}`, vector: [1, n, 1] }])));
    await Promise.all(many.map((store) => store.add([{ id: "last", vector: [1, 1, 1] }])));
    const indexes =
      await sql`SELECT 1 FROM pg_indexes WHERE schemaname = ${schemaName} AND tablename = ${table} AND indexdef LIKE '%hnsw%'`;
    expect(indexes.length).toBe(1);
    expect(many.map((store) => store.explain().search)).toEqual(many.map(() => "approximate"));
  });

  it("a database without the extension says what to do", async () => {
    const database = `dk_test_${schemaName.slice(-12)}`;
    await sql`CREATE DATABASE ${sql(database)}`;
    const there = new URL(url);
    there.pathname = `/${database}`;
    const connectionString = there.href;
    try {
      const error = await failure(() => openVectorStore(pgvector({ connectionString }), { dimensions: 3 }));
      expect([error.code, error.message]).toEqual(["INVALID_CONFIG", expect.stringMatching(/CREATE EXTENSION vector/)]);
      const elsewhere = driver(connectionString, { max: 1, onnotice: () => undefined });
      await elsewhere`CREATE SCHEMA "my extensions"`;
      await elsewhere`CREATE EXTENSION vector SCHEMA "my extensions"`;
      await elsewhere.end();
      // its types and operators are in no search path
      const store = await openVectorStore(pgvector({ connectionString, indexType: "hnsw", buildAt: 1 }), {
        dimensions: 3,
      });
      await store.add([{ id: "a", vector: [1, 2, 3] }]);
      expect(idsOf(await store.search([1, 2, 3]))).toEqual(["a"]);
      expect(store.explain().search).toBe("approximate");
      await store.close();
    } finally {
      await sql`DROP DATABASE ${sql(database)} WITH (FORCE)`;
    }
  });
});

describe("a table that another program made", () => {
  const columns = { id: "key", embedding: "emb", metadata: "meta", text: "body" };

  async function makeTable(definition: string): Promise<string> {
    await (await openStore({})).count();
    const table = newTable();
    await sql.unsafe(`CREATE TABLE ${schemaName}.${table} (${definition})`);
    return table;
  }

  const usual = "key varchar(80) PRIMARY KEY, emb vector(3), meta jsonb, body text, made timestamptz DEFAULT now()";

  it("is read, filtered, searched and written by its own columns", async () => {
    const table = await makeTable(usual);
    await sql`INSERT INTO ${at(table)} (key, emb, meta, body) VALUES
      ('a', '[1,0,0]', '{"n": 1, "big": 1e400}', 'one'), ('b', '[1,1,0]', NULL, NULL), ('none', NULL, '{}', 'x'), ('zero', '[0,0,0]', '{"n": 2}', NULL)`;
    const store = await openStore({ table, columns, manage: false });
    expect(await store.count()).toBe(3);
    expect(await store.search([1, 0, 0], { include: ["text", "metadata"], filter: where("n", "=", 1) })).toMatchObject([
      { id: "a", text: "one", score: 1 },
    ]);
    // a vector of zeros has no direction
    expect(idsOf(await store.search([1, 0, 0]))).toEqual(["a", "b"]);
    await store.add([{ id: "a", vector: [0, 1, 0], metadata: { n: 5 }, text: "new" }]);
    expect(await store.updateMetadataWhere(where("id", "=", "b"), { seen: true })).toBe(1);
    expect(await store.get(["a", "b", "none"])).toEqual([
      { id: "a", vector: new Float32Array([0, 1, 0]), metadata: { n: 5 }, text: "new" },
      { id: "b", vector: new Float32Array([1, 1, 0]), metadata: { seen: true } },
      undefined,
    ]);
    expect(await store.delete(["a", "none"])).toEqual([true, false]);
    expect((await sql`SELECT key FROM ${at(table)} ORDER BY key`).map((row) => row["key"])).toEqual([
      "b",
      "none",
      "zero",
    ]);
  });

  it("says what it cannot keep, and keeps nothing of it", async () => {
    const table = await makeTable("key text PRIMARY KEY, emb vector(3) NOT NULL");
    const store = await openStore({ table, columns: { id: "key", embedding: "emb" }, manage: false });
    await store.add([{ id: "a", vector: [1, 0, 0] }]);
    const vector = [1, 0, 0];
    for (const body of [
      () => store.add([{ id: "b", vector, metadata: { n: 1 } }]),
      () => store.add([{ id: "b", vector, text: "t" }]),
      () => store.scoped("tenant").add([{ id: "b", vector }]),
      () => store.scoped("tenant").search(vector),
      () => store.updateMetadata("a", { n: 1 }),
    ]) {
      expect((await failure(body)).code).toBe("UNSUPPORTED");
    }
    expect(await store.count()).toBe(1);
    expect(await store.count(where("n", "not_exists"))).toBe(1);
    const dated = await openStore({ table: await makeTable(usual), columns, manage: false });
    expect((await failure(() => dated.add([{ id: "b", vector, metadata: { at: new Date() } }]))).code).toBe(
      "UNSUPPORTED",
    );
    expect((await failure(() => dated.add([{ id: "x".repeat(81), vector }]))).code).toBe("LIMIT_EXCEEDED");
  });

  it("serves searches by the index that it has, if that is of the metric", async () => {
    const table = await makeTable("id text PRIMARY KEY, embedding vector(3) NOT NULL");
    await sql.unsafe(`CREATE INDEX its_index ON ${schemaName}.${table} USING hnsw (embedding vector_l2_ops)`);
    const options = { table, manage: false, indexType: "hnsw" } as const;
    expect((await openStore(options, { dimensions: 3, metric: "euclidean" })).explain()).toMatchObject({
      search: "approximate",
      index: "its_index",
    });
    const cosine = await openStore(options);
    expect(cosine.explain()).toMatchObject({
      search: "exact",
      why: expect.stringMatching(/no hnsw index for this metric/),
    });
    expect((await failure(() => cosine.buildIndex())).code).toBe("INVALID_CONFIG");
  });

  it.each<[string, string, PgvectorOptions, RegExp]>([
    ["is not taken over", usual, { columns }, /manage: false/],
    ["of other dimensions", "id text PRIMARY KEY, embedding vector(4)", { manage: false }, /4 dimensions/],
    ["of no dimensions", "id text PRIMARY KEY, embedding vector", { manage: false }, /declares no dimensions/],
    ["of 16-bit floats", "id text PRIMARY KEY, embedding halfvec(3)", { manage: false }, /halfvec/],
    ["with ids that are no texts", "id uuid PRIMARY KEY, embedding vector(3)", { manage: false }, /uuid/],
    ["without a key", "id text, embedding vector(3)", { manage: false }, /unique/],
    ["without a column that was named", usual, { manage: false, columns: { ...columns, scope: "tenant" } }, /tenant/],
  ])("%s: refused", async (_, definition, options, words) => {
    const table = await makeTable(definition);
    const error = await failure(() => openStore({ table, ...options }));
    expect([error.code, error.message]).toEqual(["INVALID_CONFIG", expect.stringMatching(words)]);
  });

  it("that is not there is not made", async () => {
    const error = await failure(() => openStore({ manage: false }));
    expect([error.code, error.message]).toEqual(["INVALID_CONFIG", expect.stringMatching(/not there/)]);
  });
});
