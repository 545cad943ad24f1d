import { DataknobsError, resolvePath, type WireRecord } from "@dataknobs/core/backend";
import { describe, expect, it } from "@jest/globals";
import { memory } from "../src/index.js";
import { compare, equals, idsOf, index, insert, orderBy, read, scan, store, write } from "./support.js";

const statuses = (outcomes: readonly { status: string }[]): string[] => outcomes.map(({ status }) => status);

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    return DataknobsError.is(error) ? error.code : "another";
  }
  return undefined;
}

describe("writing", () => {
  it("a refused batch writes nothing and says what would have been written", () => {
    const backend = store();
    write(backend, insert("a", { n: 1 }));
    const outcomes = write(backend, insert("b", {}), { kind: "delete", id: "a" }, insert("c", {}), insert("c", {}));
    expect(statuses(outcomes)).toEqual(["rolledBack", "rolledBack", "rolledBack", "exists"]);
    expect(idsOf(scan(backend))).toEqual(["a"]);
  });

  it("a batch that is not atomic writes what it can", () => {
    const backend = store();
    const outcomes = backend.write([insert("a", {}), insert("a", {}), insert("b", {})], { atomic: false });
    expect(statuses(outcomes as readonly { status: string }[])).toEqual(["written", "exists", "written"]);
  });

  it("operations of a batch see each other, in order", () => {
    const backend = store();
    const first = insert("a", { n: 1 });
    const again = insert("a", { n: 2 });
    expect(statuses(write(backend, first, { kind: "delete", id: "a", ifVersion: first.version }, again))).toEqual([
      "written",
      "deleted",
      "written",
    ]);
    expect(read(backend, "a")?.data).toEqual({ n: 2 });
  });

  it("a stale version is told with the actual one, null for a missing record", () => {
    const backend = store();
    const op = insert("a", {});
    write(backend, op);
    expect(backend.write([{ kind: "delete", id: "a", ifVersion: "old" }], { atomic: true })).toEqual([
      { status: "stale", actual: op.version },
    ]);
    expect(backend.write([{ ...insert("b", {}), kind: "upsert", ifVersion: "old" }], { atomic: true })).toEqual([
      { status: "stale", actual: null },
    ]);
    expect(backend.merge({ id: "b", data: {}, types: null, version: "v", at: 1 }, {})).toEqual({ status: "missing" });
  });

  it("update keeps the metadata unless it is given, and createdAt always", () => {
    const backend = store();
    const op = insert("a", { n: 1 }, { m: 1 });
    write(backend, op);
    write(backend, { ...insert("a", { n: 2 }), kind: "update", metadata: undefined });
    expect(read(backend, "a")).toMatchObject({ data: { n: 2 }, metadata: { m: 1 }, createdAt: op.at });
    write(backend, { ...insert("a", {}, { m: 2 }), kind: "update" });
    expect(read(backend, "a")).toMatchObject({ data: {}, metadata: { m: 2 }, createdAt: op.at });
    write(backend, { ...insert("a", {}), kind: "upsert" });
    expect(read(backend, "a")).toMatchObject({ metadata: {}, createdAt: op.at });
  });

  it("merge replaces top-level fields and their types", () => {
    const backend = store();
    write(backend, insert("a", { n: 1n, keep: { x: 2n } }));
    const { data, types } = insert("", { n: "1", more: 3n });
    backend.merge({ id: "a", data, types, version: "v", at: 9 }, {});
    const record = read(backend, "a") as WireRecord;
    expect(record.data).toEqual({ n: "1", keep: { x: "2" }, more: "3" });
    expect(record.types).toEqual({ "/keep/x": "bigint", "/more": "bigint" });
    expect(Object.isFrozen(record) && Object.isFrozen(record.data) && Object.isFrozen(record.types)).toBe(true);
  });

  it("deleteWhere and clear say how many", () => {
    const backend = store([index("n")]);
    write(backend, ...[1, 2, 3, 4].map((n) => insert(`r${n}`, { n })));
    expect(backend.deleteWhere(compare("n", "<=", 2), {})).toBe(2);
    expect(backend.clear({})).toBe(2);
    expect(backend.count(undefined, undefined, {})).toBe(0);
    expect(backend.count(compare("n", ">", 0), undefined, {})).toBe(0);
  });
});

