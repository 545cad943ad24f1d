/**
 * faiss-node, loaded when the first store is opened. Three of its traps are dealt with here:
 *
 * - Its binary may not be there: the install script that brings it is not run by newer package managers.
 * - It has one constructor for the whole process, that of the thread which loaded it last, and calling another
 *   thread's ends the process. So before every call that makes an index the module is registered anew for this thread,
 *   and no other thread of ours does so meanwhile.
 * - An exception of Faiss ends the process. So nothing is called here that was not checked.
 */
import { createRequire } from "node:module";
import { DataknobsError } from "@dataknobs/core/backend";
import { name } from "./errors.js";

/** The calls that are used; the others are traps: `removeIds` moves labels or ends the process, as `write` may. */
export interface FaissIndex {
  ntotal(): number;
  getDimension(): number;
  isTrained(): boolean;
  add(numbers: readonly number[]): void;
  train(numbers: readonly number[]): void;
  search(
    numbers: readonly number[],
    k: number,
  ): { readonly distances: readonly number[]; readonly labels: readonly number[] };
  toBuffer(): Buffer;
}

interface FaissConstructor {
  fromFactory(dimensions: number, type: string, metric: number): FaissIndex;
  fromBuffer(bytes: Buffer): FaissIndex;
}

export interface Driver {
  make(dimensions: number, type: string, metric: number): FaissIndex;
  read(bytes: Uint8Array): FaissIndex;
}

/** Throws `MISSING_DRIVER`. The lock is one number shared by the threads of the process. */
export function loadDriver(lock: Int32Array): Driver {
  const file = nativeFile();
  const withConstructor = <R>(use: (faiss: FaissConstructor) => R): R => {
    while (Atomics.compareExchange(lock, 0, 0, 1) !== 0) Atomics.wait(lock, 0, 1, 10);
    try {
      const registered: { exports: { Index?: FaissConstructor } } = { exports: {} };
      process.dlopen(registered, file);
      return use(registered.exports.Index as FaissConstructor);
    } finally {
      Atomics.store(lock, 0, 0);
      Atomics.notify(lock, 0);
    }
  };
  return {
    make: (dimensions, type, metric) => withConstructor((made) => made.fromFactory(dimensions, type, metric)),
    read: (bytes) =>
      withConstructor((made) => made.fromBuffer(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))),
  };
}

/** The path of the binary that faiss-node itself finds. */
function nativeFile(): string {
  const require = createRequire(import.meta.url);
  try {
    require("faiss-node");
  } catch (error) {
    throw missing(error);
  }
  const file = Object.keys(require.cache).find((path) => /[\\/]faiss-node\.node$/.test(path));
  if (file === undefined) throw missing(new Error("faiss-node loaded no binary of its own."));
  return file;
}

function missing(cause: unknown): DataknobsError {
  const absent = (cause as { code?: unknown }).code === "MODULE_NOT_FOUND" && !/bindings/i.test(String(cause));
  return new DataknobsError(
    "MISSING_DRIVER",
    `The faiss store needs faiss-node, ${absent ? "which is not installed" : "whose binary is not there or does not load"}. ` +
      "Run `npm install faiss-node`; npm 12 and pnpm run its install script, which brings the binary, only once it is " +
      "allowed: `npm install-scripts approve faiss-node`, `pnpm approve-builds`, then `npm rebuild faiss-node`. " +
      "Or use @dataknobs/vector-memory, which needs no binary and is exact, and as fast up to some 50,000 vectors.",
    { backend: name, driver: "faiss-node" },
    { cause },
  );
}
