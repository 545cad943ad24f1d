/** Faults of a real server: coded, no hang, no half-told success, and the pool works when the server is back. */
import { type Database, DataknobsError, openDatabase, where } from "@dataknobs/core";
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";
import driver from "postgres";
import { type Instance, makeInstance } from "../../../tooling/testing/postgres-instance.js";
import { type PostgresOptions, postgres } from "../src/index.js";
import { newTable } from "./server.js";

jest.setTimeout(60_000);

let server: Instance;
let table: string;
let opened: Database[] = [];

beforeAll(async () => {
  server = await makeInstance();
}, 120_000);
beforeEach(async () => {
  await server.start();
  table = newTable();
});
afterAll(async () => {
  await closeAll();
  await server?.remove();
});

async function open(options: PostgresOptions = {}): Promise<Database> {
  const db = await openDatabase(postgres({ connectionString: server.url, table, poolSize: 3, ...options }));
  opened.push(db);
  return db;
}
async function closeAll(): Promise<void> {
  for (const db of opened) await db.close();
  opened = [];
}

async function failure(body: () => Promise<unknown>): Promise<DataknobsError> {
  try {
    await body();
  } catch (error) {
    if (!DataknobsError.is(error)) throw error;
    expect(error.message).not.toMatch(/secret|PostgresError|ECONN/);
    return error as DataknobsError;
  }
  throw new Error("It did not fail.");
}

const admin = async (...statements: string[]): Promise<void> => {
  const client = driver(server.url, { max: 1, onnotice: () => undefined });
  for (const statement of statements) await client.unsafe(statement);
  await client.end();
};

async function crash(): Promise<void> {
  await server.kill();
  await server.start();
}

describe("a server that is down", () => {
  it("at open: UNAVAILABLE, retryable, at once", async () => {
    const started = Date.now();
    const error = await failure(() =>
      openDatabase(postgres({ host: "127.0.0.1", port: 1, user: "x", password: "secret", database: "x" })),
    );
    expect([error.code, error.retryable]).toEqual(["UNAVAILABLE", true]);
    expect(Date.now() - started).toBeLessThan(20_000);
  });

  it("at open: a host that does not exist is UNAVAILABLE", async () => {
    const error = await failure(() => openDatabase("postgres://x:secret@no-such-host.invalid/x"));
    expect([error.code, error.retryable]).toEqual(["UNAVAILABLE", true]);
  });

  it("in the middle of calls: all of them fail, and later ones work", async () => {
    const db = await open();
    await db.createMany(Array.from({ length: 100 }, (_, n) => ({ id: `r${n}`, data: { n } })));
    await server.kill();
    const calls = await Promise.allSettled([
      ...Array.from({ length: 50 }, (_, n) => db.read(`r${n}`)),
      db.search({ where: where("n", ">", 5) }),
      db.count(),
      db.update("r1", { n: 2 }),
    ]);
    for (const call of calls) {
      const error = (call as PromiseRejectedResult).reason as DataknobsError;
      expect([error.code, error.retryable]).toEqual(["UNAVAILABLE", true]);
    }
    await server.start();
    expect(await db.count()).toBe(100);
    expect((await db.read("r7"))?.data).toEqual({ n: 7 });
    await closeAll();
  });

  it("in the middle of a batch: all of it or nothing", async () => {
    const db = await open();
    // another transaction holds one of the ids, so that the batch waits in its middle
    const holder = driver(server.url, { max: 1, onnotice: () => undefined });
    await holder.unsafe("BEGIN");
    await holder.unsafe(`INSERT INTO "${table}" (id, data) VALUES ('r40000', '{}')`);
    const batch = failure(() =>
      db.createMany(Array.from({ length: 60_000 }, (_, n) => ({ id: `r${n}`, data: { n, text: "x".repeat(50) } }))),
    );
    const onlooker = driver(server.url, { max: 1 });
    const waiting = async (): Promise<boolean> => {
      const [row] = await onlooker`SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted`;
      return row?.["n"] === 1;
    };
    for (let attempt = 0; attempt < 500 && !(await waiting()); attempt++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await waiting()).toBe(true);
    await server.kill();
    await onlooker.end({ timeout: 0 });
    await holder.end({ timeout: 0 });
    const error = await batch;
    expect([error.code, error.retryable]).toEqual(["UNAVAILABLE", true]);
    await server.start();
    expect(await db.count()).toBe(0);
    await db.create({}, { id: "after" });
    await closeAll();
  });

  it("in the middle of a stream: the loop throws, and another stream works", async () => {
    const db = await open();
    await db.createMany(Array.from({ length: 20_000 }, (_, n) => ({ data: { n } })));
    let seen = 0;
    const error = await failure(async () => {
      for await (const _ of db.stream({}, {})) if (++seen === 500) await server.kill();
    });
    expect([error.code, error.retryable]).toEqual(["UNAVAILABLE", true]);
    expect(seen).toBeLessThan(20_000);
    await server.start();
    let again = 0;
    for await (const _ of db.stream()) again++;
    expect(again).toBe(20_000);
    await closeAll();
  });

  it("in the middle of a transaction: nothing of it stays, and nothing of it is written outside it", async () => {
    const db = await open();
    await db.create({ n: 1 }, { id: "a" });
    let inside: DataknobsError | undefined;
    const error = await failure(() =>
      db.transaction(async (tx) => {
        await tx.create({}, { id: "b" });
        await crash();
        inside = await failure(() => tx.create({}, { id: "c" }));
        await tx.create({}, { id: "d" });
      }),
    );
    expect([error.code, error.retryable]).toEqual(["UNAVAILABLE", true]);
    expect(inside?.code).toBe("UNAVAILABLE");
    expect((await db.search()).map(({ id }) => id)).toEqual(["a"]);
    await db.transaction((tx) => tx.create({}, { id: "e" }));
    expect(await db.count()).toBe(2);
    await closeAll();
  });

  it("idle: the next call works", async () => {
    const db = await open();
    await db.transaction((tx) => tx.create({}, { id: "a" }));
    for await (const _ of db.stream()) break;
    await crash();
    expect(await db.exists("a")).toBe(true);
    await db.transaction((tx) => tx.create({}, { id: "b" }));
    let seen = 0;
    for await (const _ of db.stream()) seen++;
    expect(seen).toBe(2);
    await closeAll();
  });

  it("one connection that an operator ends fails its call only", async () => {
    const db = await open();
    await db.create({}, { id: "a" });
    const slow = failure(() => db.sql("SELECT pg_sleep(30)"));
    await new Promise((resolve) => setTimeout(resolve, 300));
    await admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'");
    expect((await slow).code).toBe("UNAVAILABLE");
    expect(await db.exists("a")).toBe(true);
    await closeAll();
  });
});

