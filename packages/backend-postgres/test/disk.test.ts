/** A disk that is full: a small one of the test's own, mounted for the table. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataknobsError, openDatabase } from "@dataknobs/core";
import { afterAll, beforeAll, expect, it, jest } from "@jest/globals";
import driver from "postgres";
import { type Instance, makeInstance } from "../../../tooling/testing/postgres-instance.js";
import { postgres } from "../src/index.js";

jest.setTimeout(60_000);

const disk = mkdtempSync(join(tmpdir(), "dataknobs-disk-"));
let server: Instance;
let mounted = false;

const mount = (...args: readonly string[]): void => {
  const { status, stderr } = spawnSync("mount", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`This test mounts a small disk, and this machine does not let it: ${stderr}`);
  mounted = true;
};

beforeAll(async () => {
  server = await makeInstance();
  const { uid, gid } = statSync(server.folder);
  mount("-t", "tmpfs", "-o", `size=8m,uid=${uid},gid=${gid},mode=700`, "tmpfs", disk);
  const sql = driver(server.url, { max: 1, onnotice: () => undefined });
  await sql.unsafe(`CREATE TABLESPACE small LOCATION '${disk}'`);
  await sql.unsafe("ALTER ROLE postgres SET default_tablespace = 'small'");
  await sql.end();
}, 120_000);

afterAll(async () => {
  await server?.remove();
  if (mounted) spawnSync("umount", [disk]);
  rmSync(disk, { recursive: true, force: true });
});

/** Texts that do not become shorter on the way to the disk. */
const textOf = (n: number): string => Array.from({ length: 200 }, (_, at) => Math.sin(n * 200 + at)).join();

it("is UNAVAILABLE and writes nothing of the batch; what is there is read, and it works again when there is room", async () => {
  await using db = await openDatabase(postgres({ connectionString: server.url, poolSize: 2 }), {
    indexes: [{ path: "n" }],
  });
  await db.createMany(Array.from({ length: 100 }, (_, n) => ({ id: `r${n}`, data: { n, text: textOf(n) } })));
  const many = Array.from({ length: 4000 }, (_, n) => ({ id: `s${n}`, data: { n, text: textOf(n) } }));
  const error = await db.createMany(many).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(DataknobsError.is(error, "UNAVAILABLE")).toBe(true);
  expect((error as DataknobsError).message).toMatch(/disk is full/);
  expect((error as DataknobsError).details["native"]).toBe("53100");
  expect(await db.count()).toBe(100);
  expect((await db.read("r7"))?.data["text"]).toBe(textOf(7));
  mount("-o", "remount,size=64m", disk);
  expect(await db.createMany(many)).toHaveLength(4000);
  expect(await db.count({ where: { path: "n", op: "=", value: 1 } })).toBe(2);
});
