/** Options of the SQLite backend. */
import { resolve } from "node:path";
import { type BackendDefinition, type BackendUrl, DataknobsError } from "@dataknobs/core/backend";

export type JournalMode = "wal" | "delete" | "truncate" | "persist" | "memory" | "off";
export type Synchronous = "off" | "normal" | "full" | "extra";

export interface SqliteOptions {
  /** A file, or `":memory:"`. Default `":memory:"`. */
  readonly path?: string;
  /** Default `"records"`; several stores may share a file, each with a table of its own. */
  readonly table?: string;
  /** Seconds to wait for another connection's lock, or for this database's own open transaction. Default 5. */
  readonly timeout?: number;
  /** Default `"wal"` for files. */
  readonly journalMode?: JournalMode;
  /** Default `"normal"`: with WAL a crash of the machine may lose the last writes, but never the file. */
  readonly synchronous?: Synchronous;
  /** Threads that read beside the one that writes; asynchronous use of a file only. Default 2. */
  readonly poolSize?: number;
  /** Further pragmas, set on every connection: `{ cache_size: -65536 }`. */
  readonly pragmas?: { readonly [name: string]: string | number };
  /** Bytes of the file to map into memory. Default 0. */
  readonly mmapSize?: number;
  /** Nothing is ever written; the file must be there. */
  readonly readOnly?: boolean;
  /** Open a table that the Python package dataknobs-data writes too. */
  readonly shared?: boolean;
  /** `false`: makes no table, column or index; what is missing is an error. Default true. */
  readonly manage?: boolean;
}

/** Options with their defaults, checked; plain data, so that threads can have them. */
export interface Settings {
  /** Absolute, or `:memory:`. */
  readonly path: string;
  readonly table: string;
  readonly timeoutMs: number;
  readonly journalMode: string | undefined;
  readonly synchronous: string;
  readonly poolSize: number;
  readonly pragmas: readonly (readonly [string, string | number])[];
  readonly mmapSize: number | undefined;
  readonly readOnly: boolean;
  readonly shared: boolean;
  readonly manage: boolean;
}

const journalModes = ["wal", "delete", "truncate", "persist", "memory", "off"];
const synchronousModes = ["off", "normal", "full", "extra"];
const eitherCase = (names: readonly string[]): string[] => names.flatMap((name) => [name, name.toUpperCase()]);

export const optionSpecs: BackendDefinition<SqliteOptions>["options"] = {
  path: { type: "string" },
  table: { type: "string" },
  timeout: { type: "number", min: 0 },
  journalMode: { type: "string", oneOf: eitherCase(journalModes) },
  synchronous: { type: "string", oneOf: eitherCase(synchronousModes) },
  poolSize: { type: "number", min: 0, integer: true },
  pragmas: { type: "any" },
  mmapSize: { type: "number", min: 0, integer: true },
  readOnly: { type: "boolean" },
  shared: { type: "boolean" },
  manage: { type: "boolean" },
};

/** `sqlite:./app.db`, `sqlite:///var/app.db`, `sqlite::memory:`. */
export function fromUrl({ rest }: BackendUrl): Partial<SqliteOptions> {
  const path = decodeURIComponent(rest.startsWith("//") ? rest.slice(2) : rest);
  return path === "" ? {} : { path };
}

export function settingsOf(options: SqliteOptions): Settings {
  const { path = ":memory:", table = "records", timeout = 5, pragmas = {}, poolSize = 2 } = options;
  if (path === "" || path.includes("\0")) throw bad('takes a file name or ":memory:" for "path"');
  if (table === "" || table.includes("\0")) throw bad('takes a name without U+0000 for "table"');
  if (/^(?:sqlite_|dataknobs$)/i.test(table))
    throw bad('cannot call its table that: names beginning with "sqlite_" and "dataknobs" are taken');
  if (timeout > 2_000_000) throw bad('takes at most 2000000 seconds for "timeout"');
  if (poolSize > 64) throw bad('takes at most 64 for "poolSize"');
  if (typeof pragmas !== "object" || pragmas === null || Array.isArray(pragmas))
    throw bad('takes an object for "pragmas"');
  for (const [name, value] of Object.entries(pragmas)) {
    if (!/^[a-z_]+$/.test(name)) throw bad(`has no pragma "${name}"`);
    const fits =
      typeof value === "string" ? /^[A-Za-z0-9_-]+$/.test(value) : typeof value === "number" && Number.isFinite(value);
    if (!fits) throw bad(`takes a number or a word for the pragma "${name}"`);
  }
  const inMemory = path === ":memory:";
  if (inMemory && options.readOnly === true)
    throw bad('cannot open ":memory:" with "readOnly": there is nothing to read');
  return Object.freeze({
    // a path that begins with `file:` would be taken for a URI with options of its own
    path: inMemory ? path : resolve(path),
    table,
    timeoutMs: Math.round(timeout * 1000),
    journalMode: options.journalMode?.toLowerCase() ?? (inMemory ? undefined : "wal"),
    synchronous: options.synchronous?.toLowerCase() ?? "normal",
    poolSize,
    pragmas: Object.entries(pragmas),
    mmapSize: options.mmapSize,
    readOnly: options.readOnly ?? false,
    shared: options.shared ?? false,
    manage: options.manage ?? true,
  });
}

function bad(what: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", `The sqlite backend ${what}.`, { backend: "sqlite" });
}
