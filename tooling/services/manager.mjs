// Starts and stops servers, each once for all who ask: what runs is used, and a lock makes askers take turns.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import * as docker from "./docker.mjs";
import { withLock } from "./lock.mjs";
import * as native from "./native.mjs";
import { identify, isAlive } from "./process.mjs";
import { logOf, readState, servicesHome, writeState } from "./state.mjs";

/** This machine cannot have the server, through no fault of the project's. */
export class CannotHave extends Error {}

const ways = { native, docker };

/** Downloads what the server needs, `wanted` or as this machine runs it; throws `CannotHave` where that is not to be had. */
export async function provide(server, signal, wanted) {
  const how = wanted ?? chosenWay();
  const missing = how === "native" ? missingHere(server) : undefined;
  if (missing !== undefined) {
    const others = `, or Docker with its compose plugin, or the address of one in ${server.variable}`;
    throw new CannotHave(`${server.name} needs ${missing}${wanted === undefined ? others : ""}.`);
  }
  try {
    await ways[how].install(server, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw new CannotHave(`${server.name} cannot be installed: ${error.message}`, { cause: error });
  }
}

function missingHere(server) {
  return process.platform === "win32" ? "Linux or macOS" : server.missing();
}

function chosenWay() {
  return docker.hasDocker() ? "docker" : "native";
}

/**
 * Makes sure that the server runs and answers: `{ url, started }`, where `started` says whether it was us.
 * With `session` it belongs to this process, whose `stop` ends it then; a later `start` without takes it over.
 */
export async function start(server, { signal, session = false } = {}) {
  if (!status(server).up) await provide(server, signal);
  return inTurn(server, () => startAlone(server, signal, session ? identify(process.pid) : undefined), signal);
}

async function startAlone(server, signal, session) {
  const state = readState(server.name);
  if (isUp(server, state)) {
    await ways[state.how].untilReady(server, state, signal);
    const abandoned = state.session !== undefined && !isAlive(state.session);
    if (session === undefined || abandoned) writeState(server.name, { ...state, session });
    return { url: state.url, started: false };
  }
  const how = chosenWay();
  if (state.home !== undefined && state.how !== how) await discard(server, state);
  const { port, secret = randomBytes(12).toString("hex"), home } = readState(server.name);
  try {
    const launched = await ways[how].launch(server, { port, secret, home, how, session }, signal);
    await ways[how].untilReady(server, launched, signal);
    return { url: launched.url, started: true };
  } catch (error) {
    const failed = readState(server.name);
    if (isUp(server, failed)) await ways[how].stop(server, failed);
    if (home === undefined) {
      await discard(server, failed);
      throw error;
    }
    // Data of an earlier run is not thrown away for this.
    rest(server, failed);
    const advice = `If its data is broken, throw it away: npm run services -- stop ${server.name}`;
    throw new Error(`${error.message}\n${advice}`, { cause: error });
  }
}

/**
 * Stops what `start` started, and throws its data away unless told to keep it. With `session` only what belongs to
 * this process. Answers whether there was anything to stop.
 */
export function stop(server, { keep = false, session = false } = {}) {
  return inTurn(server, async () => {
    const state = readState(server.name);
    if (session && state.session?.pid !== process.pid) return false;
    const was = isUp(server, state);
    if (was) await ways[state.how].stop(server, state);
    if (keep) rest(server, state);
    else await discard(server, state);
    return was;
  });
}

/** `{ up, url, how, pid, log }` as far as known; the server itself is not asked. */
export function status(server) {
  const state = readState(server.name);
  if (!isUp(server, state)) return { up: false, log: logOf(server.name) };
  const { url, how } = state;
  return { up: true, url, how, pid: state.process?.pid, log: ways[how].log(server) };
}

function isUp(server, state) {
  return state.url !== undefined && ways[state.how].isUp(server, state);
}

/** Remembers that it does not run. */
function rest(server, { port, secret, how, home }) {
  if (port !== undefined) writeState(server.name, { port, secret, how, home });
}

async function discard(server, state) {
  if (state.home !== undefined) await ways[state.how].discard(server, state);
  rest(server, { port: state.port, secret: state.secret });
}

function inTurn(server, work, signal) {
  const waiting = () => console.error(`dataknobs: another process starts or stops ${server.name}; waiting for it …`);
  return withLock(join(servicesHome(), `${server.name}.lock`), work, { waiting, signal });
}
