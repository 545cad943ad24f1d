/** What the schema of another program's Parquet file tells about its columns. */
import type { FileMetaData, SchemaTree } from "hyparquet";
import type { ColumnKind, FieldColumn } from "./parquet-columns.js";

/** Flat columns whose statistics can be relied upon; the others are read but never skipped by. */
export function foreignFields(tree: SchemaTree, metadata: FileMetaData): readonly FieldColumn[] {
  return tree.children.flatMap((child) => {
    const kind = kindOf(child, metadata);
    const { name } = child.element;
    return kind === undefined ? [] : [{ name, segments: [name], kind, strays: [] }];
  });
}

function kindOf({ element, children }: SchemaTree, metadata: FileMetaData): ColumnKind | undefined {
  const { type, converted_type: converted, logical_type: logical, repetition_type: repetition } = element;
  if (children.length > 0 || repetition === "REPEATED") return undefined;
  if (type === "BOOLEAN") return "boolean";
  if (type === "DOUBLE") return "number";
  if (converted === "UTF8" || logical?.type === "STRING") return type === "BYTE_ARRAY" ? "string" : undefined;
  if (converted === "TIMESTAMP_MILLIS" || (logical?.type === "TIMESTAMP" && logical.unit === "MILLIS")) return "date";
  const isPlain = converted === undefined && logical === undefined;
  const isSigned = /^INT_/.test(converted ?? "") || (logical?.type === "INTEGER" && logical.isSigned);
  if (type === "INT32") return isPlain || isSigned ? "integer" : undefined;
  if (type === "INT64" && (isPlain || isSigned)) return isSafe(element.name, metadata) ? "integer" : undefined;
  return undefined;
}

/** Whether all values of the column are numbers that JavaScript has exactly. */
function isSafe(name: string, { row_groups }: FileMetaData): boolean {
  return row_groups.every(({ columns }) => {
    const meta = columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === name)?.meta_data;
    const { min_value: low, max_value: high } = meta?.statistics ?? {};
    return (
      typeof low === "bigint" &&
      typeof high === "bigint" &&
      low >= Number.MIN_SAFE_INTEGER &&
      high <= Number.MAX_SAFE_INTEGER
    );
  });
}
