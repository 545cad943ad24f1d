/** The options of `file`, and the format and compression that follow from them. Pure: looks at no file. */
import { basename } from "node:path";
import { nearest, type OptionSpec } from "@dataknobs/core/backend";
import { badConfig } from "./errors.js";

export const formatNames = ["jsonl", "json", "csv", "parquet"] as const;
export type FormatName = (typeof formatNames)[number];

export const compressionNames = ["none", "gzip", "snappy", "zstd"] as const;
export type CompressionName = (typeof compressionNames)[number];

/** What was found at the end of a log and set aside: a write that its writer did not live to finish. */
export interface Recovery {
  readonly path: string;
  /** Where the log ends now, in bytes. */
  readonly position: number;
  readonly bytes: number;
  /** Where the cut-off bytes were copied to before the log was written again; absent where it was only read. */
  readonly savedAs?: string;
}

export interface FileOptions {
  /** The file, or the folder of parts. Symbolic links are followed. It is created with the first write. */
  readonly path: string;
  /** Default: by the path's extension: `.jsonl`, `.ndjson`, `.json`, `.csv`, `.parquet`, each with `.gz` or without. */
  readonly format?: FormatName;
  /**
   * `"gzip"` or `"none"` (the default without `.gz`) for text; `"snappy"` (the default), `"zstd"`, `"gzip"` or `"none"`
   * for the pages of a Parquet file.
   */
  readonly compression?: CompressionName;
  /** Refuse writes, take no lock, create nothing. Default `false`. */
  readonly readOnly?: boolean;
  /** Keep a folder with one part per value of this field (a path as in queries), a file each. */
  readonly partitionBy?: string | readonly string[];
  /** Keep a folder of parts of about this many bytes at most; a new one is begun where the last is full. */
  readonly maxPartBytes?: number;
  /** Milliseconds that a write waits for other processes. Default 10,000; `UNAVAILABLE` beyond. */
  readonly lockTimeout?: number;
  /**
   * Force every write to the disk before it is acknowledged. Default `true`. Without, acknowledged writes survive the end
   * of the process but perhaps not that of the machine.
   */
  readonly fsync?: boolean;
  /** Compare checksums when reading. Default `true`; `false` opens a file that was changed by hand. */
  readonly verify?: boolean;
  /** Rows of one row group of a Parquet file. Default 5,000. */
  readonly rowGroupSize?: number;
  /** Told of a log's cut-off end. Without it, `process.emitWarning` is. */
  readonly onRecover?: (recovery: Recovery) => void;
}

export const optionSpecs: { readonly [K in keyof FileOptions]-?: OptionSpec } = {
  path: { type: "string" },
  format: { type: "string", oneOf: formatNames },
  compression: { type: "string", oneOf: compressionNames },
  readOnly: { type: "boolean" },
  partitionBy: { type: "any" },
  maxPartBytes: { type: "number", min: 1, integer: true },
  lockTimeout: { type: "number", min: 0 },
  fsync: { type: "boolean" },
  verify: { type: "boolean" },
  rowGroupSize: { type: "number", min: 1, integer: true },
  onRecover: { type: "any" },
};

/** Options with everything decided. */
export interface Settings {
  readonly path: string;
  readonly format: FormatName;
  readonly compression: CompressionName;
  readonly readOnly: boolean;
  readonly partitionBy: string | readonly string[] | undefined;
  readonly maxPartBytes: number | undefined;
  readonly lockTimeout: number;
  readonly fsync: boolean;
  readonly verify: boolean;
  readonly rowGroupSize: number;
  readonly onRecover: (recovery: Recovery) => void;
}

const extensions: { readonly [extension: string]: FormatName } = {
  jsonl: "jsonl",
  ndjson: "jsonl",
  json: "json",
  csv: "csv",
  parquet: "parquet",
};

/** Throws `INVALID_CONFIG`. */
export function settingsOf(options: FileOptions): Settings {
  const { path, partitionBy, maxPartBytes, onRecover } = options;
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw badConfig('The file backend needs a `path`, as in file({ path: "people.jsonl" }).');
  }
  if (onRecover !== undefined && typeof onRecover !== "function") throw badConfig("`onRecover` is a function.");
  if (partitionBy !== undefined && !isPath(partitionBy)) {
    throw badConfig("`partitionBy` is a field's path: a string, or a list of strings.");
  }
  if (partitionBy !== undefined && maxPartBytes !== undefined) {
    throw badConfig("`partitionBy` and `maxPartBytes` cannot be given together.");
  }
  const { format, gzip } = byExtension(path, options.format);
  return {
    path,
    format,
    compression: compressionOf(path, format, gzip, options.compression),
    readOnly: options.readOnly ?? false,
    partitionBy,
    maxPartBytes,
    lockTimeout: options.lockTimeout ?? 10_000,
    fsync: options.fsync ?? true,
    verify: options.verify ?? true,
    rowGroupSize: options.rowGroupSize ?? 5_000,
    onRecover: onRecover ?? warn,
  };
}

function isPath(path: unknown): boolean {
  return typeof path === "string" || (Array.isArray(path) && path.every((segment) => typeof segment === "string"));
}

function byExtension(path: string, format: FormatName | undefined): { format: FormatName; gzip: boolean } {
  const words = basename(path).toLowerCase().split(".");
  const gzip = words.length > 1 && words.at(-1) === "gz";
  const extension = words.length > (gzip ? 2 : 1) ? (words.at(gzip ? -2 : -1) ?? "") : "";
  if (format !== undefined) return { format, gzip };
  if (Object.hasOwn(extensions, extension)) return { format: extensions[extension] as FormatName, gzip };
  throw badConfig(
    `The file backend cannot tell the format of ${path} by its extension.${nearest(extension, Object.keys(extensions))} ` +
      `Known: ${Object.keys(extensions).join(", ")}, also with .gz. Else give \`format\`: ${formatNames.join(", ")}.`,
  );
}

function compressionOf(
  path: string,
  format: FormatName,
  gzip: boolean,
  asked: CompressionName | undefined,
): CompressionName {
  if (format === "parquet") {
    if (gzip) throw badConfig(`A Parquet file is compressed inside; ${path} should not end in .gz.`);
    return asked ?? "snappy";
  }
  if (asked === "snappy" || asked === "zstd")
    throw badConfig(`"${asked}" is for Parquet; text is compressed by "gzip".`);
  if (gzip && asked === "none") throw badConfig(`${path} ends in .gz, but \`compression\` is "none".`);
  return asked ?? (gzip ? "gzip" : "none");
}

function warn({ path, position, bytes, savedAs }: Recovery): void {
  process.emitWarning(
    `${bytes} bytes at the end of ${path} (from byte ${position}) are a write that was never finished nor acknowledged; ` +
      (savedAs === undefined ? "they are ignored." : `they were moved to ${savedAs}.`),
    { type: "DataknobsWarning", code: "DATAKNOBS_RECOVERED" },
  );
}
