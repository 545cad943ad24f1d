/** Names and expressions of a table: what DDL makes and what queries say, in one place so that they agree. */
import { createHash } from "node:crypto";
import { type IndexSpec, type Path, pathKey } from "@dataknobs/core/backend";
import { type DeepPlace, jsonPathLiteral, quoteIdentifier, raw, type Sql } from "@dataknobs/sql";

export const layoutVersion = 1;
export const metaTable = "dataknobs";

/** Columns beside those of the Python package, all nullable and without a default of their own. */
export const ownColumns = ["version", "types", "metadata_types", "keys", "metadata_keys"] as const;

export interface Layout {
  readonly table: string;
  readonly shared: boolean;
  /** Whether the table has our own columns; a foreign one that is only read may not. */
  readonly own: boolean;
  /** Indexes that are there, text fields included. */
  readonly indexes: readonly IndexSpec[];
}

export function textFields({ indexes }: Layout): readonly IndexSpec[] {
  return indexes.filter(({ text }) => text);
}

/** Where unique indexes compare arrays and objects, by column of the keys. */
export function deepPlaces({ indexes }: Layout, root: "data" | "metadata"): readonly DeepPlace[] {
  return indexes.filter(({ unique, path }) => unique && path.root === root).map(({ path }) => path);
}

export function tableName({ table }: Layout): Sql {
  return raw(quoteIdentifier(table));
}

/** What to select from: a foreign table without our columns gets them as NULL. */
export function sourceOf(layout: Layout): Sql {
  if (layout.own) return tableName(layout);
  const nulls = ownColumns.map((column) => `NULL AS ${column}`).join(", ");
  return raw(`(SELECT id, data, metadata, created_at, updated_at, ${nulls} FROM ${quoteIdentifier(layout.table)})`);
}

/** A time as canonical ISO text; Python and SQLite itself write `2024-01-31 10:00:00`. */
export function timeColumn({ shared }: Layout, column: "created_at" | "updated_at"): string {
  return shared ? `coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', ${column}), '1970-01-01T00:00:00.000Z')` : column;
}

export interface FieldNames {
  readonly rank: string;
  readonly value: string;
  /** Of unique indexes: tells arrays and objects apart. */
  readonly same: string;
}

/** A name of letters, digits and `_` that begins like the path and that no other path has, whatever the case. */
function slug(path: Path, more = ""): string {
  const hash = createHash("sha256")
    .update(`${pathKey(path)}\n${more}`)
    .digest("hex")
    .slice(0, 10);
  return `${path.segments
    .join("_")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .slice(0, 40)}_${hash}`;
}

export function fieldNames(path: Path): FieldNames {
  const name = slug(path);
  return {
    rank: quoteIdentifier(`rank_${name}`),
    value: quoteIdentifier(`value_${name}`),
    same: quoteIdentifier(`same_${name}`),
  };
}

/** Index names are one space for all tables of a file. */
export function indexName(table: string, { path, unique }: IndexSpec): string {
  return `${unique ? "unique" : "index"}_${slug(path, table)}`;
}

export interface TextNames {
  readonly words: string;
  readonly docs: string;
  readonly stale: string;
}

/** Named after the fields, so that a process that knows other fields cannot write to it. */
export function textNames(layout: Layout): TextNames {
  const { table } = layout;
  const fields = textFields(layout).map(({ path }) => pathKey(path));
  const hash = createHash("sha256").update(JSON.stringify(fields)).digest("hex").slice(0, 10);
  return {
    words: quoteIdentifier(`${table}_words_${hash}`),
    docs: quoteIdentifier(`${table}_docs_${hash}`),
    stale: quoteIdentifier(`${table}_stale`),
  };
}

/** Where the vectors of a field are, quoted. */
export function vectorTable({ table }: Layout, path: Path, dimensions: number): string {
  const hash = createHash("sha256")
    .update(`${pathKey(path)}\n${dimensions}`)
    .digest("hex")
    .slice(0, 10);
  return quoteIdentifier(`${table}_vectors_${hash}`);
}

/** Pieces of expressions over one JSON path. */
export interface JsonPieces {
  readonly type: string;
  readonly value: string;
  readonly types: string;
  readonly keys: string;
  readonly tag: string;
  readonly key: string;
  /** Whether a text there is one, and not a bigint or bytes. */
  readonly plain: string;
}

export function jsonPieces(path: Path): JsonPieces {
  const root = path.root === "metadata" ? "metadata" : "data";
  const prefix = root === "metadata" ? "metadata_" : "";
  const [types, keys] = [`${prefix}types`, `${prefix}keys`];
  const at = jsonPathLiteral(path.segments);
  const pointer = jsonPathLiteral([path.pointer]);
  const tag = `json_extract(${types}, ${pointer})`;
  return {
    type: `json_type(${root}, ${at})`,
    value: `json_extract(${root}, ${at})`,
    types,
    keys,
    tag,
    key: `json_extract(${keys}, ${pointer})`,
    plain: `(${types} IS NULL OR coalesce(${tag}, 'date') = 'date')`,
  };
}

/** The class of a value by its rank in the total order; never NULL. */
export function rankExpression(path: Path): string {
  const { type, types, tag } = jsonPieces(path);
  const typed = `CASE ${tag} WHEN 'bigint' THEN 3 WHEN 'bytes' THEN 5 ELSE 4 END`;
  return (
    `CASE ${type} WHEN 'text' THEN CASE WHEN ${types} IS NULL THEN 4 ELSE ${typed} END ` +
    "WHEN 'integer' THEN 2 WHEN 'real' THEN 2 WHEN 'true' THEN 1 WHEN 'false' THEN 1 WHEN 'array' THEN 6 WHEN 'object' THEN 7 ELSE 0 END"
  );
}

/** What orders values of one rank; one constant where they are level. Numbers as doubles, as JavaScript has them. */
export function valueExpression(path: Path): string {
  const { type, value, keys, key } = jsonPieces(path);
  return (
    `CASE ${type} WHEN 'text' THEN CASE WHEN ${keys} IS NULL THEN ${value} ELSE coalesce(${key}, ${value}) END ` +
    `WHEN 'integer' THEN ${value} + 0.0 WHEN 'real' THEN ${value} + 0.0 WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE '' END`
  );
}

/** For unique indexes: NULL, which is never equal, where there is no value; the deep key of arrays and objects. */
export function sameExpression(path: Path): string {
  const { type, value, key } = jsonPieces(path);
  return `CASE WHEN ${type} IN ('array', 'object') THEN ${key} WHEN ${value} IS NOT NULL THEN '' END`;
}