describe("a server that refuses", () => {
  it("a wrong password: PERMISSION_DENIED, which does not show it", async () => {
    await admin("CREATE ROLE locked LOGIN PASSWORD 'right'");
    const error = await failure(() => open({ connectionString: server.url.replace("postgres@", "locked:secret@") }));
    expect([error.code, error.retryable]).toEqual(["PERMISSION_DENIED", false]);
    const db = await open({ connectionString: server.url.replace("postgres@", "locked:right@") }).catch(
      (e: unknown) => e,
    );
    expect((db as DataknobsError).code).toBe("PERMISSION_DENIED");
    expect(((db as DataknobsError).details as { native?: string }).native).toBe("42501");
  });

  it("a user that does not exist: PERMISSION_DENIED", async () => {
    expect((await failure(() => open({ user: "nobody_at_all" }))).code).toBe("PERMISSION_DENIED");
  });

  it("a database that does not exist: INVALID_CONFIG, which says so", async () => {
    const error = await failure(() => open({ database: "no_such_database" }));
    expect(error.code).toBe("INVALID_CONFIG");
    expect(error.message).toMatch(/no such database/);
  });

  it("a schema that does not exist: INVALID_CONFIG", async () => {
    expect((await failure(() => open({ schemaName: "no_such_schema" }))).code).toBe("INVALID_CONFIG");
  });

  it("rights: reading is allowed, writing is PERMISSION_DENIED", async () => {
    const owner = await open();
    await owner.create({ n: 1 }, { id: "a" });
    await admin(`CREATE ROLE reader LOGIN`, `GRANT SELECT ON "${table}" TO reader`);
    const db = await open({ user: "reader", manage: false });
    expect(await db.count()).toBe(1);
    for (const write of [
      () => db.create({}),
      () => db.update("a", {}),
      () => db.patch("a", {}),
      () => db.delete("a"),
      () => db.clear(),
      () => db.createMany([{ data: {} }, { data: {} }]),
      () => db.transaction((tx) => tx.create({})),
    ]) {
      expect((await failure(write)).code).toBe("PERMISSION_DENIED");
    }
    expect(await db.count()).toBe(1);
    await closeAll();
  });

  it("a server for reading only: PERMISSION_DENIED", async () => {
    await (await open()).create({}, { id: "a" });
    await admin("ALTER ROLE postgres SET default_transaction_read_only = on");
    try {
      const db = await open();
      expect(await db.count()).toBe(1);
      const error = await failure(() => db.create({}));
      expect(error.code).toBe("PERMISSION_DENIED");
      expect(error.message).toMatch(/reading only/);
    } finally {
      await admin("SET default_transaction_read_only = off", "ALTER ROLE postgres RESET default_transaction_read_only");
      await closeAll();
    }
  });

  it("no connection left: UNAVAILABLE, retryable", async () => {
    await admin("CREATE ROLE few LOGIN CONNECTION LIMIT 0");
    const error = await failure(() => open({ user: "few" }));
    expect([error.code, error.retryable]).toEqual(["UNAVAILABLE", true]);
  });
});

