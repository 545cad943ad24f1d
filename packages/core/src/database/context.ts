/** Which database's transaction body is running, where the platform can tell (Node, Deno, Bun). */

interface Storage {
  run<R>(store: object, body: () => R): R;
  getStore(): object | undefined;
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
export function runInside<R>(database: object, body: () => R): R {
  const context = contextStorage();
  return context === undefined ? body() : context.run(database, body);
}

/** Whether the caller runs inside a transaction body of this database. */
export function isInside(database: object): boolean {
  return storage !== null && storage?.getStore() === database;
}
