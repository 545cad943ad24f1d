/** The statements of requests. Pure: the same text for `explain` and for the server. */
import type { AggregateRequest, AggregateRow, Order, ScanRequest } from "@dataknobs/core/backend";
import {
  aggregatePlanOf,
  aggregateSelect,
  all,
  join,
  raw,
  render,
  type Sql,
  type SqlValue,
  type Statement,
  sql,
} from "@dataknobs/sql";
import { arrayText } from "./arrays.js";
import type { PostgresDialect } from "./compile.js";
import type { KeyedField } from "./fields.js";
import { idColumn, type Layout, literal, tableOf } from "./layout.js";
import { scoreOf } from "./match.js";
import { recordColumns } from "./rows.js";

const columns = recordColumns();

// Below the protocol's limit of 65,535, which an `or` of very many parts can reach.
const mostParams = 60_000;

/** Text and parameters; those beyond the protocol's limit as literals. */
export function finish(part: Sql): Statement {
  const { text } = render(part, (position) =>
    position <= mostParams ? `$${position}` : literalOf(part.params[position - 1] as SqlValue),
  );
  return { text, params: part.params.slice(0, mostParams) };
}

function literalOf(value: SqlValue): string {
  return typeof value === "string" ? literal(value) : literal(String(value));
}

function fromOf(layout: Layout, where: Sql | undefined, match: Sql | undefined): Sql {
  const conditions = [where, match].filter((part) => part !== undefined);
  const from = raw(`FROM ${tableOf(layout)}`);
  return conditions.length === 0 ? from : sql`${from} WHERE ${all(conditions)}`;
}

/** Nulls where the key puts them by itself. */
const isPlain = ({ descending, nullsFirst }: Order): boolean => nullsFirst !== descending;

/**
 * `whole`: by the whole keys. Else by what indexes have of them, which is the same order unless a row among those
 * that are given has a key as long as that.
 */
function termsOf(dialect: PostgresDialect, order: Order, whole: boolean): Sql[] {
  const field = dialect.field(order.path) as KeyedField;
  const direction = raw(order.descending ? " DESC" : "");
  const { cut, key } = field;
  const keys = cut === undefined ? [key] : whole ? [cut, key] : [cut];
  const terms = keys.map((one) => sql`${one}${direction}`);
  if (field.text || isPlain(order)) return terms;
  return [sql`(${cut ?? key} < '1')${raw(order.nullsFirst ? " DESC" : "")}`, ...terms];
}

/** Rows of a record and, with `match`, its score. */
export function scanSelect(
  layout: Layout,
  dialect: PostgresDialect,
  request: ScanRequest<Sql>,
  whole: boolean,
): Statement {
  const { where, match, order, limit, offset } = request;
  const score = match === undefined ? raw("") : sql`, ${scoreOf(match)} AS score`;
  let select = sql`SELECT ${raw(columns)}${score} ${fromOf(layout, where, match)}`;
  if (order.length > 0) {
    select = sql`${select} ORDER BY ${join(
      order.flatMap((one) => termsOf(dialect, one, whole)),
      ", ",
    )}`;
  } else if (match !== undefined) select = sql`${select} ORDER BY score DESC, ${raw(idColumn(layout))}`;
  // bigint: a page may begin further on than 2³¹
  if (limit !== undefined) select = sql`${select} LIMIT ${limit}::bigint`;
  if (offset > 0) select = sql`${select} OFFSET ${offset}::bigint`;
  return finish(select);
}

/** By one id it takes the server two thirds of the time that a list of one takes. */
export function readStatement(layout: Layout, ids: readonly string[]): Statement {
  const select = `SELECT ${columns} FROM ${tableOf(layout)} WHERE id`;
  const [only] = ids;
  if (only !== undefined && ids.length === 1) return { text: `${select} = $1`, params: [only] };
  return { text: `${select} = ANY($1::text[])`, params: [arrayText(ids)] };
}

export function countSelect(layout: Layout, where: Sql | undefined, match: Sql | undefined): Statement {
  return finish(sql`SELECT count(*) ${fromOf(layout, where, match)}`);
}

export interface AggregateStatement extends Statement {
  read(row: readonly unknown[]): AggregateRow;
}

export function aggregateStatement(
  layout: Layout,
  dialect: PostgresDialect,
  { plan: wanted, where, match }: AggregateRequest<Sql>,
): AggregateStatement {
  const plan = aggregatePlanOf(dialect, wanted);
  if (plan === undefined) throw new TypeError("This aggregation was not pushed down.");
  return { ...finish(aggregateSelect(plan, fromOf(layout, where, match))), read: plan.read };
}

export function deleteStatement(layout: Layout, where: Sql | undefined): Statement {
  const start = raw(`DELETE FROM ${tableOf(layout)}`);
  return finish(where === undefined ? start : sql`${start} WHERE ${where}`);
}