describe("sharing", () => {
  it("records are frozen, and every read gives the same one", () => {
    const backend = store();
    const op = insert("a", { list: [1, { x: 1 }] });
    write(backend, op);
    const record = read(backend, "a") as WireRecord;
    expect(Object.isFrozen(record)).toBe(true);
    expect(record.data).toBe(op.data);
    expect(scan(backend)[0]).toBe(record);
  });

  it("a batch handed out is not the store's own list of records", () => {
    const backend = store();
    write(backend, insert("a", {}), insert("b", {}), insert("c", {}));
    const before = backend.scan({
      where: undefined,
      match: undefined,
      order: [],
      limit: undefined,
      offset: 0,
      select: undefined,
      batchSize: 10,
    });
    const [batch] = [...(before as Iterable<readonly WireRecord[]>)];
    write(backend, { kind: "delete", id: "a" }, insert("d", {}));
    expect(idsOf(batch as readonly WireRecord[])).toEqual(["a", "b", "c"]);
  });

  it.each([
    ["in no order", {}],
    ["in id order", { order: orderBy("id") }],
    ["in the order of an index", { order: orderBy("n", true) }],
    ["by an index", { where: compare("n", ">=", 0) }],
  ])("a stream %s is a snapshot: writes while it is read are not in it", (_, request) => {
    const backend = store([index("n")]);
    write(backend, ...Array.from({ length: 500 }, (__, n) => insert(`r${1000 + n}`, { n })));
    const seen: WireRecord[] = [];
    const batches = backend.scan({
      where: undefined,
      match: undefined,
      order: [],
      limit: undefined,
      offset: 0,
      select: undefined,
      batchSize: 7,
      ...request,
    });
    for (const batch of batches as Iterable<readonly WireRecord[]>) {
      seen.push(...batch);
      write(backend, insert(`r${2000 + seen.length}`, { n: seen.length }), {
        kind: "delete",
        id: `r${1499 - (seen.length % 400)}`,
      });
    }
    expect(idsOf(seen).sort()).toEqual(Array.from({ length: 500 }, (__, n) => `r${1000 + n}`));
  });
});

describe("unique indexes", () => {
  it("a second record with the value is refused by the index's name; null and missing are not values", () => {
    const backend = store([index("mail", "unique")]);
    expect(
      statuses(
        write(backend, insert("a", { mail: "x" }), insert("b", {}), insert("c", { mail: null }), insert("d", {})),
      ),
    ).toEqual(Array(4).fill("written"));
    expect(backend.write([insert("e", { mail: "x" })], { atomic: true })).toEqual([
      { status: "duplicate", index: "mail:unique" },
    ]);
    expect(backend.merge({ id: "b", data: { mail: "x" }, types: null, version: "v", at: 1 }, {})).toEqual({
      status: "duplicate",
      index: "mail:unique",
    });
  });

  it('the value\'s class counts: 1, "1", 1n and [1] are four values', () => {
    const backend = store([index("k", "unique")]);
    expect(statuses(write(backend, ...[1, "1", 1n, [1], true, "true"].map((k, n) => insert(`r${n}`, { k }))))).toEqual(
      Array(6).fill("written"),
    );
  });

  it("a batch sees its own writes: a value given back may be taken again", () => {
    const backend = store([index("k", "unique")]);
    write(backend, insert("a", { k: 1 }));
    expect(statuses(write(backend, { kind: "delete", id: "a" }, insert("b", { k: 1 })))).toEqual([
      "deleted",
      "written",
    ]);
    expect(statuses(write(backend, insert("c", { k: 2 }), insert("d", { k: 2 })))).toEqual(["rolledBack", "duplicate"]);
    expect(idsOf(scan(backend))).toEqual(["b"]);
  });

  it("a record may keep its own value", () => {
    const backend = store([index("k", "unique")]);
    write(backend, insert("a", { k: 1 }));
    expect(statuses(write(backend, { ...insert("a", { k: 1, x: 1 }), kind: "update" }))).toEqual(["written"]);
  });

  it("one made over records that break it is refused and not there", () => {
    const backend = store();
    write(backend, insert("a", { k: 1 }), insert("b", { k: 1 }));
    expect(codeOf(() => backend.createIndex(index("k", "unique"), {}))).toBe("ALREADY_EXISTS");
    expect(backend.listIndexes({})).toEqual([]);
  });
});

describe("indexes", () => {
  it("can be added and dropped while open", () => {
    const backend = store();
    write(backend, insert("a", { k: 1 }), insert("b", { k: 2 }));
    const leaf = equals("k", 1) as Parameters<NonNullable<typeof backend.compiler.leaf.equals>>[0];
    expect(backend.compiler.leaf.equals?.(leaf)).toBeUndefined();
    backend.createIndex(index("k"), {});
    backend.createIndex(index("k", "unique"), {});
    expect(backend.compiler.leaf.equals?.(leaf)).toEqual({ code: leaf, exact: true, index: "k" });
    expect(idsOf(scan(backend, { where: leaf }))).toEqual(["a"]);
    backend.dropIndex("k", {});
    expect(backend.compiler.leaf.equals?.(leaf)).toMatchObject({ index: "k:unique" });
    backend.dropIndex("k:unique", {});
    expect(backend.compiler.leaf.equals?.(leaf)).toBeUndefined();
    expect(codeOf(() => backend.dropIndex("k", {}))).toBe("NOT_FOUND");
    expect(statuses(write(backend, insert("c", { k: 1 })))).toEqual(["written"]);
  });

  it("declare no order that they do not give", () => {
    const { compiler } = store([index("a"), index("b"), index("t", "text")]);
    const [a] = orderBy("a") as [never];
    const [b] = orderBy("b") as [never];
    const [idDown] = orderBy("id", true) as [never];
    expect(compiler.order?.(orderBy("a", true, true))).toEqual({ index: "a" });
    expect(compiler.order?.(orderBy("id", true))).toEqual({ index: "id" });
    expect(compiler.order?.([a, b, ...orderBy("id")])).toBeUndefined();
    expect(compiler.order?.([a, idDown])).toBeUndefined();
    expect(compiler.order?.(orderBy("other"))).toBeUndefined();
    expect(compiler.order?.(orderBy("t"))).toBeUndefined();
    expect(compiler.order?.(orderBy("createdAt"))).toBeUndefined();
  });

  it("opening again adds what is new and keeps the records", () => {
    const backend = store([index("a")]);
    write(backend, insert("r", { a: 1, b: 2 }));
    backend.open({ indexes: [index("b")] });
    expect((backend.listIndexes({}) as readonly { name: string }[]).map(({ name }) => name)).toEqual(["a", "b"]);
    expect(idsOf(scan(backend, { where: equals("b", 2) }))).toEqual(["r"]);
  });

  it("a path and its other spelling are one field", () => {
    const backend = store([index("data.k")]);
    write(backend, insert("a", { k: 1 }));
    expect(
      backend.compiler.leaf.exists?.({ kind: "exists", path: resolvePath("k"), source: { path: "k", op: "exists" } }),
    ).toBeDefined();
    expect(backend.count(equals("k", 1), undefined, {})).toBe(1);
  });
});

