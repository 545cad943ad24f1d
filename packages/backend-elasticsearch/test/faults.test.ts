/** What goes wrong on the way to the server and in it: coded, told in full, and over when the cause is. */
import { type ElasticsearchOptions, elasticsearch } from "@dataknobs/backend-elasticsearch";
import { type Database, DataknobsError, type ErrorCode, openDatabase } from "@dataknobs/core";
import { afterAll, describe, expect, it, jest } from "@jest/globals";
import { answer, TcpProxy } from "./proxy.js";
import { freshName, removeAll, request, serverUrl } from "./server.js";

const hosts = serverUrl();
// a shared machine may be slow
jest.setTimeout(120_000);
afterAll(removeAll);

const open = (options: ElasticsearchOptions = {}): Promise<Database> =>
  openDatabase(elasticsearch({ hosts, index: freshName(), replicas: 0, ...options }));

async function refused(code: ErrorCode, call: () => unknown): Promise<DataknobsError> {
  try {
    await call();
  } catch (error) {
    if (!DataknobsError.is(error, code)) throw error;
    return error;
  }
  throw new Error(`expected ${code}, got an answer`);
}

const many = (count: number): { id: string; data: { n: number; text: string } }[] =>
  Array.from({ length: count }, (_, n) => ({ id: `r${n}`, data: { n, text: "x".repeat(50) } }));

describe("a server that is away", () => {
  it("is UNAVAILABLE at opening, and nothing hangs", async () => {
    const proxy = await TcpProxy.start();
    await proxy.down();
    const error = await refused("UNAVAILABLE", () => open({ hosts: proxy.url }));
    expect(error.retryable).toBe(true);
    expect(error.cause).toBeInstanceOf(Error);
  });

  it("makes every call UNAVAILABLE until it is back", async () => {
    await using proxy = await TcpProxy.start();
    await using db = await open({ hosts: proxy.url });
    await db.create({ n: 1 }, { id: "a" });
    await proxy.down();
    await refused("UNAVAILABLE", () => db.read("a"));
    await refused("UNAVAILABLE", () => db.search());
    await refused("UNAVAILABLE", () => db.count());
    await refused("UNAVAILABLE", () => db.aggregate({ select: { n: { fn: "count" } } }));
    await refused("UNAVAILABLE", () => db.create({ n: 2 }, { id: "b" }));
    await refused("UNAVAILABLE", () => db.upsert("a", { n: 2 }));
    await refused("UNAVAILABLE", () => db.clear());
    await proxy.up();
    expect((await db.search()).map(({ id }) => id)).toEqual(["a"]);
    await db.create({ n: 2 }, { id: "b" });
    expect(await db.count()).toBe(2);
  });

  it("in the middle of a batch: each record's outcome is told, and is true", async () => {
    await using proxy = await TcpProxy.start();
    const index = freshName();
    await using db = await open({ hosts: proxy.url, index });
    await using direct = await open({ index });
    let bulks = 0;
    proxy.cut = (piece) => (piece.includes("/_bulk") && ++bulks > 1 ? "request" : undefined);
    const error = await refused("UNAVAILABLE", () => db.createMany(many(20_000)));
    const outcomes = error.details["outcomes"] as { id: string; status: string }[];
    expect(outcomes).toHaveLength(20_000);
    const written = outcomes.filter(({ status }) => status === "written").map(({ id }) => id);
    expect(written.length).toBeGreaterThan(0);
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["written", "failed"]));
    await direct.settle();
    const stored = (await direct.search({ select: [] })).map(({ id }) => id);
    expect(new Set(stored)).toEqual(new Set(written));
    proxy.cut = undefined;
    await db.upsertMany(many(20_000));
    expect(await db.count()).toBe(20_000);
  });

  it("in the middle of a stream: the stream fails, the database does not", async () => {
    await using proxy = await TcpProxy.start();
    await using db = await open({ hosts: proxy.url });
    await db.createMany(many(5000));
    const seen: string[] = [];
    await refused("UNAVAILABLE", async () => {
      for await (const { id } of db.stream()) {
        if (seen.push(id) === 1500) await proxy.down();
      }
    });
    expect(seen.length).toBeLessThan(5000);
    await proxy.up();
    expect(await db.count()).toBe(5000);
  });

  it("loses an answer: a write that came through is told as written when another node is asked", async () => {
    await using first = await TcpProxy.start();
    await using second = await TcpProxy.start();
    await using db = await open({ hosts: [first.url, second.url] });
    for (const proxy of [first, second]) {
      let once = true;
      proxy.cut = (piece) => {
        if (!once || !piece.includes("/_bulk")) return undefined;
        once = false;
        second.cut = undefined;
        first.cut = undefined;
        return "answer";
      };
    }
    const record = await db.create({ n: 1 }, { id: "a" });
    expect(await db.read("a")).toEqual(record);
    expect((await request("GET", `/${dbIndex(db)}/_doc/a`)).body).toMatchObject({ _version: 1 });
  });

  it("without another node a lost answer is UNAVAILABLE and says that the write may be there", async () => {
    await using proxy = await TcpProxy.start();
    await using db = await open({ hosts: proxy.url });
    proxy.cut = (piece) => (piece.includes("/_bulk") ? "answer" : undefined);
    const error = await refused("UNAVAILABLE", () => db.create({ n: 1 }, { id: "a" }));
    expect(error.message).toContain("may have been applied");
    proxy.cut = undefined;
    expect((await db.read("a"))?.data).toEqual({ n: 1 });
    await refused("ALREADY_EXISTS", () => db.create({ n: 2 }, { id: "a" }));
  });

  it("answers nothing: TIMEOUT after `requestTimeout`", async () => {
    await using proxy = await TcpProxy.start();
    await using db = await open({ hosts: proxy.url, requestTimeout: 300 });
    proxy.silent = true;
    const error = await refused("TIMEOUT", () => db.read("a"));
    expect(error.retryable).toBe(true);
    proxy.silent = false;
    expect(await db.read("a")).toBeUndefined();
  });

  it("is something else than Elasticsearch: INVALID_CONFIG", async () => {
    await using proxy = await TcpProxy.start();
    proxy.canned = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    await refused("INVALID_CONFIG", () => open({ hosts: proxy.url }));
  });
});

