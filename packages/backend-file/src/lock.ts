/**
 * One writer at a time, among all processes that write a file.
 *
 * The lock is a folder beside the file with one entry, whose name is all that counts: `free`, or `held.…`, which names
 * the holder and is never the same twice. Taking the lock, releasing it and taking it over from a dead holder each are
 * one rename from the very name that was seen, which only one can do; so there is no moment at which two believe to have
 * it. The folder comes into being by a rename too, with its entry in it. Reading looks at none of this.
 *
 * A holder of this machine is dead when its process is gone or its process id belongs to a process started at another
 * time. A holder that cannot be looked at (another machine or container, or no /proc) is given up after `staleAfter`.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { threadId } from "node:worker_threads";
import { DataknobsError } from "@dataknobs/core/backend";
import { temporaryName } from "./atomic.js";
import { errnoOf } from "./errors.js";
import { perform, type Steps, sleep } from "./steps.js";

const staleAfter = 60_000;

export interface Holder {
  readonly pid: number;
  /** A thread of Node within the process. */
  readonly thread: number;
  /** When the process was started, in the system's own units; empty where that cannot be told. */
  readonly start: string;
  /** Where process ids mean the same. */
  readonly place: string;
  readonly host: string;
}

export interface Lock {
  /** Whether the last holder died while it held the lock. */
  readonly inherited: boolean;
  /** Throws `CONFLICT` where the lock was lost: this process slept too long on a share that another one took over. */
  check(): void;
  release(): void;
}

/** Waits for the lock of a file; `UNAVAILABLE`, naming the holder, after `timeout` milliseconds. */
export function* acquireLock(path: string, { timeout }: { readonly timeout: number }): Steps<Lock> {
  const folder = `${path}.lock`;
  const deadline = Date.now() + timeout;
  for (let pause = 0.2; ; pause = Math.min(pause * 1.5, 5)) {
    const result = attempt(folder);
    if ("release" in result) return result;
    const { holder } = result;
    if (Date.now() >= deadline) throw unavailable(path, holder, timeout);
    yield* perform(waiting(pause * (0.5 + Math.random()), path, holder));
  }
}

/** Waiting at once for something that this very thread must go on to do would wait for ever. */
function waiting(milliseconds: number, path: string, holder: Holder | undefined): ReturnType<typeof sleep> {
  const io = sleep(milliseconds);
  const { pid, place, thread } = self();
  return {
    now() {
      if (holder?.pid === pid && holder.place === place && holder.thread === thread) throw unavailable(path, holder, 0);
      io.now();
    },
    later: () => io.later(),
  };
}

function attempt(folder: string): Lock | { readonly holder: Holder | undefined } {
  const mine = join(folder, heldName(self()));
  // again where somebody else was quicker, which is soon over; a folder with neither name in it never is
  for (let tries = 0; tries < 3; tries++) {
    if (isMoved(join(folder, "free"), mine)) return held(folder, mine, { inherited: false });
    const names = namesIn(folder);
    if (names.includes("free")) continue;
    const [found] = names.flatMap((name) => parseName(name) ?? []);
    if (found === undefined) make(folder);
    else if (!isDead(found)) return { holder: found.holder };
    else if (isMoved(join(folder, found.name), mine)) return held(folder, mine, { inherited: true });
  }
  return { holder: undefined };
}

function held(folder: string, mine: string, { inherited }: Pick<Lock, "inherited">): Lock {
  return {
    inherited,
    check() {
      if (existsSync(mine)) return;
      throw new DataknobsError(
        "CONFLICT",
        `The lock ${folder} was taken over while this process held it for more than ${staleAfter / 1000} s. Nothing was written.`,
        { backend: "file", path: folder },
      );
    },
    release: () => void isMoved(mine, join(folder, "free")),
  };
}

/** Whether it was this caller who renamed it. */
function isMoved(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (isLost(error, ["ENOENT"])) return false;
    throw error;
  }
}

