import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import type { Backend, WriteOp, WriteOutcome, WriteRequest } from "../src/backend/index.js";
import { testBackend } from "../src/conformance/index.js";
import { count, DataknobsError, openDatabase, query, type TieredBackend, tiered, where } from "../src/index.js";
import { forward } from "../src/layers/forward.js";
import { Bare } from "./mutants/bare.js";
import { leafKinds, Tiny } from "./mutants/tiny.js";

const manual = { moveEvery: 0 } as const;
const capabilities = { cancel: false, pushdown: leafKinds } as const;

/** Everything is old at once, and moves as soon as it is written. */
function restless(hot: Backend, cold: Backend): Backend {
  const backend = tiered({ hot, cold, olderThan: 0, ...manual });
  return Object.assign(forward(backend, {}), {
    write: async (ops: readonly WriteOp[], request: WriteRequest) => {
      const outcomes = await backend.write(ops, request);
      await backend.move();
      return outcomes;
    },
  });
}

/** Never gets to removing what was copied: a crash after each copy. */
class Crashing extends Tiny {
  moving = false;
  override write(ops: readonly WriteOp[], request: WriteRequest): WriteOutcome[] {
    if (this.moving) return ops.map((): WriteOutcome => ({ status: "deleted" }));
    return super.write(ops, request);
  }
}

/** Everything is in both stores, in the cold one as it was before its last change. */
function doubled(): Backend {
  const hot = new Crashing();
  const cold = new Tiny();
  const backend = tiered({ hot, cold, olderThan: 0, ...manual });
  const { scan } = hot;
  let before: Promise<unknown> = Promise.resolve();
  const doubling = async (ops: readonly WriteOp[], request: WriteRequest): Promise<readonly WriteOutcome[]> => {
    hot.moving = true;
    // once: a move goes on as long as something seems to move
    hot.scan = function* (asked) {
      const [batch] = [...scan.call(hot, asked)];
      if (batch !== undefined) yield batch.slice(0, 400);
    };
    await backend.move();
    hot.scan = scan;
    hot.moving = false;
    return backend.write(ops, request);
  };
  return Object.assign(forward(backend, {}), {
    write: (ops: readonly WriteOp[], request: WriteRequest) => {
      const begun = before.then(() => doubling(ops, request));
      before = begun.catch(() => undefined);
      return begun;
    },
  });
}

