/** What every operation needs to know: the store it works on and the database's settings. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Backend, Call, Capabilities, Compiler, Store } from "../backend/spi.js";
import type { Embedder } from "../embed/embedder.js";
import { DataknobsError } from "../errors.js";
import type { ParseContext } from "../query/parse.js";
import type { IndexSpec } from "./indexes.js";

export interface Session extends ParseContext {
  /** The backend's name, for errors. */
  readonly name: string;
  /** The backend itself, or a transaction. */
  readonly store: Store;
  readonly backend: Backend;
  /** Of the store; none where core evaluates all. */
  readonly compiler: Compiler<unknown> | undefined;
  readonly capabilities: Capabilities;
  readonly indexes: readonly IndexSpec[];
  readonly schema: StandardSchemaV1 | undefined;
  /** With `embed`; the store makes vectors by it. */
  readonly embedder: Embedder | undefined;
  readonly residual: "allow" | "error";
  readonly maxBuffered: number;
  readonly batchSize: number;
}

/** Of every call. */
export interface CallOptions {
  /** Ends the call with `ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds; `TIMEOUT` beyond. */
  readonly timeout?: number | undefined;
}

export const noCall: Call = Object.freeze({});

/** The signal of a call: the caller's, a timer's, or either. */
export function callOf(options: CallOptions | undefined): Call {
  if (options === undefined) return noCall;
  const { signal, timeout } = options;
  if (signal !== undefined && !isSignal(signal)) throw misuse("`signal` is an AbortSignal.");
  if (timeout === undefined) return signal === undefined ? noCall : { signal };
  if (typeof timeout !== "number" || !(timeout > 0)) throw misuse("`timeout` is a positive number of milliseconds.");
  const timer = AbortSignal.timeout(Math.min(Math.ceil(timeout), 0x7fff_ffff));
  return { signal: signal === undefined ? timer : AbortSignal.any([signal, timer]) };
}

function isSignal(value: unknown): boolean {
  return typeof value === "object" && value !== null && "aborted" in value && "addEventListener" in value;
}

const misused: unique symbol = Symbol("misuse");

/** A programmer's mistake: a `TypeError` that stays one. */
export function misuse(message: string): TypeError {
  return Object.defineProperty(new TypeError(message), misused, { value: true });
}

/** Errors of ours as they are; anything else that a store threw is `UNEXPECTED`, its text only in `cause`. */
export function asDataknobsError(error: unknown, session: { readonly name: string }, operation: string): Error {
  if (DataknobsError.is(error) || (error instanceof TypeError && misused in error)) return error;
  return new DataknobsError(
    "UNEXPECTED",
    `The ${session.name} backend failed in ${operation}; what it threw is this error's cause.`,
    { backend: session.name, operation },
    { cause: error },
  );
}
