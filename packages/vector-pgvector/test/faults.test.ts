/** Faults of a real server: coded, no hang, no half-told success, and the pool works when the server is back. */
import { openVectorStore, type VectorStore, where } from "@dataknobs/core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";
import driver from "postgres";
import { type Instance, makeInstance } from "../../../tooling/testing/postgres-instance.js";
import { type PgvectorOptions, pgvector } from "../src/index.js";
import { clustered } from "./clusters.js";
import { failure } from "./failure.js";
import { newTable } from "./server.js";

jest.setTimeout(60_000);

let server: Instance;
let table: string;
let opened: VectorStore[] = [];

beforeAll(async () => {
  server = await makeInstance();
}, 120_000);
beforeEach(() => {
  table = newTable();
});
afterEach(async () => {
  for (const store of opened) await store.close();
  opened = [];
});
afterAll(() => server?.remove());

async function open(options: PgvectorOptions = {}): Promise<VectorStore> {
  const backend = pgvector({ connectionString: server.url, table, poolSize: 3, createExtension: true, ...options });
  const store = await openVectorStore(backend, { dimensions: 8 });
  opened.push(store);
  return store;
}

async function admin(...statements: string[]): Promise<void> {
  const client = driver(server.url, { max: 1, onnotice: () => undefined });
  for (const statement of statements) await client.unsafe(statement);
  await client.end();
}

const vectors = clustered(3000, 8, 30);
const entries = vectors.map((vector, n) => ({ id: `v${n}`, vector, metadata: { n } }));
const query = vectors[0] as Float32Array;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until the server does so many of these statements. */
async function underWay(pattern: string, wanted = 1): Promise<void> {
  const client = driver(server.url, { max: 1, onnotice: () => undefined });
  for (;;) {
    const [row] =
      await client`SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE ${pattern} AND state = 'active'`;
    if (row?.["n"] === wanted) break;
    await pause(5);
  }
  await client.end();
}

describe("a server that dies", () => {
  it("in the middle of calls: all of them fail, and later ones work", async () => {
    const store = await open({ indexType: "hnsw", buildAt: 1000 });
    await store.add(entries);
    await store.search(query);
    await server.kill();
    const calls = await Promise.allSettled([
      ...Array.from({ length: 20 }, () => store.search(query)),
      store.search(query, { exact: true, filter: where("n", ">", 5) }),
      store.count(),
      store.get(["v1"]),
      store.delete(["v1"]),
      store.add([{ id: "x", vector: query }]),
    ]);
    for (const call of calls) {
      expect((call as PromiseRejectedResult).reason).toMatchObject({ code: "UNAVAILABLE", retryable: true });
    }
    await server.start();
    expect(await store.count()).toBe(3000);
    expect((await store.search(query, { k: 1 }))[0]?.id).toBe("v0");
  });

  it("in the middle of an add of several statements: all of it or nothing", async () => {
    const store = await open();
    const size = 200_000;
    const many = Array.from({ length: size }, (_, n) => ({ id: `v${n}`, vector: query }));
    const adding = failure(() => store.add(many));
    await underWay("INSERT INTO %");
    await server.kill();
    expect((await adding).code).toBe("UNAVAILABLE");
    await server.start();
    expect([0, size]).toContain(await store.count());
  });

  it("between two batches of a stream: the next one throws, and the process lives", async () => {
    const store = await open();
    await store.add(entries);
    const stream = store.stream()[Symbol.asyncIterator]();
    await stream.next();
    await server.kill();
    await pause(300);
    const error = await failure(async () => {
      for (;;) if ((await stream.next()).done === true) return;
    });
    expect([error.code, error.retryable]).toEqual(["UNAVAILABLE", true]);
    await server.start();
    expect(await store.count()).toBe(3000);
  });

  it("in the middle of a stream, and while an index is made", async () => {
    const store = await open({ indexType: "hnsw", buildAt: 0, m: 60, efConstruction: 1000 });
    await store.add(entries);
    let seen = 0;
    const error = await failure(async () => {
      for await (const _ of store.stream(undefined, { include: ["vector"] })) if (++seen === 500) await server.kill();
    });
    expect(error.code).toBe("UNAVAILABLE");
    await server.start();
    const building = failure(() => store.buildIndex());
    await underWay("CREATE INDEX%");
    await server.kill();
    expect((await building).code).toBe("UNAVAILABLE");
    await server.start();
    expect(store.explain().search).toBe("exact");
    expect((await store.search(query, { k: 1 }))[0]?.id).toBe("v0");
    expect(await store.buildIndex()).toBe(true);
    expect(store.explain().search).toBe("approximate");
  });
});

describe("a call that is given up", () => {
  it("ends the server's work too, and the store goes on", async () => {
    const store = await open({ indexType: "hnsw", buildAt: 0, m: 60, efConstruction: 1000 });
    await store.add(entries);
    expect((await failure(() => store.buildIndex({ timeout: 200 }))).code).toBe("TIMEOUT");
    await underWay("CREATE INDEX%", 0);
    expect(store.explain().search).toBe("exact");
    expect(await store.count()).toBe(3000);
  });
});

describe("a server that refuses", () => {
  it("a wrong password, a database or schema that is not there", async () => {
    await admin("CREATE ROLE locked LOGIN PASSWORD 'right'");
    const connectionString = server.url.replace("postgres@", "locked:secret@");
    expect((await failure(() => open({ connectionString }))).code).toBe("PERMISSION_DENIED");
    expect((await failure(() => open({ database: "no_such_database" }))).code).toBe("INVALID_CONFIG");
    expect((await failure(() => open({ schemaName: "no_such_schema" }))).code).toBe("INVALID_CONFIG");
  });

  it("rights: reading is allowed, writing is PERMISSION_DENIED", async () => {
    await (await open()).add(entries.slice(0, 20));
    await admin("CREATE ROLE reader LOGIN", `GRANT SELECT ON "${table}" TO reader`);
    const store = await open({ user: "reader", manage: false });
    expect((await store.search(query, { k: 3 })).length).toBe(3);
    for (const write of [
      () => store.add(entries.slice(0, 2)),
      () => store.delete(["v0"]),
      () => store.clear(),
      () => store.updateMetadata("v0", {}),
      () => store.updateMetadataWhere(where("n", "=", 1), {}),
    ]) {
      expect((await failure(write)).code).toBe("PERMISSION_DENIED");
    }
    expect(await store.count()).toBe(20);
  });

  it("a table that was dropped, an index that was dropped", async () => {
    const store = await open({ indexType: "hnsw", buildAt: 1 });
    await store.add(entries.slice(0, 50));
    await admin(`DROP INDEX ${store.explain().index}`);
    expect((await store.search(query, { k: 3 })).map(({ id }) => id)[0]).toBe("v0");
    await admin(`DROP TABLE "${table}"`);
    expect((await failure(() => store.search(query))).code).toBe("CONFLICT");
    expect((await failure(() => store.add(entries.slice(0, 1)))).code).toBe("CONFLICT");
  });

  it("a statement that takes too long, and an extension that was removed", async () => {
    const store = await open({ statementTimeout: 0.3 });
    await store.add(entries);
    const slow = entries.slice(0, 400).map(({ vector }) => vector);
    expect((await failure(() => store.searchMany(slow, { k: 3000, exact: true }))).code).toBe("TIMEOUT");
    await admin("DROP EXTENSION vector CASCADE");
    expect((await failure(() => store.search(query))).code).toBe("CONFLICT");
    expect((await failure(() => open({ createExtension: false }))).code).toBe("INVALID_CONFIG");
  });
});
