/** Options of the PostgreSQL backend. */
import { type BackendDefinition, type BackendUrl, DataknobsError } from "@dataknobs/core/backend";
import type postgres from "postgres";

export type Isolation = "repeatable read" | "serializable";
export type SslMode = "disable" | "allow" | "prefer" | "require" | "verify-full";

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`; what else is given counts more. */
  readonly connectionString?: string;
  /** Default `"localhost"`, or what PGHOST says. A folder is one of Unix sockets. */
  readonly host?: string;
  /** Default 5432. */
  readonly port?: number;
  /** Default: the user's name, or PGDATABASE. It must be there. */
  readonly database?: string;
  /** Default: PGUSER, or the name of the account. */
  readonly user?: string;
  readonly password?: string;
  /** Default `"records"`. Made where it is missing. */
  readonly table?: string;
  /** The PostgreSQL schema of the table. Default `"public"`; it must be there. */
  readonly schemaName?: string;
  /** TLS: `true`, or options of Node's `tls.connect`. */
  readonly ssl?: boolean | object;
  /** TLS in libpq's words: `"require"` encrypts, `"verify-full"` also checks the certificate. */
  readonly sslmode?: SslMode;
  /** Connections for single statements, and as many again for streams and transactions. Default 10. */
  readonly poolSize?: number;
  /** Seconds to wait for a connection. Default 30. */
  readonly connectTimeout?: number;
  /** Seconds that the server gives a statement. Default: the server's own setting. */
  readonly statementTimeout?: number;
  /** `false` for PgBouncer in transaction mode before its version 1.21. Default true. */
  readonly prepare?: boolean;
  /** Of transactions. Default `"repeatable read"`, which is a snapshot. */
  readonly isolation?: Isolation;
  /** Connection strings of read replicas: they answer what this database's own writes have reached. */
  readonly replicas?: readonly string[];
  /** Open a table that the Python package dataknobs-data writes too. */
  readonly shared?: boolean;
  /** `false`: makes no table, column or index; what is missing is an error. Default true. */
  readonly manage?: boolean;
  /** A client of postgres.js to use instead of the options above it; it is not closed. */
  readonly sql?: postgres.Sql;
}

/** Options with their defaults, checked. */
export interface Settings {
  readonly connectionString: string | undefined;
  /** As postgres.js takes it; may hold the password. */
  readonly client: postgres.Options<Record<string, never>>;
  readonly given: postgres.Sql | undefined;
  readonly replicas: readonly string[];
  readonly table: string;
  readonly schema: string;
  readonly poolSize: number;
  readonly prepare: boolean;
  readonly isolation: Isolation;
  readonly shared: boolean;
  readonly manage: boolean;
}

export const optionSpecs: BackendDefinition<PostgresOptions>["options"] = {
  connectionString: { type: "string", secret: true },
  host: { type: "string" },
  port: { type: "number", min: 1, integer: true },
  database: { type: "string" },
  user: { type: "string" },
  password: { type: "string", secret: true },
  table: { type: "string" },
  schemaName: { type: "string" },
  ssl: { type: "any", secret: true },
  sslmode: { type: "string", oneOf: ["disable", "allow", "prefer", "require", "verify-full"] },
  poolSize: { type: "number", min: 1, integer: true },
  connectTimeout: { type: "number", min: 0 },
  statementTimeout: { type: "number", min: 0 },
  prepare: { type: "boolean" },
  isolation: { type: "string", oneOf: ["repeatable read", "serializable"] },
  replicas: { type: "any", secret: true },
  shared: { type: "boolean" },
  manage: { type: "boolean" },
  sql: { type: "any", secret: true },
};

/** `postgres://user@host:port/database`, with further options as query parameters. */
export function fromUrl({ rest }: BackendUrl): Partial<PostgresOptions> {
  return rest === "" || rest === "//" ? {} : { connectionString: `postgres:${rest}` };
}

/** Longer names would be cut by the server, and meet. */
const longestName = 63;

export function settingsOf(options: PostgresOptions): Settings {
  const { table = "records", schemaName = "public", connectionString, replicas = [], poolSize = 10 } = options;
  for (const [option, name] of [
    ["table", table],
    ["schemaName", schemaName],
  ] as const) {
    if (name === "" || name.includes("\0")) throw bad(`takes a name without U+0000 for "${option}"`);
    if (Buffer.byteLength(name) > longestName)
      throw bad(`takes a name of at most ${longestName} bytes for "${option}"`);
  }
  for (const url of [connectionString, ...checkReplicas(replicas)]) {
    if (url !== undefined && !isConnectionString(url)) {
      // never print the text: it may hold a password
      throw bad('takes connection strings such as "postgres://user@host:5432/database"');
    }
  }
  if (poolSize > 1000) throw bad('takes at most 1000 for "poolSize"');
  const { sql: given } = options;
  if (given !== undefined && (typeof given !== "function" || typeof given.unsafe !== "function"))
    throw bad('takes a client of postgres.js for "sql"');
  return Object.freeze({
    connectionString,
    client: clientOptions(options),
    given,
    replicas,
    table,
    schema: schemaName,
    poolSize,
    prepare: options.prepare ?? true,
    isolation: options.isolation ?? "repeatable read",
    shared: options.shared ?? false,
    manage: options.manage ?? true,
  });
}

function clientOptions(options: PostgresOptions): Settings["client"] {
  const { host, port, database, user, password, statementTimeout, connectTimeout = 30, prepare = true } = options;
  const ssl = options.ssl ?? (options.sslmode === "disable" ? false : options.sslmode);
  if (
    ssl !== undefined &&
    typeof ssl !== "boolean" &&
    typeof ssl !== "string" &&
    (typeof ssl !== "object" || ssl === null)
  )
    throw bad('takes true, false or TLS options for "ssl"');
  return {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(database !== undefined && { database }),
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...(ssl !== undefined && { ssl: ssl as boolean }),
    connect_timeout: Math.max(1, connectTimeout),
    prepare,
    // every queued statement waits for an attempt of its own: the driver's pauses, up to 20 seconds, would add up
    backoff: () => 0.05,
    onnotice: () => undefined,
    ...(statementTimeout !== undefined && {
      connection: { statement_timeout: Math.round(statementTimeout * 1000) },
    }),
  };
}

function checkReplicas(replicas: unknown): readonly string[] {
  if (Array.isArray(replicas) && replicas.every((one) => typeof one === "string")) return replicas;
  throw bad('takes a list of connection strings for "replicas"');
}

function isConnectionString(text: string): boolean {
  return /^postgres(?:ql)?:\/\/./.test(text);
}

export function bad(what: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", `The postgres backend ${what}.`, { backend: "postgres" });
}
