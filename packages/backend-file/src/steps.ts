/**
 * One definition of every operation, two ways to run it. An operation is a generator that yields the few pieces of
 * I/O worth waiting for (reading a file, fsync, the lock); each piece knows how to be done at once and how to be
 * awaited. What takes microseconds (stat, open, rename) is done at once in both.
 */
import {
  close,
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsync,
  fsyncSync,
  openSync,
  read,
  readSync,
  write,
  writeSync,
} from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

/** A piece of I/O. */
export interface Io<T> {
  now(): T;
  later(): Promise<T>;
}
export type Steps<R> = Generator<Io<unknown>, R, unknown>;

/** Does a piece of I/O within steps. */
export function* perform<T>(io: Io<T>): Generator<Io<unknown>, T, unknown> {
  return (yield io) as T;
}

export function runNow<R>(steps: Steps<R>): R {
  let step = steps.next();
  while (step.done !== true) {
    let value: unknown;
    try {
      value = step.value.now();
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(value);
  }
  return step.value;
}

export async function runLater<R>(steps: Steps<R>): Promise<R> {
  let step = steps.next();
  while (step.done !== true) {
    let value: unknown;
    try {
      value = await step.value.later();
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(value);
  }
  return step.value;
}

const readLater = promisify(read);
const writeLater = promisify(write);
const fsyncLater = promisify(fsync);
const fdatasyncLater = promisify(fdatasync);
const closeLater = promisify(close);

/** Bytes `from` up to `to` of an open file; fewer where it ends before. */
export function readRange(fd: number, from: number, to: number): Io<Buffer> {
  const buffer = (): Buffer => Buffer.allocUnsafe(Math.max(0, to - from));
  return {
    now() {
      const bytes = buffer();
      let done = 0;
      while (done < bytes.length) {
        const count = readSync(fd, bytes, done, bytes.length - done, from + done);
        if (count === 0) return bytes.subarray(0, done);
        done += count;
      }
      return bytes;
    },
    async later() {
      // a page that is in memory anyway comes sooner than a thread of the pool
      if (to - from <= 65_536) return this.now();
      const bytes = buffer();
      let done = 0;
      while (done < bytes.length) {
        const { bytesRead } = await readLater(fd, bytes, done, bytes.length - done, from + done);
        if (bytesRead === 0) return bytes.subarray(0, done);
        done += bytesRead;
      }
      return bytes;
    },
  };
}

/** All of the bytes at a position. */
export function writeAll(fd: number, bytes: Uint8Array, position: number): Io<void> {
  return {
    now() {
      let done = 0;
      while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
    },
    async later() {
      if (bytes.length <= 65_536) return this.now();
      let done = 0;
      while (done < bytes.length) {
        done += (await writeLater(fd, bytes, done, bytes.length - done, position + done)).bytesWritten;
      }
    },
  };
}

/** The file's data and size on the disk; without `dataOnly`, its other attributes too. */
export function flush(fd: number, { dataOnly }: { readonly dataOnly: boolean }): Io<void> {
  return {
    now: () => (dataOnly ? fdatasyncSync(fd) : fsyncSync(fd)),
    later: () => (dataOnly ? fdatasyncLater(fd) : fsyncLater(fd)),
  };
}

/** A folder's entries on the disk: after a rename or a new file. Windows neither can nor needs it. */
export function flushFolder(path: string): Io<void> {
  const skip = process.platform === "win32";
  return {
    now() {
      if (skip) return;
      const fd = openSync(path, "r");
      try {
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    },
    async later() {
      if (skip) return;
      const fd = openSync(path, "r");
      try {
        await fsyncLater(fd);
      } finally {
        await closeLater(fd);
      }
    },
  };
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

export function sleep(milliseconds: number): Io<void> {
  return {
    now: () => void Atomics.wait(sleeper, 0, 0, milliseconds),
    later: () => delay(milliseconds),
  };
}
