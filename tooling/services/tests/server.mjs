// Tests of one server, really started, in a set of its own: `node tooling/services/tests/server.mjs postgres [results.json]`.
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Report } from "../../test/report.mjs";
import { start, status, stop } from "../manager.mjs";
import { run } from "../process.mjs";
import { servers } from "../servers/index.mjs";
import { readState } from "../state.mjs";

const server = servers[process.argv[2]];
const report = new Report();
const home = mkdtempSync(join(tmpdir(), "dataknobs-services-"));
process.env.DATAKNOBS_SERVICES_HOME = home;
const cli = (...args) =>
  run(process.execPath, [fileURLToPath(new URL("../run.mjs", import.meta.url)), ...args, server.name]);
const test = (behaviour, check) => report.case(`${server.name}: ${behaviour}`, check);

/** Asked anew, without what the manager remembers. A container's port is open only while it runs. */
async function answers(state) {
  if (state.how === "docker") return listens("127.0.0.1", state.port);
  try {
    return await server.ready(state, await server.install());
  } catch {
    return false;
  }
}

/** Whether somebody takes connections there. */
function listens(host, port) {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: 2000 });
    const end = (taken) => {
      socket.destroy();
      done(taken);
    };
    socket
      .on("connect", () => end(true))
      .on("error", () => end(false))
      .on("timeout", () => end(false));
  });
}

try {
  let first;
  await test("starts, and prints its variable", async () => {
    match(await cli("start"), new RegExp(`^${server.variable}=\\S+://\\S*127\\.0\\.0\\.1:\\d+`, "m"));
    first = readState(server.name);
    ok(await answers(first));
  });
  await test("listens on 127.0.0.1 only", async () => {
    equal(await listens("127.0.0.1", first.port), true);
    equal(await listens("127.0.0.2", first.port), false);
  });
  await test("a second start uses what runs", async () => {
    const { url, started } = await start(server);
    equal(url, first.url);
    equal(started, false);
    deepEqual(readState(server.name), first);
  });
  await test("after a crash, two starts at once bring it back once, at the same address", async () => {
    if (first.how === "docker") await run("docker", ["kill", first.home.replace(/_([^_]*)$/, "-$1-1")]);
    else process.kill(first.process.pid, "SIGKILL");
    while (status(server).up) await sleep(20);
    equal(await answers(first), false);
    const outputs = await Promise.all([cli("start"), cli("start")]);
    for (const output of outputs) ok(output.split("\n").includes(`${server.variable}=${first.url}`), output);
    equal(outputs.filter((output) => output.includes(`${server.name} started`)).length, 1);
    ok(await answers(first));
  });
  await test("stop --keep ends it and keeps its data, its log and its address", async () => {
    const { log } = status(server);
    await cli("stop", "--keep");
    equal(status(server).up, false);
    equal(await answers(first), false);
    const { home: data, port, secret } = readState(server.name);
    deepEqual({ data, port, secret }, { data: first.home, port: first.port, secret: first.secret });
    if (first.how === "native") ok(existsSync(data) && existsSync(log));
  });
  await test("stop throws its data away", async () => {
    equal(await stop(server), false);
    equal(readState(server.name).home, undefined);
    if (first.how === "native") ok(!existsSync(first.home), `${first.home} is still there`);
  });
} finally {
  await stop(server);
  rmSync(home, { recursive: true, force: true });
}
report.write(process.argv[3] ?? join(".results", `services-${server.name}.json`), `services: ${server.name}`);
process.exitCode = report.failed > 0 ? 1 : 0;
