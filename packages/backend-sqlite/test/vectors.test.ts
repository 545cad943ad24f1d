import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqlite } from "@dataknobs/backend-sqlite";
import { type Database, openDatabase, openDatabaseSync } from "@dataknobs/core";
import type { Backend } from "@dataknobs/core/backend";
import { testVectorBackend } from "@dataknobs/core/conformance";
import { type VectorBackend, vectorBackendOf } from "@dataknobs/core/vector";
import { afterAll, describe, it } from "@jest/globals";

/** Without threads, which take longer to start than a case to run. */
const onThisThread = (): Backend => (sqlite().toSync as () => Backend)();

let plain: Database | undefined;
afterAll(() => plain?.close());

/** The vectors of a store that declares its field as the case wants it. */
async function declaring(): Promise<VectorBackend> {
  plain ??= await openDatabase(onThisThread());
  let db: Database | undefined;
  let inner = vectorBackendOf(plain, "embedding");
  return new Proxy(inner, {
    get(_, key) {
      if (key === "open") {
        return async (request: { dimensions: number; metric: "cosine" }) => {
          const { dimensions, metric } = request;
          db = await openDatabase(onThisThread(), {
            indexes: [{ path: "embedding", vector: { dimensions, metric } }],
          });
          inner = vectorBackendOf(db, "embedding");
          await inner.open?.(request);
        };
      }
      if (key === "close") {
        return async () => {
          await db?.close();
        };
      }
      const value: unknown = Reflect.get(inner, key, inner);
      return typeof value === "function" ? value.bind(inner) : value;
    },
  });
}

const pushdown = sqlite().capabilities.pushdown.filter((kind) => kind !== "after" && kind !== "tied");

describe("a field of a table as a vector store", () => {
  testVectorBackend({
    describe,
    it,
    open: declaring,
    // the filters are those of the record suite, which asks them of this engine often
    modes: ["plain"],
    runs: 60,
    capabilities: { index: "exact", exactSearch: true, complete: true, atomicBatch: true, pushdown },
  });
});

const folder = mkdtempSync(join(tmpdir(), "dataknobs-vectors-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the table of vectors", () => {
  const vector = { dimensions: 2, metric: "dot" } as const;
  const indexes = [{ path: "e", vector }];
  const nearest = { path: "e", vector: [1, 0], k: 2 };

  it("a transaction that was undone leaves nothing in memory", () => {
    using db = openDatabaseSync(sqlite(), { indexes });
    db.create({ e: new Float32Array([1, 0]) }, { id: "a" });
    const ids = (): string[] => db.search({ nearest }).map(({ id }) => id);
    assert.deepEqual(ids(), ["a"]);
    assert.throws(() =>
      db.transaction((tx) => {
        tx.create({ e: new Float32Array([9, 0]) }, { id: "undone" });
        tx.delete("a");
        assert.deepEqual(
          tx.search({ nearest }).map(({ id }) => id),
          ["undone"],
        );
        throw new Error("no");
      }),
    );
    assert.deepEqual(ids(), ["a"]);
    // the slot of what was undone is given again
    db.create({ e: new Float32Array([5, 0]) }, { id: "b" });
    assert.deepEqual(ids(), ["b", "a"]);
  });

  it("finds others in the place of those that were removed, and begins again after many changes", () => {
    using db = openDatabaseSync(sqlite(), { indexes });
    const put = (from: number): void => {
      db.upsertMany(
        Array.from({ length: 1500 }, (_, n) => ({ id: `r${n}`, data: { n, e: new Float32Array([n + from, 1]) } })),
      );
    };
    const ids = (): string[] => db.search({ nearest }).map(({ id }) => id);
    put(0);
    assert.deepEqual(ids(), ["r1499", "r1498"]);
    for (let n = 1400; n < 1500; n++) db.delete(`r${n}`);
    assert.deepEqual(ids(), ["r1399", "r1398"]);
    for (let round = 1; round < 5; round++) {
      put(round);
      db.update("r7", { n: 7, e: new Float32Array([99_999, round]) });
      assert.deepEqual(ids(), ["r7", "r1499"]);
    }
  });

  it("sees what another connection wrote, and a table made anew", async () => {
    const path = join(folder, "shared.db");
    await using one = await openDatabase(sqlite({ path }), { indexes });
    await using other = await openDatabase(sqlite({ path }), { indexes });
    const ids = async (): Promise<string[]> => (await one.search({ nearest })).map(({ id }) => id);
    await other.create({ e: new Float32Array([1, 0]) }, { id: "a" });
    assert.deepEqual(await ids(), ["a"]);
    await other.create({ e: new Float32Array([2, 0]) }, { id: "b" });
    await other.delete("a");
    assert.deepEqual(await ids(), ["b"]);
    const bare = await openDatabase(sqlite({ path }));
    await bare.indexes.apply({ drop: true });
    await bare.upsert("b", { e: new Float32Array([0, 1]) });
    await bare.upsert("c", { e: new Float32Array([3, 0]) });
    await bare.close();
    await using again = await openDatabase(sqlite({ path }), { indexes });
    assert.deepEqual(
      (await again.search({ nearest })).map(({ id }) => id),
      ["c", "b"],
    );
    assert.equal(again.explain({ nearest }).nearest.how, "pushed");
  });
});
