// A server as a process of this machine.
import { spawn } from "node:child_process";
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./ports.mjs";
import { end, identify, isAlive } from "./process.mjs";
import { folderOf, logOf, writeState } from "./state.mjs";
import { unprivilegedUser } from "./unprivileged.mjs";

export function isUp(_server, state) {
  return isAlive(state.process);
}

/** Where the log of a running server is. */
export function log(server) {
  return logOf(server.name);
}

/** Downloads or builds the server where it is not there. */
export function install(server, signal) {
  return server.install(signal);
}

/** Starts the process, remembers it, and answers with the new state; whether it is ready is another question. */
export async function launch(server, state, signal) {
  const program = await server.install(signal);
  signal?.throwIfAborted();
  const as = server.refusesRoot ? unprivilegedUser() : undefined;
  const port = await freePort(state.port);
  const home = homeOf(server, state.home, as);
  // Written before there is anything to remove, so that nothing can be forgotten.
  const place = { ...state, port, home };
  writeState(server.name, place);
  const { command, args, ...options } = await server.start(program, { ...place, as });

  const log = logOf(server.name);
  if (existsSync(log)) renameSync(log, `${log}.1`);
  const output = openSync(log, "a", 0o600);
  try {
    const child = spawn(command, args, { ...options, detached: true, stdio: ["ignore", output, output] });
    await new Promise((spawned, fail) => child.once("spawn", spawned).once("error", fail));
    child.unref();
    return writeState(server.name, { ...place, url: server.url(place), process: identify(child.pid) });
  } finally {
    closeSync(output);
  }
}

/** Waits until the server answers; throws where it ended, or where the time is up. */
export async function untilReady(server, state, signal) {
  const program = await server.install(signal);
  const deadline = Date.now() + server.seconds * 1000;
  let last;
  while (isAlive(state.process)) {
    try {
      if (await server.ready(state, program)) return;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`${server.name} does not answer after ${server.seconds} s (${last?.message}).\n${tail(server)}`);
    }
    await sleep(100, undefined, { signal });
  }
  throw new Error(`${server.name} ended before it was ready.\n${tail(server)}`);
}

export function stop(server, state) {
  return end(state.process, server.stopSignal, server.stopSeconds ?? 30);
}

/** Throws the data away. */
export function discard(_server, state) {
  rmSync(state.home, { recursive: true, force: true, maxRetries: 3 });
}

/** A folder for the server's files; for another user's eyes it cannot be in the checkout, which may be in our home. */
function homeOf(server, remembered, as) {
  if (remembered !== undefined && existsSync(remembered)) return remembered;
  if (as !== undefined) {
    const home = mkdtempSync(join(existsSync("/var/tmp") ? "/var/tmp" : tmpdir(), `dataknobs-${server.name}-`));
    chownSync(home, as.uid, as.gid);
    return home;
  }
  const home = join(folderOf(server.name), "home");
  mkdirSync(home, { recursive: true, mode: 0o700 });
  return home;
}

function tail(server) {
  const log = logOf(server.name);
  const lines = readFileSync(log, "utf8").trimEnd().split("\n");
  return `The end of ${log}:\n${lines.slice(-20).join("\n")}`;
}