describe("a statement that takes too long", () => {
  const active = async (): Promise<number> => {
    const client = driver(server.url, { max: 1 });
    const [row] =
      await client`SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(20)%' AND pid <> pg_backend_pid()`;
    await client.end();
    return row?.["n"] as number;
  };
  const waitFor = async (n: number): Promise<void> => {
    for (let attempt = 0; attempt < 100 && (await active()) !== n; attempt++)
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await active()).toBe(n);
  };

  it("an abort ends the server's work", async () => {
    const db = await open();
    const controller = new AbortController();
    const call = failure(() => db.sql("SELECT pg_sleep(20)", [], { signal: controller.signal }));
    await waitFor(1);
    controller.abort();
    expect((await call).code).toBe("ABORTED");
    await waitFor(0);
    expect(await db.count()).toBe(0);
    await closeAll();
  });

  it("so does a timeout, in a transaction too", async () => {
    const db = await open();
    const error = await failure(() => db.sql("SELECT pg_sleep(20)", [], { timeout: 300 }));
    expect([error.code, error.retryable]).toEqual(["TIMEOUT", true]);
    await waitFor(0);
    const inside = await failure(() => db.transaction((tx) => tx.sql("SELECT pg_sleep(20)"), { timeout: 300 }));
    expect(inside.code).toBe("TIMEOUT");
    await waitFor(0);
    await db.transaction((tx) => tx.create({}));
    await closeAll();
  });

  it("a stream that is left ends the server's work", async () => {
    const db = await open();
    await db.createMany(Array.from({ length: 5000 }, (_, n) => ({ data: { n } })));
    for await (const _ of db.stream()) break;
    const client = driver(server.url, { max: 1 });
    const idle = async (): Promise<unknown> =>
      (
        await client`SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE ${`%${table}%`} AND state <> 'idle' AND pid <> pg_backend_pid()`
      )[0]?.["n"];
    for (let attempt = 0; attempt < 100 && (await idle()) !== 0; attempt++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await idle()).toBe(0);
    await client.end();
    await closeAll();
  });

  it("statementTimeout is TIMEOUT", async () => {
    const db = await open({ statementTimeout: 0.2 });
    const error = await failure(() => db.sql("SELECT pg_sleep(20)"));
    expect([error.code, error.retryable]).toEqual(["TIMEOUT", true]);
    await closeAll();
  });

  it("a lock that is not let go is TIMEOUT with statementTimeout, and writes nothing", async () => {
    const db = await open({ statementTimeout: 0.4 });
    await db.create({ n: 0 }, { id: "a" });
    const client = driver(server.url, { max: 1, onnotice: () => undefined });
    await client.begin(async (tx) => {
      await tx.unsafe(`UPDATE "${table}" SET updated_at = updated_at WHERE id = 'a'`);
      expect((await failure(() => db.update("a", { n: 1 }))).code).toBe("TIMEOUT");
    });
    await client.end();
    expect((await db.read("a"))?.data).toEqual({ n: 0 });
    await closeAll();
  });
});
