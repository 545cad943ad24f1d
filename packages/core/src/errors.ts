/**
 * The one error class of all packages and its closed list of codes.
 *
 * Errors are told apart by `code` and by a `Symbol.for` brand, never by `instanceof`: two copies of this
 * package, or a test runner's realms, must not make an error unrecognisable.
 */

/** Every code that any package throws; stable within a major version. */
export const errorCodes = [
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "VERSION_CONFLICT",
  "INVALID_RECORD",
  "INVALID_QUERY",
  "INVALID_CONFIG",
  "UNSUPPORTED",
  "LIMIT_EXCEEDED",
  "NOT_OPEN",
  "ABORTED",
  "TIMEOUT",
  "CONFLICT",
  "UNAVAILABLE",
  "PERMISSION_DENIED",
  "MISSING_DRIVER",
  "CORRUPT",
  "UNEXPECTED",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** What an error is about. Values are plain data and never hold a secret or a driver's own text. */
export interface ErrorDetails {
  readonly backend?: string;
  readonly operation?: string;
  readonly id?: string;
  readonly field?: string;
  readonly [key: string]: unknown;
}

const brand = Symbol.for("@dataknobs/error");
const retryableCodes: ReadonlySet<ErrorCode> = new Set(["VERSION_CONFLICT", "CONFLICT", "TIMEOUT", "UNAVAILABLE"]);

/**
 * What every call throws or rejects with, programmer mistakes (`TypeError`) apart.
 *
 * @example
 * try {
 *   await db.create({ name: "Ada" }, { id: "ada" });
 * } catch (error) {
 *   if (!DataknobsError.is(error, "ALREADY_EXISTS")) throw error;
 * }
 */
export class DataknobsError extends Error {
  override readonly name: string = "DataknobsError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Whether the same call, made again later, may succeed. */
  get retryable(): boolean {
    return retryableCodes.has(this.code);
  }

  /** Whether `value` is an error of ours, of this or of another copy of the package, and has that code. */
  static is(value: unknown, code?: ErrorCode): value is DataknobsError {
    return (
      typeof value === "object" &&
      value !== null &&
      brand in value &&
      (code === undefined || (value as { readonly code?: unknown }).code === code)
    );
  }
}

/** Makes any thrown value an `Error`, so that it can be a `cause`. */
export function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}
