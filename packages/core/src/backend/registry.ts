/** Stores by name: registered, or imported on demand from the user's own dependencies. */
import { DataknobsError } from "../errors.js";
import { nearest } from "../query/nearest.js";

export interface RegistryOptions {
  /** What errors call them: "backend". */
  readonly noun: string;
  /** The function that makes others known, for errors. */
  readonly register: string;
  /** Packages of ours: what a name is imported from and which export has the definition. */
  readonly known: { readonly [name: string]: { readonly package: string; readonly export: string } };
  /** Other spellings that people use. */
  readonly aliases: { readonly [name: string]: string };
}

interface Place {
  readonly package: string;
  readonly export: string;
}

export class Registry<D extends { readonly name: string }> {
  readonly #options: RegistryOptions;
  readonly #registered = new Map<string, D>();

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** `INVALID_CONFIG` where another of that name is registered. */
  register(definition: D): void {
    const before = this.#registered.get(definition.name);
    if (before !== undefined && before !== definition) {
      throw new DataknobsError(
        "INVALID_CONFIG",
        `A ${this.#options.noun} named "${definition.name}" is registered already.`,
      );
    }
    this.#registered.set(definition.name, definition);
  }

  names(): string[] {
    return [...new Set([...this.#registered.keys(), ...Object.keys(this.#options.known)])];
  }

  /** Throws `INVALID_CONFIG` or `MISSING_DRIVER`. */
  async find(name: unknown): Promise<D> {
    const found = this.#lookUp(name);
    return "package" in found ? this.#definitionIn(await importPackage(found.package), found) : found;
  }

  /** The same at once, by `require`. */
  findSync(name: unknown): D {
    const found = this.#lookUp(name);
    if (!("package" in found)) return found;
    for (const require of requires()) {
      try {
        return this.#definitionIn(require(found.package), found);
      } catch (error) {
        if (!isMissing(error, found.package)) throw error;
      }
    }
    throw missing(found.package, undefined);
  }

  #lookUp(name: unknown): D | Place {
    const { noun, register, known, aliases } = this.#options;
    if (typeof name !== "string") {
      throw new DataknobsError("INVALID_CONFIG", `\`backend\` names a ${noun}: ${this.names().join(", ")}.`);
    }
    const canonical = Object.hasOwn(aliases, name) ? (aliases[name] as string) : name;
    const found = this.#registered.get(canonical) ?? (Object.hasOwn(known, canonical) ? known[canonical] : undefined);
    if (found !== undefined) return found;
    throw new DataknobsError(
      "INVALID_CONFIG",
      `There is no ${noun} "${name}".${nearest(name, this.names())} Known: ${this.names().join(", ")}. ` +
        `Others are made known by ${register}.`,
      { backend: name },
    );
  }

  #definitionIn(module: unknown, { export: name, package: from }: Place): D {
    const factory = (module as { readonly [key: string]: { readonly definition?: D } })[name];
    if (factory?.definition === undefined) {
      throw new DataknobsError(
        "INVALID_CONFIG",
        `The package ${from} does not export the ${this.#options.noun} "${name}".`,
      );
    }
    return factory.definition;
  }
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
