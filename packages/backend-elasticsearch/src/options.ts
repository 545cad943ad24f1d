/** Options of the Elasticsearch backend. */
import type { ConnectionOptions } from "node:tls";
import { type BackendDefinition, type BackendUrl, DataknobsError } from "@dataknobs/core/backend";

/**
 * What is asked of a client; any `Client` of `@elastic/elasticsearch` 9 has it. Its own type is not named here, since
 * its declarations do not compile without `skipLibCheck`.
 */
export interface ElasticsearchClient {
  readonly transport: {
    request(
      params: {
        readonly method: string;
        readonly path: string;
        readonly querystring?: { [name: string]: unknown };
        readonly body?: object | string;
        readonly bulkBody?: string;
      },
      options?: object,
    ): Promise<unknown>;
  };
  close(): Promise<void>;
}

export interface ElasticsearchOptions {
  /** Addresses of the cluster's nodes, or one. Default `http://localhost:9200`. */
  readonly hosts?: string | readonly string[];
  /** Default `"records"`; made when it is not there. An alias of one index will do. */
  readonly index?: string;
  readonly username?: string;
  readonly password?: string;
  /** As Kibana and the API give it, encoded. Instead of a user. */
  readonly apiKey?: string;
  /** Of `node:tls`: `{ ca, rejectUnauthorized, … }`. */
  readonly tls?: ConnectionOptions;
  /** SHA-256 fingerprint of the CA, as the server prints it at its first start. */
  readonly caFingerprint?: string;
  /** Milliseconds for one request. Default 60,000. */
  readonly requestTimeout?: number;
  /** Of an index that is made. Default 1. */
  readonly shards?: number;
  /** Of an index that is made. Default: the cluster's. */
  readonly replicas?: number;
  /** All records of this index lie on the shard that this text names. */
  readonly routing?: string;
  /**
   * `false` (default): a query refreshes first when this database has written since. `"wait_for"`: a write returns
   * when every query sees it. `true`: it forces that, which is dear.
   */
  readonly refresh?: boolean | "wait_for";
  /** More settings of an index that is made: `{ refresh_interval: "30s", analysis: { … } }`. */
  readonly settings?: { readonly [name: string]: unknown };
  /** Mappings of data fields by name, for Kibana and other tools: `{ age: { type: "integer" } }`. */
  readonly mappings?: { readonly [field: string]: object };
  /** Another name for the index, for other tools. */
  readonly alias?: string;
  /** Analyzers that `match` may name, of Elasticsearch or of `settings`; each indexes the text fields once more. */
  readonly analyzers?: readonly string[];
  /** `false`: makes no index, field or alias; what is missing is an error. Default true. */
  readonly manage?: boolean;
  /** A client of your own; it is not closed. Instead of the options about the connection. */
  readonly client?: ElasticsearchClient;
}

/** Options with their defaults, checked. */
export interface Settings {
  readonly index: string;
  readonly alias: string | undefined;
  readonly shards: number;
  readonly replicas: number | undefined;
  readonly routing: string | undefined;
  readonly refresh: "false" | "true" | "wait_for";
  readonly settings: { readonly [name: string]: unknown };
  readonly mappings: { readonly [field: string]: object } | undefined;
  readonly analyzers: readonly string[];
  readonly manage: boolean;
  readonly client: ElasticsearchClient | undefined;
  /** Options of a client that we make. */
  readonly connection: { readonly [name: string]: unknown };
}

export const optionSpecs: BackendDefinition<ElasticsearchOptions>["options"] = {
  hosts: { type: "any" },
  index: { type: "string" },
  username: { type: "string" },
  password: { type: "string", secret: true },
  apiKey: { type: "string", secret: true },
  tls: { type: "any", secret: true },
  caFingerprint: { type: "string" },
  requestTimeout: { type: "number", min: 1, integer: true },
  shards: { type: "number", min: 1, integer: true },
  replicas: { type: "number", min: 0, integer: true },
  routing: { type: "string" },
  refresh: { type: "any" },
  settings: { type: "any" },
  mappings: { type: "any" },
  alias: { type: "string" },
  analyzers: { type: "any" },
  manage: { type: "boolean" },
  client: { type: "any", secret: true },
};

