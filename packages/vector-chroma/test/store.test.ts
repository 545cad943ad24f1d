/** What is Chroma's own: rows of other programs, vectors to the bit, filters that go down. */
import assert from "node:assert/strict";
import { and, type Condition, not, openVectorStore, or, type VectorStore, where } from "@dataknobs/core";
import { afterEach, describe, it, jest } from "@jest/globals";
import fc from "fast-check";
import { measurable, mementoOf, restore } from "../src/directions.js";
import { chroma } from "../src/index.js";
import { keyOf, parseKey } from "../src/keys.js";
import { client, nameOf, newName, open, url } from "./server.js";

const seed = Number(process.env["DATAKNOBS_SEED"] ?? 20_261_124);
const stores: VectorStore[] = [];
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

async function opened(collection = newName(), dimensions = 2): Promise<VectorStore> {
  const store = await openVectorStore(open({ collection }), { dimensions });
  stores.push(store);
  return store;
}

/** JSON that the client parsed has other prototypes than that of a test. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null));
}

describe("keys", () => {
  it("every scope and id has a text of its own, from which both come back", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("", "@", "@0:", "@1:a", "a", "a@", "1:a", ":"),
    );
    const property = fc.property(text, text, (scope, id) => {
      assert.deepEqual(parseKey(keyOf(scope, id)), { scope, id });
    });
    fc.assert(property, { seed, numRuns: 2000 });
  });

  it("an id without a scope is its own", () => {
    assert.deepEqual([keyOf("", "a"), keyOf("", "a b")], ["a", "a b"]);
  });
});

describe("vectors of cosine", () => {
  const vectors = fc.oneof(
    fc.float32Array({ minLength: 1, maxLength: 40, noNaN: true, noDefaultInfinity: true }),
    fc.float32Array({ minLength: 1, maxLength: 40, noNaN: true, min: -10, max: 10 }),
  );

  it("come back to the bit from a direction in 32-bit floats, one unit off, or from themselves", () => {
    const property = fc.property(vectors, fc.integer({ min: -1, max: 1 }), (given, ulps) => {
      const vector = given.map((number) => number + 0);
      if (vector.every((number) => number === 0)) return;
      const memento = mementoOf(vector);
      const length = Math.sqrt(measurable(vector).reduce((sum, number) => sum + number * number, 0));
      const direction = measurable(vector).map((number) => number / length);
      const bits = new Int32Array(direction.buffer);
      for (let index = 0; index < bits.length; index++) {
        if (Math.abs(direction[index] as number) > 1e-37) bits[index] = (bits[index] as number) + ulps;
      }
      assert.deepEqual(restore([...direction], memento), vector);
      assert.deepEqual(restore([...measurable(vector)], memento), vector);
    });
    fc.assert(property, { seed, numRuns: 3000 });
  });

  it("come back to the bit from a server that has built its index", async () => {
    const store = await opened(newName(), 24);
    const rows = Array.from({ length: 2400 }, (_, n) => ({
      id: `v${n}`,
      vector: Float32Array.from({ length: 24 }, (_, d) => Math.sin(n * 31 + d * 7) * 10 ** ((n % 9) - 4)),
    }));
    await store.add(rows);
    const found = await store.get(
      rows.map(({ id }) => id),
      { include: ["vector"] },
    );
    for (const [at, row] of found.entries()) assert.deepEqual(row?.vector, rows[at]?.vector, `v${at}`);
  });

  it("come back as directions where that is asked for", async () => {
    const backend = open({ exactVectors: false });
    const store = await openVectorStore(backend, { dimensions: 2 });
    stores.push(store);
    await store.add([{ id: "a", vector: [3, 4] }]);
    const [row] = await store.get(["a"]);
    assert.ok(Math.abs((row?.vector[0] ?? 0) / (row?.vector[1] ?? 1) - 0.75) < 1e-6);
    const raw = await (await client.getCollection({ name: nameOf(backend) })).get({ ids: ["a"] });
    assert.equal(raw.metadatas[0], null);
  });

  it("are measured where 32-bit squares overflow or vanish", async () => {
    const store = await opened();
    await store.add([
      { id: "huge", vector: [3e37, 3e37] },
      { id: "tiny", vector: [1e-37, 0] },
      { id: "usual", vector: [0, 1] },
    ]);
    for (const size of [1e-38, 1, 1e38]) {
      const hits = await store.search([size, 0]);
      assert.deepEqual(plain(hits.map(({ id, score }) => [id, Math.round(score * 1000)])), [
        ["tiny", 1000],
        ["huge", 707],
        ["usual", 0],
      ]);
    }
    assert.deepEqual((await store.get(["huge"]))[0]?.vector, new Float32Array([3e37, 3e37]));
  });
});

describe("distances beyond 32-bit floats", () => {
  it("are measured here", async () => {
    const store = await openVectorStore(open(), { dimensions: 2, metric: "euclidean" });
    stores.push(store);
    await store.add([{ id: "far", vector: [1e30, 0] }]);
    const [hit] = await store.search([-1e30, 0]);
    assert.ok(Math.abs((hit?.distance ?? 0) / 2e30 - 1) < 1e-6, String(hit?.distance));
  });
});

describe("rows of other programs", () => {
  it("are read and filtered as they are, and found by others as they are", async () => {
    const collection = newName();
    const store = await opened(collection);
    const raw = await client.getCollection({ name: collection });
    await raw.add({
      ids: ["theirs", "bare"],
      embeddings: [
        [1, 0],
        [0, 1],
      ],
      metadatas: [{ lang: "en", n: 3, half: 1.5, ok: true, tags: ["a", "b"], "/odd": 1 }, null] as never,
      documents: ["hello", "world"],
    });
    const [theirs, bare] = await store.get(["theirs", "bare"], { include: ["metadata", "text"] });
    assert.deepEqual(plain(theirs), {
      id: "theirs",
      metadata: { lang: "en", n: 3, half: 1.5, ok: true, tags: ["a", "b"], "/odd": 1 },
      text: "hello",
    });
    assert.deepEqual(plain(bare), { id: "bare", metadata: {}, text: "world" });
    for (const filter of [where("n", ">=", 3), where("tags", "contains", "a"), where("/odd", "=", 1)]) {
      assert.equal(await store.count(filter), 1, JSON.stringify(filter));
    }
    await store.add([{ id: "ours", vector: [1, 1], metadata: { lang: "de", n: 4, at: new Date(0) }, text: "hallo" }]);
    const ours = await raw.get({ where: { lang: "de" }, whereDocument: { $contains: "hallo" } });
    assert.deepEqual(plain([ours.ids, ours.metadatas[0]?.["n"]]), [["ours"], 4]);
    assert.equal(await store.updateMetadata("theirs", { lang: "fr" }), true);
    assert.deepEqual(plain(await store.get(["theirs"], { include: ["metadata", "text"] })), [
      { id: "theirs", metadata: { lang: "fr" }, text: "hello" },
    ]);
  });

  it("a scope that another process writes to is not seen by who has none", async () => {
    const collection = newName();
    const store = await opened(collection);
    await store.add([{ id: "a", vector: [1, 0] }]);
    const other = await opened(collection);
    await other.scoped("s").add([{ id: "b", vector: [1, 0] }]);
    assert.deepEqual(plain((await store.search([1, 0], { k: 5 })).map(({ id }) => id)), ["a"]);
    const fresh = await opened(collection);
    assert.deepEqual([await store.count(), await fresh.count(), await fresh.scoped("s").count()], [1, 1, 1]);
  });

  it("a collection that has an embedding function opens without it", async () => {
    const collection = newName();
    const response = await fetch(
      new URL("/api/v2/tenants/default_tenant/databases/default_database/collections", url),
      {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          name: collection,
          configuration: {
            hnsw: { space: "cosine" },
            embedding_function: { type: "known", name: "default", config: {} },
          },
        }),
      },
    );
    assert.equal(response.status, 200);
    // the client itself looks for it, and says so
    const warn = jest.spyOn(console, "warn").mockImplementation(() => undefined);
    const store = await opened(collection);
    warn.mockRestore();
    await store.add([{ id: "a", vector: [1, 0], text: "words" }]);
    assert.equal((await store.search([1, 0]))[0]?.text, "words");
  });
});

describe("texts", () => {
  it("an empty one is not none, and each replaces the other", async () => {
    const store = await opened();
    const text = async (): Promise<unknown> => (await store.get(["a"], { include: ["text"] }))[0];
    for (const one of ["words", "", undefined, "", "words", undefined]) {
      await store.add([{ id: "a", vector: [1, 2], ...(one !== undefined && { text: one }) }]);
      assert.deepEqual(await text(), { id: "a", ...(one !== undefined && { text: one }) });
    }
  });
});

describe("filters", () => {
  const pushed: { readonly [name: string]: Condition } = {
    "equality of a text": where("lang", "=", "en"),
    "another text, or none": not(where("lang", "=", "en")),
    "a list of several kinds": where("n", "in", [1, 2.5, "x", true]),
    "not in such a list": not(where("n", "in", [1, 2.5, "x", true])),
    "a range": where("n", "between", [1, 2.5]),
    "a nested field": where("a.b", "=", "x"),
    "both, either, not": and(or(where("n", "<", 2.5), where("lang", "=", "en")), not(where("ok", "=", true))),
    "every row": { and: [] },
    "no row": { or: [] },
  };
  const completed: { readonly [name: string]: Condition } = {
    "a range of texts": where("lang", ">", "a"),
    "the complement of a range": not(where("n", ">", 1)),
    presence: where("lang", "exists"),
    "a pattern": where("lang", "like", "e%"),
    "the id": where("id", "=", "a"),
    "a bigint": where("n", "=", 1n),
    "a number of 17 digits": where("n", "=", 0.1 + 0.2),
  };
  for (const [name, filter] of Object.entries(pushed)) {
    it(`${name}: Chroma's own`, async () => {
      const store = await opened();
      const { clauses, native } = store.explain({ filter });
      assert.ok(
        clauses.every(({ how }) => how === "pushed"),
        JSON.stringify(clauses),
      );
      if (clauses.length > 0) assert.ok(JSON.stringify(native).includes("where"));
    });
  }
  for (const [name, filter] of Object.entries(completed)) {
    it(`${name}: completed in memory, with a reason`, async () => {
      const store = await opened();
      const [clause] = store.explain({ filter }).clauses;
      assert.equal(clause?.how, "emulated");
      assert.ok((clause?.why ?? "").length > 10);
    });
  }
});

describe("very large filters", () => {
  it("wide or deep, are answered all the same", async () => {
    const store = await opened();
    await store.add([{ id: "a", vector: [1, 2], metadata: { n: 30 } }]);
    const wide = or(...Array.from({ length: 3000 }, (_, n) => where("n", "=", n)));
    const edge = or(...Array.from({ length: 200 }, (_, n) => where("n", "=", n - 0.5)), where("n", "=", 30));
    let deep: Condition = where("n", "=", 30);
    for (let level = 0; level < 29; level++) {
      deep = level % 2 === 0 ? or(where("n", "=", 1), deep) : and(where("n", ">", 0), deep);
    }
    for (const filter of [wide, edge, deep, not(wide), and(where("n", ">", 0), wide)]) {
      assert.equal(await store.count(filter), filter !== undefined && "not" in filter ? 0 : 1);
    }
    assert.equal(store.explain({ filter: deep }).emulated, false);
    assert.equal(store.explain({ filter: wide }).emulated, true);
  });
});

describe("changing metadata", () => {
  it("leaves vector and text alone, takes away what is there no more, and does not write the vector anew", async () => {
    const backend = open();
    const store = await openVectorStore(backend, { dimensions: 2 });
    stores.push(store);
    await store.add([{ id: "a", vector: [0.3, 7], metadata: { n: 1, gone: "x", deep: { er: 2 } }, text: "t" }]);
    await store.updateMetadata("a", { n: 2, list: [1] });
    const [row] = await store.get(["a"]);
    assert.deepEqual(row, { id: "a", vector: new Float32Array([0.3, 7]), metadata: { n: 2, list: [1] }, text: "t" });
    const raw = await (await client.getCollection({ name: nameOf(backend) })).get({ ids: ["a"] });
    assert.deepEqual(Object.keys(raw.metadatas[0] ?? {}).sort(), ["dataknobs:rest", "dataknobs:vector", "n"]);
    assert.equal(await store.count(where("gone", "=", "x")), 0);
    assert.equal(await store.updateMetadata("missing", { n: 2 }), false);
    assert.equal(await store.count(), 1);
  });
});

describe("names that JSON escapes", () => {
  // V8 takes the second for the first (nodejs/node#63785)
  const names = ["\\", "\t", '"', "a\\", "a\t", "\\\\", '\\"'];

  it("are read as they were written, whichever was read before, on top and below", async () => {
    const store = await opened();
    for (let round = 0; round < 3; round++) {
      for (const name of names) {
        await store.add([{ id: "a", vector: [1, 2], metadata: { [name]: 1, o: { [name]: "x" } } }]);
        assert.deepEqual((await store.get(["a"]))[0]?.metadata, { [name]: 1, o: { [name]: "x" } });
        assert.equal(await store.count(where(["metadata", name], "=", 1)), 1);
        assert.equal(await store.count(where(["o", name], "=", "x")), 1);
        // what is there no more is not found
        const others = names.filter((other) => other !== name);
        for (const other of others) assert.equal(await store.count(where(["o", other], "=", "x")), 0);
      }
    }
  });

  it("stand in Chroma under keys without an escape", async () => {
    const backend = open();
    const store = await openVectorStore(backend, { dimensions: 2 });
    stores.push(store);
    await store.add([{ id: "a", vector: [1, 2], metadata: { "\t": 1, "~u0009": 2 } }]);
    const raw = await (await client.getCollection({ name: nameOf(backend) })).get({ ids: ["a"] });
    const keys = Object.keys(raw.metadatas[0] ?? {}).filter((key) => !key.startsWith("dataknobs:"));
    assert.deepEqual(keys.sort(), ["/~u0009", "~u0009"]);
  });
});

describe("a row that is written while Chroma reads it", () => {
  /** A client whose next read sees metadata as they were before `meanwhile`, and vectors as they are after. */
  function tearing(next: { meanwhile: (() => Promise<unknown>) | undefined }): typeof client {
    const wrap = <T extends object>(inner: T): T =>
      new Proxy(inner, {
        get(target, property) {
          const member: unknown = Reflect.get(target, property, target);
          if (typeof member !== "function") return member;
          return async (...args: [{ include?: string[] }?]) => {
            const call = (): Promise<object> => Reflect.apply(member, target, args) as Promise<object>;
            const answer = await call();
            if (/Collection$/.test(String(property))) return wrap(answer);
            const reads = (property === "get" || property === "query") && args[0]?.include?.includes("embeddings");
            const { meanwhile } = next;
            if (reads !== true || meanwhile === undefined) return answer;
            next.meanwhile = undefined;
            await meanwhile();
            return Object.assign(await call(), { metadatas: (answer as { metadatas: unknown }).metadatas });
          };
        },
      });
    return wrap(client);
  }

  const old = { id: "a", vector: [1, 2], metadata: { n: 1 } };
  const next = { id: "a", vector: [3, 4], metadata: { n: 2 } };
  const include = ["vector", "metadata"] as const;
  const reads: { readonly [name: string]: (store: VectorStore) => Promise<unknown> } = {
    search: async (store) =>
      (await store.search([3, 4], { include })).map(({ id, vector, metadata, distance }) => [
        { id, vector: [...vector], metadata },
        distance,
      ]),
    get: async (store) =>
      (await store.get(["a"], { include })).map((row) => [{ ...row, vector: [...(row?.vector ?? [])] }, 0]),
    stream: async (store) => {
      const rows: unknown[] = [];
      for await (const { id, vector, metadata } of store.stream(undefined, { include }))
        rows.push([{ id, vector: [...vector], metadata }, 0]);
      return rows;
    },
  };
  for (const [name, read] of Object.entries(reads)) {
    it(`is seen whole by ${name}`, async () => {
      const tear: Parameters<typeof tearing>[0] = { meanwhile: undefined };
      const backend = chroma({ client: tearing(tear), collection: newName() });
      const store: VectorStore = await openVectorStore(backend, { dimensions: 2, metric: "euclidean" });
      stores.push(store);
      await store.add([old]);
      tear.meanwhile = () => store.add([next]);
      assert.deepEqual(plain(await read(store)), [[next, 0]]);
    });
  }
});