/** Windows refuses what is being renamed by somebody else just now. */
function isLost(error: unknown, codes: readonly string[]): boolean {
  const errno = String(errnoOf(error));
  return codes.includes(errno) || (process.platform === "win32" && ["EPERM", "EACCES", "EBUSY"].includes(errno));
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** Makes the folder, unless somebody else did; one that was emptied by hand too. */
function make(folder: string): void {
  const made = temporaryName(folder.slice(0, -".lock".length));
  mkdirSync(made);
  try {
    // whoever may make files beside the file may write it
    chmodSync(made, statSync(dirname(made)).mode & 0o777);
    writeFileSync(join(made, "free"), "");
    // fails where there is one with anything in it
    renameSync(made, folder);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    // ENOENT: taken for a dead writer's, by one who has the lock
    if (!isLost(error, ["EEXIST", "ENOTEMPTY", "ENOENT"])) throw error;
  }
}

interface Found {
  readonly name: string;
  readonly holder: Holder;
  /** Milliseconds since it took the lock, by its clock and ours. */
  readonly age: number;
}

let count = 0;
const nonce = Math.random().toString(36).slice(2, 10);

/** The entry's name while a holder has the lock; another one at every call. */
export function heldName({ pid, thread, start, place, host }: Holder): string {
  return ["held", pid, thread, start, place, Date.now(), `${nonce}${(count++).toString(36)}`, host].join(".");
}

const namePattern = /^held\.(\d+)\.(\d+)\.(\d*)\.([0-9a-f]+)\.(\d+)\.[0-9a-z]+\.(.*)$/;

function parseName(name: string): Found | undefined {
  const [, pid, thread, start = "", place = "", time, host = ""] = namePattern.exec(name) ?? [];
  if (pid === undefined) return undefined;
  return {
    name,
    holder: { pid: Number(pid), thread: Number(thread), start, place, host },
    age: Date.now() - Number(time),
  };
}

function isDead({ holder, age }: Found): boolean {
  if (holder.place !== self().place) return age > staleAfter;
  if (!isAlive(holder.pid)) return true;
  const { state, start } = statOf(holder.pid);
  // Z: it ended, and its parent has not looked yet; which may be who waits here
  if (start !== "") return start !== holder.start || state === "Z";
  return age > staleAfter && holder.pid !== process.pid;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== "ESRCH";
  }
}

let me: Holder | undefined;

export function self(): Holder {
  me ??= {
    pid: process.pid,
    thread: threadId,
    start: statOf(process.pid).start,
    place: place(),
    // for people who read the error
    host: hostname()
      .replace(/[^\w-]/g, "_")
      .slice(0, 64),
  };
  return me;
}

/** The machine since its start, and on Linux the container. */
function place(): string {
  const read = (get: () => string): string => {
    try {
      return get();
    } catch {
      // not Linux: the host's name must do
      return "";
    }
  };
  const boot = read(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1"));
  const container = read(() => readlinkSync("/proc/self/ns/pid"));
  return createHash("sha256").update(`${hostname()}\n${boot}\n${container}`).digest("hex").slice(0, 16);
}

/** Empty where the system does not tell. */
function statOf(pid: number): { readonly state: string; readonly start: string } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // the second field is the program's name, with whatever may be in it
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", start: fields[19] ?? "" };
  } catch {
    // no /proc, or the process ended just now
    return { state: "", start: "" };
  }
}

function unavailable(path: string, holder: Holder | undefined, timeout: number): DataknobsError {
  const by = holder === undefined ? "another process" : `process ${holder.pid} on ${holder.host}`;
  return new DataknobsError(
    "UNAVAILABLE",
    timeout === 0
      ? `The file ${path} is being written by an asynchronous database of this very process; a synchronous one cannot wait for it.`
      : `The file ${path} is locked by ${by}, and was so for ${timeout} ms. Try again, or raise \`lockTimeout\`.`,
    { backend: "file", path, ...(holder !== undefined && { pid: holder.pid }) },
  );
}
