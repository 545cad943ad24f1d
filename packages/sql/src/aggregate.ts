/**
 * Aggregation: the plan as columns of one grouped SELECT, and the rows back as cells. Exact as the comment of
 * `AggregatePlan` says; a plan with a part that the dialect cannot prove is declined as a whole.
 */
import type { AggregatePlan, AggregateRow, Cell, LoweredFunction, LoweredKey, TypeMap } from "@dataknobs/core/backend";
import { parseJson } from "@dataknobs/core/backend";
import type { AggregateDialect, Dialect, Field } from "./dialect.js";
import { bigintOfKey, bytesOfKey } from "./keys.js";
import { join, raw, type Sql, sql } from "./sql.js";

/** Columns to select, columns to group by, and the reader of a row of the answer. */
export interface AggregateSql {
  readonly columns: readonly Sql[];
  readonly groupBy: readonly Sql[];
  read(row: readonly unknown[]): AggregateRow;
}

interface Part {
  readonly columns: readonly Sql[];
  /** How many of the columns are the group key. */
  readonly keys: number;
  read(values: readonly unknown[]): Cell;
}

const nullCell: Cell = Object.freeze({ json: null });
const dateTypes: TypeMap = Object.freeze({ "": "date" });

export function aggregatePlanOf(dialect: Dialect, plan: AggregatePlan): AggregateSql | undefined {
  const { aggregates } = dialect;
  if (aggregates === undefined) return undefined;
  const keys: Part[] = [];
  for (const key of plan.keys) {
    const field = dialect.field(key.path);
    const part = field === undefined ? undefined : keyPart(aggregates, field, key);
    if (part === undefined) return undefined;
    keys.push(part);
  }
  const functions: Part[] = [];
  for (const fn of plan.functions) {
    const field = fn.path === undefined ? undefined : dialect.field(fn.path);
    if (fn.path !== undefined && field === undefined) return undefined;
    const part = functionPart(aggregates, field, fn);
    if (part === undefined) return undefined;
    functions.push(part);
  }
  const parts = [...keys, ...functions];
  return {
    columns: parts.flatMap(({ columns }) => columns),
    groupBy: keys.flatMap(({ columns, keys: count }) => columns.slice(0, count)),
    read(row) {
      let at = 0;
      const cells = parts.map((part) => {
        const from = at;
        at += part.columns.length;
        return part.read(row.slice(from, at));
      });
      return { keys: cells.slice(0, keys.length), values: cells.slice(keys.length) };
    },
  };
}

/** The statement. Without keys there is one group, records or not. */
export function aggregateSelect({ columns, groupBy }: AggregateSql, from: Sql): Sql {
  const select = sql`SELECT ${join(columns.length === 0 ? [raw("1")] : columns, ", ")} ${from}`;
  return groupBy.length === 0 ? select : sql`${select} GROUP BY ${join(groupBy, ", ")}`;
}

function keyPart(dialect: AggregateDialect, field: Field, key: LoweredKey): Part | undefined {
  switch (key.kind) {
    case "path": {
      if (field.text) {
        const types = field.path.root === "id" ? undefined : dateTypes;
        return { columns: [field.value], keys: 1, read: ([text]) => ({ json: text as string, types }) };
      }
      const value = sql`CASE WHEN ${field.rank} >= 6 THEN ${dialect.deepKey(field)} ELSE ${field.value} END`;
      const dates = dialect.every(field.isDate);
      return {
        columns: [field.rank, value, dates],
        keys: 2,
        read: ([rank, text, date]) => cellOf(dialect, rank, text, isTrue(date)),
      };
    }
    case "bucket": {
      if (field.text) return { columns: [raw("NULL")], keys: 0, read: () => nullCell };
      const number = sql`CASE WHEN ${field.is("number")} THEN ${field.get("number")} END`;
      return {
        columns: [dialect.bucket(number, key.width)],
        keys: 1,
        read: ([lower]) => ({ json: (lower as number | null) ?? null }),
      };
    }
    case "dateBucket": {
      const text = field.text ? field.value : sql`CASE WHEN ${field.is("string")} THEN ${field.get("string")} END`;
      const start = dialect.dateBucket(text, key.unit);
      if (start === undefined) return undefined;
      return {
        columns: [start],
        keys: 1,
        read: ([iso]) => (iso === null ? nullCell : { json: iso as string, types: dateTypes }),
      };
    }
  }
}

