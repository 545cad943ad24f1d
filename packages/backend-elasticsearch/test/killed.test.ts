/** A node that is killed and started again, under a batch and under a stream: a server of this test's own. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { elasticsearch } from "@dataknobs/backend-elasticsearch";
import { DataknobsError, openDatabase } from "@dataknobs/core";
import { afterAll, beforeAll, expect, it, jest } from "@jest/globals";

jest.setTimeout(300_000);

const home = mkdtempSync(join(tmpdir(), "dataknobs-killed-"));
const tool = fileURLToPath(new URL("../../../tooling/services/run.mjs", import.meta.url));
// natively: a container's process is not ours to kill
const env = { ...process.env, DATAKNOBS_SERVICES_HOME: home, DATAKNOBS_SERVICES: "native" };
const services = async (...words: readonly string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, [tool, ...words], { env })).stdout;

let hosts = "";
const start = async (): Promise<void> => {
  const line = await services("start", "elasticsearch");
  hosts = /^DATAKNOBS_ELASTICSEARCH_URL=(\S+)$/m.exec(line)?.[1] as string;
};
const kill = async (): Promise<void> => {
  const [{ pid }] = JSON.parse(await services("status", "--json", "elasticsearch")) as [{ pid: number }];
  process.kill(pid, "SIGKILL");
};

beforeAll(start);
afterAll(async () => {
  await services("stop", "elasticsearch");
  rmSync(home, { recursive: true, force: true });
});

const records = (from: number, count: number): { id: string; data: { n: number; text: string } }[] =>
  Array.from({ length: count }, (_, n) => ({ id: `r${from + n}`, data: { n: from + n, text: "x".repeat(300) } }));

async function unavailable(call: () => unknown): Promise<DataknobsError> {
  try {
    await call();
  } catch (error) {
    if (!DataknobsError.is(error, "UNAVAILABLE")) throw error;
    expect(error.retryable).toBe(true);
    return error;
  }
  throw new Error("expected UNAVAILABLE, got an answer");
}

it("loses nothing that was acknowledged, fails with UNAVAILABLE, and works again when the node does", async () => {
  const backend = elasticsearch({ hosts, index: "killed", replicas: 0 });
  await using db = await openDatabase(backend, { indexes: [{ path: "n" }] });
  await db.createMany(records(0, 3000));

  // under a batch: killed when a part of it is there
  const writing = unavailable(() => db.createMany(records(100_000, 80_000)));
  while ((await db.exists("r100000").catch(() => true)) === false)
    await new Promise((resolve) => setTimeout(resolve, 20));
  await kill();
  const outcomes = (await writing).details["outcomes"] as readonly { readonly id: string; readonly status: string }[];
  expect(outcomes).toHaveLength(80_000);
  const written = outcomes.filter(({ status }) => status === "written").map(({ id }) => id);
  await unavailable(() => db.read("r1"));
  await unavailable(() => db.search({ limit: 1 }));
  await unavailable(() => openDatabase(elasticsearch({ hosts, index: "killed" })));

  await start();
  const stored = new Set<string>();
  for await (const { id } of db.stream({ select: [] })) stored.add(id);
  expect(written.filter((id) => !stored.has(id))).toEqual([]);
  expect(records(0, 3000).filter(({ id }) => !stored.has(id))).toEqual([]);

  // under a stream
  let seen = 0;
  await unavailable(async () => {
    for await (const _ of db.stream({ sort: [{ path: "n" }] })) if (++seen === 1500) await kill();
  });
  await start();
  expect(await db.count()).toBe(stored.size);
  await db.create({ n: -1 }, { id: "after" });
  expect((await db.first({ sort: [{ path: "n" }] }))?.id).toBe("after");
});
