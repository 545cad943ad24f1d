/**
 * A backend over another: everything goes through but what a layer does itself. What the inner one does not offer the
 * outer one does not either, so that core emulates over the layer just as it would without.
 */
import type { Backend, Compiler, Transaction } from "../backend/spi.js";

const optional = [
  "peek",
  "count",
  "aggregate",
  "merge",
  "deleteWhere",
  "sql",
  "close",
  "clear",
  "settle",
  "native",
  "nativePlan",
  "listIndexes",
  "createIndex",
  "dropIndex",
  "backup",
] as const;

type Overrides = { -readonly [K in keyof Backend]?: Backend[K] | undefined };

/** `overrides` win; one that is given as undefined takes the method away. `compilerOf`: of the inner one's, as it is then. */
export function forward(
  inner: Backend,
  overrides: Overrides,
  compilerOf: (compiler: Compiler<unknown> | undefined) => Compiler<unknown> | undefined = (compiler) => compiler,
): Backend {
  const outer: Overrides = {
    read: inner.read.bind(inner),
    write: inner.write.bind(inner),
    scan: inner.scan.bind(inner),
    open: (request) => inner.open?.(request),
  };
  for (const name of optional) bindInto(outer, inner, name);
  if (inner.begin !== undefined) outer.begin = inner.begin.bind(inner);
  Object.assign(outer, overrides);
  for (const name of Object.keys(outer) as (keyof Overrides)[]) if (outer[name] === undefined) delete outer[name];
  return Object.defineProperties(outer, {
    name: { value: overrides.name ?? inner.name, enumerable: true },
    // some know it once they are open
    location: { get: () => inner.location, enumerable: true },
    ownership: { value: inner.ownership, enumerable: true },
    capabilities: { value: overrides.capabilities ?? inner.capabilities, enumerable: true },
    // opening may make another
    compiler: { get: () => compilerOf(inner.compiler), enumerable: true },
  }) as Backend;
}

function bindInto(outer: Overrides, inner: Backend, name: (typeof optional)[number]): void {
  const method = inner[name] as ((...args: never[]) => unknown) | undefined;
  if (method !== undefined) (outer as { [name: string]: unknown })[name] = method.bind(inner);
}

/** An open transaction with some of its methods replaced, or taken away by undefined. */
export function forwardTransaction(
  inner: Transaction,
  overrides: { readonly [K in keyof Transaction]?: Transaction[K] | undefined },
): Transaction {
  const outer: { [name: string]: unknown } = {};
  for (const name of ["read", "write", "scan", "commit", "rollback", ...optional] as const) {
    const method = (inner as unknown as { [name: string]: ((...args: never[]) => unknown) | undefined })[name];
    if (method !== undefined) outer[name] = method.bind(inner);
  }
  Object.assign(outer, overrides);
  for (const name of Object.keys(outer)) if (outer[name] === undefined) delete outer[name];
  return outer as unknown as Transaction;
}
