/**
 * Saving and loading: at every moment, a crash included, the path has all of the old content or all of the new one. A
 * temporary file in the same folder, fsync, rename, fsync of the folder. Symbolic links are followed, permission bits
 * and, where allowed, the owner stay. Of two who save over the same version the second is told.
 */
import type { Call } from "../../backend/spi.js";
import { DataknobsError } from "../../errors.js";
import { newVersion } from "../../record/ids.js";
import type { JsonObject } from "../../record/json.js";
import { throwIfAborted } from "../session.js";
import { claimVersion } from "./claim.js";
import { classifyFile, corruptFile } from "./errors.js";
import { decodeFirstLine, decodeHeader, encodeHeader, type FileHeader, firstLineBytes, hexOf } from "./format.js";
import { errnoOf, type FileStats, type Node, nodeOf, type OpenFile } from "./node.js";

export interface Section {
  readonly name: string;
  /** Written one after another; not changed while `saveFile` runs. */
  readonly chunks: readonly Uint8Array[];
}

export interface SaveRequest extends Call {
  /** Which store's file it is. A file of another kind is not loaded. */
  readonly kind: string;
  readonly info: JsonObject;
  readonly sections: readonly Section[];
  /** What `loadFile` or the last `saveFile` gave; `undefined`: there was no file. */
  readonly token: string | undefined;
  /** Replace whatever is there. */
  readonly force: boolean;
}

export interface LoadedFile {
  readonly token: string;
  readonly info: JsonObject;
  /** By name, each in memory of its own. */
  readonly sections: ReadonlyMap<string, Uint8Array>;
}

/** Replaces the file; its new token. `VERSION_CONFLICT` where it is not the one that the token is of. */
export async function saveFile(path: string, request: SaveRequest): Promise<string> {
  const node = nodeOf();
  try {
    const target = await realPath(node, path);
    const folder = node.paths.dirname(target);
    const prefix = node.paths.join(folder, prefixOf(node, node.paths.basename(target)));
    const before = await claim(node, target, prefix, request, path);
    try {
      // only now: once the file is replaced, others may write beside it
      await sweep(node, folder, prefix, /^\d+-[0-9a-f-]{36}\.tmp$/);
      return await replace(node, target, prefix, request);
    } finally {
      await sweep(node, folder, prefix, new RegExp(`^${before}\\.\\d+\\.claim$`));
    }
  } catch (error) {
    throw classifyFile(error, path, request.kind);
  }
}

/** The token of the version that is ours to replace. */
async function claim(node: Node, target: string, prefix: string, request: SaveRequest, path: string): Promise<string> {
  for (;;) {
    throwIfAborted(request);
    const found = await tokenOf(node, target, request);
    if (!request.force && found !== request.token) throw conflict(path, request, found);
    const version = found ?? "new";
    const ours = await claimVersion(node, prefix, version, path);
    if ((await tokenOf(node, target, request)) === found) return version;
    // replaced between the look and the claim
    await node.files.rm(ours, { force: true });
  }
}

async function tokenOf(node: Node, target: string, { kind, force }: SaveRequest): Promise<string | undefined> {
  try {
    return await withFile(node, target, async (file) => (await readHeader(node, file, target, kind)).header.token);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    // to be overwritten whatever it is
    if (force && DataknobsError.is(error)) return "other";
    throw error;
  }
}

async function replace(node: Node, target: string, prefix: string, request: SaveRequest): Promise<string> {
  const token = newVersion();
  const { kind, info } = request;
  const sections = request.sections.map(({ name, chunks }) => {
    const crc = chunks.reduce((before, chunk) => node.crc32(chunk, before), 0);
    return { name, bytes: chunks.reduce((sum, { length }) => sum + length, 0), crc32: hexOf(crc) };
  });
  const temporary = `${prefix}${node.process.pid}-${crypto.randomUUID()}.tmp`;
  const file = await node.files.open(temporary, "wx", 0o666);
  try {
    try {
      await keepOwner(node, file, target);
      await writeAll(file, encodeHeader({ kind, token, info, sections }, node.crc32));
      for (const { chunks } of request.sections) {
        for (const chunk of chunks) {
          throwIfAborted(request);
          await writeAll(file, chunk);
        }
      }
      await file.sync();
    } finally {
      await file.close();
    }
    throwIfAborted(request);
    await node.files.rename(temporary, target);
  } catch (error) {
    await node.files.rm(temporary, { force: true });
    throw error;
  }
  await flushFolder(node, node.paths.dirname(target));
  return token;
}

