/** What saving needs of Node, found at run time: this package itself imports no `node:` module. Deno and Bun have it too. */
import { DataknobsError } from "../../errors.js";

export interface FileStats {
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}
export interface OpenFile {
  read(into: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  write(from: Uint8Array, offset: number, length: number): Promise<{ readonly bytesWritten: number }>;
  stat(): Promise<FileStats>;
  chmod(mode: number): Promise<void>;
  chown(uid: number, gid: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}
export interface Files {
  open(path: string, flags: string, mode?: number): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  link(from: string, to: string): Promise<void>;
  rm(path: string, options: { readonly force: boolean }): Promise<void>;
  readFile(path: string, encoding: "utf8"): Promise<string>;
  writeFile(path: string, text: string, options: { readonly flag: string }): Promise<void>;
  readdir(path: string): Promise<string[]>;
  realpath(path: string): Promise<string>;
}
interface Paths {
  resolve(path: string): string;
  dirname(path: string): string;
  basename(path: string): string;
  join(...parts: readonly string[]): string;
}
interface Process {
  readonly pid: number;
  readonly platform: string;
  getuid?(): number;
  kill(pid: number, signal: 0): boolean;
  getBuiltinModule?(name: string): unknown;
}

export interface Node {
  readonly files: Files;
  readonly paths: Paths;
  readonly process: Process;
  hostname(): string;
  crc32(bytes: Uint8Array, before: number): number;
}

let node: Node | undefined;

/** Throws `UNSUPPORTED` where there is no file system, as in a browser. */
export function nodeOf(): Node {
  if (node !== undefined) return node;
  const { process } = globalThis as { readonly process?: Process };
  const find = process?.getBuiltinModule?.bind(process);
  if (process === undefined || find === undefined) {
    throw new DataknobsError(
      "UNSUPPORTED",
      "There is no file system here to save vectors to; leave out `path`, or keep them in a store on a server.",
    );
  }
  const { crc32 } = find("node:zlib") as { crc32(bytes: Uint8Array, before: number): number };
  const { hostname } = find("node:os") as { hostname(): string };
  node = {
    files: find("node:fs/promises") as Files,
    paths: find("node:path") as Paths,
    process,
    hostname,
    crc32,
  };
  return node;
}

export function errnoOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null)?.code;
}
