/**
 * Aggregation over declared fields. Groups come from `terms` where all of them fit into one answer, else from
 * `composite`, page by page; both exact. Elasticsearch's sums are compared with what they are made of: where
 * rounding could show, and where a key does not tell its value, the answer is `undefined` and core computes it.
 */
import {
  type AggregatePlan,
  type AggregateRow,
  type Cell,
  isoTime,
  type LoweredFunction,
  type LoweredKey,
  type Path,
  samePath,
} from "@dataknobs/core/backend";
import { arrayKey, cellOfKey, objectKey } from "./keys.js";
import { type Column, isKeyed, type Layout } from "./layout.js";
import { openPit, type Scope, whole } from "./search.js";
import type { Answer } from "./wire.js";

/** Buckets in one answer; `search.max_buckets` is 65,536 by default. */
const maxBuckets = 60_000;
const maxGroups = 10_000;

const nullCell: Cell = Object.freeze({ json: null });

/** Where the values of a path are. */
interface Field {
  readonly path: Path;
  readonly key: string;
  readonly number?: string;
  readonly time?: string;
  readonly date?: string;
  /** What it is taken to hold nearly always. */
  readonly type: Column["type"];
  cell(key: string, isDate: boolean): Cell | undefined;
}

function fieldOf(layout: Layout, path: Path): Field | undefined {
  if (path.root === "id") return { path, key: "id", type: undefined, cell: (json) => ({ json }) };
  if (path.root === "createdAt" || path.root === "updatedAt") {
    const cell = (json: string): Cell => ({ json, types: { "": "date" } });
    return { path, key: path.root, time: `${path.root}.date`, type: undefined, cell };
  }
  const column: Column | undefined = layout.usable.find((one) => isKeyed(one) && samePath(one.path, path));
  if (column === undefined) return undefined;
  const { id, type } = column;
  return {
    path,
    key: `side.k.${id}`,
    number: `side.n.${id}`,
    time: `side.t.${id}`,
    date: `side.d.${id}`,
    type,
    cell: cellOfKey,
  };
}

/** Whether Elasticsearch computes this, at least as a rule. */
export function canAggregate(layout: Layout, { keys, functions }: AggregatePlan): boolean {
  return (
    keys.every((key) => {
      const field = fieldOf(layout, key.path);
      return field !== undefined && sourceOf(key, field) !== undefined;
    }) &&
    functions.every((fn) => {
      if (fn.kind === "percentile") return false;
      const field = fn.path === undefined ? undefined : fieldOf(layout, fn.path);
      if (field === undefined) return fn.kind === "count" && fn.path === undefined;
      return (fn.kind !== "sum" && fn.kind !== "avg") || field.number !== undefined;
    })
  );
}

function sourceOf(key: LoweredKey, field: Field): object | undefined {
  switch (key.kind) {
    case "path":
      return { terms: { field: field.key, missing_bucket: true } };
    case "bucket":
      if (field.number === undefined) return undefined;
      return { histogram: { field: field.number, interval: key.width, missing_bucket: true } };
    case "dateBucket":
      if (field.time === undefined) return undefined;
      return {
        date_histogram: { field: field.time, calendar_interval: `1${units[key.unit]}`, missing_bucket: true },
      };
  }
}

const units = { hour: "h", day: "d", week: "w", month: "M", quarter: "q", year: "y" } as const;

/** One column of the answer: what to ask per group, and how to read it; `undefined` where it does not tell. */
interface Part {
  readonly aggs: { readonly [name: string]: object };
  /** To ask once; no document may be in them, else the part does not tell. */
  readonly checks: { readonly [name: string]: object };
  /** More buckets per group. */
  readonly buckets: number;
  /** Whether it wants the group's name. */
  readonly named?: boolean;
  read(bucket: Answer, group: string): Cell | undefined;
}

