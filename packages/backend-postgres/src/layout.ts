/** Names and expressions of a table: what DDL makes and what queries say, in one place so that they agree. */
import { createHash } from "node:crypto";
import { type IndexSpec, type Path, pathKey, samePath } from "@dataknobs/core/backend";
import { quoteIdentifier } from "@dataknobs/sql";
import { bigintKeySql, bytesKeySql, cutLength, numberKeySql } from "./keys.js";

export const layoutVersion = 1;

/** Columns of the Python package's table. */
export const pythonColumns = ["id", "data", "metadata", "created_at", "updated_at"] as const;
/** Columns of our own, which either have a default or may be NULL. */
export const ownColumns = ["version", "types", "metadata_types"] as const;

export interface Layout {
  readonly schema: string;
  readonly table: string;
  readonly shared: boolean;
  /** Whether `id` is ordered by code point as it is. */
  readonly plainId: boolean;
  /** Indexes that are there and ready. */
  readonly indexes: readonly IndexSpec[];
  /** The schema of the extension pgvector, where the database has it. */
  readonly extension?: string | undefined;
  /** Indexes of vectors by their names in the database, with the lists of IVFFlat ones. */
  readonly vectorIndexes?: ReadonlyMap<string, number>;
  /** Of an IVFFlat index that is to be made. */
  readonly lists?: number;
  /** What stands for these columns in a table that is not one of records: SQL. */
  readonly columns?: { readonly id: string; readonly metadata: string; readonly metadataTypes: string };
}

export function emptyLayout(schema: string, table: string): Layout {
  return { schema, table, shared: false, plainId: true, indexes: [] };
}

export function textFields({ indexes }: Layout): readonly IndexSpec[] {
  return indexes.filter(({ text }) => text);
}

export function hasUnique({ indexes }: Layout): boolean {
  return indexes.some(({ unique }) => unique);
}

/** The table, quoted, with its schema. */
export function tableOf({ schema, table }: Pick<Layout, "schema" | "table">): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`;
}

export function inSchema({ schema }: Pick<Layout, "schema">, name: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

/** The id as it is ordered. */
export function idColumn({ plainId, columns }: Layout, qualifier = ""): string {
  const id = `${qualifier}${columns?.id ?? "id"}`;
  return plainId ? id : `${id} COLLATE "C"`;
}

/** A text literal that means the same whatever `standard_conforming_strings` says. */
export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''").replaceAll("\\", "\\\\")}'`;
  return text.includes("\\") ? `E${quoted}` : quoted;
}

/** A key of the database's own locks, by hash. */
export function lockKey({ schema, table }: Pick<Layout, "schema" | "table">): string {
  return String(createHash("sha256").update(`dataknobs\0${schema}\0${table}`).digest().readBigInt64BE(0));
}

function hashOf(...parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 12);
}

/** A name that begins like the path; no other path, table or kind of object has it. Index names are one space per schema. */
function slug(path: Path, ...more: readonly string[]): string {
  const words = path.segments.join("_").replace(/[^A-Za-z0-9]+/g, "_");
  return `${words.slice(0, 28)}_${hashOf(pathKey(path), ...more)}`;
}

/** What an index of ours is called in the database. `lists`: of arrays and objects; `stale`: of rows without words; `odd`: of vectors that are not fit for it. */
export function indexName(
  { table }: Pick<Layout, "table">,
  spec: Pick<IndexSpec, "path" | "unique" | "text" | "vector">,
  part: "main" | "lists" | "stale" | "odd" = "main",
): string {
  const kind = spec.unique ? "unique" : spec.text ? "text" : spec.vector !== undefined ? "vector" : "index";
  return `dk_${kind}_${slug(spec.path, table, kind, part)}${part === "main" ? "" : `_${part}`}`;
}

/** Columns of a text field: its words, and the version of the record that they are of. */
export function wordColumns(path: Path): { readonly words: string; readonly of: string } {
  const name = slug(path);
  return { words: quoteIdentifier(`words_${name}`), of: quoteIdentifier(`words_of_${name}`) };
}

/** The column of a field declared for vectors. */
export function vectorColumn({ path }: Pick<IndexSpec, "path">): string {
  return quoteIdentifier(`vector_${slug(path)}`);
}

/** Pieces of expressions over one JSON path. */
export interface JsonPieces {
  /** jsonb, or NULL where there is none. */
  readonly json: string;
  readonly text: string;
  readonly type: string;
  readonly types: string;
  readonly tag: string;
  /** Whether a string there is one, and not a bigint or bytes. */
  readonly plain: string;
  /** Only to be evaluated where the value is a number. */
  readonly double: string;
}

const greatest = "1.7976931348623157e308";

