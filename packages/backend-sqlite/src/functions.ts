/**
 * JavaScript functions for use in queries. Nothing in the file calls them: tables, indexes and triggers must work
 * for programs that have none of them.
 */
import { type DateUnit, dateBucketOf, likePredicate } from "@dataknobs/core/backend";
import { deepCellOf, deepKeyOf } from "@dataknobs/sql";
import type { Database } from "better-sqlite3";

export const functionNames = {
  ilike: "dataknobs_ilike",
  regex: "dataknobs_regex",
  deepKey: "dataknobs_deep_key",
  deepCell: "dataknobs_deep_cell",
  dateBucket: "dataknobs_date_bucket",
} as const;

type Test = (text: string) => boolean;

/** The last patterns, compiled: a query calls with the same one for every row. */
function cached(make: (pattern: string, flags: string) => Test): (pattern: string, flags: string) => Test {
  const tests = new Map<string, Test>();
  let lastPattern: string | undefined;
  let lastFlags: string | undefined;
  let last: Test = () => false;
  return (pattern, flags) => {
    if (pattern === lastPattern && flags === lastFlags) return last;
    const key = `${flags}/${pattern}`;
    let test = tests.get(key);
    if (test === undefined) {
      if (tests.size >= 64) tests.clear();
      test = make(pattern, flags);
      tests.set(key, test);
    }
    [lastPattern, lastFlags, last] = [pattern, flags, test];
    return test;
  };
}

export function registerFunctions(db: Database): void {
  const ilike = cached((pattern) => likePredicate(pattern, true));
  const regex = cached((pattern, flags) => {
    const expression = new RegExp(pattern, flags);
    return (text) => expression.test(text);
  });
  const define = (name: string, call: (...args: never[]) => unknown): unknown =>
    db.function(name, { deterministic: true, directOnly: true }, call as (...args: unknown[]) => unknown);
  define(functionNames.ilike, (pattern: string, text: unknown) =>
    typeof text === "string" && ilike(pattern, "")(text) ? 1 : 0,
  );
  define(functionNames.regex, (pattern: string, flags: string, text: unknown) =>
    typeof text === "string" && regex(pattern, flags)(text) ? 1 : 0,
  );
  define(functionNames.deepKey, (json: string | null, types: string | null, pointer: string) =>
    json === null ? null : deepKeyOf(json, types, pointer),
  );
  define(functionNames.deepCell, (json: string | null, types: string | null, pointer: string) =>
    json === null ? null : deepCellOf(json, types, pointer),
  );
  define(functionNames.dateBucket, (text: unknown, unit: string) =>
    typeof text === "string" ? dateBucketOf(text, unit as DateUnit) : null,
  );
}
