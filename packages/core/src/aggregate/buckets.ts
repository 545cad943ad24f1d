/** Buckets of numbers and dates. */
import type { DateUnit } from "./ast.js";

/** Lower bound of the interval of `width` that the number is in. */
export function bucketOf(value: number, width: number): number {
  const lower = Math.floor(value / width) * width;
  return lower === 0 ? 0 : lower;
}

const dateText = /^(\d{4})-(\d{2})-(\d{2})(?:T\d{2}:\d{2}:\d{2}\.\d{3}Z)?$/;
const hourMs = 3_600_000;
const dayMs = 86_400_000;

/** Milliseconds of a text that date buckets take: a day, or a time as Dates are stored. Null for one that is no real date. */
export function timeOfText(text: string): number | null {
  if (!dateText.test(text)) return null;
  const date = new Date(text);
  // 2024-02-30 parses, as March 1st, and so does an hour 24, as the next day's first
  return date.getUTCDate() === Number(text.slice(8, 10)) ? date.getTime() : null;
}

/** Start of the unit in UTC, canonical ISO; null for a text that is no real date. */
export function dateBucketOf(text: string, unit: DateUnit): string | null {
  const time = timeOfText(text);
  return time === null ? null : new Date(startOf(new Date(time), time, unit)).toISOString();
}

function startOf(date: Date, time: number, unit: DateUnit): number {
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  switch (unit) {
    case "hour":
      return Math.floor(time / hourMs) * hourMs;
    case "day":
      return Math.floor(time / dayMs) * dayMs;
    case "week": {
      // day 0 of the epoch was a Thursday: three days after its Monday
      const day = Math.floor(time / dayMs);
      return (day - ((((day + 3) % 7) + 7) % 7)) * dayMs;
    }
    case "month":
      return utc(year, month);
    case "quarter":
      return utc(year, month - (month % 3));
    case "year":
      return utc(year, 0);
  }
}

function utc(year: number, month: number): number {
  // Date.UTC takes the years 0 to 99 for 1900 to 1999
  const date = new Date(0);
  date.setUTCFullYear(year, month, 1);
  return date.getTime();
}
