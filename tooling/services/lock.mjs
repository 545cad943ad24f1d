// One at a time, between processes. The lock is a folder that holds a file named for its owner. A folder can only be
// renamed onto an empty one, so a waiter removes what a dead owner left by that owner's name and never a living one's.
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identify, isAlive } from "./process.mjs";

/** Runs `work` while holding the lock at `path`, waiting for others; `waiting` is called once that takes long. */
export async function withLock(path, work, { waiting = () => undefined, signal } = {}) {
  const { pid, start } = identify(process.pid);
  // Two calls of one process exclude each other too.
  const name = `${pid}_${start}_${++calls}`;
  mkdirSync(dirname(path), { recursive: true });
  const own = mkdtempSync(join(dirname(path), `.${basename(path)}-`));
  writeFileSync(join(own, name), "");
  let waits = 0;
  while (!take(own, path)) {
    if (!clear(path)) {
      if (++waits === 10) waiting();
      await sleep(100, undefined, { signal }).catch((error) => {
        rmSync(own, { recursive: true, force: true });
        throw error;
      });
    }
  }
  try {
    return await work();
  } finally {
    // The empty folder stays: the next owner is renamed onto it.
    rmSync(join(path, name), { force: true });
  }
}

let calls = 0;

function take(own, path) {
  try {
    renameSync(own, path);
    return true;
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST"].includes(error.code)) return false;
    throw error;
  }
}

/** Removes what dead owners left; whether the lock may be free now. */
function clear(path) {
  let names;
  try {
    names = readdirSync(path);
  } catch (error) {
    if (error.code === "ENOENT") return true;
    throw error;
  }
  for (const name of names) {
    const [pid, start] = name.split("_");
    if (isAlive({ pid: Number(pid), start })) return false;
    rmSync(join(path, name), { force: true });
  }
  return true;
}