/** What the file has; `undefined` where there is none. `CORRUPT` for one that is cut, altered or no such file. */
export async function loadFile(path: string, kind: string, call: Call): Promise<LoadedFile | undefined> {
  const node = nodeOf();
  try {
    return await withFile(node, path, async (file) => {
      const { header, end } = await readHeader(node, file, path, kind);
      const { size } = await file.stat();
      const expected = header.sections.reduce((sum, { bytes }) => sum + bytes, end);
      if (size < expected) throw corruptFile(path, `is cut short: it has ${size} of ${expected} bytes`, kind);
      if (size > expected) throw corruptFile(path, `has ${size - expected} bytes too many at its end`, kind);
      const sections = new Map<string, Uint8Array>();
      let position = end;
      for (const { name, bytes, crc32 } of header.sections) {
        throwIfAborted(call);
        const content = await readAll(file, position, bytes);
        if (hexOf(node.crc32(content, 0)) !== crc32) throw corruptFile(path, `was altered in its ${name}`, kind);
        sections.set(name, content);
        position += bytes;
      }
      return { token: header.token, info: header.info, sections };
    });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw classifyFile(error, path, kind);
  }
}

async function readHeader(
  node: Node,
  file: OpenFile,
  path: string,
  kind: string,
): Promise<{ readonly header: FileHeader; readonly end: number }> {
  const line = decodeFirstLine(await readAll(file, 0, firstLineBytes), path, kind);
  const bytes = await readAll(file, line.start, line.length + 1);
  const header = decodeHeader(bytes, line, node.crc32, path, kind);
  if (header.kind !== kind) {
    throw new DataknobsError(
      "INVALID_CONFIG",
      `The file ${path} was saved by the ${header.kind} vector store; the ${kind} store does not read it.`,
      { backend: kind, path },
    );
  }
  return { header, end: line.start + line.length + 1 };
}

async function withFile<R>(node: Node, path: string, use: (file: OpenFile) => Promise<R>): Promise<R> {
  const file = await node.files.open(path, "r");
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** Up to so many bytes; fewer where the file ends before. */
async function readAll(file: OpenFile, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, 1 << 26), position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done === length ? bytes : bytes.subarray(0, done);
}

async function writeAll(file: OpenFile, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    done += (await file.write(bytes, done, Math.min(bytes.length - done, 1 << 26))).bytesWritten;
  }
}

async function keepOwner(node: Node, file: OpenFile, target: string): Promise<void> {
  let before: FileStats;
  try {
    before = await withFile(node, target, (old) => old.stat());
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  if (node.process.getuid?.() === 0) await file.chown(before.uid, before.gid);
  await file.chmod(before.mode & 0o7777);
}

/** What the files beside a file begin with: within the 255 bytes of a name, and no other file's. */
function prefixOf(node: Node, name: string): string {
  const crc = hexOf(node.crc32(new TextEncoder().encode(name), 0));
  return `.${name.replace(/[^\w.-]/g, "_").slice(0, 80)}.${crc}.`;
}

/** Removes what lies beside a file: what those left who died while they saved, or claims on a version that is no more. */
async function sweep(node: Node, folder: string, prefix: string, kind: RegExp): Promise<void> {
  const start = node.paths.basename(prefix);
  for (const name of await node.files.readdir(folder)) {
    if (!name.startsWith(start) || !kind.test(name.slice(start.length))) continue;
    await node.files.rm(node.paths.join(folder, name), { force: true });
  }
}

/** A rename is on the disk when its folder is. Windows neither can nor needs it. */
async function flushFolder(node: Node, folder: string): Promise<void> {
  if (node.process.platform === "win32") return;
  await withFile(node, folder, (file) => file.sync());
}

async function realPath(node: Node, path: string): Promise<string> {
  try {
    return await node.files.realpath(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    return node.paths.resolve(path);
  }
}

function conflict(path: string, { kind, token }: SaveRequest, found: string | undefined): DataknobsError {
  return new DataknobsError(
    "VERSION_CONFLICT",
    `The file ${path} was ${found === undefined ? "removed" : "saved by somebody else"} since this store loaded it. Load ` +
      "it again, save to another path, or save with `force` to replace it.",
    { backend: kind, path, expected: token ?? null, actual: found ?? null },
  );
}
