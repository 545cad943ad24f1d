/** Opening what a command line names: a URL, a file, or a store of the configuration. */
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import {
  type Database,
  type DatabaseConfig,
  DataknobsError,
  type IndexDeclaration,
  openDatabase,
} from "@dataknobs/core";

export interface StoreOptions {
  /** A file with named stores. */
  readonly config?: string | undefined;
  readonly env: { readonly [name: string]: string | undefined };
}

/** A store that is opened for this command only. */
export function openStore(name: string, options: StoreOptions): Promise<Database> {
  return openDatabase(sourceOf(name, options));
}

/** What `openDatabase` takes. Throws `INVALID_CONFIG`. */
export function sourceOf(name: string, options: StoreOptions): string | DatabaseConfig {
  if (name.startsWith("@")) return named(name.slice(1), options);
  if (/^[a-z][a-z0-9+.-]+:/i.test(name)) return name;
  if (isDataFile(name)) return `file:${name}`;
  throw new DataknobsError(
    "INVALID_CONFIG",
    `"${name}" names no store: give a URL such as sqlite:app.db, a data file (.jsonl, .json, .csv, .parquet), or @name of the ` +
      "configuration.",
  );
}

export function isDataFile(path: string): boolean {
  return [".jsonl", ".ndjson", ".json", ".csv", ".parquet"].includes(extname(path.replace(/\.gz$/, "")));
}

function named(name: string, { config, env }: StoreOptions): DatabaseConfig {
  const path = config ?? env["DATAKNOBS_CONFIG"] ?? "dataknobs.json";
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    throw bad(`The store @${name} needs a configuration, and ${path} cannot be read. Name one with --config.`);
  }
  let stores: { readonly [name: string]: unknown };
  try {
    stores = (JSON.parse(text) as { stores?: { [name: string]: unknown } }).stores ?? {};
  } catch {
    throw bad(`The configuration ${path} is not JSON.`);
  }
  const found = Object.hasOwn(stores, name) ? stores[name] : undefined;
  if (typeof found !== "object" || found === null) {
    throw bad(`The configuration ${path} has no store "${name}"; it has ${Object.keys(stores).join(", ") || "none"}.`);
  }
  return withSecrets(found, env, name) as DatabaseConfig;
}

/** `{ "env": "NAME" }` stands for what the environment has, so that no secret need be in the file. */
function withSecrets(value: unknown, env: StoreOptions["env"], store: string): unknown {
  if (Array.isArray(value)) return value.map((item) => withSecrets(item, env, store));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first?.[0] === "env" && typeof first[1] === "string") {
    const found = env[first[1]];
    if (found === undefined || found === "") {
      throw bad(`The store @${store} takes a value from the environment variable ${first[1]}, which is not set.`);
    }
    return found;
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, withSecrets(item, env, store)]));
}

/** How messages name a store: without a password. */
export function label(name: string): string {
  return name
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^/:@?]*):[^@/?]*@/i, "$1:…@")
    .replace(/([?&][^=&]*(?:key|secret|token|password)[^=&]*=)[^&]*/gi, "$1…");
}

/** `age`, `age:number`, `email:unique`, `bio:text`, as a declaration. */
export function indexOf(text: string): IndexDeclaration {
  const [path = "", ...tags] = text.split(/(?<!\\):/).map((part) => part.replaceAll("\\:", ":"));
  const declaration: { path: string; type?: string; unique?: boolean; text?: boolean } = { path };
  for (const tag of tags) {
    if (tag === "unique") declaration.unique = true;
    else if (tag === "text") declaration.text = true;
    else declaration.type = tag;
  }
  return declaration as IndexDeclaration;
}

function bad(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message);
}
