/** What the file system throws, as errors of ours: by code, never by message. */
import { DataknobsError, type ErrorCode, toError } from "@dataknobs/core/backend";

const codes: { readonly [errno: string]: readonly [code: ErrorCode, what: string] } = {
  ENOENT: ["NOT_FOUND", "is not there, or a folder on its way is not"],
  ENOTDIR: ["INVALID_CONFIG", "has a file on its way where a folder should be"],
  EISDIR: ["INVALID_CONFIG", "is a folder; give `partitionBy` or `maxPartBytes` to keep records in its parts"],
  EACCES: ["PERMISSION_DENIED", "may not be accessed that way by this user"],
  EPERM: ["PERMISSION_DENIED", "may not be accessed that way by this user"],
  EROFS: ["PERMISSION_DENIED", "is on a read-only file system"],
  ENOSPC: ["UNAVAILABLE", "could not be written: no space is left on the device. What it held before is intact"],
  EDQUOT: ["UNAVAILABLE", "could not be written: the disk quota is used up. What it held before is intact"],
  EFBIG: ["UNAVAILABLE", "could not be written: it would be larger than allowed. What it held before is intact"],
  EIO: ["UNAVAILABLE", "could not be accessed: the device failed"],
  ESTALE: ["UNAVAILABLE", "could not be accessed: the network share no longer knows it"],
  EBUSY: ["UNAVAILABLE", "is in use by another program"],
  EMFILE: ["UNAVAILABLE", "could not be opened: too many files are open"],
  ENFILE: ["UNAVAILABLE", "could not be opened: too many files are open"],
  ELOOP: ["INVALID_CONFIG", "is a symbolic link that leads back to itself"],
  ENAMETOOLONG: ["INVALID_CONFIG", "has a name that is too long for the file system"],
};

/** Errors of ours as they are, the file system's as what they mean for the caller, anything else untouched. */
export function classify(error: unknown, path: string): Error {
  if (DataknobsError.is(error)) return error;
  const errno = errnoOf(error);
  const known = typeof errno === "string" && Object.hasOwn(codes, errno) ? codes[errno] : undefined;
  if (known === undefined) return toError(error);
  const [code, what] = known;
  return new DataknobsError(code, `The file ${path} ${what}.`, { backend: "file", path, errno }, { cause: error });
}

export function errnoOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null)?.code;
}

/** What went wrong where in a file. */
export interface Damage {
  /** Bytes from the file's beginning (of what is in it, for a compressed file as a whole). */
  readonly position: number;
  readonly line?: number | undefined;
  readonly cause?: unknown;
}

export function corrupt(path: string, what: string, { position, line, cause }: Damage): DataknobsError {
  const where = line === undefined ? `byte ${position}` : `line ${line} (byte ${position})`;
  return new DataknobsError(
    "CORRUPT",
    `The file ${path} is damaged at ${where}: ${what}. It was left as it is. Restore it from a copy; if somebody ` +
      "changed it on purpose, `verify: false` opens what can be read.",
    { backend: "file", path, position, ...(line !== undefined && { line }) },
    cause === undefined ? undefined : { cause },
  );
}

export function badConfig(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message, { backend: "file" });
}

export function readOnlyError(path: string): DataknobsError {
  return new DataknobsError(
    "PERMISSION_DENIED",
    `The file ${path} was opened with \`readOnly\`; nothing was written.`,
    {
      backend: "file",
      path,
    },
  );
}