/** The index's name is in what `explain` shows. */
function dbIndex(db: Database): string {
  return (db.explain().native as { readonly index: string }).index;
}

describe("answers that refuse", () => {
  const security = { error: { type: "security_exception", reason: "no" }, status: 401 };
  const cases: readonly (readonly [number, unknown, ErrorCode, boolean])[] = [
    [401, security, "PERMISSION_DENIED", false],
    [403, { error: { type: "security_exception", reason: "no" }, status: 403 }, "PERMISSION_DENIED", false],
    [429, { error: { type: "es_rejected_execution_exception", reason: "no" }, status: 429 }, "UNAVAILABLE", true],
    [502, "bad gateway", "UNAVAILABLE", true],
    [503, { error: { type: "master_not_discovered_exception", reason: "no" }, status: 503 }, "UNAVAILABLE", true],
    [504, { error: { type: "timeout_exception", reason: "no" }, status: 504 }, "TIMEOUT", true],
    [413, "too large", "LIMIT_EXCEEDED", false],
    [500, { error: { type: "something_new", reason: "secret-text" }, status: 500 }, "UNEXPECTED", false],
  ];
  it.each(cases)("%i is coded", async (status, body, code, retryable) => {
    await using proxy = await TcpProxy.start();
    await using db = await open({ hosts: proxy.url, username: "dev", password: "hunter2" });
    proxy.canned = answer(status, body);
    for (const call of [() => db.read("a"), () => db.search(), () => db.create({ n: 1 })]) {
      const error = await refused(code, call);
      expect(error.retryable).toBe(retryable);
      expect(error.message).not.toContain("secret-text");
      expect(`${JSON.stringify(error.details)}${error.message}${(error.cause as Error).stack}`).not.toContain(
        "hunter2",
      );
    }
    proxy.canned = undefined;
    await db.create({ n: 1 });
    expect(await db.count()).toBe(1);
  });

  it("a busy server is asked again, record by record", async () => {
    await using proxy = await TcpProxy.start();
    await using db = await open({ hosts: proxy.url });
    const busy = { create: { status: 429, error: { type: "es_rejected_execution_exception", reason: "full" } } };
    proxy.canned = answer(200, { items: [busy, busy] });
    const writing = db.createMany(many(2));
    await new Promise((resolve) => setTimeout(resolve, 120));
    proxy.canned = undefined;
    expect(await writing).toHaveLength(2);
    expect(await db.count()).toBe(2);
  });
});

