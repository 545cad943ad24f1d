import { DataknobsError, type WireRecord } from "@dataknobs/core/backend";
import { describe, expect, it } from "@jest/globals";
import { compare, idsOf, index, insert, orderBy, read, type Store, scan, store, write } from "./support.js";

type Tx = Store & { commit(): void; rollback(): void };
const begin = (backend: Store): Tx => backend.begin({}) as unknown as Tx;

function errorOf(action: () => unknown): DataknobsError | undefined {
  try {
    action();
  } catch (error) {
    if (DataknobsError.is(error)) return error;
    throw error;
  }
  return undefined;
}

describe("transactions", () => {
  it("reads see their own writes; others see nothing before commit, everything after", () => {
    const backend = store([index("n")]);
    write(backend, insert("a", { n: 1 }));
    const tx = begin(backend);
    write(tx, insert("b", { n: 2 }), { kind: "delete", id: "a" });
    expect(idsOf(scan(tx, { where: compare("n", ">", 0) }))).toEqual(["b"]);
    expect(tx.count(undefined, undefined, {})).toBe(1);
    expect(idsOf(scan(backend))).toEqual(["a"]);
    tx.commit();
    expect(idsOf(scan(backend, { where: compare("n", ">", 0) }))).toEqual(["b"]);
  });

  it("rollback leaves nothing behind", () => {
    const backend = store();
    const tx = begin(backend);
    write(tx, insert("a", {}));
    tx.rollback();
    expect(scan(backend)).toEqual([]);
    const next = begin(backend);
    write(next, insert("a", {}));
    next.commit();
    expect(idsOf(scan(backend))).toEqual(["a"]);
  });

  it("the first of two that wrote one record commits; the second is CONFLICT and writes nothing", () => {
    const backend = store();
    write(backend, insert("a", { n: 0 }));
    const [one, two] = [begin(backend), begin(backend)];
    write(one, { ...insert("a", { n: 1 }), kind: "update" });
    write(two, { ...insert("a", { n: 2 }), kind: "update" }, insert("b", {}));
    one.commit();
    const error = errorOf(() => two.commit());
    expect(error?.code).toBe("CONFLICT");
    expect(error?.retryable).toBe(true);
    expect(error?.details).toMatchObject({ id: "a" });
    expect(read(backend, "a")?.data).toEqual({ n: 1 });
    expect(idsOf(scan(backend))).toEqual(["a"]);
  });

  it("a write outside is a conflict too; one that was rolled back is none", () => {
    const backend = store();
    write(backend, insert("a", { n: 0 }));
    const tx = begin(backend);
    write(tx, { kind: "delete", id: "a" });
    write(backend, { ...insert("a", { n: 1 }), kind: "update" }, insert("a", {}));
    tx.commit();
    expect(scan(backend)).toEqual([]);
  });

  it("two that insert one id: the second is CONFLICT", () => {
    const backend = store();
    const tx = begin(backend);
    write(tx, insert("a", {}));
    write(backend, insert("a", {}));
    expect(errorOf(() => tx.commit())?.code).toBe("CONFLICT");
  });

  it("unique indexes hold inside, and against what others committed meanwhile", () => {
    const backend = store([index("k", "unique")]);
    write(backend, insert("a", { k: 1 }), insert("b", { k: 2 }));
    const tx = begin(backend);
    expect(write(tx, insert("c", { k: 1 }))).toEqual([{ status: "duplicate", index: "k:unique" }]);
    write(tx, insert("c", { k: 3 }));
    expect(write(tx, insert("d", { k: 3 }))).toEqual([{ status: "duplicate", index: "k:unique" }]);
    write(backend, insert("e", { k: 3 }));
    expect(errorOf(() => tx.commit())).toMatchObject({ code: "CONFLICT", details: { index: "k:unique" } });
    expect(idsOf(scan(backend)).sort()).toEqual(["a", "b", "e"]);
  });

  it("unique: values may change hands inside, and what others gave up after the snapshot is still taken", () => {
    const backend = store([index("k", "unique")]);
    write(backend, insert("a", { k: 1 }), insert("b", { k: 2 }), insert("c", { k: 3 }));
    const tx = begin(backend);
    write(
      tx,
      { ...insert("a", { k: 9 }), kind: "update" },
      { ...insert("b", { k: 1 }), kind: "update" },
      { ...insert("a", { k: 2 }), kind: "update" },
    );
    write(backend, { kind: "delete", id: "c" });
    expect(write(tx, insert("d", { k: 3 }))).toEqual([{ status: "duplicate", index: "k:unique" }]);
    tx.commit();
    expect(read(backend, "a")?.data).toEqual({ k: 2 });
    expect(read(backend, "b")?.data).toEqual({ k: 1 });
  });

  it("a refused batch inside leaves the transaction as it was, and no conflict behind", () => {
    const backend = store();
    write(backend, insert("a", { n: 0 }), insert("b", {}));
    const tx = begin(backend);
    write(tx, { ...insert("a", { n: 1 }), kind: "update" }, insert("b", {}));
    expect(read(tx, "a")?.data).toEqual({ n: 0 });
    write(backend, { ...insert("a", { n: 2 }), kind: "update" });
    expect(read(tx, "a")?.data).toEqual({ n: 0 });
    tx.commit();
    expect(read(backend, "a")?.data).toEqual({ n: 2 });
  });

  it("a scan inside is a snapshot of the transaction: writes while it is read are not in it", () => {
    const backend = store([index("n")]);
    write(backend, ...Array.from({ length: 200 }, (_, n) => insert(`r${1000 + n}`, { n })));
    for (const order of [[], orderBy("n", true), orderBy("id")]) {
      const tx = begin(backend);
      write(tx, insert("own", { n: 50.5 }));
      const request = {
        where: undefined,
        match: undefined,
        order,
        limit: undefined,
        offset: 0,
        select: undefined,
        batchSize: 5,
      };
      let count = 0;
      for (const batch of tx.scan(request) as Iterable<readonly WireRecord[]>) {
        count += batch.length;
        write(tx, insert(`mine${count}`, { n: count }), { kind: "delete", id: `r${1199 - count}` });
        write(backend, { ...insert(`r${1000 + (count % 200)}`, { n: -count }), kind: "upsert" });
      }
      expect(count).toBe(201);
      tx.rollback();
    }
  });

  it("clear outside is not seen inside, and conflicts with what was written", () => {
    const backend = store();
    write(backend, insert("a", { n: 1 }), insert("b", { n: 2 }));
    const tx = begin(backend);
    expect(backend.clear({})).toBe(2);
    expect(idsOf(scan(tx)).sort()).toEqual(["a", "b"]);
    write(tx, { ...insert("a", {}), kind: "update" });
    expect(errorOf(() => tx.commit())?.code).toBe("CONFLICT");
  });

  it("merge and deleteWhere see the transaction and belong to it", () => {
    const backend = store([index("n")]);
    write(backend, insert("a", { n: 1 }), insert("b", { n: 2 }));
    const tx = begin(backend);
    tx.merge({ id: "a", data: { m: 1 }, types: null, version: "v", at: 1 }, {});
    write(tx, insert("c", { n: 3 }));
    expect(tx.deleteWhere(compare("n", ">=", 2), {})).toBe(2);
    expect(read(backend, "a")?.data).toEqual({ n: 1 });
    tx.commit();
    expect(scan(backend).map(({ data }) => data)).toEqual([{ n: 1, m: 1 }]);
  });

  it("capacity holds inside a transaction and at its commit", () => {
    const backend = store([], { capacity: 2 });
    const tx = begin(backend);
    expect(errorOf(() => write(tx, insert("a", {}), insert("b", {}), insert("c", {})))?.code).toBe("LIMIT_EXCEEDED");
    write(tx, insert("a", {}), insert("b", {}));
    write(backend, insert("x", {}));
    expect(errorOf(() => tx.commit())?.code).toBe("LIMIT_EXCEEDED");
    expect(idsOf(scan(backend))).toEqual(["x"]);
  });

  it("a record evicted meanwhile stays visible inside", () => {
    const backend = store([], { capacity: 2, eviction: "lru" });
    write(backend, insert("a", {}), insert("b", {}));
    const tx = begin(backend);
    write(backend, insert("c", {}));
    expect(idsOf(scan(tx)).sort()).toEqual(["a", "b"]);
    expect(read(tx, "a")).toBeDefined();
    expect(read(backend, "a")).toBeUndefined();
  });
});
