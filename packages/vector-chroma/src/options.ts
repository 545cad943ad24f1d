/** Options of the Chroma store. */
import { type BackendUrl, DataknobsError } from "@dataknobs/core/backend";
import type { VectorBackendDefinition } from "@dataknobs/core/vector";
import { ChromaClient, type ChromaClientArgs, CloudClient } from "chromadb";

export interface ChromaOptions {
  /** `http://localhost:8000`; instead of `host`, `port` and `ssl`. */
  readonly url?: string;
  /** Default `"localhost"`; with `apiKey`, Chroma Cloud. */
  readonly host?: string;
  /** Default 8000; with `apiKey` 443. */
  readonly port?: number;
  /** Default false; with `apiKey` true. */
  readonly ssl?: boolean;
  /** Sent with every request: `{ Authorization: "Bearer …" }`. */
  readonly headers?: { readonly [name: string]: string };
  /** Of Chroma Cloud. */
  readonly apiKey?: string;
  /** Of Chroma, not of this store's scopes. Default `"default_tenant"`; with `apiKey` the key's own. */
  readonly tenant?: string;
  /** Default `"default_database"`; with `apiKey` the key's own. */
  readonly database?: string;
  /** Default `"vectors"`: 3 to 512 of letters, digits, `.`, `_` and `-`. Made where it is missing. */
  readonly collection?: string;
  /** `false`: a collection that is missing is an error. Default true. */
  readonly create?: boolean;
  /** HNSW: candidates while the index is built. Of a collection that is made. Chroma's default is 100. */
  readonly efConstruction?: number;
  /** HNSW: candidates of a search. Changed where the collection has another. Chroma's default is 100. */
  readonly efSearch?: number;
  /** HNSW: neighbours of a vector. Of a collection that is made. Chroma's default is 16. */
  readonly maxNeighbors?: number;
  /**
   * `false`: vectors under cosine come back as Chroma gives them, mostly scaled to length 1, and loading is about a
   * quarter faster. Default true: as they were given, to the bit.
   */
  readonly exactVectors?: boolean;
  /** The most rows in one request. Default: what the server says; with `apiKey` at most 300, Chroma Cloud's quota. */
  readonly pageSize?: number;
  /** A client of chromadb to use instead of the options that name a server. */
  readonly client?: ChromaClientLike;
}

/**
 * What is asked of a client; any `ChromaClient` or `CloudClient` of chromadb 3 has it. Its own type is not named here,
 * since its declarations do not compile without `skipLibCheck`.
 */
export interface ChromaClientLike {
  getCollection(options: never): Promise<unknown>;
  getOrCreateCollection(options: never): Promise<unknown>;
  getMaxBatchSize(): Promise<number>;
  supportsBase64Encoding(): Promise<boolean>;
}

/** Of the index; what is not given is Chroma's business. */
export interface HnswSettings {
  readonly ef_construction?: number;
  readonly ef_search?: number;
  readonly max_neighbors?: number;
}

/** Options with their defaults, checked. */
export interface Settings {
  readonly client: ChromaClientLike;
  /** Its address, tenant and database, without secrets; nothing of a client of the user's own. */
  readonly server: string;
  readonly collection: string;
  readonly create: boolean;
  readonly hnsw: HnswSettings;
  readonly exactVectors: boolean;
  readonly pageSize: number | undefined;
}

const count = { type: "number", min: 1, integer: true } as const;

export const optionSpecs: VectorBackendDefinition<ChromaOptions>["options"] = {
  url: { type: "string" },
  host: { type: "string" },
  port: count,
  ssl: { type: "boolean" },
  headers: { type: "any", secret: true },
  apiKey: { type: "string", secret: true },
  tenant: { type: "string" },
  database: { type: "string" },
  collection: { type: "string" },
  create: { type: "boolean" },
  efConstruction: count,
  efSearch: count,
  maxNeighbors: count,
  exactVectors: { type: "boolean" },
  pageSize: count,
  client: { type: "any", secret: true },
};

/** `chroma://host:port/collection`, with further options as query parameters. */
export function fromUrl({ rest }: BackendUrl): ChromaOptions {
  if (rest === "" || rest === "//") return {};
  const parsed = rest.startsWith("//") ? URL.parse(`http:${rest}`) : null;
  if (parsed === null) throw bad("takes URLs such as chroma://localhost:8000/collection");
  refuseCredentials(parsed);
  const collection = parsed.pathname.slice(1);
  return {
    host: parsed.hostname,
    // `URL` hides the port that is usual for http
    port: parsed.port === "" ? (/:80(?:\/|$)/.test(rest) ? 80 : 8000) : Number(parsed.port),
    ...(collection !== "" && { collection }),
  };
}

