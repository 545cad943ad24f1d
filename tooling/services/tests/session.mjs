// Tests of a test run's servers, with PostgreSQL: `node tooling/services/tests/session.mjs [results.json]`.
import { deepEqual, equal, ok } from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Report } from "../../test/report.mjs";
import { start, status, stop } from "../manager.mjs";
import { servers } from "../servers/index.mjs";
import { openServers } from "../whole-run.mjs";

const { postgres } = servers;
const home = mkdtempSync(join(tmpdir(), "dataknobs-services-"));
process.env.DATAKNOBS_SERVICES_HOME = home;
const report = new Report();
const test = (behaviour, check) =>
  report.case(`services: ${behaviour}`, async () => {
    delete process.env[postgres.variable];
    await check();
    await stop(postgres);
  });

/** A process that opens the servers, and then does what it is told to. */
async function runner(then, stderr = "inherit") {
  const module = new URL("../whole-run.mjs", import.meta.url).href;
  const script = `const { openServers } = await import(${JSON.stringify(module)});
    const running = openServers(["postgres"]);
    const problems = await running.ready();
    console.log(JSON.stringify(problems));
    ${then}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", stderr],
  });
  const told = await new Promise((done) => child.stdout.once("data", (data) => done(String(data))));
  deepEqual(JSON.parse(told), []);
  return child;
}

async function untilDown() {
  for (let left = 600; status(postgres).up; left--) {
    if (left === 0) throw new Error("it still runs after a minute");
    await sleep(100);
  }
}

try {
  await test("a run's servers are there until it closes them", async () => {
    const running = openServers(["postgres"]);
    deepEqual(await running.ready(), []);
    equal(process.env[postgres.variable], status(postgres).url);
    await running.close();
    equal(status(postgres).up, false);
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"]) {
    await test(`a run that is ended by ${signal} leaves nothing running`, async () => {
      const child = await runner("setInterval(() => undefined, 1000);");
      ok(status(postgres).up);
      child.kill(signal);
      await untilDown();
    });
  }
  await test("a run that crashes leaves nothing running", async () => {
    const crash = "setTimeout(() => { throw new Error('on purpose'); }, 100); await new Promise(() => undefined);";
    await runner(crash, "ignore");
    await untilDown();
  });
  await test("a server that ran before is used and stays", async () => {
    const { url } = await start(postgres);
    const running = openServers(["postgres"]);
    await running.ready();
    equal(process.env[postgres.variable], url);
    await running.close();
    ok(status(postgres).up);
  });
  await test("a server that somebody starts meanwhile stays", async () => {
    const running = openServers(["postgres"]);
    await running.ready();
    await start(postgres);
    await running.close();
    ok(status(postgres).up);
  });
  await test("an address in the environment is used as it is", async () => {
    process.env[postgres.variable] = "postgres://elsewhere/";
    const running = openServers(["postgres"]);
    deepEqual(await running.ready(), []);
    await running.close();
    equal(process.env[postgres.variable], "postgres://elsewhere/");
    equal(status(postgres).up, false);
  });
} finally {
  await stop(postgres);
  rmSync(home, { recursive: true, force: true });
}
report.write(process.argv[2] ?? join(".results", "services-session.json"), "services: session");
process.exitCode = report.failed > 0 ? 1 : 0;