export function jsonPieces({ shared, columns }: Pick<Layout, "shared" | "columns">, path: Path): JsonPieces {
  const isMetadata = path.root === "metadata";
  const root = isMetadata ? (columns?.metadata ?? "metadata") : "data";
  const types = isMetadata ? (columns?.metadataTypes ?? "metadata_types") : "types";
  // -> and ->> with a text step into objects only; #> would also take a digit for a place in an array
  const names = path.segments.map(literal);
  const json = `(${[root, ...names].join(" -> ")})`;
  const text = `(${[root, ...names.slice(0, -1)].join(" -> ")} ->> ${names.at(-1)})`;
  const tag = `(${types} ->> ${literal(path.pointer)})`;
  // other programs may write numbers that no double holds, at which the cast would fail
  const number = shared ? `least(greatest(round(${json}::numeric, 330), -${greatest}), ${greatest})` : json;
  return {
    json,
    text,
    type: `jsonb_typeof(${json})`,
    types,
    tag,
    plain: `(${types} IS NULL OR coalesce(${tag}, 'date') = 'date')`,
    double: `${number}::float8`,
  };
}

/** The class of a value by its rank in the total order; never NULL. */
export function rankExpression(layout: Pick<Layout, "shared" | "columns">, path: Path): string {
  const { type, types, tag } = jsonPieces(layout, path);
  const typed = `CASE ${tag} WHEN 'bigint' THEN 3 WHEN 'bytes' THEN 5 ELSE 4 END`;
  return (
    `CASE ${type} WHEN 'string' THEN CASE WHEN ${types} IS NULL THEN 4 ELSE ${typed} END WHEN 'number' THEN 2 ` +
    "WHEN 'boolean' THEN 1 WHEN 'array' THEN 6 WHEN 'object' THEN 7 ELSE 0 END"
  );
}

/** The key of a value, see `keys.ts`; never NULL. */
export function keyExpression(layout: Pick<Layout, "shared" | "columns">, path: Path): string {
  const { json, text, type, types, tag, double } = jsonPieces(layout, path);
  const typed =
    `CASE ${tag} WHEN 'bigint' THEN '3' || ${bigintKeySql(text)} WHEN 'bytes' THEN '5' || ${bytesKeySql(text)} ` +
    `ELSE '4' || ${text} END`;
  return (
    `CASE ${type} WHEN 'string' THEN CASE WHEN ${types} IS NULL THEN '4' || ${text} ELSE ${typed} END ` +
    `WHEN 'number' THEN '2' || ${numberKeySql(json, double)} WHEN 'boolean' THEN CASE WHEN ${json} = 'true' THEN '1t' ELSE '1f' END ` +
    "WHEN 'array' THEN '6' WHEN 'object' THEN '7' ELSE '0' END"
  );
}

/** As much of the key as an index entry holds. */
export function cutExpression(layout: Pick<Layout, "shared" | "columns">, path: Path): string {
  return `left(${keyExpression(layout, path)}, ${cutLength}) COLLATE "C"`;
}

/** Rows that a partial index of arrays and objects has. */
export function isListed(layout: Pick<Layout, "shared" | "columns">, path: Path): string {
  return `${jsonPieces(layout, path).type} IN ('array', 'object')`;
}

/**
 * Beside the cut key in unique indexes: NULL, which is never equal, where there is no value; a digest of what the cut
 * key may leave out. Kept short, since the catalog has to hold it.
 */
export function sameExpression(layout: Pick<Layout, "shared" | "columns">, path: Path): string {
  const { json, text, type, types } = jsonPieces(layout, path);
  const typed = (tag: string): string => {
    const test = `@.key starts with ${JSON.stringify(`${path.pointer}/`)} && @.value == "${tag}"`;
    return `jsonb_path_query_array(${types}, ${literal(`$.keyvalue() ? (${test}).key`)})::text`;
  };
  const deep = `${json}::text || CASE WHEN ${types} IS NULL THEN '[][]' ELSE ${typed("bigint")} || ${typed("bytes")} END`;
  // text as bytes by way of their escape form: convert_to is not immutable
  const digest = (text: string): string => `encode(sha256(replace(${text}, E'\\\\', E'\\\\\\\\')::bytea), 'hex')`;
  return (
    `CASE WHEN ${type} IN ('array', 'object') THEN ${digest(deep)} WHEN coalesce(${type}, 'null') = 'null' THEN NULL ` +
    `WHEN length(${text}) > ${cutLength / 2} THEN ${digest(text)} ELSE '' END`
  );
}

export function declaredAt({ indexes }: Layout, path: Path): IndexSpec | undefined {
  return indexes.find((index) => !index.text && index.vector === undefined && samePath(index.path, path));
}

/** Whether the path has an index of arrays and objects: where nothing says that it holds scalars. */
export function hasLists({ indexes }: Layout, path: Path): boolean {
  return indexes.some((index) => makesLists(index) && samePath(index.path, path));
}

export function makesLists({ text, unique, type, vector }: IndexSpec): boolean {
  return !text && !unique && type === undefined && vector === undefined;
}

/** Milliseconds of a time column; rows of other programs have microseconds. */
export function timeColumn(column: "created_at" | "updated_at", qualifier = ""): string {
  return `floor(date_part('epoch', ${qualifier}${column}) * 1000 + 0.0005)`;
}

/** Its canonical ISO text. */
export function timeText(column: "created_at" | "updated_at"): string {
  return `to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') COLLATE "C"`;
}
