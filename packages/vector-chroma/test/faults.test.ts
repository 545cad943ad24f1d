/** What goes wrong with a server, and what the store says of it. */
import assert from "node:assert/strict";
import { DataknobsError, openVectorStore, type VectorStore, where } from "@dataknobs/core";
import { afterEach, describe, it } from "@jest/globals";
import { ChromaClient } from "chromadb";
import { type ChromaOptions, chroma } from "../src/index.js";
import { Passage } from "./passage.js";
import { client, nameOf, newName, open, url } from "./server.js";

const stores: VectorStore[] = [];
const passages: Passage[] = [];

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  for (const passage of passages.splice(0)) await passage.cut();
});

async function opened(options: ChromaOptions = {}, dimensions = 2): Promise<VectorStore> {
  const store = await openVectorStore(open(options), { dimensions });
  stores.push(store);
  return store;
}

async function throughPassage(
  options: ChromaOptions = {},
  dimensions = 2,
): Promise<{ passage: Passage; store: VectorStore }> {
  const passage = new Passage(url);
  passages.push(passage);
  await passage.mend();
  return { passage, store: await opened({ ...options, url: passage.url }, dimensions) };
}

async function fails(code: string, body: () => Promise<unknown>): Promise<DataknobsError> {
  let error: unknown;
  await assert.rejects(body, (thrown) => {
    error = thrown;
    return true;
  });
  assert.ok(DataknobsError.is(error), String(error));
  assert.equal(error.code, code, error.message);
  assert.ok(!error.message.includes("127.0.0.1"), "the client's own text is in the message");
  return error;
}

const rowsFrom = (from: number, count: number, dimensions = 2): { id: string; vector: number[] }[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `v${from + n}`,
    vector: Array.from({ length: dimensions }, (_, d) => from + n + d + 1),
  }));