export async function aggregate(
  scope: Scope,
  query: object,
  plan: AggregatePlan,
  signal: AbortSignal | undefined,
): Promise<readonly AggregateRow[] | undefined> {
  return (await attempt(scope, query, plan, signal, true)) ?? (await attempt(scope, query, plan, signal, false));
}

/**
 * The first time fields are taken to hold what they are declared to: no numbers among texts, no Dates among others.
 * The answer tells whether that was right.
 */

async function attempt(
  scope: Scope,
  query: object,
  plan: AggregatePlan,
  signal: AbortSignal | undefined,
  trusting: boolean,
): Promise<readonly AggregateRow[] | undefined> {
  const { layout } = scope;
  const keys = plan.keys.map((key) => keyPart(key, fieldOf(layout, key.path) as Field, trusting));
  const parts: Part[] = [];
  for (const [index, fn] of plan.functions.entries()) {
    const field = fn.path === undefined ? undefined : (fieldOf(layout, fn.path) as Field);
    if (fn.kind === "countDistinct" && !fn.approximate) {
      const counts = await distinct(scope, query, keys, field as Field, signal);
      if (counts === undefined) return undefined;
      parts.push({
        aggs: {},
        checks: {},
        buckets: 0,
        named: true,
        read: (_, group) => ({ json: counts.get(group) ?? 0 }),
      });
    } else parts.push(functionPart(fn, field, `f${index}`, trusting));
  }
  const sub = Object.assign({}, ...keys.map(({ aggs }) => aggs), ...parts.map(({ aggs }) => aggs)) as object;
  const checks = Object.assign({}, ...[...keys, ...parts].map((part) => part.checks)) as object;
  const named = parts.some(({ named: needsName }) => needsName);
  const perGroup = 1 + parts.reduce((sum, { buckets }) => sum + buckets, 0);
  const rows: AggregateRow[] = [];
  for await (const { groups, failed } of groupsOf(scope, query, keys, { sub, checks, perGroup }, signal)) {
    if (failed) return undefined;
    for (const { values, bucket } of groups) {
      const name = named ? JSON.stringify(values) : "";
      const cells = keys.map((key, index) => key.read(values[index], bucket));
      const answers = parts.map((part) => part.read(bucket, name));
      if (cells.includes(undefined) || answers.includes(undefined)) return undefined;
      rows.push({ keys: cells as Cell[], values: answers as Cell[] });
    }
  }
  return rows;
}

// ---------- groups

interface Group {
  /** As Elasticsearch has them; null for missing. */
  readonly values: readonly (string | number | null)[];
  readonly bucket: Answer;
}

/** Those of one answer. */
interface Groups {
  readonly groups: readonly Group[];
  /** A check found documents. */
  readonly failed: boolean;
}

interface KeyPart {
  readonly field: Field;
  readonly source: object;
  /** The only kind of key that `terms` groups by. */
  readonly plain: boolean;
  readonly aggs: { readonly [name: string]: object };
  readonly checks: { readonly [name: string]: object };
  read(value: string | number | null | undefined, bucket: Answer): Cell | undefined;
}

/** Of each group whether its texts are all Dates; or only that there are none, which costs nothing. */
function datesIn(field: Field, name: string, trusting: boolean): Pick<Part, "aggs" | "checks"> {
  if (field.date === undefined) return { aggs: {}, checks: {} };
  if (trusting && field.type !== "date") {
    return { aggs: {}, checks: { [name]: { filter: { term: { [field.date]: 1 } } } } };
  }
  return { aggs: { [name]: { min: { field: field.date } } }, checks: {} };
}

function keyPart(key: LoweredKey, field: Field, trusting: boolean): KeyPart {
  const source = sourceOf(key, field) as object;
  const dates = `d${field.key}`;
  if (key.kind === "path") {
    const read: KeyPart["read"] = (value, bucket) =>
      typeof value === "string" ? field.cell(value, bucket[dates]?.value === 1) : nullCell;
    return { field, source, plain: true, ...datesIn(field, dates, trusting), read };
  }
  const read: KeyPart["read"] = (value) => {
    if (value === null) return nullCell;
    // infinite ones come as text
    if (typeof value !== "number") return undefined;
    if (key.kind === "dateBucket") return { json: isoTime(value), types: { "": "date" } };
    return { json: value === 0 ? 0 : value };
  };
  return { field, source, plain: false, aggs: {}, checks: {}, read };
}

