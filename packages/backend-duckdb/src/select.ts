/** The statements of requests. Pure, so that `explain` shows what will run. */
import type { ScanRequest } from "@dataknobs/core/backend";
import { raw, render, type Sql, type Statement, sql } from "@dataknobs/sql";
import type { DuckDialect } from "./compile.js";
import { oddMark } from "./fields.js";
import { orderBy } from "./keyset.js";
import type { Layout } from "./layout.js";
import { nearestSelect } from "./nearest.js";

/** Text and parameters. `clean`: no row of the table is odd. */
export function finish(part: Sql, clean: boolean): Statement {
  const { text, params } = render(part, (position) => `$${position}`);
  return { text: text.replaceAll(oddMark, clean ? "FALSE" : "odd"), params };
}

/**
 * A record as one JSON text, in the shape of `RowJson`: reading one text of a row and parsing it costs half of
 * reading its columns one by one.
 */
export function recordColumn({ slots }: Layout, data: "data" | "'{}'" = "data"): Sql {
  const columns = slots.map(({ column, kind }) => (kind === "date" ? `, epoch_ms(${column})` : `, ${column}`));
  return raw(
    `concat('[', ${data}, ',', coalesce(metadata, 'null'), ',', coalesce(types, 'null'), ',', ` +
      `json_array(id, version, epoch_ms(created_at), epoch_ms(updated_at)${columns.join("")}), ']')`,
  );
}

export function scanSelect(layout: Layout, dialect: DuckDialect, request: ScanRequest<Sql>, clean: boolean): Statement {
  const { where, order, limit, offset, select, nearest } = request;
  const source = raw(layout.source);
  let rows = sql`SELECT * FROM ${source}`;
  if (nearest !== undefined) {
    return finish(nearestSelect(recordColumn(layout), source, nearest, where, limit ?? 1), clean);
  }
  if (where !== undefined) rows = sql`${rows} WHERE ${where}`;
  if (order.length > 0) rows = sql`${rows} ORDER BY ${orderBy(dialect, order, clean)}`;
  if (limit !== undefined) rows = sql`${rows} LIMIT ${raw(String(limit))}`;
  if (offset > 0) rows = sql`${rows} OFFSET ${raw(String(offset))}`;
  // The text is made of the rows that are left: above, it would be made of all before they are sorted.
  const column = recordColumn(layout, select?.length === 0 ? "'{}'" : "data");
  return finish(sql`SELECT ${column} FROM (${rows})`, clean);
}

export function countSelect({ source }: Layout, where: Sql | undefined, clean: boolean): Statement {
  const count = sql`SELECT count(*)::DOUBLE FROM ${raw(source)}`;
  return finish(where === undefined ? count : sql`${count} WHERE ${where}`, clean);
}

export function deleteStatement({ source }: Layout, where: Sql | undefined, clean: boolean): Statement {
  const start = sql`DELETE FROM ${raw(source)}`;
  return finish(where === undefined ? start : sql`${start} WHERE ${where}`, clean);
}
