// Tests of starting and stopping, with small servers made for them: `node tooling/services/tests/manager.mjs [results]`.
import { equal, match, ok, rejects } from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Report } from "../../test/report.mjs";
import { cached, inCache } from "../cache.mjs";
import { withLock } from "../lock.mjs";
import { CannotHave, start, status, stop } from "../manager.mjs";
import { identify, isAlive } from "../process.mjs";
import { servers } from "../servers/index.mjs";
import { readState, writeState } from "../state.mjs";
import { versions } from "../versions.mjs";

const home = mkdtempSync(join(tmpdir(), "dataknobs-services-"));
process.env.DATAKNOBS_SERVICES = "native";
process.env.DATAKNOBS_SERVICES_HOME = join(home, "services");
process.env.XDG_CACHE_HOME = join(home, "cache");

const report = new Report();
const test = (behaviour, check) => report.case(`services: ${behaviour}`, check);

/** A server that is a line of JavaScript, called with its port. */
function serverOf(name, script, rest = {}) {
  return {
    name,
    seconds: 30,
    stopSignal: "SIGTERM",
    url: ({ port }) => `http://127.0.0.1:${port}`,
    missing: () => undefined,
    install: async () => undefined,
    start: (_program, place) => ({ command: process.execPath, args: ["-e", script, String(place.port)] }),
    ready: async ({ port }) => (await fetch(`http://127.0.0.1:${port}`)).status === 200,
    ...rest,
  };
}
const answering =
  "require('node:http').createServer((_, response) => response.end()).listen(+process.argv[1], '127.0.0.1')";
const bystander = () => spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)"], { stdio: "ignore" });