function functionPart(dialect: AggregateDialect, field: Field | undefined, fn: LoweredFunction): Part | undefined {
  const one = (column: Sql, otherwise: number | null): Part => ({
    columns: [column],
    keys: 0,
    read: ([value]) => ({ json: (value as number | null) ?? otherwise }),
  });
  if (fn.kind === "count" && field === undefined) return one(raw("count(*)"), 0);
  if (field === undefined) return undefined;
  const number = field.text ? raw("NULL") : sql`CASE WHEN ${field.is("number")} THEN ${field.get("number")} END`;
  switch (fn.kind) {
    case "count":
      return one(sql`count(CASE WHEN ${field.present} THEN 1 END)`, 0);
    case "countDistinct": {
      if (field.text) return one(sql`count(DISTINCT ${field.value})`, 0);
      // numbers as they are, the rest as text that begins with its rank: no two classes meet
      const { rank, value } = field;
      return one(
        sql`count(DISTINCT CASE WHEN ${rank} = 0 THEN NULL WHEN ${rank} = 2 THEN ${value} WHEN ${rank} >= 6 THEN ${rank} || ${dialect.deepKey(field)} ELSE ${rank} || ${value} END)`,
        0,
      );
    }
    case "sum":
      return one(dialect.sum !== undefined && !field.text ? dialect.sum(field) : sql`sum(${number})`, 0);
    case "avg":
      return one(dialect.avg !== undefined && !field.text ? dialect.avg(field) : sql`avg(${number})`, null);
    case "percentile": {
      const column = dialect.percentile(number, fn.fraction);
      return column === undefined ? undefined : one(column, null);
    }
    case "min":
    case "max":
      return extremePart(dialect, field, fn.kind);
  }
}

/**
 * Least or greatest over the classes: booleans by themselves, since they come before numbers; numbers and, after
 * them, texts that begin with their rank.
 */
function extremePart(dialect: AggregateDialect, field: Field, kind: "min" | "max"): Part {
  const best = raw(kind);
  if (field.text) {
    const types = field.path.root === "id" ? undefined : dateTypes;
    return {
      columns: [sql`${best}(${field.value})`],
      keys: 0,
      read: ([text]) => (text === null ? nullCell : { json: text as string, types }),
    };
  }
  const { rank, value } = field;
  return {
    columns: [
      sql`${best}(CASE WHEN ${rank} = 1 THEN ${value} END)`,
      sql`${best}(CASE WHEN ${rank} = 2 THEN ${value} END)`,
      sql`${best}(CASE WHEN ${rank} BETWEEN 3 AND 5 THEN ${rank} || ${value} END)`,
      dialect.every(sql`CASE WHEN ${rank} = 4 THEN ${field.isDate} ELSE TRUE END`),
    ],
    keys: 0,
    read([boolean, number, text, dates]) {
      const cells = [
        boolean === null ? undefined : cellOf(dialect, 1, boolean, false),
        number === null ? undefined : cellOf(dialect, 2, number, false),
        text === null
          ? undefined
          : cellOf(dialect, Number((text as string)[0]), (text as string).slice(1), isTrue(dates)),
      ].filter((cell) => cell !== undefined);
      return (kind === "min" ? cells[0] : cells.at(-1)) ?? nullCell;
    },
  };
}

const isTrue = (value: unknown): boolean => value === true || value === 1;

function cellOf({ decode }: AggregateDialect, rank: unknown, value: unknown, dates: boolean): Cell {
  if (decode !== undefined && typeof rank === "number" && rank > 0 && rank < 6) {
    const type = dates && rank === 4 ? "date" : rank === 3 ? "bigint" : rank === 5 ? "bytes" : undefined;
    const json = decode(rank, value as string);
    return type === undefined ? { json } : { json, types: { "": type } };
  }
  switch (rank) {
    case 0:
      return nullCell;
    case 1:
      return { json: value === true || value === 1 };
    case 2:
      return { json: value as number };
    case 3:
      return { json: bigintOfKey(value as string), types: { "": "bigint" } };
    case 5:
      return { json: bytesOfKey(value as string), types: { "": "bytes" } };
    case 4:
      return dates ? { json: value as string, types: dateTypes } : { json: value as string };
    default: {
      const [json, types] = parseJson(value as string) as unknown as [Cell["json"], TypeMap | null];
      return { json, types };
    }
  }
}
