/** The files that are open in this process: one instance of DuckDB each, however many databases use it. */
import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DataknobsError, toError } from "@dataknobs/core/backend";
import { DuckDBInstance } from "@duckdb/node-api";
import { classify, duckdbType } from "./errors.js";
import type { Settings } from "./options.js";
import type { Table } from "./table.js";

/** DuckDB 2.0 writes 69; this driver's DuckDB reads 64 to 68. */
const newestStorage = 68n;

export async function openInstance({ path, readOnly, config }: Settings): Promise<DuckDBInstance> {
  if (path === ":memory:")
    return DuckDBInstance.create(path, { ...config }).catch((error: unknown) => refuse(error, path));
  checkFile(path, readOnly);
  try {
    return await DuckDBInstance.fromCache(path, { ...config });
  } catch (error) {
    return refuse(error, path);
  }
}

/** What can be told of the file before it is opened, since the driver gives no codes. */
function checkFile(path: string, readOnly: boolean): void {
  if (!existsSync(path)) {
    const folder = dirname(path);
    if (readOnly) throw problem("NOT_FOUND", `There is no file ${path}, and none is made with \`readOnly\`.`, path);
    if (!existsSync(folder))
      throw problem("PERMISSION_DENIED", `There is no folder ${folder} to make the file in.`, path);
    return;
  }
  if (!statSync(path).isFile()) throw problem("INVALID_CONFIG", `${path} is no file.`, path);
  try {
    accessSync(path, readOnly ? constants.R_OK : constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw problem(
      "PERMISSION_DENIED",
      `The file ${path} may not be ${readOnly ? "read" : "read and written"} by this process.`,
      path,
      cause,
    );
  }
  const header = Buffer.alloc(20);
  const file = openSync(path, "r");
  const length = readSync(file, header, 0, 20, 0);
  closeSync(file);
  if (length < 20 || header.toString("latin1", 8, 12) !== "DUCK") {
    throw problem(
      "CORRUPT",
      `The file ${path} is not a DuckDB database, or its beginning is damaged. It was left as it is.`,
      path,
    );
  }
  const version = header.readBigUInt64LE(12);
  if (version > newestStorage) {
    throw problem(
      "UNSUPPORTED",
      `The file ${path} has storage version ${version} of a newer DuckDB; this one reads up to ${newestStorage}. Open it with a newer ` +
        "version of this package, or write it anew there with `ATTACH … (STORAGE_VERSION 'v1.2.0')`.",
      path,
    );
  }
}

function refuse(error: unknown, path: string): never {
  const type = duckdbType(error);
  if (type === "Connection") {
    throw problem(
      "INVALID_CONFIG",
      `The file ${path} is open in this process already, with other values of \`readOnly\`, \`threads\` or \`memoryLimit\`.`,
      path,
      error,
    );
  }
  if (type === undefined) throw problem("INVALID_CONFIG", "DuckDB refused `threads` or `memoryLimit`.", path, error);
  // The one place where words are looked at: both come as an IO Error, and a wrong guess only changes the advice.
  if (type === "IO" && /\block\b/i.test(toError(error).message)) {
    throw problem(
      "UNAVAILABLE",
      `Another process has the DuckDB file ${path} open. One process may write it, or several may read it with \`readOnly\`: ` +
        "close it there, or open it with `readOnly` everywhere.",
      path,
      error,
    );
  }
  if (type === "IO" || type === "Serialization" || type === "INTERNAL" || type === "FATAL") {
    throw problem(
      "CORRUPT",
      `The DuckDB file ${path} is damaged. It was left as it is; restore a backup.`,
      path,
      error,
    );
  }
  throw classify(error);
}

function problem(
  code: ConstructorParameters<typeof DataknobsError>[0],
  message: string,
  path: string,
  cause?: unknown,
): DataknobsError {
  return new DataknobsError(code, message, { backend: "duckdb", path }, cause === undefined ? undefined : { cause });
}

interface Entry {
  readonly table: Promise<Table>;
  users: number;
}

const tables = new Map<string, Entry>();

/** The table's common state; made by the first who asks, forgotten when the last is gone. */
export async function shareTable(
  { path, table }: Settings,
  make: () => Promise<Table>,
): Promise<{ table: Table; leave(): void }> {
  if (path === ":memory:") return { table: await make(), leave: () => undefined };
  const key = `${path}\0${table.toLowerCase()}`;
  const entry = tables.get(key) ?? { table: make(), users: 0 };
  tables.set(key, entry);
  entry.users++;
  const leave = (): void => {
    if (--entry.users === 0) tables.delete(key);
  };
  try {
    return { table: await entry.table, leave };
  } catch (error) {
    leave();
    throw error;
  }
}
