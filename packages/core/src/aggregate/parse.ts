/** Checks an aggregation and lowers it. Pure; `INVALID_QUERY` for what is wrong. */
import { DataknobsError } from "../errors.js";
import type { PathInput } from "../query/ast.js";
import { checkCount, checkKeys } from "../query/checks.js";
import type { Path } from "../query/lowered.js";
import { nearest } from "../query/nearest.js";
import { lowerCondition, lowerMatch, lowerSortClause, type ParseContext } from "../query/parse.js";
import { resolvePath } from "../query/paths.js";
import {
  type AggregateFunction,
  type Aggregation,
  dateUnits,
  type GroupKey,
  type LoweredAggregation,
  type LoweredFunction,
  type LoweredKey,
} from "./ast.js";

const functionNames = ["count", "countDistinct", "sum", "avg", "min", "max", "percentile"] as const;
const keys = ["where", "match", "groupBy", "select", "having", "sort", "limit", "offset"] as const;

export function lowerAggregation(aggregation: Aggregation, context: ParseContext): LoweredAggregation {
  checkKeys(aggregation, keys, "An aggregation");
  const { where, match, groupBy = {}, select, having, sort } = aggregation;
  if (typeof select !== "object" || select === null || Object.keys(select).length === 0) {
    throw invalid("`select` of an aggregation names at least one function: { n: count() }.");
  }
  if (typeof groupBy !== "object" || groupBy === null || Array.isArray(groupBy)) {
    throw invalid("`groupBy` maps column names to paths or buckets.");
  }
  for (const column of Object.keys(select)) {
    if (Object.hasOwn(groupBy, column)) throw invalid(`The column "${column}" is in both groupBy and select.`);
  }
  const columns = new Set([...Object.keys(groupBy), ...Object.keys(select)]);
  if (sort !== undefined && !Array.isArray(sort)) throw invalid("`sort` is a list of { path, direction, nulls }.");
  for (const clause of sort ?? []) checkColumn(lowerSortClause(clause).path, columns);
  const lowered: LoweredAggregation = {
    where: where === undefined ? undefined : lowerCondition(where),
    match: match === undefined ? undefined : match,
    plan: Object.freeze({
      keys: Object.entries(groupBy).map(([column, key]) => lowerKey(column, key)),
      functions: Object.entries(select).map(([column, fn]) => lowerFunction(column, fn)),
    }),
    having: having === undefined ? undefined : lowerCondition(having),
    sort,
    limit: checkCount(aggregation.limit, "limit"),
    offset: checkCount(aggregation.offset, "offset") ?? 0,
  };
  if (match !== undefined) lowerMatch(match, context);
  return lowered;
}

function checkColumn(path: Path, columns: ReadonlySet<string>): void {
  const [first] = path.segments;
  if (path.root === "data" && first !== undefined && columns.has(first)) return;
  const hint = columns.has(path.text)
    ? ` The column of that name is "data.${path.text}".`
    : nearest(path.text, [...columns]);
  throw invalid(`An aggregation sorts by its own columns; it has no "${path.text}".${hint}`);
}

function lowerKey(column: string, key: GroupKey): LoweredKey {
  if (typeof key === "object" && key !== null && "bucket" in key) {
    checkKeys(key, ["bucket", "width"], "A bucket");
    if (typeof key.width !== "number" || !(key.width > 0) || !Number.isFinite(key.width)) {
      throw invalid(`The width of the bucket "${column}" is a positive number.`);
    }
    return { kind: "bucket", column, path: resolvePath(key.bucket), width: key.width };
  }
  if (typeof key === "object" && key !== null && "dateBucket" in key) {
    checkKeys(key, ["dateBucket", "unit"], "A date bucket");
    if (!dateUnits.includes(key.unit)) {
      throw invalid(`The unit of the date bucket "${column}" is one of ${dateUnits.join(", ")}.`);
    }
    return { kind: "dateBucket", column, path: resolvePath(key.dateBucket), unit: key.unit };
  }
  return { kind: "path", column, path: resolvePath(key as PathInput) };
}

function lowerFunction(column: string, fn: AggregateFunction): LoweredFunction {
  checkKeys(fn, ["fn", "path", "fraction", "approximate"], `The function "${column}"`);
  const kind = fn.fn;
  if (!functionNames.includes(kind)) {
    throw invalid(`"${String(kind)}" is no aggregate function.${nearest(String(kind), functionNames)}`);
  }
  if (fn.fraction !== undefined && kind !== "percentile")
    throw invalid(`\`fraction\` belongs to percentile, not ${kind}.`);
  if (fn.approximate !== undefined && kind !== "countDistinct") {
    throw invalid(`\`approximate\` belongs to countDistinct, not ${kind}.`);
  }
  if (kind === "count") return { kind, column, path: fn.path === undefined ? undefined : resolvePath(fn.path) };
  if (fn.path === undefined) throw invalid(`${kind} of "${column}" takes a path.`);
  const path = resolvePath(fn.path);
  if (kind === "countDistinct") return { kind, column, path, approximate: fn.approximate === true };
  if (kind === "percentile") {
    const { fraction } = fn;
    if (typeof fraction !== "number" || !(fraction >= 0 && fraction <= 1)) {
      throw invalid(`percentile of "${column}" takes a fraction from 0 to 1; 0.95 is the 95th.`);
    }
    return { kind, column, path, fraction };
  }
  return { kind, column, path };
}

function invalid(message: string): DataknobsError {
  return new DataknobsError("INVALID_QUERY", message);
}