describe("an index that refuses writes", () => {
  it("by a block is PERMISSION_DENIED, reads go on, and so do writes afterwards", async () => {
    const index = freshName();
    await using db = await open({ index });
    await db.create({ n: 1 }, { id: "a" });
    await request("PUT", `/${index}/_settings`, { index: { blocks: { write: true } } });
    const error = await refused("PERMISSION_DENIED", () => db.createMany(many(3)));
    expect(error.retryable).toBe(false);
    await refused("PERMISSION_DENIED", () => db.update("a", { n: 2 }));
    await refused("PERMISSION_DENIED", () => db.delete("a"));
    await refused("PERMISSION_DENIED", () => db.clear());
    expect((await db.search()).map(({ data }) => data)).toEqual([{ n: 1 }]);
    await request("PUT", `/${index}/_settings`, { index: { blocks: { write: false } } });
    expect((await db.update("a", { n: 2 }))?.data).toEqual({ n: 2 });
  });

  it("since the disk is full is UNAVAILABLE and retryable", async () => {
    const index = freshName();
    await using db = await open({ index });
    await request("PUT", `/${index}/_settings`, { index: { blocks: { read_only_allow_delete: true } } });
    const error = await refused("UNAVAILABLE", () => db.create({ n: 1 }));
    expect(error.retryable).toBe(true);
    await request("PUT", `/${index}/_settings`, { index: { blocks: { read_only_allow_delete: null } } });
    await db.create({ n: 1 });
  });

  it("that is gone is NOT_FOUND, and is not made again behind anyone's back", async () => {
    const index = freshName();
    await using db = await open({ index });
    await db.create({ n: 1 }, { id: "a" });
    await request("DELETE", `/${index}`);
    await refused("NOT_FOUND", () => db.create({ n: 2 }));
    await refused("NOT_FOUND", () => db.read("a"));
    await refused("NOT_FOUND", () => db.search());
    expect((await request("GET", `/${index}`)).status).toBe(404);
  });

  it("that is closed is UNAVAILABLE", async () => {
    const index = freshName();
    await using db = await open({ index });
    await request("POST", `/${index}/_close`);
    await refused("UNAVAILABLE", () => db.search());
    await request("POST", `/${index}/_open`);
    expect(await db.count()).toBe(0);
  });
});

describe("documents of others", () => {
  it("that are no records are CORRUPT, by id, wherever they are met", async () => {
    const index = freshName();
    await using db = await open({ index });
    await db.create({ n: 1 }, { id: "good" });
    await request("PUT", `/${index}/_doc/bad?refresh=true`, { name: "Ada" });
    for (const call of [
      () => db.search(),
      () => db.read("bad"),
      () => db.upsert("bad", {}),
      async () => {
        for await (const record of db.stream()) expect(record.id).toBe("good");
      },
      () => open({ index }),
    ]) {
      const error = await refused("CORRUPT", call);
      expect(error.details.id).toBe("bad");
    }
    expect((await db.search({ where: { path: "n", op: "=", value: 1 } })).map(({ id }) => id)).toEqual(["good"]);
    await db.delete("bad");
    expect(await db.count()).toBe(1);
  });

  it("that are records without index fields are taken in at opening", async () => {
    const index = freshName();
    await using db = await open({ index });
    const { data, metadata, version, createdAt, updatedAt } = await db.create({ n: 1 }, { id: "a" });
    const copy = { id: "b", data, metadata, version, createdAt, updatedAt };
    await request("PUT", `/${index}/_doc/b?refresh=true`, copy);
    await using again = await open({ index });
    expect(await again.count({ where: { path: "n", op: "=", value: 1 } })).toBe(2);
  });
});

describe("64 writers at one record", () => {
  it("with compare-and-set lose no increment", async () => {
    await using db = await open();
    await db.create({ n: 0 }, { id: "a" });
    const increment = async (): Promise<void> => {
      for (;;) {
        const record = await db.read("a");
        try {
          await db.update("a", { n: (record?.data["n"] as number) + 1 }, { ifVersion: record?.version });
          return;
        } catch (error) {
          if (!DataknobsError.is(error, "VERSION_CONFLICT")) throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: 64 }, increment));
    expect((await db.read("a"))?.data).toEqual({ n: 64 });
  });

  it("with patches of their own fields lose none", async () => {
    await using db = await open();
    await db.create({}, { id: "a" });
    await Promise.all(Array.from({ length: 64 }, (_, n) => db.patch("a", { [`f${n}`]: n })));
    expect(Object.keys((await db.read("a"))?.data ?? {})).toHaveLength(64);
  });
});
