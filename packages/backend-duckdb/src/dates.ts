/**
 * Times in TIMESTAMP columns, compared with any text as their canonical ISO texts are. Within the years 0000 to 9999
 * the order of those texts is that of the times, so a text has its place among the times.
 */
import { type CompareOp, compareText, isoTime } from "@dataknobs/core/backend";
import { falsehood, raw, type Sql, sql } from "@dataknobs/sql";

/** 0000-01-01T00:00:00.000Z. */
const earliest = -62_167_219_200_000;
/** 9999-12-31T23:59:59.999Z. */
const latest = 253_402_300_799_999;

/** The first time whose text is not below `text`, and whether it is the text. `latest + 1`: all are below. */
function placeOf(text: string): { readonly time: number; readonly exact: boolean } {
  let low = earliest;
  let high = latest + 1;
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    if (compareText(isoTime(middle), text) < 0) low = middle + 1;
    else high = middle;
  }
  return { time: low, exact: low <= latest && isoTime(low) === text };
}

/** The comparison of a TIMESTAMP with a text. */
export function compareTime(column: Sql, op: "=" | CompareOp, text: string): Sql {
  const { time, exact } = placeOf(text);
  const bound = timeLiteral(time);
  switch (op) {
    case "=":
      return exact ? sql`${column} = ${bound}` : falsehood;
    case "<":
      return sql`${column} < ${bound}`;
    case ">=":
      return sql`${column} >= ${bound}`;
    case "<=":
      return sql`${column} ${raw(exact ? "<=" : "<")} ${bound}`;
    case ">":
      return sql`${column} ${raw(exact ? ">" : ">=")} ${bound}`;
  }
}

/** A whole number that we made ourselves, so that the engine can compare it with a segment's least and greatest. */
function timeLiteral(time: number): Sql {
  return raw(`make_timestamp(${time}000)`);
}

/** The canonical text of a TIMESTAMP. */
export function timeText(column: Sql): Sql {
  return sql`strftime(${column}, '%Y-%m-%dT%H:%M:%S.%gZ')`;
}
