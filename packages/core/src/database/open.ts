/** Opening: from a backend, a configuration or a URL. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type AnyDefinition, checkOptions, parseOptions } from "../backend/options.js";
import type { Backend } from "../backend/spi.js";
import { embedding } from "../embed/layer.js";
import { DataknobsError } from "../errors.js";
import type { Fields } from "../record/values.js";
import { Database, openBackend } from "./database.js";
import { definitionOf } from "./registry.js";
import type { InferInput, InferOutput } from "./schema.js";
import { callOf } from "./session.js";
import { checkSettings, type DatabaseSettings, settingKeys } from "./settings.js";

/** Names a backend and gives its options; `indexes` and the like may stand beside them. */
export interface DatabaseConfig extends DatabaseSettings {
  readonly backend: string;
  readonly [option: string]: unknown;
}

/** What a database is opened from. */
export type DatabaseSource = Backend | DatabaseConfig | string;

export type TypedDatabase<S> = S extends StandardSchemaV1 ? Database<InferInput<S>, InferOutput<S>> : Database<Fields>;

/**
 * Opens a database. Close it, or declare it with `await using`.
 *
 * Errors: `INVALID_CONFIG` for what cannot be right, `MISSING_DRIVER` where the backend's package is not installed,
 * `UNSUPPORTED` for a unique index on a backend without, `CORRUPT`, `PERMISSION_DENIED`, `UNAVAILABLE` from the store.
 *
 * @example
 * await using db = await openDatabase(sqlite({ path: "app.db" }), { indexes: [{ path: "age" }] });
 * const same = await openDatabase({ backend: "sqlite", path: "app.db", indexes: [{ path: "age" }] });
 * const url = await openDatabase("sqlite:app.db?table=people");
 */
export async function openDatabase<S extends StandardSchemaV1 | undefined = undefined>(
  source: DatabaseSource,
  settings: DatabaseSettings<S> = {},
): Promise<TypedDatabase<S>> {
  const { backend, settings: all } = await resolveSource(source, settings, definitionOf);
  const checked = checkSettings(all);
  const { embedder } = checked;
  const session = await openBackend(
    embedder === undefined ? backend : embedding(backend, embedder),
    checked,
    callOf(all),
  );
  return new Database(session) as unknown as TypedDatabase<S>;
}

/**
 * The backend that a configuration or URL names, not opened: for tools that open it themselves, more than once.
 *
 * Errors: as `openDatabase`, but those of the store.
 */
export async function backendFrom(source: DatabaseSource): Promise<Backend> {
  return (await resolveSource(source, {}, definitionOf)).backend;
}

type AnySettings = DatabaseSettings<StandardSchemaV1 | undefined>;

interface Resolved {
  readonly backend: Backend;
  readonly settings: AnySettings;
}

/** The backend and all settings, from any kind of source. */
async function resolveSource(
  source: DatabaseSource,
  settings: AnySettings,
  find: (name: unknown) => Promise<AnyDefinition>,
): Promise<Resolved> {
  const parts = splitSource(source, settings);
  if ("backend" in parts) return parts;
  return makeBackend(await find(parts.name), parts, settings);
}

export interface SourceParts {
  readonly name: unknown;
  readonly options: object | undefined;
  readonly url: ParsedUrl | undefined;
  readonly settings: AnySettings;
}

/** What a source says, before its backend is looked up. */
export function splitSource(source: DatabaseSource, settings: AnySettings): Resolved | SourceParts {
  if (typeof source === "string") {
    const url = parseUrl(source);
    return { name: url.scheme, options: undefined, url, settings };
  }
  if (typeof source !== "object" || source === null) {
    throw new DataknobsError(
      "INVALID_CONFIG",
      'openDatabase takes a backend such as sqlite({ path: "app.db" }), a configuration { backend: "sqlite", … } or a URL.',
    );
  }
  if (typeof (source as Backend).scan === "function" && typeof (source as Backend).write === "function") {
    return { backend: source as Backend, settings };
  }
  const { backend: name, ...rest } = source as DatabaseConfig;
  const options: { [key: string]: unknown } = {};
  const inline: { [key: string]: unknown } = {};
  for (const [key, value] of Object.entries(rest)) {
    // a backend may have a `timeout` of its own: in a configuration the name means that one
    const isSetting = (settingKeys as readonly string[]).includes(key) && key !== "timeout";
    (isSetting ? inline : options)[key] = value;
  }
  return { name, options, url: undefined, settings: { ...inline, ...settings } };
}

export function makeBackend(definition: AnyDefinition, parts: SourceParts, settings: AnySettings): Resolved {
  const { url, options } = parts;
  if (url === undefined)
    return { backend: definition.create(checkOptions(definition, options ?? {})), settings: parts.settings };
  if (definition.fromUrl === undefined) {
    throw new DataknobsError("INVALID_CONFIG", `The ${definition.name} backend cannot be opened by a URL.`);
  }
  const own = { ...definition.fromUrl(url), ...parseOptions(definition, url.parameters) };
  return { backend: definition.create(checkOptions(definition, own)), settings };
}

export interface ParsedUrl {
  readonly scheme: string;
  readonly rest: string;
  readonly href: string;
  readonly parameters: URLSearchParams;
}

/** Throws `INVALID_CONFIG`; `kind` is what the URL is of. */
export function parseUrl(text: string, kind = "database"): ParsedUrl {
  const match = /^([a-z][a-z0-9+.-]*):([^?]*)(?:\?(.*))?$/i.exec(text);
  const [, scheme, rest, search] = match ?? [];
  if (scheme === undefined || rest === undefined) {
    // never print the text: a URL may hold a password
    const example = kind === "database" ? "sqlite:app.db" : "memory:";
    throw new DataknobsError("INVALID_CONFIG", `A ${kind} URL begins with a backend, as in "${example}".`);
  }
  return { scheme: scheme.toLowerCase(), rest, href: `${scheme}:${rest}`, parameters: new URLSearchParams(search) };
}
