/** Opening a vector store: from a backend, a configuration or a URL. */
import { checkOptions, parseOptions } from "../backend/options.js";
import { type ParsedUrl, parseUrl } from "../database/open.js";
import { callOf } from "../database/session.js";
import { DataknobsError } from "../errors.js";
import { vectorDefinitionOf } from "./define.js";
import { checkVectorSettings, type VectorSettings, vectorSettingKeys } from "./settings.js";
import type { VectorBackend } from "./spi.js";
import { openVectorBackend, type VectorStore } from "./store.js";

/** Names a vector store and gives its options, with the settings beside them. */
export interface VectorStoreConfig extends VectorSettings {
  readonly backend: string;
  readonly [option: string]: unknown;
}

/** What a vector store is opened from. */
export type VectorStoreSource = VectorBackend | VectorStoreConfig | string;

/**
 * Opens a vector store. Close it, or declare it with `await using`.
 *
 * Errors: `INVALID_CONFIG` for what cannot be right, a store with other dimensions or another metric than asked among
 * it, `MISSING_DRIVER` where the store's package is not installed, `UNSUPPORTED` for a metric that it does not have,
 * `CORRUPT`, `PERMISSION_DENIED`, `UNAVAILABLE` from the store.
 *
 * @example
 * await using store = await openVectorStore(vectorMemory(), { dimensions: 384, metric: "cosine" });
 * const same = await openVectorStore({ backend: "memory", dimensions: 384, scope: "tenant-1" });
 * const url = await openVectorStore("memory:vectors.dkv?dimensions=384&metric=dot");
 */
export async function openVectorStore(source: VectorStoreSource, settings: VectorSettings = {}): Promise<VectorStore> {
  const { backend, settings: all } = await resolve(source, settings);
  return openVectorBackend(backend, checkVectorSettings(all, backend), callOf(all));
}

interface Resolved {
  readonly backend: VectorBackend;
  readonly settings: VectorSettings;
}

async function resolve(source: VectorStoreSource, settings: VectorSettings): Promise<Resolved> {
  if (typeof source === "string") return fromUrl(parseUrl(source, "vector store"), settings);
  if (typeof source !== "object" || source === null) {
    throw new DataknobsError(
      "INVALID_CONFIG",
      'openVectorStore takes a backend such as vectorMemory(), a configuration { backend: "memory", … } or a URL.',
    );
  }
  if (
    typeof (source as VectorBackend).search === "function" &&
    typeof (source as VectorBackend).upsert === "function"
  ) {
    return { backend: source as VectorBackend, settings };
  }
  const { backend: name, ...rest } = source as VectorStoreConfig;
  const definition = await vectorDefinitionOf(name);
  const options: { [key: string]: unknown } = {};
  const inline: { [key: string]: unknown } = {};
  for (const [key, value] of Object.entries(rest)) {
    const own = key === "batch_size" ? "batchSize" : key;
    // an option of the backend's own may be called as a setting is: in a configuration the name means that one
    const isSetting = (vectorSettingKeys as readonly string[]).includes(own) && !Object.hasOwn(definition.options, own);
    if (isSetting) inline[own] = value;
    else options[key] = value;
  }
  return { backend: definition.create(checkOptions(definition, options)), settings: { ...inline, ...settings } };
}

const urlSettings = {
  name: "vector store",
  options: {
    dimensions: { type: "number" },
    metric: { type: "string" },
    scope: { type: "string" },
    residual: { type: "string" },
    batchSize: { type: "number" },
  },
} as const;

async function fromUrl(url: ParsedUrl, settings: VectorSettings): Promise<Resolved> {
  const definition = await vectorDefinitionOf(url.scheme);
  if (definition.fromUrl === undefined) {
    throw new DataknobsError("INVALID_CONFIG", `The ${definition.name} vector store cannot be opened by a URL.`);
  }
  const isSetting = ([key]: readonly [string, string]): boolean =>
    Object.hasOwn(urlSettings.options, key) && !Object.hasOwn(definition.options, key);
  const parameters = [...url.parameters];
  const inline = parseOptions(urlSettings, parameters.filter(isSetting)) as VectorSettings;
  const rest = parameters.filter((parameter) => !isSetting(parameter));
  const options = { ...definition.fromUrl(url), ...parseOptions(definition, rest) };
  return { backend: definition.create(checkOptions(definition, options)), settings: { ...inline, ...settings } };
}
