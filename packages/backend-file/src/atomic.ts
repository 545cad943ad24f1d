/**
 * Replacing a file so that at every moment, a crash included, its path has either all of the old content or all of the
 * new one: a temporary file in the same folder, fsync, rename, fsync of the folder. Symbolic links are followed, the
 * permission bits and, where allowed, the owner stay.
 */
import {
  chownSync,
  closeSync,
  fchmodSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { errnoOf } from "./errors.js";
import { fault } from "./fault.js";
import { flush, flushFolder, perform, type Steps, writeAll } from "./steps.js";

/** The file that a path leads to in the end, there or not. */
export function followLinks(path: string): string {
  let at = resolve(path);
  for (let hops = 0; hops < 40; hops++) {
    try {
      return realpathSync(at);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
    if (!isLink(at)) {
      const folder = dirname(at);
      return folder === at ? at : join(followLinks(folder), basename(at));
    }
    at = resolve(dirname(at), readlinkSync(at));
  }
  throw Object.assign(new Error("too many symbolic links"), { code: "ELOOP" });
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

export interface ReplaceOptions {
  /** Whether to force it to the disk. */
  readonly fsync: boolean;
  /** Called just before the rename; throws to call it off. */
  readonly check: () => void;
}

/** Where a new file's bytes go. */
export interface FileSink {
  /** Puts bytes at the end. */
  append(bytes: Uint8Array): Steps<void>;
  /** Puts bytes in place of such that are there. */
  patch(bytes: Uint8Array, position: number): Steps<void>;
}

/** Replaces or creates a file. `content`: its bytes, or what puts them there. */
export function* replaceFile(
  path: string,
  content: readonly Uint8Array[] | ((sink: FileSink) => Steps<void>),
  options: ReplaceOptions,
): Steps<void> {
  const before = statSync(path, { throwIfNoEntry: false });
  const temporary = temporaryName(path);
  const fd = openSync(temporary, "wx", 0o666);
  try {
    try {
      if (before !== undefined) keepOwner(fd, temporary, before);
      const sink = sinkInto(fd, path);
      if (typeof content === "function") yield* content(sink);
      else for (const bytes of content) yield* sink.append(bytes);
      yield* fault({ point: "fsync", path });
      if (options.fsync) yield* perform(flush(fd, { dataOnly: false }));
    } finally {
      closeSync(fd);
    }
    options.check();
    yield* fault({ point: "rename", path });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  yield* fault({ point: "renamed", path });
  if (options.fsync) yield* perform(flushFolder(dirname(path)));
}

function sinkInto(fd: number, path: string): FileSink {
  let end = 0;
  return {
    *append(bytes) {
      yield* perform(writeAll(fd, bytes, end));
      end += bytes.length;
      yield* fault({ point: "temporary", path });
    },
    patch: (bytes, position) => perform(writeAll(fd, bytes, position)),
  };
}

function keepOwner(fd: number, temporary: string, { mode, uid, gid }: Stats): void {
  if (process.getuid?.() === 0) chownSync(temporary, uid, gid);
  fchmodSync(fd, mode & 0o7777);
}

/** Removes what writers of this file left when they died. Only under the file's lock. */
export function sweepTemporaries(path: string): void {
  const prefix = basename(temporaryPrefix(path));
  for (const name of readdirSync(dirname(path))) {
    if (name.startsWith(prefix) && name.endsWith(".tmp")) {
      rmSync(join(dirname(path), name), { recursive: true, force: true });
    }
  }
}

/** A name that is not taken, for what is to become a file or its lock. */
export function temporaryName(path: string): string {
  return `${temporaryPrefix(path)}${process.pid}-${Math.random().toString(36).slice(2)}.tmp`;
}

function temporaryPrefix(path: string): string {
  // a name may have 255 bytes: ours must fit whatever the file's own is
  return join(
    dirname(path),
    `.${Buffer.from(basename(path))
      .subarray(0, 180)
      .toString("latin1")
      .replace(/[^\w.-]/g, "_")}.`,
  );
}