try {
  await test("a server that ends at once shows the end of its log", async () => {
    const server = serverOf("broken", "console.log('its last words'); process.exit(3)");
    await rejects(start(server), /broken ended before it was ready[\s\S]*its last words/);
    equal(status(server).up, false);
  });
  await test("a server that never answers is ended when its time is up", async () => {
    const server = serverOf("silent", "console.log('still here'); setInterval(() => undefined, 1000)", { seconds: 1 });
    await rejects(start(server), /silent does not answer after 1 s[\s\S]*still here/);
    equal(status(server).up, false);
    equal(readState(server.name).home, undefined);
  });
  await test("a server that ignores its signal is killed", async () => {
    const server = serverOf("stubborn", `process.on('SIGTERM', () => undefined); ${answering}`, { stopSeconds: 1 });
    await start(server);
    const { process: identity } = readState(server.name);
    await stop(server);
    equal(isAlive(identity), false);
  });
  await test("what is missing is told before anything is started", async () => {
    const server = serverOf("absent", answering, { missing: () => "a flux capacitor" });
    await rejects(start(server), (error) => {
      ok(error instanceof CannotHave);
      match(error.message, /absent needs a flux capacitor/);
      return true;
    });
  });
  await test("an installation that fails says why", async () => {
    const install = () => Promise.reject(new Error("no way to the registry"));
    await rejects(start(serverOf("far", answering, { install })), (error) => {
      ok(error instanceof CannotHave);
      match(error.message, /far cannot be installed: no way to the registry/);
      return true;
    });
  });
  await test("a taken port is left to its owner, and another one chosen", async () => {
    const server = serverOf("moved", answering);
    const { url } = await start(server);
    await stop(server, { keep: true });
    const owner = createServer((_, response) => response.end());
    await new Promise((done) => owner.listen(Number(new URL(url).port), "127.0.0.1", done));
    try {
      const second = await start(server);
      ok(second.url !== url);
    } finally {
      await stop(server);
      owner.close();
    }
  });
  await test("a process that got the number of one that ended is left alone", async () => {
    const server = serverOf("past", answering);
    await start(server);
    const state = readState(server.name);
    const other = bystander();
    try {
      const { start: began } = state.process;
      writeState(server.name, { ...state, process: { pid: other.pid, start: began } });
      equal(status(server).up, false);
      equal(await stop(server), false);
      ok(isAlive(identify(other.pid)));
    } finally {
      other.kill("SIGKILL");
      process.kill(state.process.pid, "SIGKILL");
    }
  });
  await test("a start that is broken off leaves nothing running", async () => {
    const server = serverOf("late", "setInterval(() => undefined, 1000)");
    const ending = new AbortController();
    const starting = start(server, { signal: ending.signal });
    while (!status(server).up) await sleep(10);
    const { process: identity } = readState(server.name);
    ending.abort();
    await rejects(starting);
    equal(isAlive(identity), false);
  });
  await test("data that a server cannot start with is kept, and its owner told how to throw it away", async () => {
    const script = `require('node:fs').existsSync('broken') ? process.exit(1) : ${answering}`;
    const rest = {
      start: (_, { home, port }) => ({ command: process.execPath, args: ["-e", script, port], cwd: home }),
    };
    const server = serverOf("fragile", script, rest);
    await start(server);
    const { home: data } = readState(server.name);
    await stop(server, { keep: true });
    writeFileSync(join(data, "broken"), "");
    await rejects(start(server), /services -- stop fragile/);
    ok(existsSync(join(data, "broken")));
    await stop(server);
    ok(!existsSync(data));
  });
  await test("a lock lets one in at a time, and outlives no owner", async () => {
    const path = join(home, "some.lock");
    const dead = bystander();
    const { pid, start: began } = identify(dead.pid);
    dead.kill("SIGKILL");
    await new Promise((done) => dead.once("close", done));
    mkdirSync(path);
    writeFileSync(join(path, `${pid}_${began}_1`), "");
    let inside = 0;
    let most = 0;
    const visit = () =>
      withLock(path, async () => {
        most = Math.max(most, ++inside);
        await sleep(20);
        inside--;
      });
    await Promise.all([visit(), visit(), visit()]);
    equal(most, 1);
  });
  await test("a download that fails leaves no folder, and a later one succeeds", async () => {
    const fail = (folder) => {
      writeFileSync(join(folder, "half"), "");
      throw new Error("cut");
    };
    await rejects(cached("thing-1", fail), /cut/);
    equal(inCache("thing-1"), false);
    let made = 0;
    const make = async (folder) => {
      made++;
      await sleep(50);
      writeFileSync(join(folder, "whole"), "");
    };
    const folders = await Promise.all([cached("thing-1", make), cached("thing-1", make)]);
    equal(made, 1);
    for (const folder of folders) ok(existsSync(join(folder, "whole")));
    equal(readdirSync(join(home, "cache", "dataknobs")).filter((name) => name.startsWith("incoming")).length, 0);
  });
  await test("docker/compose.yaml has every server, on 127.0.0.1, at the pinned version", () => {
    const text = readFileSync(new URL("../../../docker/compose.yaml", import.meta.url), "utf8");
    const blocks = text.split(/^ {2}(?=\w+:$)/m);
    const pinned = {
      elasticsearch: versions.elasticsearch.version,
      s3: versions.s3.versitygw,
      chroma: versions.chroma.chromadb,
    };
    for (const name of Object.keys(servers)) {
      const block = blocks.find((one) => one.startsWith(`${name}:`));
      match(
        block,
        new RegExp(
          `^ {4}ports: \\["127\\.0\\.0\\.1:\\$\\{DATAKNOBS_${name.toUpperCase()}_PORT:-\\d+\\}:\\d+"\\]$`,
          "m",
        ),
      );
      match(block, /^ {4}healthcheck:$/m);
      match(block, new RegExp(`^ {4}volumes: \\["${name}:`, "m"));
      ok(block.includes(`:${pinned[name] ?? ""}`), `${name} is another version than ${pinned[name]}`);
    }
  });
} finally {
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
}
report.write(process.argv[2] ?? join(".results", "services-manager.json"), "services: manager");
process.exitCode = report.failed > 0 ? 1 : 0;
