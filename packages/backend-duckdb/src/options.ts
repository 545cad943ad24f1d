/** Options of the DuckDB backend. */
import { resolve } from "node:path";
import { type BackendDefinition, type BackendUrl, DataknobsError } from "@dataknobs/core/backend";

export interface DuckdbOptions {
  /** A file, or `":memory:"`. Default `":memory:"`. */
  readonly path?: string;
  /** Default `"records"`; several stores may share a file, each with a table of its own. */
  readonly table?: string;
  /** Nothing is ever written; the file must be there. Several processes may have it open so at once. */
  readonly readOnly?: boolean;
  /** Threads of DuckDB. Default: one per core. */
  readonly threads?: number;
  /** `"2GB"`, `"512MiB"`: DuckDB spills to disk beyond. Default: 80 % of the machine's memory. */
  readonly memoryLimit?: string;
  /** Seconds for which a write is tried again when an open transaction stands in its way. Default 5. */
  readonly timeout?: number;
  /** Files to query in place, read-only: a path, a glob or a list of them; Parquet, CSV, JSON or JSON Lines. */
  readonly from?: string | readonly string[];
  /** What the files of `from` are, where their names do not say. */
  readonly format?: FileFormat;
  /** The column of the files that holds the ids. Default: the place of the row. */
  readonly idColumn?: string;
}

export type FileFormat = "parquet" | "csv" | "json";

/** Options with their defaults, checked. */
export interface Settings {
  /** Absolute, or `:memory:`. */
  readonly path: string;
  readonly table: string;
  readonly readOnly: boolean;
  readonly timeoutMs: number;
  /** Settings of DuckDB itself. */
  readonly config: { readonly [name: string]: string };
  readonly from:
    | { readonly files: readonly string[]; readonly format: FileFormat; readonly idColumn: string | undefined }
    | undefined;
}

export const optionSpecs: BackendDefinition<DuckdbOptions>["options"] = {
  path: { type: "string" },
  table: { type: "string" },
  readOnly: { type: "boolean" },
  threads: { type: "number", min: 1, integer: true },
  memoryLimit: { type: "string" },
  timeout: { type: "number", min: 0 },
  from: { type: "any" },
  format: { type: "string", oneOf: ["parquet", "csv", "json"] },
  idColumn: { type: "string" },
};

/** `duckdb:./app.duckdb`, `duckdb:///var/app.duckdb`, `duckdb::memory:`. */
export function fromUrl({ rest }: BackendUrl): Partial<DuckdbOptions> {
  const path = decodeURIComponent(rest.startsWith("//") ? rest.slice(2) : rest);
  return path === "" ? {} : { path };
}

const memoryText = /^\d+(?:\.\d+)?\s*(?:[KMGT]i?B|B)$/i;

export function settingsOf(options: DuckdbOptions): Settings {
  const { path = ":memory:", table = "records", timeout = 5, threads, memoryLimit, readOnly = false } = options;
  if (path === "" || path.includes("\0")) throw bad('takes a file name or ":memory:" for "path"');
  if (table === "" || table.includes("\0")) throw bad('takes a name without U+0000 for "table"');
  if (/^dataknobs(?:$| )/i.test(table)) throw bad('cannot call its table that: "dataknobs" is taken');
  if (timeout > 2_000_000) throw bad('takes at most 2000000 seconds for "timeout"');
  if (memoryLimit !== undefined && !memoryText.test(memoryLimit))
    throw bad('takes a size such as "2GB" for "memoryLimit"');
  const from = filesOf(options);
  const inMemory = path === ":memory:";
  if (from !== undefined && !inMemory) throw bad('takes "from" or "path", not both: files are queried where they are');
  if (from !== undefined && options.table !== undefined) throw bad('takes no "table" with "from"');
  if (inMemory && readOnly && from === undefined)
    throw bad('cannot open ":memory:" with "readOnly": there is nothing to read');
  return Object.freeze({
    path: inMemory ? path : resolve(path),
    table,
    readOnly: readOnly || from !== undefined,
    timeoutMs: Math.round(timeout * 1000),
    config: Object.freeze({
      ...(threads !== undefined && { threads: String(threads) }),
      ...(memoryLimit !== undefined && { memory_limit: memoryLimit }),
      ...(readOnly && !inMemory && { access_mode: "READ_ONLY" }),
      // extensions are code of others: nothing is loaded or fetched unasked
      autoinstall_known_extensions: "false",
      autoload_known_extensions: "false",
    }),
    from,
  });
}

function filesOf({ from, format, idColumn }: DuckdbOptions): Settings["from"] {
  if (from === undefined) {
    if (format !== undefined || idColumn !== undefined) throw bad('takes "format" and "idColumn" only with "from"');
    return undefined;
  }
  const files: readonly unknown[] = Array.isArray(from) ? from : [from];
  if (
    files.length === 0 ||
    !files.every((file): file is string => typeof file === "string" && file !== "" && !file.includes("\0"))
  ) {
    throw bad('takes a file name, a glob or a list of them for "from"');
  }
  const formats = new Set(files.map((file) => format ?? formatOf(file as string)));
  const [only] = formats;
  if (only === undefined || formats.size > 1) {
    throw bad('cannot tell what the files of "from" are by their names; say so by "format": parquet, csv or json');
  }
  return { files: files as readonly string[], format: only, idColumn };
}

function formatOf(file: string): FileFormat | undefined {
  const name = file.toLowerCase().replace(/\.(?:gz|zst)$/, "");
  if (name.endsWith(".parquet")) return "parquet";
  if (/\.(?:csv|tsv)$/.test(name)) return "csv";
  return /\.(?:json|jsonl|ndjson)$/.test(name) ? "json" : undefined;
}

function bad(what: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", `The duckdb backend ${what}.`, { backend: "duckdb" });
}
