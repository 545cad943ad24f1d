/** Record backends by name: registered, or imported on demand from the user's own dependencies. */
import type { AnyDefinition } from "../backend/options.js";
import { Registry } from "../backend/registry.js";

const backends: Registry<AnyDefinition> = new Registry({
  noun: "backend",
  register: "registerBackend",
  known: {
    memory: { package: "@dataknobs/backend-memory", export: "memory" },
    file: { package: "@dataknobs/backend-file", export: "file" },
    sqlite: { package: "@dataknobs/backend-sqlite", export: "sqlite" },
    duckdb: { package: "@dataknobs/backend-duckdb", export: "duckdb" },
    postgres: { package: "@dataknobs/backend-postgres", export: "postgres" },
    elasticsearch: { package: "@dataknobs/backend-elasticsearch", export: "elasticsearch" },
    s3: { package: "@dataknobs/backend-s3", export: "s3" },
  },
  aliases: { mem: "memory", sqlite3: "sqlite", postgresql: "postgres", pg: "postgres", es: "elasticsearch" },
});

/**
 * Makes a backend known by its name, for configurations and URLs. Takes the factory that `defineBackend` made.
 * `INVALID_CONFIG` where another of that name is registered.
 */
export function registerBackend(factory: { readonly definition: object }): void {
  backends.register(factory.definition as AnyDefinition);
}

/** Every name that `openDatabase` knows. */
export function backendNames(): string[] {
  return backends.names();
}

/** The definition of a backend by name. Throws `INVALID_CONFIG` or `MISSING_DRIVER`. */
export function definitionOf(name: unknown): Promise<AnyDefinition> {
  return backends.find(name);
}

/** The same at once, by `require`, for synchronous opening. */
export function definitionOfSync(name: unknown): AnyDefinition {
  return backends.findSync(name);
}
