/** Reads from a real replica: they never miss what this database object has written. */
import { type Database, openDatabase, where } from "@dataknobs/core";
import { afterAll, beforeAll, expect, it, jest } from "@jest/globals";
import driver from "postgres";
import { type Instance, makeInstance } from "../../../tooling/testing/postgres-instance.js";
import { postgres } from "../src/index.js";

jest.setTimeout(60_000);

let primary: Instance;
let replica: Instance;
let onReplica: driver.Sql;
let db: Database;
let onlooker: Database;

beforeAll(async () => {
  primary = await makeInstance();
  replica = await makeInstance({ of: primary });
  onReplica = driver(replica.url, { max: 1 });
  const open = async () =>
    (await openDatabase(postgres({ connectionString: primary.url, replicas: [replica.url] }), {
      indexes: [{ path: "n" }, { path: "bio", text: true }],
    })) as Database;
  db = await open();
  onlooker = await open();
}, 120_000);

afterAll(async () => {
  await db?.close();
  await onlooker?.close();
  await onReplica?.end();
  await replica?.remove();
  await primary?.remove();
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (await holds().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("It never came to that.");
}

it("reads go to the replica, except where it lags behind the own writes", async () => {
  await db.create({ n: 1, bio: "red fox" }, { id: "a" });
  await until(async () => (await onReplica`SELECT count(*)::int AS n FROM records`)[0]?.["n"] === 1);
  await onReplica`SELECT pg_wal_replay_pause()`;
  await until(
    async () => (await onReplica`SELECT pg_get_wal_replay_pause_state() AS state`)[0]?.["state"] === "paused",
  );
  await db.create({ n: 2, bio: "blue fox" }, { id: "b" });
  // who has written sees it, by whatever call
  expect((await db.read("b"))?.data["n"]).toBe(2);
  expect(await db.count()).toBe(2);
  expect((await db.search({ where: where("n", ">", 0) })).length).toBe(2);
  expect(await db.count({ match: { text: "fox" } })).toBe(2);
  let seen = 0;
  for await (const _ of db.stream()) seen++;
  expect(seen).toBe(2);
  expect(await db.aggregate({ select: { n: { fn: "sum", path: "n" } } })).toEqual([{ n: 3 }]);
  // who has not asks the replica
  expect(await onlooker.read("b")).toBeUndefined();
  expect(await onlooker.count()).toBe(1);
  await db.transaction((tx) => tx.create({ n: 3 }, { id: "c" }));
  expect(await db.count()).toBe(3);
  await onReplica`SELECT pg_wal_replay_resume()`;
  await until(async () => (await onlooker.count()) === 3);
  expect(await db.count()).toBe(3);
});

it("a replica that is gone is done without", async () => {
  await replica.kill();
  expect(await onlooker.count()).toBe(3);
  let seen = 0;
  for await (const _ of onlooker.stream()) seen++;
  expect(seen).toBe(3);
  expect((await db.read("a"))?.data["n"]).toBe(1);
  await db.update("a", { n: 7 });
  expect((await db.read("a"))?.data).toEqual({ n: 7 });
});
