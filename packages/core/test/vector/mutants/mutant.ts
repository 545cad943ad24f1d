/** A plausible bug of a vector store, the case that must notice it, and ways to make one. */
import type { VectorMode } from "../../../src/conformance/index.js";
import type { VectorRow } from "../../../src/vector/index.js";
import type { TinyVectors } from "../tiny.js";

export interface VectorMutant {
  readonly bug: string;
  readonly killedBy: string;
  readonly mode: VectorMode;
  /** Makes the correct store wrong. */
  readonly patch: (tiny: TinyVectors) => void;
}

export function mutant(
  bug: string,
  killedBy: string,
  patch: (tiny: TinyVectors) => void,
  mode: VectorMode = "plain",
): VectorMutant {
  return { bug, killedBy, mode, patch };
}

/** Wraps one method. */
export function wrapping<K extends keyof TinyVectors>(
  name: K,
  wrap: (right: TinyVectors[K], tiny: TinyVectors) => unknown,
): (tiny: TinyVectors) => void {
  return (tiny) => {
    const right = tiny[name];
    const bound = typeof right === "function" ? (right.bind(tiny) as TinyVectors[K]) : right;
    (tiny as unknown as { [key: string]: unknown })[name] = wrap(bound, tiny);
  };
}

/** Measures by another formula. */
export function measuring(
  measure: (a: Float32Array, b: Float32Array, right: number) => number,
): (tiny: TinyVectors) => void {
  return wrapping("open", (open, tiny) => (request: Parameters<TinyVectors["open"]>[0]) => {
    const found = open(request);
    const right = tiny.measure;
    tiny.measure = (a, b) => measure(a, b, right(a, b));
    return found;
  });
}

/** Rows are stored other than they are given. */
export function storing(change: (row: VectorRow) => VectorRow): (tiny: TinyVectors) => void {
  return wrapping(
    "upsert",
    (upsert) => (request: Parameters<TinyVectors["upsert"]>[0]) =>
      upsert({ ...request, rows: request.rows.map(change) }),
  );
}

/** One scope for all. */
export function withoutScope<
  K extends "get" | "delete" | "search" | "scan" | "count" | "deleteWhere" | "updateMetadata" | "mergeMetadata",
>(name: K): (tiny: TinyVectors) => void {
  return (tiny) => {
    const { rowsOf } = tiny;
    const right = (tiny[name] as (request: never) => unknown).bind(tiny);
    (tiny as unknown as { [key: string]: unknown })[name] = (request: { readonly scope: string }) => {
      const owner = [...tiny.scopes].find(([scope, rows]) => scope !== request.scope && rows.size > 0)?.[0];
      const own = rowsOf.call(tiny, request.scope).size > 0;
      return right({ ...request, scope: own ? request.scope : (owner ?? request.scope) } as never);
    };
  };
}
