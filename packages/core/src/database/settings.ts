/** What `openDatabase` takes beside the backend, checked, and the session made of it. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Backend, Capabilities } from "../backend/spi.js";
import { Embedder } from "../embed/embedder.js";
import { checkEmbed, type EmbedOptions } from "../embed/options.js";
import { DataknobsError } from "../errors.js";
import { defaultBatchSize } from "../plan/plan.js";
import { nearest } from "../query/nearest.js";
import { checkIndexes, type IndexDeclaration, type IndexSpec } from "./indexes.js";
import { checkSchema } from "./schema.js";
import { typedBySchema } from "./schema-types.js";
import type { CallOptions, Session } from "./session.js";

export interface DatabaseSettings<S extends StandardSchemaV1 | undefined = undefined> extends CallOptions {
  /** A Standard Schema: checks every write, gives the types of records. */
  readonly schema?: S | undefined;
  /** Fields that queries ask for often. */
  readonly indexes?: readonly IndexDeclaration[] | undefined;
  /** Vectors made of texts at every write. */
  readonly embed?: EmbedOptions | undefined;
  /** `"error"`: refuse queries of which core would do a part in memory. Default `"allow"`. */
  readonly residual?: "allow" | "error" | undefined;
  /** Records that a sort or ranking in memory may hold. Default 1,000,000; `LIMIT_EXCEEDED` beyond. */
  readonly maxBuffered?: number | undefined;
  /** Records per batch within streams and bulk changes. Default 1000. */
  readonly batchSize?: number | undefined;
}

export const settingKeys = [
  "schema",
  "indexes",
  "embed",
  "residual",
  "maxBuffered",
  "batchSize",
  "signal",
  "timeout",
] as const;

const settingDefaults = { maxBuffered: 1_000_000, batchSize: defaultBatchSize } as const;

export interface CheckedSettings {
  readonly schema: StandardSchemaV1 | undefined;
  readonly indexes: readonly IndexSpec[];
  readonly embedder: Embedder | undefined;
  readonly residual: "allow" | "error";
  readonly maxBuffered: number;
  readonly batchSize: number;
}

/** Throws `INVALID_CONFIG`. */
export function checkSettings(settings: DatabaseSettings<StandardSchemaV1 | undefined>): CheckedSettings {
  for (const key of Object.keys(settings)) {
    if (!(settingKeys as readonly string[]).includes(key)) {
      throw bad(`A database has no option "${key}".${nearest(key, settingKeys)} It has ${settingKeys.join(", ")}.`);
    }
  }
  const { schema, residual = "allow" } = settings;
  checkSchema(schema);
  if (residual !== "allow" && residual !== "error") throw bad('`residual` is "allow" or "error".');
  const indexes = typedBySchema(checkIndexes(settings.indexes), schema);
  return {
    schema,
    indexes,
    embedder: settings.embed && new Embedder(checkEmbed(settings.embed), dimensionsOf(indexes)),
    residual,
    maxBuffered: checkNumber(settings, "maxBuffered"),
    batchSize: checkNumber(settings, "batchSize"),
  };
}

/** Of fields of the data that are declared for vectors, by pointer. */
function dimensionsOf(indexes: readonly IndexSpec[]): ReadonlyMap<string, number> {
  const declared = indexes.filter(({ path, vector }) => vector !== undefined && path.root === "data");
  return new Map(declared.map(({ path, vector }) => [path.pointer, vector?.dimensions as number]));
}

function checkNumber(settings: object, name: keyof typeof settingDefaults): number {
  const value = (settings as { [key: string]: unknown })[name] ?? settingDefaults[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1) {
    throw bad(`\`${name}\` is a whole number, 1 or more.`);
  }
  return value;
}

/** Throws `UNSUPPORTED` where the backend cannot keep what the indexes promise. */
export function checkUnique(backend: Backend, indexes: readonly IndexSpec[]): void {
  const unique = indexes.find((index) => index.unique);
  if (unique === undefined || backend.capabilities.unique) return;
  throw new DataknobsError(
    "UNSUPPORTED",
    `The ${backend.name} backend cannot enforce the unique index on "${unique.path.text}".`,
    { backend: backend.name, index: unique.name },
  );
}

export function makeSession(backend: Backend, capabilities: Capabilities, settings: CheckedSettings): Session {
  return Object.freeze({
    ...settings,
    name: backend.name,
    store: backend,
    backend,
    get compiler() {
      return backend.compiler;
    },
    capabilities,
    vectorFields: settings.indexes.flatMap(({ path, vector }) => (vector === undefined ? [] : [{ path, vector }])),
    textFields: settings.indexes.filter((index) => index.text).map((index) => index.path),
  });
}

/** Those that the backend is told of: of vectors only where its engine looks at them. */
export function indexesFor(capabilities: Capabilities, indexes: readonly IndexSpec[]): readonly IndexSpec[] {
  return capabilities.nearest === undefined ? indexes.filter(({ vector }) => vector === undefined) : indexes;
}

/** Declared and, after opening, narrowed capabilities; frozen. What is narrowed to `undefined` is not there. */
export function narrowed(declared: Capabilities, found: Partial<Capabilities> | undefined): Capabilities {
  const all = { ...declared, ...found, limits: Object.freeze({ ...declared.limits, ...found?.limits }) };
  return Object.freeze(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))) as never;
}

function bad(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message);
}
