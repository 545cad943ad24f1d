/**
 * One writer at a time, among all processes that write a file.
 *
 * The lock is a folder beside the file, with numbered tickets in it. The ticket with the highest number tells who
 * writes; whoever finds it free, or its holder dead, creates the next number, which only one can (`O_EXCL`). The highest
 * ticket is never removed, so a crashed holder's lock is taken over without a moment at which two believe to have it;
 * the number is the fencing token that `check` compares before anything is made visible.
 *
 * A holder of this machine is dead when its process is gone or its process id belongs to a process started at another
 * time. A holder that cannot be looked at (another machine or container, or no /proc) is given up after `staleAfter`.
 */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DataknobsError } from "@dataknobs/core/backend";
import { perform, type Steps, sleep } from "./steps.js";

const staleAfter = 60_000;
/** A ticket without its text: the holder is about to write it, or died before. */
const blankAfter = 2000;

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly start: string;
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
  for (let pause = 0.5; ; pause = Math.min(pause * 1.5, 20)) {
    const result = attempt(folder);
    if ("release" in result) return result;
    const sameProcess = result.holder !== undefined && result.holder.pid === process.pid && isHere(result.holder);
    if (Date.now() >= deadline) throw unavailable(path, result.holder, timeout);
    yield* perform(waiting(pause * (0.5 + Math.random()), () => sameProcess, path, result.holder));
  }
}

/** Waiting at once for something that this very process must go on to do would wait for ever. */
function waiting(
  milliseconds: number,
  sameProcess: () => boolean,
  path: string,
  holder: Holder | undefined,
): ReturnType<typeof sleep> {
  const io = sleep(milliseconds);
  return {
    now() {
      if (sameProcess()) throw unavailable(path, holder, 0);
      io.now();
    },
    later: () => io.later(),
  };
}

function attempt(folder: string): Lock | { readonly holder: Holder | undefined } {
  const top = highest(folder);
  const found = top === 0 ? "free" : look(folder, top);
  if (found !== "free" && found !== "dead") return { holder: found === "unknown" ? undefined : found };
  const ticket = top + 1;
  const path = join(folder, String(ticket));
  const fd = create(path);
  if (fd === undefined) return { holder: undefined };
  let kept = false;
  try {
    writeSync(fd, `H${JSON.stringify(self())}`, 0);
    // somebody slow may have created a number that was passed already
    kept = highest(folder) === ticket;
  } finally {
    if (!kept) {
      closeSync(fd);
      remove(path);
    }
  }
  if (!kept) return { holder: undefined };
  for (const name of readdirSync(folder)) if (Number(name) < ticket) remove(join(folder, name));
  return {
    inherited: found === "dead",
    check() {
      if (highest(folder) === ticket) return;
      throw new DataknobsError(
        "CONFLICT",
        `The lock ${folder} was taken over while this process held it for more than ${staleAfter / 1000} s. Nothing was written.`,
        { backend: "file", path: folder },
      );
    },
    release() {
      try {
        writeSync(fd, "F", 0);
      } finally {
        closeSync(fd);
      }
    },
  };
}

function create(path: string): number | undefined {
  try {
    return openSync(path, "wx", 0o666);
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return undefined;
    throw error;
  }
}

function highest(folder: string): number {
  for (;;) {
    try {
      let top = 0;
      for (const name of readdirSync(folder)) top = Math.max(top, Number(name) || 0);
      return top;
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
    try {
      mkdirSync(folder);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
  }
}

function look(folder: string, ticket: number): "free" | "dead" | "unknown" | Holder {
  let text: string;
  let age: number;
  try {
    const fd = openSync(join(folder, String(ticket)), "r");
    try {
      text = readFileSync(fd, "latin1");
      age = Date.now() - fstatSync(fd).mtimeMs;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // passed already: the next attempt sees a higher one
    if (errnoOf(error) === "ENOENT") return "unknown";
    throw error;
  }
  if (text.startsWith("F")) return "free";
  const holder = parseHolder(text.slice(1));
  if (holder === undefined) return age > blankAfter ? "dead" : "unknown";
  if (!isHere(holder)) return age > staleAfter ? "dead" : holder;
  if (!isAlive(holder.pid)) return "dead";
  const start = startOf(holder.pid);
  if (start !== "") return start === holder.start ? holder : "dead";
  return age > staleAfter && holder.pid !== process.pid ? "dead" : holder;
}

function parseHolder(text: string): Holder | undefined {
  try {
    return JSON.parse(text) as Holder;
  } catch {
    // cut short: its writer died in the middle of it
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== "ESRCH";
  }
}

function isHere(holder: Holder): boolean {
  return holder.host === self().host;
}

let me: Holder | undefined;

function self(): Holder {
  me ??= { pid: process.pid, host: place(), start: startOf(process.pid) };
  return me;
}

/** Where process ids mean the same: the machine since its start, and on Linux the container. */
function place(): string {
  const read = (get: () => string): string => {
    try {
      return get().trim();
    } catch {
      // not Linux: the host's name must do
      return "";
    }
  };
  const boot = read(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1"));
  return `${hostname()} ${boot} ${read(() => readlinkSync("/proc/self/ns/pid"))}`;
}

/** When a process was started, in the system's own units; empty where that cannot be told. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    // no /proc, or the process ended just now
    return "";
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

export function errnoOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null)?.code;
}

function unavailable(path: string, holder: Holder | undefined, timeout: number): DataknobsError {
  const by = holder === undefined ? "another process" : `process ${holder.pid} on ${holder.host.split(" ")[0]}`;
  return new DataknobsError(
    "UNAVAILABLE",
    timeout === 0
      ? `The file ${path} is being written by an asynchronous database of this very process; a synchronous one cannot wait for it.`
      : `The file ${path} is locked by ${by}, and was so for ${timeout} ms. Try again, or raise \`lockTimeout\`.`,
    { backend: "file", path, ...(holder !== undefined && { pid: holder.pid }) },
  );
}
