/** What the file system throws, as errors of ours: by code, never by message. */
import { DataknobsError, type ErrorCode, toError } from "../../errors.js";
import { errnoOf } from "./node.js";

const codes: { readonly [errno: string]: readonly [code: ErrorCode, what: string] } = {
  ENOENT: ["NOT_FOUND", "cannot be saved: its folder is not there"],
  ENOTDIR: ["INVALID_CONFIG", "has a file on its way where a folder should be"],
  EISDIR: ["INVALID_CONFIG", "is a folder"],
  EACCES: ["PERMISSION_DENIED", "may not be accessed that way by this user"],
  EPERM: ["PERMISSION_DENIED", "may not be accessed that way by this user"],
  EROFS: ["PERMISSION_DENIED", "is on a read-only file system"],
  ENOSPC: ["UNAVAILABLE", "could not be saved: no space is left on the device. What it held before is intact"],
  EDQUOT: ["UNAVAILABLE", "could not be saved: the disk quota is used up. What it held before is intact"],
  EFBIG: ["UNAVAILABLE", "could not be saved: it would be larger than allowed. What it held before is intact"],
  EIO: ["UNAVAILABLE", "could not be accessed: the device failed"],
  EBUSY: ["UNAVAILABLE", "is in use by another program"],
  EMFILE: ["UNAVAILABLE", "could not be opened: too many files are open"],
  ENFILE: ["UNAVAILABLE", "could not be opened: too many files are open"],
  ELOOP: ["INVALID_CONFIG", "is a symbolic link that leads back to itself"],
  ENAMETOOLONG: ["INVALID_CONFIG", "has a name that is too long for the file system"],
};

/** Errors of ours as they are, the file system's as what they mean for the caller, anything else untouched. */
export function classifyFile(error: unknown, path: string, backend: string): Error {
  if (DataknobsError.is(error)) return error;
  const errno = errnoOf(error);
  const known = typeof errno === "string" && Object.hasOwn(codes, errno) ? codes[errno] : undefined;
  if (known === undefined) return toError(error);
  const [code, what] = known;
  return new DataknobsError(code, `The file ${path} ${what}.`, { backend, path, errno }, { cause: error });
}

export function corruptFile(path: string, what: string, backend: string, cause?: unknown): DataknobsError {
  return new DataknobsError(
    "CORRUPT",
    `The file ${path} ${what}. It was left as it is; restore it from a copy, or save to another path.`,
    { backend, path },
    cause === undefined ? undefined : { cause },
  );
}
