import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import type { Backend } from "../src/backend/index.js";
import { testBackend } from "../src/conformance/index.js";
import { Embedder } from "../src/embed/embedder.js";
import { embedding } from "../src/embed/layer.js";
import { checkEmbed } from "../src/embed/options.js";
import { DataknobsError, type EmbedOptions, openDatabase, openDatabaseSync, where } from "../src/index.js";
import { Bare } from "./mutants/bare.js";
import { Tiny } from "./mutants/tiny.js";

/** Outlives its databases. */
class Kept extends Tiny {
  override close(): void {
    // its records stay
  }
}

/** Counts letters: the same text, the same vector. */
function model(name = "letters@1") {
  const asked: string[][] = [];
  const options: EmbedOptions = {
    fields: [{ from: ["title", "body"], to: "embedding" }],
    model: name,
    batchSize: 3,
    run: async (texts) => {
      asked.push([...texts]);
      return texts.map((text) => Float32Array.of(text.length, text.split("a").length - 1, name.length));
    },
  };
  return { asked, options, all: () => asked.flat().sort() };
}

const indexes = [{ path: "embedding", vector: { dimensions: 3, metric: "euclidean" } }] as const;

async function refuses(code: string, work: () => unknown): Promise<DataknobsError> {
  try {
    await work();
  } catch (error) {
    assert.ok(DataknobsError.is(error), String(error));
    assert.equal(error.code, code, error.message);
    return error;
  }
  return assert.fail(`expected ${code}`);
}

const vector = (...numbers: readonly number[]): Float32Array => Float32Array.from(numbers);