describe("capacity", () => {
  const fill = (eviction: "none" | "fifo" | "lru") => {
    const backend = store([index("n")], { capacity: 3, eviction });
    for (const n of [1, 2, 3]) write(backend, insert(`r${n}`, { n }));
    return backend;
  };

  it("none: a write beyond it is LIMIT_EXCEEDED and nothing of its batch is written", () => {
    const backend = fill("none");
    expect(codeOf(() => write(backend, { kind: "delete", id: "r1" }, insert("r4", {}), insert("r5", {})))).toBe(
      "LIMIT_EXCEEDED",
    );
    expect(idsOf(scan(backend)).sort()).toEqual(["r1", "r2", "r3"]);
    expect(statuses(write(backend, { kind: "delete", id: "r1" }, insert("r4", {})))).toEqual(["deleted", "written"]);
  });

  it("fifo: the first created leaves, whatever was read or written since", () => {
    const backend = fill("fifo");
    read(backend, "r1");
    write(backend, { ...insert("r1", { n: 9 }), kind: "update" });
    write(backend, insert("r4", { n: 4 }));
    expect(idsOf(scan(backend)).sort()).toEqual(["r2", "r3", "r4"]);
    expect(backend.count(compare("n", ">", 0), undefined, {})).toBe(3);
  });

  it("lru: what was not used for longest leaves; reading and writing are uses, queries are none", () => {
    const backend = fill("lru");
    read(backend, "r1");
    write(backend, { ...insert("r2", { n: 2 }), kind: "update" });
    scan(backend, { where: equals("n", 3) });
    write(backend, insert("r4", {}));
    expect(idsOf(scan(backend)).sort()).toEqual(["r1", "r2", "r4"]);
    write(backend, insert("r5", {}), insert("r6", {}));
    expect(idsOf(scan(backend)).sort()).toEqual(["r4", "r5", "r6"]);
  });

  it("a batch larger than the capacity leaves its end", () => {
    const backend = store([], { capacity: 2, eviction: "fifo" });
    write(backend, ...[1, 2, 3, 4, 5].map((n) => insert(`r${n}`, {})));
    expect(idsOf(scan(backend)).sort()).toEqual(["r4", "r5"]);
  });

  it("evicts in order over many writes, deletes and a clear", () => {
    const backend = store([], { capacity: 50, eviction: "fifo" });
    for (let n = 0; n < 500; n++) {
      write(backend, insert(`r${1000 + n}`, {}));
      if (n % 7 === 0) write(backend, { kind: "delete", id: `r${1000 + n - 3}` });
      if (n === 250) backend.clear({});
    }
    const ids = idsOf(scan(backend)).sort();
    expect(ids).toHaveLength(50);
    expect(ids.at(-1)).toBe("r1499");
    expect(Number(ids[0]?.slice(1))).toBeGreaterThan(1435);
  });

  it.each([
    [{ eviction: "lru" }],
    [{ capacity: 0 }],
    [{ capacity: 1.5 }],
    [{ capacity: 1, eviction: "oldest" }],
    [{ capcity: 1 }],
  ])("%j is INVALID_CONFIG", (options) => {
    expect(codeOf(() => memory(options as never))).toBe("INVALID_CONFIG");
  });
});

describe("capabilities", () => {
  it("are plain JSON, frozen, and name what the compiler handles", () => {
    const { capabilities } = memory();
    expect(JSON.parse(JSON.stringify(capabilities))).toEqual(capabilities);
    expect(Object.isFrozen(capabilities)).toBe(true);
    expect(capabilities).toMatchObject({
      durable: false,
      transactions: "interactive",
      atomicBatch: true,
      unique: true,
      fullText: "indexed",
      aggregation: "native",
      pushdown: [
        "after",
        "between",
        "compare",
        "contains",
        "equals",
        "exists",
        "in",
        "like",
        "overlaps",
        "prefix",
        "tied",
      ],
    });
  });
});
