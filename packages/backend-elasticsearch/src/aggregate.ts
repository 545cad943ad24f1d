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
} from "@dataknobs/core/backend";
import { arrayKey, cellOfKey, objectKey } from "./keys.js";
import type { Column, Layout } from "./layout.js";
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
  /** Nearly always numbers, so extremes are looked for among them first. */
  readonly numeric: boolean;
  cell(key: string, isDate: boolean): Cell | undefined;
}

function fieldOf(layout: Layout, path: Path): Field | undefined {
  if (path.root === "id") return { path, key: "id", numeric: false, cell: (json) => ({ json }) };
  if (path.root === "createdAt" || path.root === "updatedAt") {
    const cell = (json: string): Cell => ({ json, types: { "": "date" } });
    return { path, key: path.root, time: `${path.root}.date`, numeric: false, cell };
  }
  const column: Column | undefined = layout.usable.find(
    (one) => !one.text && one.path.root === path.root && one.path.pointer === path.pointer,
  );
  if (column === undefined) return undefined;
  const { id, type } = column;
  return {
    path,
    key: `side.k.${id}`,
    number: `side.n.${id}`,
    time: `side.t.${id}`,
    date: `side.d.${id}`,
    numeric: type === "number" || type === "integer",
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
  /** More buckets per group. */
  readonly buckets: number;
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

async function attempt(
  scope: Scope,
  query: object,
  plan: AggregatePlan,
  signal: AbortSignal | undefined,
  numeric: boolean,
): Promise<readonly AggregateRow[] | undefined> {
  const { layout } = scope;
  const keys = plan.keys.map((key) => keyPart(key, fieldOf(layout, key.path) as Field));
  const parts: Part[] = [];
  for (const [index, fn] of plan.functions.entries()) {
    const field = fn.path === undefined ? undefined : (fieldOf(layout, fn.path) as Field);
    if (fn.kind === "countDistinct" && !fn.approximate) {
      const counts = await distinct(scope, query, keys, field as Field, signal);
      if (counts === undefined) return undefined;
      parts.push({ aggs: {}, buckets: 0, read: (_, group) => ({ json: counts.get(group) ?? 0 }) });
    } else parts.push(functionPart(fn, field, `f${index}`, numeric));
  }
  const sub = Object.assign({}, ...keys.map(({ aggs }) => aggs), ...parts.map(({ aggs }) => aggs)) as object;
  const perGroup = 1 + parts.reduce((sum, { buckets }) => sum + buckets, 0);
  const rows: AggregateRow[] = [];
  for await (const { values, bucket } of groupsOf(scope, query, keys, sub, perGroup, signal)) {
    const name = JSON.stringify(values);
    const cells = keys.map((key, index) => key.read(values[index], bucket));
    const answers = parts.map((part) => part.read(bucket, name));
    if (cells.includes(undefined) || answers.includes(undefined)) return undefined;
    rows.push({ keys: cells as Cell[], values: answers as Cell[] });
  }
  return rows;
}

// ---------- groups

interface Group {
  /** As Elasticsearch has them; null for missing. */
  readonly values: readonly (string | number | null)[];
  readonly bucket: Answer;
}

interface KeyPart {
  readonly field: Field;
  readonly source: object;
  /** The only kind of key that `terms` groups by. */
  readonly plain: boolean;
  readonly aggs: { readonly [name: string]: object };
  read(value: string | number | null | undefined, bucket: Answer): Cell | undefined;
}

function keyPart(key: LoweredKey, field: Field): KeyPart {
  const source = sourceOf(key, field) as object;
  const dates = `d${field.key}`;
  if (key.kind === "path") {
    const aggs: KeyPart["aggs"] = field.date === undefined ? {} : { [dates]: { min: { field: field.date } } };
    const read: KeyPart["read"] = (value, bucket) =>
      typeof value === "string" ? field.cell(value, bucket[dates]?.value === 1) : nullCell;
    return { field, source, plain: true, aggs, read };
  }
  const read: KeyPart["read"] = (value) => {
    if (value === null) return nullCell;
    // infinite ones come as text
    if (typeof value !== "number") return undefined;
    if (key.kind === "dateBucket") return { json: isoTime(value), types: { "": "date" } };
    return { json: value === 0 ? 0 : value };
  };
  return { field, source, plain: false, aggs: {}, read };
}

async function* groupsOf(
  scope: Scope,
  query: object,
  keys: readonly KeyPart[],
  sub: object,
  perGroup: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Group, void> {
  const { wire, layout, routing } = scope;
  const ask = (aggs: object, total = false): Promise<Answer> =>
    wire.ask({
      method: "POST",
      path: [layout.target, "_search"],
      query: { routing, ...whole },
      body: { query, size: 0, track_total_hits: total, aggs },
      signal,
    });
  const [only] = keys;
  if (only === undefined) {
    const answer = await ask(sub, true);
    yield { values: [], bucket: { ...answer.aggregations, doc_count: answer.hits.total.value } };
    return;
  }
  const size = Math.min(maxGroups, Math.floor(maxBuckets / perGroup));
  if (keys.length === 1 && only.plain) {
    const answer = await ask({
      groups: { terms: { field: only.field.key, size }, aggs: sub },
      none: { missing: { field: only.field.key }, aggs: sub },
    });
    const { groups, none } = answer.aggregations;
    if (groups.sum_other_doc_count === 0 && groups.doc_count_error_upper_bound === 0) {
      for (const bucket of groups.buckets) yield { values: [bucket.key], bucket };
      if (none.doc_count > 0) yield { values: [null], bucket: none };
      return;
    }
  }
  const sources = keys.map(({ source }, index) => ({ [`k${index}`]: source }));
  yield* composite(scope, query, sources, sub, size, signal);
}

/** Every group, at one point in time. */
async function* composite(
  scope: Scope,
  query: object,
  sources: readonly object[],
  sub: object,
  size: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Group, void> {
  const pit = await openPit(scope, { signal });
  try {
    let after: object | undefined;
    for (;;) {
      const groups = { composite: { size, sources, ...(after !== undefined && { after }) }, aggs: sub };
      const answer = await pit.search({ query, size: 0, track_total_hits: false, aggs: { groups } });
      const { buckets, after_key } = answer.aggregations.groups;
      for (const bucket of buckets) yield { values: Object.values(bucket.key), bucket };
      if (after_key === undefined || buckets.length < size) return;
      after = after_key;
    }
  } finally {
    await pit.close();
  }
}

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
  for await (const { values } of composite(scope, query, sources, {}, maxGroups, signal)) {
    if (field.cell(values.at(-1) as string, false) === undefined) return undefined;
    const group = JSON.stringify(values.slice(0, -1));
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  return counts;
}

// ---------- functions

function functionPart(fn: LoweredFunction, field: Field | undefined, name: string, numeric: boolean): Part {
  if (field === undefined) return { aggs: {}, buckets: 0, read: (bucket) => ({ json: bucket.doc_count }) };
  switch (fn.kind) {
    case "count":
      return {
        aggs: { [name]: { value_count: { field: field.key } } },
        buckets: 0,
        read: (bucket) => ({ json: bucket[name].value }),
      };
    case "countDistinct":
      return {
        aggs: { [name]: { cardinality: { field: field.key, precision_threshold: 40_000 } } },
        buckets: 0,
        read: (bucket) => ({ json: bucket[name].value }),
      };
    case "sum":
    case "avg": {
      const { kind } = fn;
      return {
        aggs: { [name]: { stats: { field: field.number } } },
        buckets: 0,
        read: (bucket) => totalOf(bucket[name], kind),
      };
    }
    case "min":
    case "max":
      return numeric && field.numeric ? numberExtreme(fn.kind, field, name) : extreme(fn.kind, field, name);
    case "percentile":
      throw new TypeError("Percentiles are left to core.");
  }
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
    buckets: 0,
    read: (bucket) => {
      const { count, [kind]: value } = bucket[name];
      if (bucket[all].value !== count) return undefined;
      return count === 0 ? nullCell : { json: value === 0 ? 0 : value };
    },
  };
}

/** The first or last key. A text is a Date where all texts of the group are. */
function extreme(kind: "min" | "max", field: Field, name: string): Part {
  const order = { _key: kind === "min" ? "asc" : "desc" };
  const dates = `${name}d`;
  const isKey = field.date !== undefined;
  return {
    aggs: {
      [name]: { terms: { field: field.key, size: 1, order, ...(isKey && { exclude: [arrayKey, objectKey] }) } },
      ...(isKey && { [dates]: { min: { field: field.date } } }),
    },
    buckets: 1,
    read: (bucket) => {
      const key: string | undefined = bucket[name].buckets[0]?.key;
      return key === undefined ? nullCell : field.cell(key, bucket[dates]?.value === 1);
    },
  };
}