describe("embed", () => {
  testBackend({
    describe,
    it,
    open: () =>
      embedding(
        new Tiny(),
        new Embedder(checkEmbed({ ...model().options, fields: [{ from: ["$t"], to: "$made" }] }), new Map()),
      ),
    capabilities: { ...new Tiny().capabilities, synchronous: false },
    sync: false,
    runs: 200,
  });

  for (const [kind, open] of [
    ["with merge and transactions", () => new Tiny()],
    ["of three methods", () => new Bare()],
  ] as const satisfies readonly (readonly [string, () => Backend])[]) {
    it(`fills vectors by every write, over a backend ${kind}`, async () => {
      const { asked, options: embed, all } = model();
      await using db = await openDatabase(open(), { embed, indexes });
      const a = await db.create({ title: "aa", body: "b" }, { id: "a" });
      assert.deepEqual(a.data["embedding"], vector(4, 2, 9));
      assert.deepEqual((await db.read("a"))?.data, a.data);
      assert.deepEqual(asked, [["aa\nb"]]);
      // two of one text, one without any, in batches of three different texts
      const many = ["x", "x", "y", "z", "aaa"].map((title, n) => ({ id: `m${n}`, data: { title } }));
      const made = await db.createMany([...many, { id: "none", data: { other: 1 } }]);
      assert.deepEqual(
        asked.slice(1).map((texts) => texts.length),
        [3, 1],
      );
      assert.deepEqual(
        made.map(({ data }) => (data["embedding"] as Float32Array | undefined)?.[0]),
        [1, 1, 1, 1, 3, undefined],
      );
      assert.deepEqual((await db.read("none"))?.data, { other: 1 });
      asked.length = 0;
      // the same text: no question
      await db.update("a", { title: "aa", body: "b", more: true });
      await db.upsert("m0", { title: "x", more: true });
      await db.patch("m1", { more: true });
      await db.patch("m1", { title: "x" });
      await db.updateWhere(where("id", "=", "m2"), { more: true });
      assert.deepEqual(asked, []);
      assert.deepEqual((await db.read("a"))?.data["embedding"], vector(4, 2, 9));
      assert.deepEqual((await db.read("m1"))?.data["embedding"], vector(1, 0, 9));
      // another text
      await db.update("a", { title: "aaaa" });
      await db.upsert("m0", { title: "upsert" });
      const patched = await db.patch("m1", { body: "patch" });
      await db.updateWhere(where("id", "=", "m2"), { body: "where" });
      await db.updateMany([{ id: "m3", data: { title: "many" } }]);
      assert.deepEqual(all(), ["aaaa", "many", "upsert", "x\npatch", "y\nwhere"].sort());
      assert.deepEqual(patched?.data["embedding"], vector(7, 1, 9));
      const byVector = await db.search({ nearest: { path: "embedding", vector: [4, 4, 9], k: 2 } });
      assert.deepEqual(
        byVector.map(({ id }) => id),
        ["a", "m4"],
      );
      // no text, no vector; a vector of the user's own stays where there was never a text
      await db.patch("a", { title: null, body: null });
      assert.deepEqual((await db.read("a"))?.data, { title: null, body: null });
      await db.create({ embedding: vector(1, 2, 3) }, { id: "own" });
      assert.deepEqual((await db.read("own"))?.data, { embedding: vector(1, 2, 3) });
      assert.equal(await db.embeddings.stale(), 0);
    });
  }

  it("works within transactions, and what is rolled back asks no more", async () => {
    const { options: embed } = model();
    await using db = await openDatabase(new Tiny(), { embed });
    for (const options of [{}, { mode: "buffered" }] as const) {
      await db.transaction(async (tx) => {
        await tx.upsert("t", { title: `a${options.mode ?? ""}` });
      }, options);
      assert.deepEqual((await db.read("t"))?.data["embedding"], vector(options.mode === undefined ? 1 : 9, 1, 9));
    }
  });

  it("tells stale vectors and makes them anew, taken up after an abort", async () => {
    const store = new Kept();
    const old = model();
    {
      await using db = await openDatabase(store, { embed: old.options });
      await db.createMany(Array.from({ length: 25 }, (_, n) => ({ id: `r${n}`, data: { title: "a".repeat(n + 1) } })));
      await db.create({ other: 1 });
    }
    {
      // written by a program that does not know of vectors
      await using plain = await openDatabase(store);
      await plain.create({ title: "new" }, { id: "plain" });
      await plain.patch("r3", { title: "changed" });
    }
    {
      await using db = await openDatabase(store, { embed: old.options });
      assert.equal(await db.embeddings.stale(), 2);
    }
    const next = model("letters@22");
    await using db = await openDatabase(store, { embed: next.options });
    assert.equal(await db.embeddings.stale(), 26);
    const stop = new AbortController();
    const told: number[] = [];
    await refuses("ABORTED", () =>
      db.embeddings.refresh({
        batchSize: 10,
        signal: stop.signal,
        onProgress: ({ scanned, refreshed, total }) => {
          told.push(scanned, refreshed, total);
          stop.abort();
        },
      }),
    );
    assert.deepEqual([told[0], told[2]], [10, 27]);
    const left = await db.embeddings.stale();
    assert.ok(left < 26 && left > 0, String(left));
    const asked = next.all().length;
    const done = await db.embeddings.refresh();
    assert.deepEqual(done, { scanned: 27, refreshed: left, total: 27 });
    assert.equal(next.all().length, asked + left);
    assert.equal(await db.embeddings.stale(), 0);
    assert.deepEqual((await db.read("plain"))?.data["embedding"], vector(3, 0, 10));
    assert.deepEqual(await db.embeddings.refresh(), { scanned: 27, refreshed: 0, total: 27 });
  });

  it("keeps a patch that meets another one", async () => {
    const { options: embed } = model();
    const store = new Kept();
    let meddle: (() => Promise<unknown>) | undefined;
    await using other = await openDatabase(store);
    await using db = await openDatabase(store, {
      embed: {
        ...embed,
        run: async (texts, call) => {
          const once = meddle;
          meddle = undefined;
          await once?.();
          return embed.run(texts, call) as never;
        },
      },
    });
    await db.create({ title: "a" }, { id: "a" });
    meddle = () => other.patch("a", { body: "meanwhile" });
    const patched = await db.patch("a", { title: "aa" });
    assert.deepEqual([patched?.data["title"], patched?.data["body"]], ["aa", "meanwhile"]);
    assert.deepEqual(patched?.data["embedding"], vector("aa\nmeanwhile".length, 3, 9));
    meddle = () => other.patch("a", { n: 1 });
    const { version } = (await db.read("a")) ?? assert.fail();
    await refuses("VERSION_CONFLICT", () => db.patch("a", { title: "b" }, { ifVersion: version }));
    assert.equal((await db.read("a"))?.data["title"], "aa");
  });

  it("writes nothing where the model fails or gives what it should not", async () => {
    const { options: embed } = model();
    const answers: readonly ((texts: readonly string[]) => unknown)[] = [
      () => {
        throw new Error("secret words");
      },
      () => [],
      () => "vectors",
      (texts) => texts.map(() => [1, 2, 3]),
      (texts) => texts.map(() => vector(1, Number.NaN, 3)),
      (texts) => texts.map(() => vector(1, 2)),
      (texts) => texts.map(() => new Float32Array()),
    ];
    for (const answer of answers) {
      const run = async (texts: readonly string[]): Promise<readonly Float32Array[]> => answer(texts) as never;
      await using db = await openDatabase(new Tiny(), { embed: { ...embed, run }, indexes });
      const error = await refuses("UNEXPECTED", () => db.createMany([{ data: { n: 1 } }, { data: { title: "a" } }]));
      assert.ok(!error.message.includes("secret words"), error.message);
      assert.equal(await db.count(), 0);
    }
    await using nested = await openDatabase(new Tiny(), {
      embed: { ...embed, fields: [{ from: ["title"], to: "x.y" }] },
    });
    await refuses("INVALID_RECORD", () => nested.create({ title: "a", x: "text" }));
    assert.deepEqual((await nested.create({ title: "a", x: { z: 1 } })).data["x"], {
      z: 1,
      y: vector(1, 1, 9),
      yOf: { model: "letters@1", text: "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" },
    });
  });

  it("refuses options that cannot be right", async () => {
    const { options: embed } = model();
    const [field] = embed.fields;
    const bad: readonly unknown[] = [
      { ...embed, model: "" },
      { ...embed, run: "f" },
      { ...embed, fields: [] },
      { ...embed, batchSize: 0 },
      { ...embed, extra: 1 },
      { ...embed, fields: [{ from: "title", to: "e" }] },
      { ...embed, fields: [{ from: [], to: "e" }] },
      { ...embed, fields: [{ from: ["e"], to: "e" }] },
      { ...embed, fields: [{ from: ["e.x"], to: "e" }] },
      { ...embed, fields: [{ from: ["x"], to: "e", stamp: "e" }] },
      { ...embed, fields: [{ from: ["id"], to: "e" }] },
      { ...embed, fields: [{ from: ["metadata.x"], to: "e" }] },
      { ...embed, fields: [{ from: ["x"], to: "metadata.e" }] },
      { ...embed, fields: [field, field] },
      { ...embed, fields: [{ ...field, into: "e" }] },
    ];
    for (const one of bad) await refuses("INVALID_CONFIG", () => openDatabase(new Tiny(), { embed: one as never }));
    await refuses("UNSUPPORTED", () => openDatabaseSync(new Tiny(), { embed }));
    await using db = await openDatabase(new Tiny());
    await refuses("UNSUPPORTED", () => db.embeddings.stale());
    await refuses("UNSUPPORTED", () => db.embeddings.refresh());
  });
});
