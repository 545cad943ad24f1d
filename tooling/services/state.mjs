// What is remembered between two commands: for each server a folder with state.json and its log. A server keeps its
// port and its password, so that its address stays the same from run to run.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** `DATAKNOBS_SERVICES_HOME` makes a set of servers of its own, apart from the checkout's. */
export function servicesHome() {
  const given = process.env.DATAKNOBS_SERVICES_HOME;
  return given ? resolve(given) : fileURLToPath(new URL("../../.tools/services", import.meta.url));
}

export function folderOf(name) {
  return join(servicesHome(), name);
}

export function logOf(name) {
  return join(folderOf(name), "log");
}

/**
 * `{ port, secret, how, home, session, url, process }`: `how` is "native" or "docker" and `home` has the data. `url` is
 * there once it was started (it may have ended since), as `process`, or in a container. `session` is the process that
 * it belongs to, where it belongs to one.
 */
export function readState(name) {
  try {
    return JSON.parse(readFileSync(join(folderOf(name), "state.json"), "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw new Error(`${join(folderOf(name), "state.json")} is broken (${error.message}); delete it.`, { cause: error });
  }
}

export function writeState(name, state) {
  const file = join(folderOf(name), "state.json");
  mkdirSync(folderOf(name), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.${process.pid}`, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.${process.pid}`, file);
  return state;
}
