/** Orders as ORDER BY terms: the contract's total order, by rank and value. */
import type { Order } from "@dataknobs/core/backend";
import { type Dialect, fieldOf } from "./dialect.js";
import { join, raw, type Sql, sql } from "./sql.js";

/** Whether the engine gives the order, and by which index. */
export function orderIndex(
  dialect: Dialect,
  order: readonly Order[],
): { readonly index?: string | undefined } | undefined {
  if (order.some(({ path }) => dialect.field(path) === undefined)) return undefined;
  const [first] = order;
  return first === undefined || !isPlain(first) ? {} : { index: dialect.field(first.path)?.index };
}

/** Nulls where the rank puts them by itself. */
function isPlain({ descending, nullsFirst }: Order): boolean {
  return nullsFirst !== descending;
}

/** The terms of ORDER BY. */
export function orderBy(dialect: Dialect, order: readonly Order[]): Sql {
  return join(
    order.flatMap((one) => termsOf(dialect, one)),
    ", ",
  );
}

function termsOf(dialect: Dialect, order: Order): Sql[] {
  const field = fieldOf(dialect, order.path);
  const direction = raw(order.descending ? " DESC" : "");
  if (field.text) return [sql`${field.value}${direction}`];
  const terms = [sql`${field.rank}${direction}`, sql`${field.value}${direction}`];
  return isPlain(order) ? terms : [sql`(${field.rank} = 0)${raw(order.nullsFirst ? " DESC" : "")}`, ...terms];
}
