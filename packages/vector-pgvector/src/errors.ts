/** What PostgreSQL, pgvector and the driver throw, as core's errors: by code, and never with their own text in the message. */
import { classify as classifyPostgres, codeOf } from "@dataknobs/backend-postgres/kit";
import { DataknobsError, type ErrorCode, toError } from "@dataknobs/core/backend";

const sentences: { readonly [code: string]: readonly [ErrorCode, string] } = {
  "22000": ["CONFLICT", "The table of vectors was changed meanwhile: its vectors have other dimensions."],
  "22001": ["LIMIT_EXCEEDED", "A text is longer than its column in the PostgreSQL table."],
  "22003": [
    "INVALID_RECORD",
    "A number of a vector is beyond what the column or an index of the PostgreSQL table holds.",
  ],
  "42704": ["CONFLICT", "The extension vector was removed from the PostgreSQL database meanwhile."],
  "42883": ["CONFLICT", "The extension vector was removed from the PostgreSQL database meanwhile."],
  "54000": ["LIMIT_EXCEEDED", "The vectors have more dimensions than an index of pgvector takes."],
  "53200": [
    "UNAVAILABLE",
    "The PostgreSQL server ran out of memory. Making an index takes much: see maintenance_work_mem.",
  ],
};

export function classify(error: unknown): Error {
  if (DataknobsError.is(error)) return error.details["backend"] === "postgres" ? ours(error) : error;
  const native = codeOf(error);
  const known = native === undefined ? undefined : sentences[native];
  if (known !== undefined) {
    return new DataknobsError(known[0], known[1], { backend: "pgvector", native }, { cause: toError(error) });
  }
  const classified = classifyPostgres(error);
  return DataknobsError.is(classified) ? ours(classified) : classified;
}

function ours({ code, message, details, cause }: DataknobsError): DataknobsError {
  return new DataknobsError(code, message, { ...details, backend: "pgvector" }, { cause });
}

/** Runs the body; what it throws comes out classified. */
export async function guarded<R>(body: () => Promise<R>): Promise<R> {
  try {
    return await body();
  } catch (error) {
    throw classify(error);
  }
}