/** `elasticsearch://host:9200/index` over HTTP, `elasticsearch:https://user:secret@host:9200/index` as it says. */
export function fromUrl({ rest }: BackendUrl): Partial<ElasticsearchOptions> {
  let url: URL;
  try {
    url = new URL(rest.startsWith("//") ? `http:${rest}` : rest);
  } catch {
    throw bad('takes a URL such as "elasticsearch:https://host:9200/index"');
  }
  const index = decodeURIComponent(url.pathname.slice(1));
  return {
    hosts: url.origin,
    ...(index !== "" && { index }),
    ...(url.username !== "" && { username: decodeURIComponent(url.username) }),
    ...(url.password !== "" && { password: decodeURIComponent(url.password) }),
  };
}

const connectionKeys = ["hosts", "username", "password", "apiKey", "tls", "caFingerprint", "requestTimeout"] as const;
/** Elasticsearch's own rules for names of indexes and aliases. */
const forbidden = /[\\/*?"<>| ,#:A-Z]|^[-_+]|^\.{1,2}$/;

export function settingsOf(options: ElasticsearchOptions): Settings {
  const { index = "records", alias, refresh = false, settings = {}, mappings, analyzers = [], client } = options;
  checkName("index", index);
  if (alias !== undefined) checkName("alias", alias);
  if (refresh !== "wait_for" && typeof refresh !== "boolean")
    throw bad('takes true, false or "wait_for" for "refresh"');
  if (!isObject(settings)) throw bad('takes an object for "settings"');
  if (mappings !== undefined && !isObject(mappings)) throw bad('takes an object for "mappings"');
  if (!isTexts(analyzers) || analyzers.some((name) => !/^[a-zA-Z][\w-]*$/.test(name))) {
    throw bad('takes a list of names for "analyzers"');
  }
  if (options.routing === "") throw bad('takes a text for "routing"');
  if (client !== undefined) {
    if (!isObject(client.transport)) throw bad('takes a Client of @elastic/elasticsearch for "client"');
    const stray = connectionKeys.find((key) => options[key] !== undefined);
    if (stray !== undefined) throw bad(`takes "client" or "${stray}", not both`);
  }
  return Object.freeze({
    index,
    alias,
    shards: options.shards ?? 1,
    replicas: options.replicas,
    routing: options.routing,
    refresh: `${refresh}` as Settings["refresh"],
    settings,
    mappings,
    analyzers: [...analyzers].sort(),
    manage: options.manage ?? true,
    client,
    connection: connectionOf(options),
  });
}

/** Servers and index; which servers a client of the user's own talks to is its business. */
export function locationOf({ connection, client, alias, index }: Settings): string {
  const nodes = client === undefined ? (connection["nodes"] as string[]).map((node) => new URL(node).host).sort() : [];
  return `${nodes.join(",")}/${alias ?? index}`;
}

function connectionOf(options: ElasticsearchOptions): Settings["connection"] {
  const { hosts = "http://localhost:9200", username, password, apiKey, tls, caFingerprint } = options;
  const nodes = typeof hosts === "string" ? hosts.split(",") : hosts;
  if (!isTexts(nodes) || nodes.length === 0) throw bad('takes an address or a list of addresses for "hosts"');
  for (const node of nodes) {
    // never print the text: a URL may hold a password
    if (!/^https?:$/.test(URL.parse(node)?.protocol ?? "")) {
      throw bad('takes addresses such as "https://localhost:9200" for "hosts"');
    }
  }
  if (apiKey !== undefined && (username ?? password) !== undefined) throw bad('takes "apiKey" or a user, not both');
  if ((username === undefined) !== (password === undefined)) throw bad('takes "username" and "password" together');
  return {
    nodes: [...nodes],
    requestTimeout: options.requestTimeout ?? 60_000,
    // each other node once, without delay: waiting and trying again is for the retry layer
    maxRetries: nodes.length - 1,
    ...(apiKey !== undefined && { auth: { apiKey } }),
    ...(username !== undefined && password !== undefined && { auth: { username, password } }),
    ...(tls !== undefined && tls !== null && { tls }),
    ...(caFingerprint !== undefined && { caFingerprint }),
  };
}

function checkName(option: string, name: string): void {
  if (name === "" || forbidden.test(name) || Buffer.byteLength(name) > 200) {
    throw bad(`takes a name of lower-case letters, digits, "-", "_" and "." for "${option}", of 200 bytes at most`);
  }
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string" && item !== "");
}

function bad(what: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", `The elasticsearch backend ${what}.`, { backend: "elasticsearch" });
}
