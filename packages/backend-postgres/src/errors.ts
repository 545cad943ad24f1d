/** What PostgreSQL and its driver throw, as core's errors: by code, and never with their own text in the message. */
import { DataknobsError, type ErrorCode, toError } from "@dataknobs/core/backend";

type Sentence = readonly [ErrorCode, string];

const unreachable: Sentence = [
  "UNAVAILABLE",
  "The PostgreSQL server cannot be reached: check that it runs at this host and port.",
];
const lost: Sentence = [
  "UNAVAILABLE",
  "The connection to the PostgreSQL server was lost. A write that was under way may have been applied.",
];
const refused: Sentence = ["PERMISSION_DENIED", "PostgreSQL refused the login: check user, password and pg_hba.conf."];
const raced: Sentence = ["CONFLICT", "Another transaction was first. Nothing was written; try again."];
const untrusted: Sentence = [
  "INVALID_CONFIG",
  "The certificate of the PostgreSQL server is not trusted, or for another name: give its authority with `ssl: { ca }`.",
];
const changed: Sentence = ["CONFLICT", "The PostgreSQL table was changed or dropped meanwhile."];

const sentences: { readonly [code: string]: Sentence } = {
  ECONNREFUSED: unreachable,
  ENOTFOUND: unreachable,
  EAI_AGAIN: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ENOENT: unreachable,
  CONNECT_TIMEOUT: ["UNAVAILABLE", "The PostgreSQL server did not answer within `connectTimeout`."],
  ETIMEDOUT: unreachable,
  ECONNRESET: lost,
  EPIPE: lost,
  CONNECTION_CLOSED: lost,
  CONNECTION_DESTROYED: lost,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  CERT_SIGNATURE_FAILURE: untrusted,
  CERT_HAS_EXPIRED: untrusted,
  CERT_NOT_YET_VALID: untrusted,
  CERT_UNTRUSTED: untrusted,
  ERR_TLS_CERT_ALTNAME_INVALID: untrusted,
  CONNECTION_ENDED: ["NOT_OPEN", "The PostgreSQL client has been closed."],
  "57P01": lost,
  "57P02": lost,
  "57P03": ["UNAVAILABLE", "The PostgreSQL server is starting up or shutting down."],
  "57P05": lost,
  "53300": ["UNAVAILABLE", "The PostgreSQL server has no connection left: lower `poolSize`, or raise max_connections."],
  "28000": refused,
  "28P01": refused,
  SASL_SIGNATURE_MISMATCH: ["PERMISSION_DENIED", "The server does not know the password, and may be another one."],
  "3D000": ["INVALID_CONFIG", "There is no such database on the PostgreSQL server; create it first."],
  "3F000": ["INVALID_CONFIG", "There is no such schema in the PostgreSQL database; create it first."],
  "42501": ["PERMISSION_DENIED", "The PostgreSQL user has no right to do this with the table or its schema."],
  "25006": ["PERMISSION_DENIED", "This PostgreSQL server is for reading only: a replica, perhaps."],
  "40001": raced,
  "40P01": raced,
  "25P02": ["CONFLICT", "The transaction was ended by an earlier failure in it. Nothing of it is written."],
  "55P03": [
    "TIMEOUT",
    "Another transaction kept the record or table locked until the server's lock_timeout. Nothing was written.",
  ],
  "57014": ["TIMEOUT", "The PostgreSQL server gave up the statement at its timeout. Nothing was written."],
  "25P03": ["TIMEOUT", "The PostgreSQL server ended a transaction that was idle too long. Nothing was written."],
  "53100": ["UNAVAILABLE", "The PostgreSQL server's disk is full. Nothing was written."],
  "53200": ["UNAVAILABLE", "The PostgreSQL server ran out of memory. Nothing was written."],
  "54000": ["LIMIT_EXCEEDED", "A record, or the words of its text fields, are larger than PostgreSQL takes."],
  "54001": ["LIMIT_EXCEEDED", "The query is too complex for PostgreSQL."],
  MAX_PARAMETERS_EXCEEDED: ["LIMIT_EXCEEDED", "The query has more parameters than PostgreSQL takes."],
  "42P01": changed,
  "42703": changed,
  "26000": [
    "INVALID_CONFIG",
    "A prepared statement was lost between statements, as behind PgBouncer in transaction mode: open with `prepare: false`.",
  ],
  "08P01": ["UNAVAILABLE", "The PostgreSQL server and the driver lost track of each other."],
};

/** By the two characters that stand for a class of codes. */
const classes: { readonly [prefix: string]: Sentence } = {
  "08": lost,
  "23": ["CONFLICT", "A constraint of the PostgreSQL table that this library did not make refused the write."],
  "53": ["UNAVAILABLE", "The PostgreSQL server is short of resources."],
  "58": ["UNAVAILABLE", "The PostgreSQL server failed to read or write its files."],
  XX: ["CORRUPT", "PostgreSQL found its data damaged, or failed within itself; see `cause`."],
};

/** SQLSTATE, or the driver's or system's own code. */
export function codeOf(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** The name of the constraint that refused a write. */
export function constraintOf(error: unknown): string | undefined {
  if (codeOf(error) !== "23505") return undefined;
  return (error as { constraint_name?: string }).constraint_name;
}

const isSqlState = (code: string): boolean => /^[0-9A-Z]{5}$/.test(code);

export function classify(error: unknown): Error {
  if (DataknobsError.is(error)) return error;
  const code = codeOf(error) ?? (error instanceof AggregateError ? codeOf(error.errors[0]) : undefined);
  const cause = toError(error);
  const known =
    code === undefined ? undefined : (sentences[code] ?? (isSqlState(code) ? classes[code.slice(0, 2)] : undefined));
  if (known !== undefined) return new DataknobsError(known[0], known[1], details(code), { cause });
  if (error instanceof SyntaxError) {
    return new DataknobsError("CORRUPT", "A row of the PostgreSQL table holds what is not JSON.", details(code), {
      cause,
    });
  }
  const message = "PostgreSQL failed in a way that this library does not know; see `cause`.";
  return new DataknobsError("UNEXPECTED", message, details(code), { cause });
}

/** The same for `db.sql`, where the statement itself may be wrong. */
export function classifyStatement(error: unknown): Error {
  const code = codeOf(error);
  if (DataknobsError.is(error) || code === undefined) return classify(error);
  const wrong =
    code === "UNDEFINED_VALUE" || (isSqlState(code) && /^(?:42|22|0A|34|2D)/.test(code) && code !== "42501");
  if (!wrong) return classify(error);
  return new DataknobsError("INVALID_QUERY", "PostgreSQL does not take this statement; see `cause`.", details(code), {
    cause: toError(error),
  });
}

function details(code: string | undefined): { backend: string; native?: string } {
  return { backend: "postgres", ...(code !== undefined && { native: code }) };
}

/** Runs the body; what it throws comes out classified. */
export async function guarded<R>(body: () => Promise<R>): Promise<R> {
  try {
    return await body();
  } catch (error) {
    throw classify(error);
  }
}