describe("opening", () => {
  it("no server at the address: UNAVAILABLE, and may be tried again", async () => {
    const error = await fails("UNAVAILABLE", () => opened({ url: "http://127.0.0.1:1" }));
    assert.equal(error.retryable, true);
    assert.ok(error.cause instanceof Error);
  });

  it("no such host: UNAVAILABLE", async () => {
    await fails("UNAVAILABLE", () => opened({ url: "http://no-such-host.invalid:8000" }));
  });

  it("a tenant or database that is not there: INVALID_CONFIG", async () => {
    assert.equal((await fails("INVALID_CONFIG", () => opened({ tenant: "nobody" }))).retryable, false);
    await fails("INVALID_CONFIG", () => opened({ database: "nothing" }));
  });

  it("a missing collection with `create: false`: INVALID_CONFIG, and nothing is made", async () => {
    const collection = newName();
    await fails("INVALID_CONFIG", () => opened({ collection, create: false }));
    await assert.rejects(() => client.getCollection({ name: collection }), { name: "ChromaNotFoundError" });
  });

  it("another metric or other dimensions: INVALID_CONFIG, and nothing is written, even where no vector is yet", async () => {
    const collection = newName();
    await opened({ collection }, 2);
    await fails("INVALID_CONFIG", () => opened({ collection }, 3));
    await fails("INVALID_CONFIG", () => openVectorStore(open({ collection }), { dimensions: 2, metric: "dot" }));
    const found = await client.getCollection({ name: collection });
    assert.deepEqual([found.configuration.hnsw?.space, await found.count()], ["cosine", 0]);
  });

  it("a collection of another program's is told by its vectors", async () => {
    const collection = newName();
    const made = await client.createCollection({
      name: collection,
      embeddingFunction: null,
      configuration: { hnsw: { space: "cosine" } },
    });
    const two = await opened({ collection }, 2);
    const three = await opened({ collection }, 3);
    await two.add([{ id: "a", vector: [1, 2] }]);
    await fails("INVALID_CONFIG", () => three.add([{ id: "b", vector: [1, 2, 3] }]));
    await fails("INVALID_CONFIG", () => opened({ collection }, 3));
    assert.equal(await made.count(), 1);
  });

  it("HNSW options are honoured, and refused where the graph has others", async () => {
    const collection = newName();
    await opened({ collection, efConstruction: 120, efSearch: 150, maxNeighbors: 20 });
    const hnsw = async (): Promise<unknown> => (await client.getCollection({ name: collection })).configuration.hnsw;
    const first = (await hnsw()) as { [name: string]: unknown };
    assert.deepEqual([first["ef_construction"], first["ef_search"], first["max_neighbors"]], [120, 150, 20]);
    await opened({ collection, efSearch: 200 });
    assert.equal(((await hnsw()) as { [name: string]: unknown })["ef_search"], 200);
    await fails("INVALID_CONFIG", () => opened({ collection, maxNeighbors: 32 }));
    await fails("INVALID_CONFIG", () => opened({ collection, efConstruction: 100 }));
  });

  it("a server that is none of Chroma's: INVALID_CONFIG", async () => {
    const { createServer } = await import("node:http");
    const server = createServer((_, response) => response.writeHead(404).end("no"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    await fails("INVALID_CONFIG", () => opened({ url: `http://127.0.0.1:${port}` }));
    server.closeAllConnections();
    server.close();
  });
});

describe("a server that goes away", () => {
  it("every call is UNAVAILABLE, and the same store works when it is back", async () => {
    const { passage, store } = await throughPassage();
    await store.add([{ id: "a", vector: [1, 2], metadata: { n: 1 } }]);
    await passage.cut();
    const calls: (() => Promise<unknown>)[] = [
      () => store.add([{ id: "b", vector: [1, 2] }]),
      () => store.get(["a"]),
      () => store.search([1, 2]),
      () => store.count(where("n", "=", 1)),
      () => store.delete(["a"]),
      () => store.updateMetadata("a", { n: 2 }),
      () => store.clear(),
      async () => {
        for await (const _ of store.stream());
      },
    ];
    for (const call of calls) assert.equal((await fails("UNAVAILABLE", call)).retryable, true);
    await passage.mend();
    assert.deepEqual((await store.get(["a"]))[0]?.metadata, { n: 1 });
    await store.add([{ id: "b", vector: [1, 2] }]);
    assert.equal(await store.count(), 2);
  });

  it("in the middle of a load: it tells how many rows were written, and a second try completes them", async () => {
    const { passage, store } = await throughPassage({ pageSize: 100 }, 64);
    const rows = rowsFrom(0, 500, 64);
    passage.cutAfter = 110_000;
    const error = await fails("UNAVAILABLE", () => store.add(rows));
    const written = error.details["written"] as number;
    assert.ok(written >= 100 && written < 500 && written % 100 === 0, String(written));
    assert.match(error.message, new RegExp(`${written} of 500 vectors had been written before`));
    await passage.mend();
    const there = await store.count();
    assert.ok(there === written || there === written + 100, `${there} are there, ${written} were told`);
    await store.add(rows);
    assert.equal(await store.count(), 500);
  });
});

describe("a collection that is deleted meanwhile", () => {
  it("is NOT_FOUND, which no second try mends", async () => {
    const backend = open();
    const store = await openVectorStore(backend, { dimensions: 2 });
    stores.push(store);
    await client.deleteCollection({ name: nameOf(backend) });
    for (const call of [() => store.add([{ vector: [1, 2] }]), () => store.search([1, 2]), () => store.count()]) {
      assert.equal((await fails("NOT_FOUND", call)).retryable, false);
    }
  });
});

describe("sizes", () => {
  it("the batch limit is the server's, and `pageSize` bounds it", async () => {
    const store = await opened();
    assert.equal(store.capabilities.limits.batch, await client.getMaxBatchSize());
    assert.equal((await opened({ pageSize: 50 })).capabilities.limits.batch, 50);
  });

  it("pages of a bounded server give every row once, while others are deleted", async () => {
    const store = await opened({ pageSize: 20 });
    await store.add(rowsFrom(0, 300));
    assert.equal(await store.count({ not: where("n", "=", 1) }), 300);
    const seen: string[] = [];
    for await (const { id } of store.stream()) {
      seen.push(id);
      if (seen.length % 50 === 0) await store.delete([`v${seen.length / 50}`, `v${300 - seen.length / 50}`]);
    }
    assert.equal(new Set(seen).size, seen.length);
    for (let n = 10; n < 290; n++) assert.ok(seen.includes(`v${n}`), `v${n}`);
    assert.equal((await store.search([1, 2], { k: 200 })).length, 200);
  });

  it("more bytes than one request may have are written by several", async () => {
    const store = await opened({}, 1536);
    const text = "é".repeat(12_000);
    const rows = rowsFrom(0, 700, 1536).map((row) => ({ ...row, text }));
    await store.add(rows);
    assert.equal(await store.count(), 700);
    assert.equal((await store.get(["v699"], { include: ["text"] }))[0]?.text, text);
  });

  it("a row that no request takes is refused before anything is written", async () => {
    const store = await opened();
    const error = await fails("LIMIT_EXCEEDED", () =>
      store.add([
        { id: "a", vector: [1, 2] },
        { id: "b", vector: [1, 2], text: "x".repeat(40 * 2 ** 20) },
      ]),
    );
    assert.equal(error.details.id, "b");
    assert.equal(await store.count(), 0);
  });
});

describe("options", () => {
  const refused: { readonly [name: string]: object } = {
    "a URL and a host": { url, host: "localhost" },
    "a URL of another kind": { url: "ftp://localhost" },
    "a password in the URL": { url: "http://user:secret@localhost:8000" },
    "a path in the URL": { url: "http://localhost:8000/api" },
    "a collection of two letters": { collection: "ab" },
    "a collection with a slash": { collection: "a/b/c" },
    "a collection like an address": { collection: "10.0.0.1" },
    "headers that are a list": { headers: ["a"].map(Number) },
    "a client and a host": { client, host: "localhost" },
    "a client that is none": { client: {} },
    "an API key without TLS": { apiKey: "secret", ssl: false },
    "an API key and headers": { apiKey: "secret", headers: {} },
    "a fractional port": { port: 1.5 },
    "an unknown option": { collectionName: "x" },
  };
  for (const [name, options] of Object.entries(refused)) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => chroma(options),
        (error) => DataknobsError.is(error, "INVALID_CONFIG") && !error.message.includes("secret"),
      );
    });
  }

  it("a client of one's own, a configuration and a URL open the same collection", async () => {
    const { hostname, port } = new URL(url);
    const collection = newName();
    const own = await opened({
      url: undefined as never,
      client: new ChromaClient({ host: hostname, port: Number(port) }),
      collection,
    });
    await own.add([{ id: "a", vector: [1, 2] }]);
    const { registerVectorBackend } = await import("@dataknobs/core/vector");
    registerVectorBackend(chroma);
    for (const store of [
      await openVectorStore({ backend: "chroma", host: hostname, port: Number(port), collection, dimensions: 2 }),
      await openVectorStore(`chroma://${hostname}:${port}/${collection}?dimensions=2&create=false`),
    ]) {
      stores.push(store);
      assert.equal(await store.count(), 1);
    }
  });

  it("with an API key the limits are those of Chroma Cloud", () => {
    assert.deepEqual(chroma({ apiKey: "secret" }).capabilities.limits, { batch: 300, results: 300 });
  });
});
