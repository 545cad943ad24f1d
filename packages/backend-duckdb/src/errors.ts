/**
 * What DuckDB throws, as core's errors. The driver gives no code: the engine's error type begins the text, as in
 * `Constraint Error: …`, and that type alone is looked at. Its text stays in `cause`.
 */
import { DataknobsError, type ErrorCode, toError } from "@dataknobs/core/backend";

const sentences: { readonly [type: string]: readonly [ErrorCode, string] } = {
  TransactionContext: [
    "CONFLICT",
    "Another transaction changed the same records first. Nothing was written; try again.",
  ],
  Transaction: ["CONFLICT", "Another transaction changed the same records first. Nothing was written; try again."],
  Constraint: ["CONFLICT", "Another transaction wrote the same record first. Nothing was written; try again."],
  INTERRUPT: ["ABORTED", "The statement was interrupted."],
  "Out of Memory": [
    "UNAVAILABLE",
    "DuckDB ran out of the memory that `memoryLimit` allows. Raise it, or ask for less at once.",
  ],
  IO: ["UNAVAILABLE", "DuckDB could not read or write a file; see `cause`. Its disk may be full."],
  HTTP: ["UNAVAILABLE", "DuckDB could not read a remote file."],
  Permission: ["PERMISSION_DENIED", "DuckDB was refused access to a file or an operation."],
  "Missing Extension": ["UNSUPPORTED", "This needs an extension of DuckDB that is not there."],
  Serialization: ["CORRUPT", "The DuckDB file is damaged. Restore a backup."],
  FATAL: ["CORRUPT", "DuckDB gave up on this database. Close it, and restore a backup if it does not open again."],
  INTERNAL: ["UNEXPECTED", "DuckDB failed within itself; see `cause`."],
  Settings: ["INVALID_CONFIG", "DuckDB refused a setting."],
};

const damaged = ["CORRUPT", "The DuckDB file is damaged. It was left as it is; restore a backup."] as const;

/** An IO Error is of the disk or of what is on it; DuckDB tells them apart by words alone, so these are looked at. */
function isDamage(type: string | undefined, { message }: Error): boolean {
  return type === "IO" && /corrupt|checksum|read enough bytes/i.test(message);
}

/** Of statements that users wrote. */
const statementTypes: ReadonlySet<string> = new Set([
  "Parser",
  "Syntax",
  "Binder",
  "Catalog",
  "Conversion",
  "Invalid Input",
  "Out of Range",
  "Mismatch Type",
  "Invalid type",
  "Not implemented",
  "Parameter Not Resolved",
  "Parameter Not Allowed",
  "Expression",
  "Divide by Zero",
  "Invalid",
]);

const unwritten = /^TransactionContext Error: Failed to commit: Could not (?:open|read|write|fsync|truncate) /;

/** `Constraint` of `Constraint Error: Duplicate key …`; `undefined` where it is none of DuckDB's. */
export function duckdbType(error: unknown): string | undefined {
  if (!isErrorLike(error)) return undefined;
  // what keeps a commit from the disk, comes under the type of conflicts
  if (unwritten.test(error.message)) return "IO";
  // the driver puts what it was doing before some: "Failed to extract statements: Parser Error: …"
  return /^(?:Failed to [a-z ]+: )?([A-Za-z ]{2,40}?) Error: /.exec(error.message)?.[1];
}

function isErrorLike(error: unknown): error is Error {
  return typeof error === "object" && error !== null && typeof (error as { message?: unknown }).message === "string";
}

/** Whether the same transaction, tried again, may succeed. */
export function isConflict(error: unknown): boolean {
  const type = duckdbType(error);
  return type === "TransactionContext" || type === "Transaction" || type === "Constraint";
}

export function classify(error: unknown): Error {
  if (DataknobsError.is(error)) return error;
  const type = duckdbType(error);
  const cause = toError(error);
  const known = type === undefined ? undefined : isDamage(type, cause) ? damaged : sentences[type];
  if (known !== undefined) return new DataknobsError(known[0], known[1], details(type), { cause });
  if (error instanceof SyntaxError) {
    return new DataknobsError("CORRUPT", "A row of the DuckDB table holds what is not JSON.", details(type), { cause });
  }
  return new DataknobsError(
    "UNEXPECTED",
    "DuckDB failed in a way that this library does not know; see `cause`.",
    details(type),
    { cause },
  );
}

/** The same for `db.sql`, where the statement itself may be wrong. */
export function classifyStatement(error: unknown): Error {
  const type = duckdbType(error);
  if (DataknobsError.is(error) || type === undefined || !statementTypes.has(type)) return classify(error);
  return new DataknobsError("INVALID_QUERY", "DuckDB does not take this statement; see `cause`.", details(type), {
    cause: toError(error),
  });
}

function details(type: string | undefined): { backend: string; native?: string } {
  return { backend: "duckdb", ...(type !== undefined && { native: type }) };
}

/** Runs the body; what it throws comes out classified. */
export async function guarded<R>(body: () => Promise<R>): Promise<R> {
  try {
    return await body();
  } catch (error) {
    throw classify(error);
  }
}
