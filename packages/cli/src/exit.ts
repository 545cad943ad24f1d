/** How the command ends, in numbers that scripts can rely on. */
import { DataknobsError, type ErrorCode } from "@dataknobs/core";

export const exitCodes = {
  ok: 0,
  /** Anything that has no number of its own. */
  failed: 1,
  /** Wrong words on the command line, a wrong query or configuration. */
  usage: 2,
  /** The store, a record or a package is not there. */
  notFound: 3,
  /** The store cannot be reached now, or did not answer in time: the same command may succeed later. */
  unavailable: 4,
  /** A record is there already, was changed meanwhile, or two stores differ. */
  conflict: 5,
  /** The store's data is damaged. */
  corrupt: 6,
  /** Rights are missing. */
  denied: 7,
  /** Ended by Ctrl-C. */
  interrupted: 130,
} as const;

const byCode: { readonly [K in ErrorCode]?: number } = {
  INVALID_QUERY: exitCodes.usage,
  INVALID_CONFIG: exitCodes.usage,
  INVALID_RECORD: exitCodes.usage,
  NOT_FOUND: exitCodes.notFound,
  MISSING_DRIVER: exitCodes.notFound,
  UNAVAILABLE: exitCodes.unavailable,
  TIMEOUT: exitCodes.unavailable,
  ALREADY_EXISTS: exitCodes.conflict,
  VERSION_CONFLICT: exitCodes.conflict,
  CONFLICT: exitCodes.conflict,
  CORRUPT: exitCodes.corrupt,
  PERMISSION_DENIED: exitCodes.denied,
};

export function exitCodeOf(error: unknown): number {
  return DataknobsError.is(error) ? (byCode[error.code] ?? exitCodes.failed) : exitCodes.failed;
}
