/** What SQLite throws, as core's errors: by code, and never with the driver's own text in the message. */
import { DataknobsError, type ErrorCode, toError } from "@dataknobs/core/backend";

const sentences: { readonly [code: string]: readonly [ErrorCode, string] } = {
  BUSY: [
    "TIMEOUT",
    "Another connection or process kept the SQLite file locked until the timeout. Nothing was written.",
  ],
  LOCKED: ["TIMEOUT", "Another statement kept the SQLite table locked. Nothing was written."],
  READONLY: ["PERMISSION_DENIED", "The SQLite file or its folder cannot be written."],
  PERM: ["PERMISSION_DENIED", "The SQLite file cannot be read or written with these permissions."],
  AUTH: ["PERMISSION_DENIED", "SQLite refused the operation."],
  CANTOPEN: [
    "PERMISSION_DENIED",
    "The SQLite file cannot be opened: check that its folder is there and may be written.",
  ],
  NOTADB: ["CORRUPT", "The file is not a SQLite database. It was left as it is."],
  CORRUPT: ["CORRUPT", "The SQLite file is damaged. Restore a backup, or try `sqlite3 file .recover`."],
  FULL: ["UNAVAILABLE", "The disk or the database is full. Nothing was written."],
  IOERR: ["UNAVAILABLE", "Reading or writing the SQLite file failed. Nothing was written."],
  NOMEM: ["UNAVAILABLE", "SQLite ran out of memory. Nothing was written."],
  TOOBIG: ["LIMIT_EXCEEDED", "A record or a query is larger than SQLite takes."],
  CONSTRAINT: ["CONFLICT", "A constraint of the SQLite table that this library did not make refused the write."],
  SCHEMA: ["CONFLICT", "The SQLite table was changed meanwhile."],
};

/** `SQLITE_BUSY_SNAPSHOT` → `BUSY`. */
const primaryCode = (code: string): string => code.split("_")[1] ?? "";

export function sqliteCode(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : undefined;
}

export function classify(error: unknown): Error {
  if (DataknobsError.is(error)) return error;
  const code = sqliteCode(error);
  const cause = toError(error);
  if (code === "SQLITE_BUSY_SNAPSHOT") {
    return new DataknobsError(
      "CONFLICT",
      "Another transaction was first. Nothing was written; try again.",
      details(code),
      { cause },
    );
  }
  const known = code === undefined ? undefined : sentences[primaryCode(code)];
  if (known !== undefined) return new DataknobsError(known[0], known[1], details(code), { cause });
  if (error instanceof SyntaxError) {
    return new DataknobsError("CORRUPT", "A row of the SQLite table holds what is not JSON.", details(code), { cause });
  }
  return new DataknobsError(
    "UNEXPECTED",
    "SQLite failed in a way that this library does not know; see `cause`.",
    details(code),
    { cause },
  );
}

function details(code: string | undefined): { backend: string; native?: string } {
  return { backend: "sqlite", ...(code !== undefined && { native: code }) };
}

/** An error as plain data, to cross threads. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: { readonly [key: string]: unknown };
  readonly cause?:
    | { readonly name: string; readonly message: string; readonly code?: unknown; readonly stack?: string | undefined }
    | undefined;
}

export function toWire(error: unknown): WireError {
  const { code, message, details: about, cause } = classify(error) as DataknobsError;
  const inner = cause === undefined ? undefined : (toError(cause) as Error & { code?: unknown });
  return {
    code,
    message,
    details: about,
    cause: inner && { name: inner.name, message: inner.message, code: inner.code, stack: inner.stack },
  };
}

export function fromWire({ code, message, details: about, cause }: WireError): DataknobsError {
  if (cause === undefined) return new DataknobsError(code, message, about);
  const inner = Object.assign(new Error(cause.message), { code: cause.code });
  inner.name = cause.name;
  if (cause.stack !== undefined) inner.stack = cause.stack;
  return new DataknobsError(code, message, about, { cause: inner });
}
