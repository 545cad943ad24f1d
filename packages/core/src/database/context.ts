/** Which database's transaction body is running, where the platform can tell (Node, Deno, Bun). */

/** One run of a body; what the body starts and does not await outlives it, and is outside then. */
interface Scope {
  readonly database: object;
  active: boolean;
}

interface Storage {
  run<R>(scope: Scope, body: () => R): R;
  getStore(): Scope | undefined;
}

interface NodeLike {
  readonly process?: { getBuiltinModule?(name: string): { AsyncLocalStorage: new () => Storage } | undefined };
}

let storage: Storage | undefined | null = null;

function contextStorage(): Storage | undefined {
  // made on first use: tracking asynchronous context costs every promise of the process on older Node
  if (storage === null) {
    const module = (globalThis as NodeLike).process?.getBuiltinModule?.("node:async_hooks");
    storage = module === undefined ? undefined : new module.AsyncLocalStorage();
  }
  return storage;
}

/** Runs a transaction's body so that calls within it can be told. */
export async function runInside<R>(database: object, body: () => Promise<R>): Promise<R> {
  const context = contextStorage();
  if (context === undefined) return body();
  const scope: Scope = { database, active: true };
  try {
    return await context.run(scope, body);
  } finally {
    scope.active = false;
  }
}

/** Whether the caller runs inside a transaction body of this database. */
export function isInside(database: object): boolean {
  const scope = storage?.getStore();
  return scope?.active === true && scope.database === database;
}
