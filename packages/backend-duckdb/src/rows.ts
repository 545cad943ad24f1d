/** Rows on their way in: by the Appender where there are many, by statements where there are few. */

import { setImmediate } from "node:timers/promises";
import type { WireRecord } from "@dataknobs/core/backend";
import { join, raw, type Sql, type SqlValue, sql } from "@dataknobs/sql";
import { type DuckDBAppender, DuckDBTimestampValue } from "@duckdb/node-api";
import type { Lane } from "./lane.js";
import { columnsOf, type Layout, type SlotKind, tableDefinition } from "./layout.js";
import { finish } from "./select.js";
import { type Content, contentOf, type SlotValue } from "./values.js";

/** More rows than this are worth an appender. */
const fewRows = 4;
/** Appending runs on this thread: others get their turn after so many rows. */
const rowsAtOnce = 20_000;

let lastTime = Number.NaN;
let lastValue = new DuckDBTimestampValue(0n);

/** Neighbours are often written in the same millisecond. */
function timestamp(time: number): DuckDBTimestampValue {
  if (time !== lastTime) {
    lastTime = time;
    lastValue = new DuckDBTimestampValue(BigInt(time) * 1000n);
  }
  return lastValue;
}

/** Whether any of the rows is odd. */
export async function insertRows(lane: Lane, layout: Layout, records: readonly WireRecord[]): Promise<boolean> {
  if (records.length > fewRows) return appendRows(lane, layout, layout.table, records);
  if (records.length === 0) return false;
  const { statement, odd } = insertStatement(layout, records);
  await lane.run(finish(statement, true), {});
  return odd;
}

export function insertStatement(layout: Layout, records: readonly WireRecord[]): { statement: Sql; odd: boolean } {
  const contents = records.map((record) => contentOf(layout, record));
  const values = records.map(
    (record, index) => sql`(${join(valuesOf(layout, record, contents[index] as Content), ", ")})`,
  );
  const statement = sql`INSERT INTO ${raw(layout.source)} VALUES ${join(values, ", ")}`;
  return { statement, odd: contents.some(({ odd }) => odd) };
}

/** Replaces all of rows that are there. Whether any is odd now. */
export async function updateRows(lane: Lane, layout: Layout, records: readonly WireRecord[]): Promise<boolean> {
  if (records.length === 0) return false;
  const columns = columnsOf(layout).slice(1);
  const table = raw(layout.source);
  let odd = false;
  if (records.length <= fewRows) {
    for (const record of records) {
      const content = contentOf(layout, record);
      odd ||= content.odd;
      const [, ...values] = valuesOf(layout, record, content);
      const set = join(
        values.map((value, index) => sql`${raw(columns[index] as string)} = ${value}`),
        ", ",
      );
      await lane.run(finish(sql`UPDATE ${table} SET ${set} WHERE id = ${record.id}`, true), {});
    }
    return odd;
  }
  await lane.exec(`CREATE OR REPLACE TEMP TABLE ${staged} ${tableDefinition(layout).replace(" PRIMARY KEY", "")}`);
  odd = await appendRows(lane, layout, staged, records);
  const set = columns.map((column) => `${column} = new.${column}`).join(", ");
  await lane.exec(`UPDATE ${layout.source} AS old SET ${set} FROM temp.${staged} AS new WHERE old.id = new.id`);
  await lane.exec(`DROP TABLE temp.${staged}`);
  return odd;
}

const staged = "dataknobs_staged";

function valuesOf(layout: Layout, { id, version, createdAt, updatedAt }: WireRecord, content: Content): Sql[] {
  const value = (one: SqlValue): Sql => (one === null ? raw("NULL") : sql`${one}`);
  return [
    ...[id, content.data, content.metadata, content.types, version].map(value),
    time(createdAt),
    time(updatedAt),
    raw(content.odd ? "TRUE" : "NULL"),
    ...content.slots.map((one, index) =>
      one !== null && layout.slots[index]?.kind === "date" ? time(one as number) : value(one),
    ),
    ...content.keys.map(value),
  ];
}

function time(ms: number): Sql {
  return sql`make_timestamp(${BigInt(ms) * 1000n})`;
}

/** Whether any of the rows is odd. Constraint errors come when the appender is closed, and nothing of it stays then. */
export async function appendRows(
  lane: Lane,
  layout: Layout,
  table: string,
  records: Iterable<WireRecord>,
  beforeOdd: () => void = () => undefined,
): Promise<boolean> {
  const appender = await lane.appender(table);
  const kinds = layout.slots.map(({ kind }) => kind);
  let odd = false;
  let count = 0;
  try {
    for (const record of records) {
      const content = contentOf(layout, record);
      odd ||= content.odd;
      appendRow(appender, kinds, record, content);
      if (++count % rowsAtOnce === 0) await setImmediate();
    }
  } catch (error) {
    appender.clear();
    throw error;
  }
  if (odd) beforeOdd();
  appender.closeSync();
  return odd;
}

function appendRow(
  appender: DuckDBAppender,
  kinds: readonly SlotKind[],
  { id, version, createdAt, updatedAt }: WireRecord,
  content: Content,
): void {
  appender.appendVarchar(id);
  appender.appendVarchar(content.data);
  appendText(appender, content.metadata);
  appendText(appender, content.types);
  appender.appendVarchar(version);
  appender.appendTimestamp(timestamp(createdAt));
  appender.appendTimestamp(timestamp(updatedAt));
  if (content.odd) appender.appendBoolean(true);
  else appender.appendNull();
  for (let index = 0; index < kinds.length; index++)
    appendSlot(appender, kinds[index] as SlotKind, content.slots[index] as SlotValue);
  for (const key of content.keys) appendText(appender, key);
  appender.endRow();
}

function appendText(appender: DuckDBAppender, text: string | null): void {
  if (text === null) appender.appendNull();
  else appender.appendVarchar(text);
}

function appendSlot(appender: DuckDBAppender, kind: SlotKind, value: SlotValue): void {
  if (value === null) {
    appender.appendNull();
    return;
  }
  switch (kind) {
    case "number":
      appender.appendDouble(value as number);
      return;
    case "boolean":
      appender.appendBoolean(value as boolean);
      return;
    case "date":
      appender.appendTimestamp(timestamp(value as number));
      return;
    default:
      appender.appendVarchar(value as string);
  }
}
