/** Records as rows and back. Columns come as text, so that no setting of a client changes what they mean. */
import { type JsonObject, parseJson, type TypeMap, type WireRecord } from "@dataknobs/core/backend";
import { timeColumn } from "./layout.js";

/** The columns of a record, in the order that `recordOf` reads them; `instead`: what is given for one of them. */
export function recordColumns(qualifier = "", instead: { readonly [column: string]: string } = {}): string {
  const text = ["data", "metadata", "types", "metadata_types"].map(
    (column) => `${instead[column] ?? qualifier + column}::text`,
  );
  const [created, updated] = [timeColumn("created_at", qualifier), timeColumn("updated_at", qualifier)];
  return `${qualifier}id, ${text.join(", ")}, ${qualifier}version, ${created}, ${updated}`;
}

export const recordWidth = 8;

export function typesOfText(text: unknown): TypeMap | null {
  return text === null ? null : (parseJson(text as string) as TypeMap);
}

export function fieldsOfText(text: unknown): JsonObject {
  return text === null || text === "{}" ? {} : ((parseJson(text as string) as JsonObject | null) ?? {});
}

export function recordOf(row: readonly unknown[]): WireRecord {
  const record = {
    id: row[0] as string,
    data: parseJson(row[1] as string) as JsonObject,
    types: typesOfText(row[3]),
    metadata: fieldsOfText(row[2]),
    metadataTypes: typesOfText(row[4]),
    version: row[5] as string,
    createdAt: Number(row[6]),
    updatedAt: Number(row[7]),
  };
  return row.length > recordWidth ? { ...record, score: Number(row[recordWidth]) } : record;
}

/** int8 and numeric, which the driver leaves as text. */
const numericTypes: ReadonlySet<number> = new Set([20, 700, 701, 1700]);

/** A row of an aggregation with its numbers as such; a sum beyond all doubles is infinite. */
export function withNumbers(
  row: readonly unknown[],
  columns: readonly { readonly type: number }[] | null,
): readonly unknown[] {
  return row.map((value, index) => {
    const type = columns?.[index]?.type;
    return typeof value === "string" && type !== undefined && numericTypes.has(type) ? Number(value) : value;
  });
}
