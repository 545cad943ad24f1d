/** What faiss-node throws, as core's errors, and errors that cross threads. */
import { DataknobsError, type ErrorCode, type ErrorDetails, toError } from "@dataknobs/core/backend";

export const name = "faiss";

/** Nothing is known of what faiss-node throws: it has no codes, and every call is checked before it is made. */
export function classify(error: unknown): DataknobsError {
  if (DataknobsError.is(error)) return error;
  return new DataknobsError(
    "UNEXPECTED",
    "Faiss failed in a way that this library does not know; see `cause`. `buildIndex` makes the index anew.",
    { backend: name },
    { cause: toError(error) },
  );
}

/** An error as plain data. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
  readonly cause: { readonly name: string; readonly message: string; readonly code: unknown } | undefined;
}

export function toWire(error: unknown): WireError {
  const { code, message, details, cause } = classify(error);
  const inner = cause === undefined ? undefined : (toError(cause) as Error & { code?: unknown });
  return {
    code,
    message,
    details,
    cause: inner && { name: inner.name, message: inner.message, code: inner.code },
  };
}

export function fromWire({ code, message, details, cause }: WireError): DataknobsError {
  if (cause === undefined) return new DataknobsError(code, message, details);
  const inner = Object.assign(new Error(cause.message), { code: cause.code });
  inner.name = cause.name;
  return new DataknobsError(code, message, details, { cause: inner });
}

export function badConfig(message: string, details: ErrorDetails = {}): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message, { backend: name, ...details });
}
