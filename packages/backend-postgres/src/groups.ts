/** Aggregation in PostgreSQL: exact sums by numeric, keys as values, calendar arithmetic without casts that fail. */
import type { DateUnit } from "@dataknobs/core/backend";
import { type AggregateDialect, raw, type Sql, sql } from "@dataknobs/sql";
import { decodeKey } from "./keys.js";
import { jsonPieces, type Layout, literal } from "./layout.js";

export function aggregatesOf(layout: Layout): AggregateDialect {
  const numbers = (path: Parameters<typeof jsonPieces>[1]): Sql => {
    const { json, type } = jsonPieces(layout, path);
    return raw(`CASE WHEN ${type} = 'number' THEN ${json}::numeric END`);
  };
  return {
    // literals, not parameters: what is selected and what is grouped by must be the same text
    deepKey: ({ path }) => {
      const { json, types } = jsonPieces(layout, path);
      const pointer = literal(path.pointer);
      const below =
        `(SELECT jsonb_object_agg(substr(k, length(${pointer}) + 1), v)::text FROM jsonb_each_text(${types}) AS each_type(k, v) ` +
        `WHERE v IN ('bigint', 'bytes') AND starts_with(k, ${pointer} || '/'))`;
      return raw(
        `('[' || ${json}::text || ',' || coalesce(CASE WHEN ${types} IS NOT NULL THEN ${below} END, 'null') || ']')`,
      );
    },
    every: (condition) => sql`bool_and(${condition})`,
    bucket,
    dateBucket: (text, unit) => raw(dateBucket(plain(text), unit)),
    percentile: (number, fraction) => sql`percentile_cont(${fraction}) WITHIN GROUP (ORDER BY ${number})`,
    sum: ({ path }) => sql`sum(${numbers(path)})`,
    avg: ({ path }) => sql`avg(${numbers(path)})`,
    decode: decodeKey,
  };
}

/** A fragment without parameters, as text. */
function plain(part: Sql): string {
  if (part.params.length > 0) throw new TypeError("A fragment with parameters cannot be repeated.");
  return part.texts[0] as string;
}

/**
 * `floor(number / width) * width` as JavaScript reckons it: PostgreSQL fails where a quotient is too small or too
 * great for a double, and JavaScript goes on with zero and infinity.
 */
function bucket(number: Sql, width: number): Sql {
  const n = plain(number);
  const double = (value: number): string => `'${value}'::float8`;
  const w = double(width);
  const nothing = (width / 2) * Number.MIN_VALUE;
  const greatest = width < 1 ? Number.MAX_VALUE * width * (1 - 1e-15) : 1.7e308;
  const beyond = width < 1 ? `CASE WHEN ${n} < 0 THEN ${double(-Infinity)} ELSE ${double(Infinity)} END` : n;
  return raw(
    `CASE WHEN abs(${n}) < ${w} THEN CASE WHEN ${n} < ${double(-nothing)} THEN -${w} ELSE 0 END ` +
      `WHEN abs(${n}) < ${double(greatest)} THEN floor(${n} / ${w}) * ${w} + 0 WHEN ${n} IS NOT NULL THEN ${beyond} END`,
  );
}

const leap = (year: string): string => `(${year} % 4 = 0 AND (${year} % 100 <> 0 OR ${year} % 400 = 0))`;

/**
 * The start of the unit as canonical ISO text, NULL for a text that is no real date. Reckoned 400 years later, in
 * which the calendar repeats itself to the weekday, since PostgreSQL has no year 0.
 */
function dateBucket(text: string, unit: DateUnit): string {
  const number = (from: number, length: number): string => `substr(${text}, ${from}, ${length})::int`;
  const [year, month, day] = [number(1, 4), number(6, 2), number(9, 2)];
  const days = `CASE WHEN ${month} IN (4, 6, 9, 11) THEN 30 WHEN ${month} = 2 THEN CASE WHEN ${leap(year)} THEN 29 ELSE 28 END ELSE 31 END`;
  const hours = `(length(${text}) = 10 OR (${number(12, 2)} < 24 AND ${number(15, 2)} < 60 AND ${number(18, 2)} < 60))`;
  const form = "'^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z)?$'";
  const isReal = `CASE WHEN ${text} ~ ${form} THEN ${month} BETWEEN 1 AND 12 AND ${day} BETWEEN 1 AND ${days} AND ${hours} ELSE FALSE END`;
  const hour = `CASE WHEN length(${text}) = 10 THEN 0 ELSE ${number(12, 2)} END`;
  const start = `date_trunc('${unit}', make_timestamp(${year} + 400, ${month}, ${day}, ${hour}, 0, 0))`;
  const startYear = `(date_part('year', ${start})::int - 400)`;
  const yearText = `CASE WHEN ${startYear} < 0 THEN '-' || lpad((-${startYear})::text, 6, '0') ELSE lpad(${startYear}::text, 4, '0') END`;
  return `CASE WHEN ${isReal} THEN ${yearText} || to_char(${start}, '-MM-DD"T"HH24:MI:SS".000Z"') END`;
}