describe("tiered", () => {
  testBackend({ describe, it, open: () => restless(new Tiny(), new Tiny()), capabilities, runs: 200 });
  testBackend({ describe, it, open: () => doubled(), capabilities, modes: ["plain"], runs: 200 });
  testBackend({ describe, it, open: () => restless(new Tiny(), new Bare()), modes: ["plain"], runs: 200 });

  const aged = (tiny: Tiny, ...ids: string[]): void => {
    tiny.records = new Map(
      [...tiny.records].map(([id, record]) => [
        id,
        ids.includes(id) ? { ...record, createdAt: 1000, updatedAt: 2000 } : record,
      ]),
    );
  };

  async function opened(): Promise<{ hot: Tiny; cold: Tiny; backend: TieredBackend }> {
    const [hot, cold] = [new Tiny(), new Tiny()];
    return { hot, cold, backend: tiered({ hot, cold, olderThan: 1e9, ...manual }) };
  }

  it("moves what is old, as it is, and answers over both", async () => {
    const { hot, cold, backend } = await opened();
    await using db = await openDatabase(backend);
    await db.createMany(
      ["a", "b", "c", "d"].map((id, n) => ({ id, data: { n, word: `fox ${id}` }, metadata: { m: BigInt(n) } })),
    );
    aged(hot, "a", "c");
    const before = await db.search({ sort: [{ path: "n" }] });
    assert.equal(await backend.move(), 2);
    assert.deepEqual(
      [[...hot.records.keys()], [...cold.records.keys()].sort()],
      [
        ["b", "d"],
        ["a", "c"],
      ],
    );
    assert.deepEqual(await db.search({ sort: [{ path: "n" }] }), before, "versions and times too");
    assert.deepEqual(await db.readMany(["a", "b", "c", "x"]), [before[0], before[1], before[2], undefined]);
    assert.equal(await db.count({ where: where("n", "<", 3) }), 3);
    assert.deepEqual(await db.aggregate({ select: { n: count() } }), [{ n: 4 }]);
    assert.deepEqual(
      (await db.search({ match: { text: "fox", fields: ["word"] } })).map(({ id }) => id),
      ["a", "b", "c", "d"],
    );
    const page = await db.page(query().sort("n", "desc").limit(3));
    assert.deepEqual(
      page.records.map(({ id }) => id),
      ["d", "c", "b"],
    );
    assert.deepEqual(
      (await db.page(query().sort("n", "desc").limit(3), { after: page.next })).records.map(({ id }) => id),
      ["a"],
    );
    assert.deepEqual(
      (await db.search({ limit: 2, offset: 1 })).map(({ id }) => id),
      ["b", "c"],
    );
    assert.equal(await backend.move(), 0);
  });

  it("a write brings a record back, its creation kept", async () => {
    const { hot, cold, backend } = await opened();
    await using db = await openDatabase(backend);
    await db.createMany(["a", "b", "c", "d"].map((id) => ({ id, data: { n: 0 }, metadata: { m: 1 } })));
    aged(hot, "a", "b", "c", "d");
    await backend.move();
    const { version } = (await db.read("a")) as { version: string };
    await assert.rejects(
      async () => db.create({}, { id: "a" }),
      (error) => DataknobsError.is(error, "ALREADY_EXISTS"),
    );
    assert.equal(hot.records.size, 0);
    const updated = await db.update("a", { n: 1 }, { ifVersion: version });
    assert.deepEqual([updated?.createdAt.getTime(), updated?.metadata], [1000, { m: 1 }]);
    assert.equal((await db.patch("b", { k: 1 }))?.data["n"], 0);
    assert.equal((await db.upsert("c", { n: 3 })).createdAt.getTime(), 1000);
    assert.equal(await db.delete("d"), true);
    assert.deepEqual([[...hot.records.keys()].sort(), cold.records.size], [["a", "b", "c"], 0]);
    assert.equal(await db.count(), 3);
  });

  it("a record is in one of the stores at every step, whichever write a crash comes after", async () => {
    for (let crash = 1; crash <= 12; crash++) {
      const stores = [new Tiny(), new Tiny()] as const;
      let writes = 0;
      let armed = false;
      const [hot, cold] = stores.map((tiny) =>
        forward(tiny, {
          write: (ops, request) => {
            if (armed && ++writes >= crash) throw new DataknobsError("UNAVAILABLE", "crashed");
            return tiny.write(ops, request);
          },
        }),
      ) as [Backend, Backend];
      const backend = tiered({ hot, cold, olderThan: 1e9, ...manual });
      const db = await openDatabase(backend);
      await db.createMany(["a", "b", "c"].map((id) => ({ id, data: { n: 0 } })));
      aged(stores[0], "a", "b");
      armed = true;
      const work = async (): Promise<void> => {
        await backend.move();
        await db.update("a", { n: 1 });
        aged(stores[0], "a");
        await backend.move();
        await db.patch("a", { n: 2 });
        await db.delete("b");
      };
      await work().catch((error: unknown) => assert.ok(DataknobsError.is(error, "UNAVAILABLE")));
      armed = false;
      const found = await db.search({ sort: [{ path: "id" }] });
      const ids = found.map(({ id }) => id);
      assert.ok(ids.includes("a") && ids.includes("c") && new Set(ids).size === ids.length, `${crash}: ${ids}`);
      assert.equal(await db.count(), ids.length);
      assert.deepEqual(
        (await db.readMany(["a", "b", "c"])).filter((one) => one !== undefined),
        found,
      );
      const n = found[0]?.data["n"] as number;
      // what was acknowledged never goes back
      await db.update("a", { n: 9 });
      await backend.move();
      await db.delete("b");
      assert.deepEqual(
        (await db.search({ sort: [{ path: "id" }] })).map(({ id, data }) => [id, data["n"]]),
        [
          ["a", 9],
          ["c", 0],
        ],
      );
      assert.ok(n >= 0 && n <= 2);
      await db.close();
    }
  });

  it("moves nothing under an open stream, and moves by itself", async () => {
    const [hot, cold] = [new Tiny(), new Tiny()];
    const told: { moved: number; error?: unknown }[] = [];
    let next: () => void = () => undefined;
    const once = (): Promise<void> =>
      new Promise((resolve) => {
        next = resolve;
      });
    const backend = tiered({
      hot,
      cold,
      olderThan: 0,
      moveEvery: 1,
      onMove: (result) => {
        told.push(result);
        next();
      },
    });
    const db = await openDatabase(backend);
    await db.createMany(Array.from({ length: 10 }, (_, n) => ({ id: `r${n}`, data: { n } })));
    await once();
    await once();
    assert.equal(cold.records.size, 10);
    await db.updateWhere({ and: [] }, { m: 1 });
    const seen: string[] = [];
    for await (const { id } of db.stream()) {
      seen.push(id);
      assert.equal(await backend.move(), 0);
    }
    assert.equal(new Set(seen).size, 10);
    assert.equal(seen.length, 10);
    hot.write = () => {
      throw new DataknobsError("UNAVAILABLE", "down");
    };
    await db.close();
    const ended = told.length;
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(told.length, ended);
  });

  it("refuses options that cannot be right", () => {
    const hot = new Tiny();
    for (const options of [
      { hot, cold: hot, olderThan: 1 },
      { hot, olderThan: 1 },
      { hot, cold: new Tiny() },
      { hot, cold: new Tiny(), olderThan: -1 },
    ]) {
      assert.throws(
        () => tiered(options as Parameters<typeof tiered>[0]),
        (error) => DataknobsError.is(error, "INVALID_CONFIG"),
      );
    }
  });
});
