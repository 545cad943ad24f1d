// Starts and stops servers, each once for all who ask: what runs is used, and a lock makes askers take turns.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import * as docker from "./docker.mjs";
import { withLock } from "./lock.mjs";
import * as native from "./native.mjs";
import { logOf, readState, servicesHome, writeState } from "./state.mjs";

/** This machine cannot have the server, through no fault of the project's. */
export class CannotHave extends Error {}

const ways = { native, docker };
/** One at a time in all of `work`, whoever asks. */
const inTurn = (server, work, signal) => {
  const waiting = () => console.error(`dataknobs: another process starts or stops ${server.name}; waiting for it …`);
  return withLock(join(servicesHome(), `${server.name}.lock`), work, { waiting, signal });
};

/** Downloads what the server needs; throws `CannotHave` where that is not to be had. */
export async function provide(server, signal) {
  if (docker.hasDocker()) return;
  const missing = server.missing();
  if (missing !== undefined) throw new CannotHave(`${server.name} needs ${missing}, or Docker with its compose plugin`);
  try {
    await server.install(signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw new CannotHave(`${server.name} cannot be installed: ${error.message}`, { cause: error });
  }
}

/** Makes sure that the server runs and answers: `{ url, started }`, where `started` says whether it was us. */
export async function start(server, signal) {
  await provide(server, signal);
  return inTurn(
    server,
    async () => {
      const state = readState(server.name);
      if (isUp(server, state)) {
        await ways[state.running.how].untilReady(server, state, signal);
        return { url: state.running.url, started: false };
      }
      const way = docker.hasDocker() ? docker : native;
      state.secret ??= randomBytes(12).toString("hex");
      let launched;
      try {
        launched = await way.launch(server, state, signal);
        await way.untilReady(server, launched, signal);
      } catch (error) {
        if (launched !== undefined) await way.stop(server, launched.running, launched);
        forget(server);
        throw error;
      }
      return { url: launched.running.url, started: true };
    },
    signal,
  );
}

/** Stops what `start` started, and throws its data away unless told to keep it. Whether there was anything to stop. */
export function stop(server, { keep = false } = {}) {
  return inTurn(server, async () => {
    const state = readState(server.name);
    const was = isUp(server, state);
    const way = ways[state.running?.how ?? (state.home === undefined ? "docker" : "native")];
    if (was) await way.stop(server, state.running, state);
    forget(server);
    if (!keep && (state.running !== undefined || state.home !== undefined)) {
      await way.discard(server, state);
      writeState(server.name, { port: state.port, secret: state.secret });
    }
    return was;
  });
}

/** `{ up, url, pid, log }` as far as known; it does not ask the server. */
export function status(server) {
  const state = readState(server.name);
  const log = logOf(server.name);
  return isUp(server, state)
    ? { up: true, url: state.running.url, how: state.running.how, pid: state.running.pid, log }
    : { up: false, log };
}

function isUp(server, { running }) {
  return running !== undefined && ways[running.how].isRunning(server, running);
}

function forget(server) {
  const { running, ...rest } = readState(server.name);
  if (running !== undefined) writeState(server.name, rest);
}
