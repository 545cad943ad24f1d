/** Orders as ORDER BY terms, and places in them as conditions: keyset paging. */
import { type AfterLeaf, type Operand, type Order, rankOf, type TiedLeaf } from "@dataknobs/core/backend";
import { all, any, falsehood, join, raw, type Sql, sql } from "@dataknobs/sql";
import type { DuckDialect } from "./compile.js";
import type { DuckField } from "./fields.js";

/** Whether values of the class differ in their places. */
function isOrdered(rank: number): boolean {
  return rank > 0 && rank < 6;
}

/** The two sides of a value of its class, by an operator. */
function compared(field: DuckField, op: "=" | "<" | ">", operand: Operand): Sql {
  if (field.text && operand.class !== "string") return falsehood;
  return field.compare?.(op, operand) ?? sql`${field.value} ${raw(op)} ${operand.value as string}`;
}

export function afterOf(field: DuckField, { operand, order }: AfterLeaf): Sql {
  const { descending, nullsFirst } = order;
  const rank = rankOf(operand?.class ?? "null");
  if (rank === 0) return nullsFirst ? field.present : falsehood;
  const op = descending ? "<" : ">";
  const past = [sql`${field.rank} ${raw(op)} ${raw(String(rank))}`];
  if (operand !== undefined && isOrdered(rank)) past.push(compared(field, op, operand));
  const beyond = any(past);
  if (field.text) return beyond;
  const isNull = sql`${field.rank} = 0`;
  return nullsFirst ? all([field.present, beyond]) : any([isNull, beyond]);
}

export function tiedOf(field: DuckField, { operand }: TiedLeaf): Sql {
  const rank = rankOf(operand?.class ?? "null");
  if (operand !== undefined && isOrdered(rank)) return compared(field, "=", operand);
  return field.text ? falsehood : sql`${field.rank} = ${raw(String(rank))}`;
}

/** `clean`: no row has a declared field's value in its JSON, so that a column says all. */
export function orderBy(dialect: DuckDialect, order: readonly Order[], clean: boolean): Sql {
  return join(
    order.flatMap((one) => termsOf(dialect, one, clean)),
    ", ",
  );
}

function termsOf(dialect: DuckDialect, { path, descending, nullsFirst }: Order, clean: boolean): Sql[] {
  const field = dialect.field(path);
  if (field === undefined) throw new TypeError(`This order was not pushed down: ${path.text}.`);
  const way = descending ? "DESC" : "ASC";
  const term = (column: Sql, nulls = nullsFirst): Sql =>
    sql`${column} ${raw(`${way} NULLS ${nulls ? "FIRST" : "LAST"}`)}`;
  if (field.column !== undefined) return [term(field.column)];
  const [only, second] = field.declared?.slots ?? [];
  if (clean && only !== undefined && second === undefined) return [term(raw(only.column))];
  return [term(sql`nullif(${field.rank}, 0)`), term(field.number), term(field.string)];
}