/** What Chroma Cloud gives in one request. */
const cloudPage = 300;

export function settingsOf(options: ChromaOptions): Settings {
  const { collection = "vectors", create = true, apiKey, efConstruction, efSearch, maxNeighbors } = options;
  if (!isCollectionName(collection)) {
    throw bad(
      'takes 3 to 512 letters, digits, ".", "_" and "-" for "collection", which begins and ends with a letter or digit',
    );
  }
  return Object.freeze({
    client: clientOf(options),
    server: serverOf(options),
    collection,
    create,
    hnsw: {
      ...(efConstruction !== undefined && { ef_construction: efConstruction }),
      ...(efSearch !== undefined && { ef_search: efSearch }),
      ...(maxNeighbors !== undefined && { max_neighbors: maxNeighbors }),
    },
    exactVectors: options.exactVectors ?? true,
    pageSize: options.pageSize ?? (apiKey === undefined ? undefined : cloudPage),
  });
}

function isCollectionName(name: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]$/.test(name) && !/^\d+(?:\.\d+){3}$/.test(name);
}

function clientOf({ client, url, ...options }: ChromaOptions): ChromaClientLike {
  const { apiKey, headers, tenant, database } = options;
  if (client !== undefined) {
    const others = ["url", "host", "port", "ssl", "headers", "apiKey", "tenant", "database"] as const;
    const second = others.find((name) => ({ url, ...options })[name] !== undefined);
    if (second !== undefined) throw bad(`takes "client" or "${second}", not both`);
    if (typeof client !== "object" || client === null || typeof client.getCollection !== "function") {
      throw bad('takes a client of chromadb for "client"');
    }
    return client;
  }
  const address = url === undefined ? options : addressIn(url, options);
  if (headers !== undefined && !isHeaders(headers)) throw bad('takes an object of texts for "headers"');
  const shared: Partial<ChromaClientArgs> = {
    ...(headers !== undefined && { headers: { ...headers } }),
    ...(tenant !== undefined && { tenant }),
    ...(database !== undefined && { database }),
  };
  if (apiKey !== undefined) {
    if (headers !== undefined) throw bad('takes "apiKey" or "headers", not both');
    if (address.ssl === false) throw bad('sends an "apiKey" over TLS only');
    const { host, port } = address;
    return new CloudClient({
      apiKey,
      ...shared,
      ...(host !== undefined && { host }),
      ...(port !== undefined && { port }),
    });
  }
  return new ChromaClient({
    host: address.host ?? "localhost",
    port: address.port ?? 8000,
    ssl: address.ssl ?? false,
    tenant: "default_tenant",
    database: "default_database",
    ...shared,
  });
}

function serverOf({ client, url, ...options }: ChromaOptions): string {
  if (client !== undefined) return "";
  const { host = "localhost", port = "" } = url === undefined ? options : addressIn(url, options);
  const { tenant = "", database = "" } = options;
  return [`${host}:${port}`, tenant, database].join("/");
}

function addressIn(url: string, options: ChromaOptions): Pick<ChromaOptions, "host" | "port" | "ssl"> {
  const second = (["host", "port", "ssl"] as const).find((name) => options[name] !== undefined);
  if (second !== undefined) throw bad(`takes "url" or "${second}", not both`);
  const parsed = URL.parse(url);
  // never print the text: it may hold a password
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw bad('takes a text such as "http://localhost:8000" for "url"');
  }
  refuseCredentials(parsed);
  if (parsed.pathname !== "/" || parsed.search !== "" || parsed.hash !== "") {
    throw bad('takes no path or parameters in "url": Chroma\'s client knows none');
  }
  const ssl = parsed.protocol === "https:";
  return { host: parsed.hostname, port: parsed.port === "" ? (ssl ? 443 : 80) : Number(parsed.port), ssl };
}

function refuseCredentials({ username, password }: URL): void {
  if (username !== "" || password !== "") throw bad('takes no user and password in a URL; use "headers" or "apiKey"');
}

function isHeaders(headers: unknown): headers is { readonly [name: string]: string } {
  return (
    typeof headers === "object" &&
    headers !== null &&
    Object.values(headers).every((value: unknown) => typeof value === "string")
  );
}

function bad(what: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", `The chroma store ${what}.`, { backend: "chroma" });
}
