import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import {
  DataknobsError,
  type ErrorCode,
  openVectorStore,
  registerVectorBackend,
  vectorBackendNames,
} from "../../src/index.js";
import { defineVectorBackend, type VectorBackend } from "../../src/vector/index.js";
import { TinyVectors } from "./tiny.js";

interface ShelfOptions {
  readonly path?: string;
  readonly lists?: number;
  readonly password?: string;
}

const seen: ShelfOptions[] = [];
const shelf = defineVectorBackend<ShelfOptions>({
  name: "shelf",
  options: { path: { type: "string" }, lists: { type: "number" }, password: { type: "string", secret: true } },
  create: (options) => {
    seen.push(options);
    return new TinyVectors();
  },
  fromUrl: ({ rest }) => ({ path: rest }),
});
registerVectorBackend(shelf);

async function fails(code: ErrorCode, open: () => unknown, message = /./): Promise<void> {
  await assert.rejects(
    async () => open(),
    (error: Error) => {
      assert.ok(DataknobsError.is(error, code), String(error));
      assert.match(error.message, message);
      return true;
    },
  );
}

describe("openVectorStore", () => {
  it("opens a backend, a configuration and a URL", async () => {
    const settings = { dimensions: 3, metric: "dot" } as const;
    for (const store of [
      await openVectorStore(shelf({ path: "p", lists: 5 }), { ...settings, scope: "s" }),
      await openVectorStore({ backend: "shelf", path: "p", lists: 5, ...settings, scope: "s" }),
      await openVectorStore({ backend: "shelf", path: "p", lists: 5 }, { ...settings, scope: "s" }),
      await openVectorStore("shelf:p?lists=5&dimensions=3&metric=dot&scope=s"),
      await openVectorStore("shelf:p?lists=5", { ...settings, scope: "s" }),
    ]) {
      assert.deepEqual(seen.at(-1), { path: "p", lists: 5 });
      assert.deepEqual([store.dimensions, store.metric, store.scope], [3, "dot", "s"]);
      await store.close();
    }
  });

  it("measures by cosine where nothing else is said", async () => {
    assert.equal((await openVectorStore(shelf(), { dimensions: 3 })).metric, "cosine");
  });

  it("refuses unknown names with the nearest", async () => {
    await fails("INVALID_CONFIG", () => openVectorStore({ backend: "shel", dimensions: 3 }), /Did you mean "shelf"/);
    await fails("INVALID_CONFIG", () => openVectorStore({ backend: "shelf", dimension: 3 }), /dimension/);
    await fails(
      "INVALID_CONFIG",
      () => openVectorStore(shelf(), { dimension: 3 } as object),
      /Did you mean "dimensions"/,
    );
    await fails(
      "INVALID_CONFIG",
      () => openVectorStore(shelf(), { dimensions: 3, metric: "cosin" as "dot" }),
      /cosine/,
    );
    await fails("INVALID_CONFIG", () => openVectorStore("shelf:p?list=5&dimensions=3"), /Did you mean "lists"/);
    await fails("INVALID_CONFIG", () => openVectorStore("no url at all"));
    await fails("INVALID_CONFIG", () => openVectorStore(undefined as never));
  });

  it("never prints a secret", async () => {
    const secret = "hunter2hunter2";
    for (const source of [{ backend: "shelf", password: [secret] }, `shelf:x?password=${secret}&bad=1`, secret]) {
      await assert.rejects(
        async () => openVectorStore(source as string),
        (error: Error) => !`${error.message}${JSON.stringify(error)}`.includes(secret),
      );
    }
  });

  it("refuses metrics and dimensions that the store does not have", async () => {
    const tiny = (part: object): VectorBackend => {
      const backend = new TinyVectors();
      backend.capabilities = { ...backend.capabilities, ...part };
      return backend;
    };
    await fails("UNSUPPORTED", () => openVectorStore(tiny({ metrics: ["dot"] }), { dimensions: 3 }), /dot/);
    const limited = tiny({ limits: { dimensions: 2000 } });
    await fails("LIMIT_EXCEEDED", () => openVectorStore(limited, { dimensions: 2001 }), /2000/);
  });

  it("narrows the capabilities once, by what opening found", async () => {
    const tiny = new TinyVectors();
    tiny.open = () => ({ limits: { batch: 2 }, atomicBatch: false });
    const store = await openVectorStore(tiny, { dimensions: 3 });
    assert.deepEqual([store.capabilities.limits, store.capabilities.atomicBatch], [{ batch: 2 }, false]);
  });

  it("knows the stores of this project and those that were registered", () => {
    assert.deepEqual(vectorBackendNames().sort(), ["chroma", "faiss", "memory", "pgvector", "shelf"]);
    assert.throws(
      () => registerVectorBackend(defineVectorBackend({ name: "shelf", options: {}, create: () => new TinyVectors() })),
      (error) => DataknobsError.is(error, "INVALID_CONFIG"),
    );
  });
});

describe("a batch that an engine takes in pieces", () => {
  it("tells how many rows were written before it failed", async () => {
    const tiny = new TinyVectors();
    tiny.capabilities = { ...tiny.capabilities, limits: { batch: 2 }, atomicBatch: false };
    const { upsert } = tiny;
    tiny.upsert = async (request) => {
      if (request.rows.some(({ id }) => id === "v5")) throw new DataknobsError("UNAVAILABLE", "The server is gone.");
      await upsert.call(tiny, request);
    };
    const store = await openVectorStore(tiny, { dimensions: 1, metric: "dot" });
    const entries = Array.from({ length: 8 }, (_, n) => ({ id: `v${n}`, vector: [n] }));
    await assert.rejects(store.add(entries), (error) => {
      assert.ok(DataknobsError.is(error, "UNAVAILABLE"));
      assert.deepEqual([error.details["written"], error.retryable], [4, true]);
      assert.match(error.message, /4 of 8/);
      return true;
    });
    assert.equal(await store.count(), 4);
  });
});
