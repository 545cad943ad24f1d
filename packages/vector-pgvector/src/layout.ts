/** What is known of a table of vectors, and the expressions over it: what DDL makes and what searches say agree here. */
import { createHash } from "node:crypto";
import {
  isHalved,
  type Layout,
  operatorClass,
  operatorOf,
  typeOf,
  type VectorShape,
} from "@dataknobs/backend-postgres/kit";
import { quoteIdentifier } from "@dataknobs/sql";
import type { ColumnNames, IndexType, Settings } from "./options.js";

export interface VectorIndex {
  readonly name: string;
  readonly type: Exclude<IndexType, "none">;
  /** IVFFlat. */
  readonly lists: number;
  /** Whether this library made it. */
  readonly own: boolean;
}

export interface VectorLayout extends VectorShape {
  readonly schema: string;
  readonly table: string;
  /** Columns that are there; id and embedding always are. */
  readonly columns: Partial<ColumnNames> & Pick<ColumnNames, "id" | "embedding">;
  /** Whether another program made the table, and may write what this library would not. */
  readonly foreign: boolean;
  /** Whether `id` is ordered by code point as it is. */
  readonly plainId: boolean;
  /** Whether rows may be without a vector: they are none of ours. */
  readonly nullable: boolean;
  /** An index that serves this metric. */
  readonly index: VectorIndex | undefined;
}

/** Before anything is known. */
export function emptyLayout({ schema, table, columns }: Settings): VectorLayout {
  const unknown = { extension: "public", dimensions: 0, metric: "cosine", index: undefined } as const;
  return { schema, table, columns, foreign: false, plainId: true, nullable: false, ...unknown };
}

export function tableOf({ schema, table }: Pick<VectorLayout, "schema" | "table">): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`;
}

/** For conditions, as the PostgreSQL backend compiles them. */
export function conditionLayout({ schema, table, columns, foreign, plainId }: VectorLayout): Layout {
  return {
    schema,
    table,
    // numbers that another program wrote may be beyond all doubles
    shared: foreign,
    plainId,
    indexes: [],
    columns: {
      id: quoteIdentifier(columns.id),
      metadata: columnOr(columns.metadata, "NULL::jsonb"),
      metadataTypes: columnOr(columns.metadataTypes, "NULL::jsonb"),
    },
  };
}

export function columnOr(column: string | undefined, otherwise: string): string {
  return column === undefined ? otherwise : quoteIdentifier(column);
}

/** The raw distance, as the metric defines it. */
export function distanceSql(layout: VectorLayout, query: string): string {
  return `(${quoteIdentifier(layout.columns.embedding)} ${operatorOf(layout)} ${query}::${typeOf(layout, "vector")})`;
}

/** The distance that the index orders by. */
export function indexedDistanceSql(layout: VectorLayout, query: string): string {
  if (!isHalved(layout)) return distanceSql(layout, query);
  const half = typeOf(layout, "halfvec", layout.dimensions);
  return `(${halfSql(layout)} ${operatorOf(layout)} ${query}::${typeOf(layout, "vector")}::${half})`;
}

function halfSql(layout: VectorLayout): string {
  return `(${quoteIdentifier(layout.columns.embedding)}::${typeOf(layout, "halfvec", layout.dimensions)})`;
}

export function indexStatement(layout: VectorLayout, name: string, settings: Settings, lists: number): string {
  const { indexType, m, efConstruction } = settings;
  const on = isHalved(layout) ? `(${halfSql(layout)})` : quoteIdentifier(layout.columns.embedding);
  const options = indexType === "hnsw" ? `m = ${m}, ef_construction = ${efConstruction}` : `lists = ${lists}`;
  return (
    `CREATE INDEX ${quoteIdentifier(name)} ON ${tableOf(layout)} USING ${indexType} ` +
    `(${on} ${quoteIdentifier(layout.extension)}.${operatorClass(layout)}) WITH (${options})`
  );
}

/** Two names, so that an index can be made before the one that it replaces is dropped. */
export function indexNames({ schema, table, columns }: VectorLayout): readonly [string, string] {
  const hash = createHash("sha256").update([schema, table, columns.embedding].join("\0")).digest("hex").slice(0, 16);
  return [`dk_vectors_${hash}_a`, `dk_vectors_${hash}_b`];
}
