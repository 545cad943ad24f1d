/** Options of a backend: declared once, checked the same way from code, configuration and URLs. */
import { DataknobsError, type ErrorCode } from "../errors.js";
import { nearest } from "../query/nearest.js";
import type { Backend } from "./spi.js";

export type OptionSpec =
  | { readonly type: "string"; readonly oneOf?: readonly string[]; readonly secret?: boolean }
  | { readonly type: "number"; readonly min?: number; readonly integer?: boolean }
  | { readonly type: "boolean" }
  /** Lists, objects, clients: checked by the backend itself; not from a URL. */
  | { readonly type: "any"; readonly secret?: boolean };

export interface BackendDefinition<Options extends object = object, B = Backend> {
  /** `sqlite`: what `backend` says in a configuration. */
  readonly name: string;
  /** Every option there is; others are refused with the nearest name. `snake_case` spellings are accepted. */
  readonly options: { readonly [K in keyof Options]-?: OptionSpec };
  /** Does no I/O. */
  create(options: Options): B;
  /** Options from a URL beside its query parameters, which core reads. */
  fromUrl?(url: BackendUrl): Partial<Options>;
}

/** A definition whose options only itself knows. */
export interface AnyDefinition<B = Backend> {
  readonly name: string;
  readonly options: { readonly [name: string]: OptionSpec };
  create(options: object): B;
  fromUrl?(url: BackendUrl): object;
}

/** A URL in parts: `sqlite:./app.db?table=t` has scheme `sqlite` and rest `./app.db`. */
export interface BackendUrl {
  readonly scheme: string;
  /** What follows the scheme and its colon, without query parameters; percent-encoding untouched. */
  readonly rest: string;
  /** The whole without query parameters, for `new URL`. */
  readonly href: string;
}

/** A factory that users call with options; it carries its definition for configurations and URLs. */
export interface BackendFactory<Options extends object = object, B = Backend> {
  (options?: Options): B;
  readonly definition: BackendDefinition<Options, B>;
}

/**
 * Makes the factory that a backend package exports.
 *
 * @example
 * export const memory = defineBackend<MemoryOptions>({ name: "memory", options: { capacity: { type: "number" } }, create: … });
 */
export function defineBackend<Options extends object>(definition: BackendDefinition<Options>): BackendFactory<Options> {
  return factoryOf(definition);
}

/** The factory of a definition of any kind of store. */
export function factoryOf<Options extends object, B>(
  definition: BackendDefinition<Options, B>,
): BackendFactory<Options, B> {
  const factory = (options?: Options): B =>
    definition.create(checkOptions(definition as unknown as AnyDefinition, options ?? {}) as Options);
  return Object.assign(factory, { definition });
}

/** The options under their right names. Throws `INVALID_CONFIG`; never prints a value that may be secret. */
export function checkOptions(
  definition: Pick<AnyDefinition, "name" | "options">,
  input: object,
  code: ErrorCode = "INVALID_CONFIG",
): object {
  try {
    return checkedOptions(definition, input);
  } catch (error) {
    if (!DataknobsError.is(error) || code === error.code) throw error;
    throw new DataknobsError(code, error.message, error.details);
  }
}

function checkedOptions(definition: Pick<AnyDefinition, "name" | "options">, input: object): object {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw bad(definition.name, `takes an object of options`);
  }
  const specs = definition.options;
  const known = Object.keys(specs);
  const checked: { [name: string]: unknown } = {};
  for (const [key, value] of Object.entries(input)) {
    const name = Object.hasOwn(specs, key)
      ? key
      : key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (spec === undefined) {
      throw bad(definition.name, `has no option "${key}".${nearest(key, known)} It has ${known.join(", ") || "none"}`);
    }
    if (value === undefined) continue;
    if (Object.hasOwn(checked, name)) throw bad(definition.name, `got the option "${name}" twice, as "${key}" too`);
    checkOption(definition.name, name, value, spec);
    checked[name] = value;
  }
  return checked;
}

function checkOption(backend: string, name: string, value: unknown, spec: OptionSpec): void {
  switch (spec.type) {
    case "string":
      if (typeof value !== "string") throw bad(backend, `takes a string for "${name}"`);
      if (spec.oneOf !== undefined && !spec.oneOf.includes(value)) {
        throw bad(backend, `takes ${spec.oneOf.join(", ")} for "${name}"`);
      }
      return;
    case "number":
      if (typeof value !== "number" || !Number.isFinite(value)) throw bad(backend, `takes a number for "${name}"`);
      if (spec.integer === true && !Number.isInteger(value)) throw bad(backend, `takes a whole number for "${name}"`);
      if (spec.min !== undefined && value < spec.min) throw bad(backend, `takes ${spec.min} or more for "${name}"`);
      return;
    case "boolean":
      if (typeof value !== "boolean") throw bad(backend, `takes true or false for "${name}"`);
      return;
    case "any":
      return;
  }
}

/** Options from the text of a URL's query parameters. */
export function parseOptions(
  definition: Pick<AnyDefinition, "name" | "options">,
  parameters: Iterable<[string, string]>,
): object {
  const specs = definition.options;
  const options: { [name: string]: unknown } = {};
  for (const [key, text] of parameters) {
    const name = Object.hasOwn(specs, key)
      ? key
      : key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (spec?.type === "any") throw bad(definition.name, `cannot take "${key}" from a URL; pass it in code`);
    if (spec?.type === "number" && text.trim() !== "" && Number.isFinite(Number(text))) options[key] = Number(text);
    else if (spec?.type === "boolean" && (text === "true" || text === "1")) options[key] = true;
    else if (spec?.type === "boolean" && (text === "false" || text === "0")) options[key] = false;
    else options[key] = text;
  }
  return options;
}

function bad(backend: string, what: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", `The ${backend} backend ${what}.`, { backend });
}
