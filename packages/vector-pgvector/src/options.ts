/** Options of the pgvector store. */

import {
  settingsOf as clientSettings,
  optionSpecs as clientSpecs,
  type PostgresOptions,
} from "@dataknobs/backend-postgres/kit";
import { DataknobsError, type OptionSpec } from "@dataknobs/core/backend";

/** The options of the PostgreSQL backend that this store has too. */
const clientKeys = [
  "connectionString",
  "host",
  "port",
  "database",
  "user",
  "password",
  "schemaName",
  "ssl",
  "sslmode",
  "poolSize",
  "connectTimeout",
  "statementTimeout",
  "prepare",
  "sql",
] as const;

export type IndexType = "none" | "hnsw" | "ivfflat";

/** What the columns of the table are called. */
export interface PgvectorColumns {
  /** Default `"id"`. */
  readonly id?: string;
  /** Default `"embedding"`; of the type `vector(n)`. */
  readonly embedding?: string;
  /** Default `"metadata"`; jsonb. */
  readonly metadata?: string;
  /** Default `"metadata_types"`; jsonb. Which values of the metadata are dates, bigints, bytes. */
  readonly metadataTypes?: string;
  /** Default `"text"`. */
  readonly text?: string;
  /** Default `"scope"`. The tenant of a row; the key is scope and id. */
  readonly scope?: string;
}

export interface PgvectorOptions extends Pick<PostgresOptions, (typeof clientKeys)[number]> {
  /** Default `"vectors"`. Made where it is missing. */
  readonly table?: string;
  /** Names of columns. Those of an existing table, with `manage: false`; columns that it lacks are done without. */
  readonly columns?: PgvectorColumns;
  /** `false`: makes no table and no index, and takes a table that another program made. Default true. */
  readonly manage?: boolean;
  /** Makes the extension `vector` where the database has none, which takes the right to do so. Default false. */
  readonly createExtension?: boolean;
  /** Default `"none"`: every search is exact. */
  readonly indexType?: IndexType;
  /**
   * The index is made when the table has so many rows; until then searches are exact. 0: by `store.buildIndex()` only.
   * Writers of the table wait while it is made. Default 10,000.
   */
  readonly buildAt?: number;
  /** HNSW: links of a vector. 2 to 100, default 16. */
  readonly m?: number;
  /** HNSW: candidates while the index is made. 4 to 1000, at least twice `m`; default 64. */
  readonly efConstruction?: number;
  /** HNSW: candidates of a search. 1 to 1000, default 100; no less than the hits that are asked for. */
  readonly efSearch?: number;
  /** IVFFlat: lists. Default by the rows when the index is made: a thousandth, or the root beyond a million. */
  readonly lists?: number;
  /** IVFFlat: lists that a search looks into. Default: twice the root of `lists`. */
  readonly probes?: number;
}

export const optionSpecs: { readonly [K in keyof PgvectorOptions]-?: OptionSpec } = {
  ...(Object.fromEntries(clientKeys.map((key) => [key, clientSpecs[key]])) as {
    readonly [K in (typeof clientKeys)[number]]: OptionSpec;
  }),
  table: { type: "string" },
  columns: { type: "any" },
  manage: { type: "boolean" },
  createExtension: { type: "boolean" },
  indexType: { type: "string", oneOf: ["none", "hnsw", "ivfflat"] },
  buildAt: { type: "number", min: 0, integer: true },
  m: { type: "number", min: 2, integer: true },
  efConstruction: { type: "number", min: 4, integer: true },
  efSearch: { type: "number", min: 1, integer: true },
  lists: { type: "number", min: 1, integer: true },
  probes: { type: "number", min: 1, integer: true },
};

/** What `search` takes as `tuning`. */
export const searchOptions = {
  efSearch: { type: "number", min: 1, integer: true },
  probes: { type: "number", min: 1, integer: true },
} as const;

export type ColumnNames = Required<PgvectorColumns>;

/** Options with their defaults, checked. */
export interface Settings {
  readonly client: ReturnType<typeof clientSettings>;
  readonly schema: string;
  readonly table: string;
  readonly columns: ColumnNames;
  /** Those that the user named: they must be there. */
  readonly mapped: readonly (keyof ColumnNames)[];
  readonly manage: boolean;
  readonly createExtension: boolean;
  readonly indexType: IndexType;
  readonly buildAt: number;
  readonly m: number;
  readonly efConstruction: number;
  readonly efSearch: number;
  readonly lists: number | undefined;
  readonly probes: number | undefined;
}

const defaultColumns: ColumnNames = {
  id: "id",
  embedding: "embedding",
  metadata: "metadata",
  metadataTypes: "metadata_types",
  text: "text",
  scope: "scope",
};

/** The greatest that pgvector takes. */
const greatest = { m: 100, efConstruction: 1000, efSearch: 1000, lists: 32_768, probes: 32_768 } as const;

/** Longer names would be cut by the server, and meet. */
const longestName = 63;

export function settingsOf(options: PgvectorOptions): Settings {
  const { table = "vectors", m = 16, efConstruction = Math.max(64, 2 * m), indexType = "none" } = options;
  for (const [name, most] of Object.entries(greatest)) {
    const given = options[name as keyof typeof greatest];
    if (given !== undefined && given > most) throw bad(`takes at most ${most} for "${name}"`);
  }
  if (efConstruction < 2 * m) throw bad('takes at least twice "m" for "efConstruction"');
  const { columns, mapped } = columnsOf(options.columns ?? {});
  const client = clientSettings({
    ...Object.fromEntries(clientKeys.map((key) => [key, options[key]]).filter(([, value]) => value !== undefined)),
    table: checkName("table", table),
  });
  return Object.freeze({
    client,
    schema: client.schema,
    table,
    columns,
    mapped,
    manage: options.manage ?? true,
    createExtension: options.createExtension ?? false,
    indexType,
    buildAt: options.buildAt ?? 10_000,
    m,
    efConstruction,
    efSearch: options.efSearch ?? 100,
    lists: options.lists,
    probes: options.probes,
  });
}

function columnsOf(given: unknown): Pick<Settings, "columns" | "mapped"> {
  const known = Object.keys(defaultColumns);
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw bad(`takes { ${known.join(", ")} } for "columns"`);
  }
  const entries = Object.entries(given).filter(([, name]) => name !== undefined);
  for (const [key, name] of entries) {
    if (!known.includes(key)) throw bad(`knows no column "${key}"; it has ${known.join(", ")}`);
    checkName(`columns.${key}`, name);
  }
  const columns: ColumnNames = { ...defaultColumns, ...Object.fromEntries(entries) };
  const names = Object.values(columns);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw bad(`got the column "${twice}" for two things in "columns"`);
  return { columns, mapped: entries.map(([key]) => key as keyof ColumnNames) };
}

function checkName(option: string, name: unknown): string {
  if (typeof name !== "string" || name === "" || name.includes("\0")) {
    throw bad(`takes a name without U+0000 for "${option}"`);
  }
  if (Buffer.byteLength(name) > longestName) throw bad(`takes a name of at most ${longestName} bytes for "${option}"`);
  return name;
}

export function bad(what: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", `The pgvector store ${what}.`, { backend: "pgvector" });
}