async function* groupsOf(
  scope: Scope,
  query: object,
  keys: readonly KeyPart[],
  { sub, checks, perGroup }: { readonly sub: object; readonly checks: object; readonly perGroup: number },
  signal: AbortSignal | undefined,
): AsyncGenerator<Groups, void> {
  const { wire, layout, routing } = scope;
  const ask = (aggs: object, total = false): Promise<Answer> =>
    wire.ask({
      method: "POST",
      path: [layout.target, "_search"],
      query: { routing, ...whole },
      body: { query, size: 0, track_total_hits: total, aggs: { ...aggs, ...checks } },
      signal,
    });
  const failedIn = (found: Answer): boolean => Object.keys(checks).some((name) => found?.[name]?.doc_count > 0);
  const [only] = keys;
  if (only === undefined) {
    const answer = await ask(sub, true);
    const bucket = { ...answer.aggregations, doc_count: answer.hits.total.value };
    yield { groups: [{ values: [], bucket }], failed: failedIn(answer.aggregations) };
    return;
  }
  const size = Math.min(maxGroups, Math.floor(maxBuckets / perGroup));
  if (keys.length === 1 && only.plain) {
    const answer = await ask({
      // in the order that core wants them in
      groups: { terms: { field: only.field.key, size, order: { _key: "asc" } }, aggs: sub },
      none: { missing: { field: only.field.key }, aggs: sub },
    });
    const { groups, none } = answer.aggregations;
    if (groups.sum_other_doc_count === 0 && groups.doc_count_error_upper_bound === 0) {
      const found: Group[] = groups.buckets.map((bucket: Answer) => ({ values: [bucket.key], bucket }));
      if (none.doc_count > 0) found.push({ values: [null], bucket: none });
      yield { groups: found, failed: failedIn(answer.aggregations) };
      return;
    }
  }
  const sources = keys.map(({ source }, index) => ({ [`k${index}`]: source }));
  yield* composite(scope, query, sources, { sub, checks, failedIn }, size, signal);
}

