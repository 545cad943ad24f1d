/** The statements of writes. */
import { arrayOrNull, arrayText, finish, typeOf, vectorText } from "@dataknobs/backend-postgres/kit";
import { escapeSegment, type JsonObject, type TypeMap } from "@dataknobs/core/backend";
import type { VectorRow } from "@dataknobs/core/vector";
import { quoteIdentifier, raw, type Sql, type Statement, sql } from "@dataknobs/sql";
import { columnOr, tableOf, type VectorLayout } from "./layout.js";
import type { ColumnNames } from "./options.js";
import { lacking } from "./schema.js";
import { isOneOf, rowsWhere } from "./select.js";

/** Numbers in one statement: a few megabytes of text. */
const mostNumbers = 250_000;

/** The rows in the order of their ids, so that batches that meet do not wait crosswise, in pieces for one statement. */
export function piecesOf({ dimensions }: VectorLayout, rows: readonly VectorRow[]): (readonly VectorRow[])[] {
  const sorted = [...rows].sort((a, b) => (a.id < b.id ? -1 : 1));
  const size = Math.max(1, Math.floor(mostNumbers / dimensions));
  const pieces: (readonly VectorRow[])[] = [];
  for (let at = 0; at < sorted.length; at += size) pieces.push(sorted.slice(at, at + size));
  return pieces;
}

/** Refuses what the columns of an existing table cannot keep. */
export function checkColumns(layout: VectorLayout, row: Partial<VectorRow>): void {
  const { metadata, metadataTypes, text } = layout.columns;
  if (metadata === undefined && Object.keys(row.metadata ?? {}).length > 0) throw lacking("metadata", "metadata");
  if (metadataTypes === undefined && (row.metadataTypes ?? null) !== null) {
    throw lacking("metadataTypes", "what tells dates, bigints and bytes in metadata from texts");
  }
  if (text === undefined && row.text !== undefined) throw lacking("text", "texts");
}

/** Inserts, or replaces whole rows. Parameters: the scope, then lists. */
export function upsertText(layout: VectorLayout): string {
  const { columns } = layout;
  const values: readonly (readonly [keyof ColumnNames, string])[] = [
    ["scope", "$1::text"],
    ["id", "v.id"],
    ["embedding", `v.vector::${typeOf(layout, "vector")}`],
    ["metadata", "coalesce(v.metadata::jsonb, '{}')"],
    ["metadataTypes", "v.types::jsonb"],
    ["text", "v.text"],
  ];
  const there = values.filter(([key]) => columns[key] !== undefined);
  const name = (key: keyof ColumnNames): string => quoteIdentifier(columns[key] as string);
  const key = there.filter(([one]) => one === "scope" || one === "id").map(([one]) => name(one));
  const replaced = there
    .filter(([one]) => one !== "scope" && one !== "id")
    .map(([one]) => `${name(one)} = excluded.${name(one)}`);
  return (
    `INSERT INTO ${tableOf(layout)} (${there.map(([one]) => name(one)).join(", ")}) ` +
    `SELECT ${there.map(([, value]) => value).join(", ")} ` +
    "FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS v(id, vector, metadata, types, text) " +
    `${columns.scope === undefined ? "WHERE $1::text = '' " : ""}` +
    `ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${replaced.join(", ")}`
  );
}

export function upsertParams(scope: string, rows: readonly VectorRow[]): (string | null)[] {
  return [
    scope,
    arrayText(rows.map(({ id }) => id)),
    // numbers, commas and brackets: no quotes to look for
    `{${rows.map(({ vector }) => `"${vectorText(vector)}"`).join(",")}}`,
    arrayOrNull(rows.map(({ metadata }) => textOrNull(metadata))),
    arrayOrNull(rows.map(({ metadataTypes }) => metadataTypes && JSON.stringify(metadataTypes))),
    arrayOrNull(rows.map(({ text }) => text)),
  ];
}

/** `{}` is what there is without metadata. */
function textOrNull(metadata: JsonObject): string | null {
  const text = JSON.stringify(metadata);
  return text === "{}" ? null : text;
}

export function deleteStatement(layout: VectorLayout, scope: string, ids: readonly string[]): Statement {
  const { id } = layout.columns;
  const rows = rowsWhere(layout, scope, isOneOf(layout, ids));
  return finish(
    sql`DELETE FROM ${raw(tableOf(layout))} WHERE ${rows} RETURNING ${raw(`${quoteIdentifier(id)}::text`)}`,
  );
}

export function deleteWhereStatement(layout: VectorLayout, scope: string, where: Sql | undefined): Statement {
  return finish(sql`DELETE FROM ${raw(tableOf(layout))} WHERE ${rowsWhere(layout, scope, where)}`);
}

interface Described {
  readonly metadata: JsonObject;
  readonly metadataTypes: TypeMap | null;
}

/** Replaces the metadata of the rows. */
export function replaceStatement(layout: VectorLayout, rows: Sql, { metadata, metadataTypes }: Described): Statement {
  const types = metadataTypes === null ? null : JSON.stringify(metadataTypes);
  return updateStatement(layout, rows, sql`${JSON.stringify(metadata)}::text::jsonb`, sql`${types}::text::jsonb`);
}

/** Puts fields over those of the rows, at the top level; types of what was there before go. */
export function mergeStatement(layout: VectorLayout, rows: Sql, { metadata, metadataTypes }: Described): Statement {
  const stored = raw(columnOr(layout.columns.metadata, "NULL::jsonb"));
  const types = raw(columnOr(layout.columns.metadataTypes, "NULL::jsonb"));
  const replaced = arrayText(Object.keys(metadata).map((key) => escapeSegment(key)));
  const kept = sql`(SELECT jsonb_object_agg(k, e) FROM jsonb_each(${types}) AS each_type(k, e) WHERE split_part(k, '/', 2) <> ALL (${replaced}::text[]))`;
  const added = metadataTypes === null ? "{}" : JSON.stringify(metadataTypes);
  return updateStatement(
    layout,
    rows,
    sql`coalesce(${stored}, '{}') || ${JSON.stringify(metadata)}::text::jsonb`,
    sql`nullif(coalesce(${kept}, '{}') || ${added}::text::jsonb, '{}')`,
  );
}

function updateStatement(layout: VectorLayout, rows: Sql, metadata: Sql, types: Sql): Statement {
  const { columns } = layout;
  const set =
    columns.metadata === undefined ? selfAssignment(columns.embedding) : assignment(columns.metadata, metadata);
  const more = columns.metadataTypes === undefined ? raw("") : sql`, ${assignment(columns.metadataTypes, types)}`;
  return finish(sql`UPDATE ${raw(tableOf(layout))} SET ${set}${more} WHERE ${rows}`);
}

const assignment = (column: string, value: Sql): Sql => sql`${raw(quoteIdentifier(column))} = ${value}`;

/** Where there is no metadata to change, rows are counted all the same. */
const selfAssignment = (column: string): Sql => raw(`${quoteIdentifier(column)} = ${quoteIdentifier(column)}`);
