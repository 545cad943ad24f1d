/** Backends by name: registered, or imported on demand from the user's own dependencies. */
import type { AnyDefinition } from "../backend/options.js";
import { DataknobsError } from "../errors.js";
import { nearest } from "../query/nearest.js";

const registered = new Map<string, AnyDefinition>();

/** Packages of ours: what a name is imported from and which export has the definition. */
const known: { readonly [name: string]: { readonly package: string; readonly export: string } } = {
  memory: { package: "@dataknobs/backend-memory", export: "memory" },
  file: { package: "@dataknobs/backend-file", export: "file" },
  sqlite: { package: "@dataknobs/backend-sqlite", export: "sqlite" },
  duckdb: { package: "@dataknobs/backend-duckdb", export: "duckdb" },
  postgres: { package: "@dataknobs/backend-postgres", export: "postgres" },
  elasticsearch: { package: "@dataknobs/backend-elasticsearch", export: "elasticsearch" },
  s3: { package: "@dataknobs/backend-s3", export: "s3" },
};

/** Other spellings that people use. */
const aliases: { readonly [name: string]: string } = {
  mem: "memory",
  sqlite3: "sqlite",
  postgresql: "postgres",
  pg: "postgres",
  es: "elasticsearch",
};

/**
 * Makes a backend known by its name, for configurations and URLs. Takes the factory that `defineBackend` made.
 * `INVALID_CONFIG` where another of that name is registered.
 */
export function registerBackend(factory: { readonly definition: object }): void {
  const definition = factory.definition as AnyDefinition;
  const before = registered.get(definition.name);
  if (before !== undefined && before !== definition) {
    throw new DataknobsError("INVALID_CONFIG", `A backend named "${definition.name}" is registered already.`);
  }
  registered.set(definition.name, definition);
}

/** Every name that `openDatabase` knows. */
export function backendNames(): string[] {
  return [...new Set([...registered.keys(), ...Object.keys(known)])];
}

function lookUp(
  name: unknown,
): AnyDefinition | { readonly package: string; readonly export: string; readonly name: string } {
  if (typeof name !== "string") {
    throw new DataknobsError("INVALID_CONFIG", `\`backend\` names a backend: ${backendNames().join(", ")}.`);
  }
  const canonical = Object.hasOwn(aliases, name) ? (aliases[name] as string) : name;
  const definition = registered.get(canonical);
  if (definition !== undefined) return definition;
  const place = Object.hasOwn(known, canonical) ? known[canonical] : undefined;
  if (place !== undefined) return { ...place, name: canonical };
  throw new DataknobsError(
    "INVALID_CONFIG",
    `There is no backend "${name}".${nearest(name, backendNames())} Known: ${backendNames().join(", ")}. ` +
      "Others are made known by registerBackend.",
    { backend: name },
  );
}

interface NodeModule {
  createRequire(from: string): ((name: string) => unknown) & { resolve(name: string): string };
}
interface NodeUrl {
  pathToFileURL(path: string): URL;
}
interface NodeProcess {
  cwd(): string;
  readonly argv: readonly string[];
  getBuiltinModule?(name: string): unknown;
}

/** The definition of a backend by name. Throws `INVALID_CONFIG` or `MISSING_DRIVER`. */
export async function definitionOf(name: unknown): Promise<AnyDefinition> {
  const found = lookUp(name);
  if ("create" in found) return found;
  return definitionIn(await importPackage(found.package), found);
}

/** The same at once, by `require`, for synchronous opening. */
export function definitionOfSync(name: unknown): AnyDefinition {
  const found = lookUp(name);
  if ("create" in found) return found;
  for (const require of requires()) {
    try {
      return definitionIn(require(found.package), found);
    } catch (error) {
      if (!isMissing(error, found.package)) throw error;
    }
  }
  throw missing(found.package, undefined);
}

function definitionIn(
  module: unknown,
  { export: name, package: from }: { export: string; package: string },
): AnyDefinition {
  const factory = (module as { readonly [key: string]: { readonly definition?: AnyDefinition } })[name];
  if (factory?.definition === undefined) {
    throw new DataknobsError("INVALID_CONFIG", `The package ${from} does not export the backend "${name}".`);
  }
  return factory.definition;
}

async function importPackage(name: string): Promise<unknown> {
  // The user's project first: where this package is linked from elsewhere, its own folder does not see what the
  // user installed.
  for (const require of requires()) {
    let path: string;
    try {
      path = require.resolve(name);
    } catch (error) {
      if (!isMissing(error, name)) throw error;
      continue;
    }
    const url = (process_()?.getBuiltinModule?.("node:url") as NodeUrl | undefined)?.pathToFileURL(path).href;
    return import(url ?? path);
  }
  try {
    return await import(name);
  } catch (error) {
    throw isMissing(error, name) ? missing(name, error) : error;
  }
}

function process_(): NodeProcess | undefined {
  return (globalThis as { readonly process?: NodeProcess }).process;
}

/** `require` as seen from the user's project: the folder it was started in, then the script's. */
function* requires(): Generator<((name: string) => unknown) & { resolve(name: string): string }> {
  const process = process_();
  const module = process?.getBuiltinModule?.("node:module") as NodeModule | undefined;
  if (process === undefined || module === undefined) return;
  yield module.createRequire(`${process.cwd()}/`);
  const script = process.argv[1];
  if (script !== undefined) yield module.createRequire(script);
}

function isMissing(error: unknown, name: string): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return (code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND") && String(message).includes(name);
}

function missing(name: string, cause: unknown): DataknobsError {
  return new DataknobsError(
    "MISSING_DRIVER",
    `The package ${name} is not installed. Install it beside @dataknobs/core: npm install ${name}`,
    { package: name },
    cause === undefined ? undefined : { cause },
  );
}