/** Every group, at one point in time. */
async function* composite(
  scope: Scope,
  query: object,
  sources: readonly object[],
  more: { readonly sub: object; readonly checks: object; failedIn(found: Answer): boolean },
  size: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Groups, void> {
  const pit = await openPit(scope, { signal });
  try {
    let after: object | undefined;
    for (;;) {
      const groups = { composite: { size, sources, ...(after !== undefined && { after }) }, aggs: more.sub };
      const aggs = { groups, ...more.checks };
      const answer = await pit.search({ query, size: 0, track_total_hits: false, aggs });
      const { buckets, after_key } = answer.aggregations.groups;
      const found = buckets.map((bucket: Answer) => ({ values: Object.values(bucket.key), bucket }));
      yield { groups: found, failed: more.failedIn(answer.aggregations) };
      if (after_key === undefined || buckets.length < size) return;
      after = after_key;
    }
  } finally {
    await pit.close();
  }
}

const nothingMore = { sub: {}, checks: {}, failedIn: () => false };

/** By group, how many different values. */
async function distinct(
  scope: Scope,
  query: object,
  keys: readonly KeyPart[],
  field: Field,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, number> | undefined> {
  const sources = [
    ...keys.map(({ source }, index) => ({ [`k${index}`]: source })),
    { value: { terms: { field: field.key } } },
  ];
  const counts = new Map<string, number>();
  for await (const { groups } of composite(scope, query, sources, nothingMore, maxGroups, signal)) {
    for (const { values } of groups) {
      if (field.cell(values.at(-1) as string, false) === undefined) return undefined;
      const group = JSON.stringify(values.slice(0, -1));
      counts.set(group, (counts.get(group) ?? 0) + 1);
    }
  }
  return counts;
}

// ---------- functions

function functionPart(fn: LoweredFunction, field: Field | undefined, name: string, trusting: boolean): Part {
  if (field === undefined) return { aggs: {}, checks: {}, buckets: 0, read: (bucket) => ({ json: bucket.doc_count }) };
  switch (fn.kind) {
    case "count":
      return {
        aggs: { [name]: { value_count: { field: field.key } } },
        checks: {},
        buckets: 0,
        read: (bucket) => ({ json: bucket[name].value }),
      };
    case "countDistinct":
      return {
        aggs: { [name]: { cardinality: { field: field.key, precision_threshold: 40_000 } } },
        checks: {},
        buckets: 0,
        read: (bucket) => ({ json: bucket[name].value }),
      };
    case "sum":
    case "avg": {
      const { kind } = fn;
      return {
        aggs: { [name]: { [trusting ? kind : "stats"]: { field: field.number } } },
        checks: trusting ? { [`${name}s`]: { filter: { range: { [`${field.number}`]: { lt: 0 } } } } } : {},
        buckets: 0,
        read: (bucket) => (trusting ? plainTotal(bucket[name].value) : totalOf(bucket[name], kind)),
      };
    }
    case "min":
    case "max":
      return trusting && (field.type === "number" || field.type === "integer")
        ? numberExtreme(fn.kind, field, name)
        : extreme(fn.kind, field, name, trusting);
    case "percentile":
      throw new TypeError("Percentiles are left to core.");
  }
}

/** Where no number is below zero, no sum can lose digits. */
function plainTotal(value: unknown): Cell | undefined {
  return value === null || Number.isFinite(value) ? { json: value as number | null } : undefined;
}

/** Elasticsearch's sum forgets small numbers beside great ones that cancel out; then it does not count. */
function totalOf({ count, min, max, sum, avg }: Answer, kind: "sum" | "avg"): Cell | undefined {
  if (count === 0) return { json: kind === "sum" ? 0 : null };
  if (!Number.isFinite(sum) || !Number.isFinite(avg)) return undefined;
  const oneSign = min >= 0 || max <= 0;
  const greatest = count * Math.max(Math.abs(min), Math.abs(max));
  if (!oneSign && !(greatest * Number.EPSILON * 4 <= 1e-10 * Math.abs(sum))) return undefined;
  const value: number = kind === "sum" ? sum : avg;
  return { json: value === 0 ? 0 : value };
}

/** Of numbers; does not tell where there is anything else. */
function numberExtreme(kind: "min" | "max", field: Field, name: string): Part {
  const all = `${name}a`;
  return {
    aggs: { [name]: { stats: { field: field.number } }, [all]: { value_count: { field: field.key } } },
    checks: {},
    buckets: 0,
    read: (bucket) => {
      const { count, [kind]: value } = bucket[name];
      if (bucket[all].value !== count) return undefined;
      return count === 0 ? nullCell : { json: value === 0 ? 0 : value };
    },
  };
}

/** The first or last key. A text is a Date where all texts of the group are. */
function extreme(kind: "min" | "max", field: Field, name: string, trusting: boolean): Part {
  const order = { _key: kind === "min" ? "asc" : "desc" };
  const names = `${name}d`;
  const dates = datesIn(field, names, trusting);
  const exclude = field.date === undefined ? {} : { exclude: [arrayKey, objectKey] };
  return {
    aggs: { [name]: { terms: { field: field.key, size: 1, order, ...exclude } }, ...dates.aggs },
    checks: dates.checks,
    buckets: 1,
    read: (bucket) => {
      const key: string | undefined = bucket[name].buckets[0]?.key;
      return key === undefined ? nullCell : field.cell(key, bucket[names]?.value === 1);
    },
  };
}
