/** What the AWS SDK throws, as errors of ours: by code and status, never by message. */
import { DataknobsError, type ErrorCode, toError } from "@dataknobs/core/backend";

type Sentence = readonly [code: ErrorCode, sentence: string];

const denied: Sentence = [
  "PERMISSION_DENIED",
  "The server refuses these credentials, or they lack the right to do this.",
];
const busy: Sentence = ["UNAVAILABLE", "The server is too busy or failed for a moment."];
const region: Sentence = ["INVALID_CONFIG", "The bucket is in another region: give its `region`."];
const unreachable: Sentence = ["UNAVAILABLE", "The server cannot be reached, or the connection was lost."];
const slow: Sentence = ["TIMEOUT", "The server did not answer in time. A write may have been applied."];
const noCredentials: Sentence = [
  "INVALID_CONFIG",
  "There are no credentials: give `accessKeyId` and `secretAccessKey`, or set up a profile or role for the AWS SDK.",
];

/** By the name of what S3 answers, or the code of what Node throws. */
const sentences: { readonly [code: string]: Sentence } = {
  NoSuchBucket: ["NOT_FOUND", "There is no such bucket. Make it, or open with `createBucket: true`."],
  AccessDenied: denied,
  InvalidAccessKeyId: denied,
  SignatureDoesNotMatch: denied,
  /** Of versitygw, for an unknown access key. */
  XAdminUserNotFound: denied,
  ExpiredToken: denied,
  InvalidToken: denied,
  RequestTimeTooSkewed: ["PERMISSION_DENIED", "The server refuses requests by this machine's clock, which is wrong."],
  CredentialsProviderError: noCredentials,
  PermanentRedirect: region,
  AuthorizationHeaderMalformed: region,
  IllegalLocationConstraintException: region,
  SlowDown: busy,
  ServiceUnavailable: busy,
  InternalError: busy,
  TooManyRequests: busy,
  ThrottlingException: busy,
  OperationAborted: busy,
  RequestTimeout: slow,
  TimeoutError: slow,
  ETIMEDOUT: slow,
  AbortError: ["ABORTED", "The call was aborted. A write may have been applied."],
  EntityTooLarge: ["LIMIT_EXCEEDED", "The record is larger than the server takes."],
  KeyTooLongError: ["LIMIT_EXCEEDED", "The id is longer than the server takes, with this `prefix`."],
  InvalidBucketName: ["INVALID_CONFIG", "The server does not take this bucket's name."],
  BucketAlreadyExists: ["PERMISSION_DENIED", "The bucket belongs to another account."],
  InvalidObjectState: ["UNAVAILABLE", "The object is in an archive; restore it before it can be read."],
  NotImplemented: ["UNSUPPORTED", "The server does not have this."],
  ECONNREFUSED: unreachable,
  ECONNRESET: unreachable,
  EPIPE: unreachable,
  ENOTFOUND: unreachable,
  EAI_AGAIN: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ENETDOWN: unreachable,
};

const byStatus: { readonly [status: number]: Sentence } = {
  301: region,
  401: denied,
  403: denied,
  408: slow,
  429: busy,
  500: busy,
  502: busy,
  503: busy,
  504: busy,
  507: ["UNAVAILABLE", "The server's storage is full."],
};

/** What a request was about. */
export interface About {
  readonly bucket: string;
  readonly key?: string | undefined;
}

interface NativeError {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number };
}

export function statusOf(error: unknown): number | undefined {
  return (error as NativeError | null)?.$metadata?.httpStatusCode;
}

/** Whether the request had been sent before, so that an earlier attempt may have been applied. */
export function nameOf(error: unknown): string {
  return String((error as NativeError | null)?.name);
}

export function classify(error: unknown, { bucket, key }: About): DataknobsError {
  if (DataknobsError.is(error)) return error;
  const { name, code } = (error ?? {}) as NativeError;
  // the code first: the SDK names a lost connection a TimeoutError too
  const native = [code, name].find((one) => typeof one === "string" && Object.hasOwn(sentences, one)) as
    | string
    | undefined;
  const status = statusOf(error);
  const known = native === undefined ? byStatus[status ?? 0] : sentences[native];
  const [ours, sentence] = known ?? ["UNEXPECTED", "S3 failed in a way that this library does not know; see `cause`."];
  return new DataknobsError(
    ours,
    `${sentence} (bucket "${bucket}"${key === undefined ? "" : `, key ${JSON.stringify(key)}`})`,
    {
      backend: "s3",
      bucket,
      ...(key !== undefined && { key }),
      ...(typeof name === "string" && name !== "Error" && { native: name }),
      ...(status !== undefined && { status }),
    },
    { cause: withoutSecrets(error) },
  );
}

const harmless: ReadonlySet<string> = new Set([
  ...["name", "message", "stack", "code", "errno", "syscall", "address", "port"],
  ...["$fault", "$service", "$metadata", "$retryable", "Code", "Key", "BucketName", "RequestId", "HostId"],
]);

/** S3 answers with what it was sent: a refused session token, the string that was signed. */
function withoutSecrets(error: unknown): Error {
  const native = toError(error);
  for (const key of Object.keys(native)) if (!harmless.has(key)) Reflect.deleteProperty(native, key);
  return native;
}

export function badConfig(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message, { backend: "s3" });
}

export function corrupt(about: About, what: string, cause?: unknown): DataknobsError {
  return new DataknobsError(
    "CORRUPT",
    `The object ${JSON.stringify(about.key)} in the bucket "${about.bucket}" is damaged: ${what}. It was left as it is. ` +
      "Restore an earlier version of it, or remove it.",
    { backend: "s3", ...about },
    cause === undefined ? undefined : { cause },
  );
}
