/** Decides what the backend does and what core does with a query. Pure. */
import type { Compiler, ScanRequest } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import type { Leaf, Lowered, LoweredQuery, Match, Nearest, Order, Path } from "../query/lowered.js";
import { pathKey } from "../query/paths.js";
import { type LeafPlan, leavesOf, split } from "./split.js";

/** How the nearest are found. */
export interface NearestPlan<P = unknown> {
  readonly nearest: Nearest;
  /** Of the engine, which gives candidates; none: core measures all. */
  readonly code: P | undefined;
  /** Whether every candidate was looked at. */
  readonly exact: boolean;
  readonly index: string | undefined;
  readonly why: string | undefined;
}

export interface QueryPlan<P = unknown> {
  readonly query: LoweredQuery;
  readonly request: ScanRequest<P>;
  /** Evaluated by core on every record of the scan. */
  readonly residual: Lowered | undefined;
  /** Full text by scan. */
  readonly match: Match | undefined;
  /** Sorted by core; empty where the engine did it or the order does not matter. */
  readonly sort: readonly Order[];
  /** Core ranks by score. */
  readonly ranks: boolean;
  /** Applied by core after all else. */
  readonly offset: number;
  readonly limit: number | undefined;
  readonly leaves: ReadonlyMap<Leaf, LeafPlan>;
  readonly matchIndex: string | undefined;
  readonly orderIndex: string | undefined;
  /** The scan is for candidates of the nearest; core measures, ranks and pages them. */
  readonly nearest?: NearestPlan<P> | undefined;
  /** The hits by words, whose ranking is fused with the nearest. */
  readonly text?: QueryPlan<P> | undefined;
}

export interface Planner<P> {
  readonly name: string;
  readonly compiler?: Compiler<P> | undefined;
  readonly capabilities: { readonly analyzers: readonly string[] };
}

export const defaultBatchSize = 1000;

export function planQuery<P>(
  query: LoweredQuery,
  backend: Planner<P>,
  batchSize: number = defaultBatchSize,
): QueryPlan<P> {
  if (query.nearest !== undefined) return planNearest(query, query.nearest, backend, batchSize);
  const { compiler } = backend;
  checkAnalyzer(query.match, backend);
  const { pushed, residual, leaves } = split(query.where, compiler);
  const compiledMatch = query.match === undefined ? undefined : compiler?.match?.(query.match);
  const matches = compiledMatch?.exact === true;
  const match = matches ? undefined : query.match;
  const ranks = query.byScore && !matches;
  const nativeOrder = query.order.length === 0 ? undefined : compiler?.order?.(query.order);
  const sort = nativeOrder === undefined ? query.order : [];
  const whole = residual === undefined && match === undefined && sort.length === 0 && !ranks;
  const request: ScanRequest<P> = {
    where: pushed,
    match: matches ? compiledMatch.code : undefined,
    order: nativeOrder === undefined ? [] : query.order,
    limit: whole ? query.limit : undefined,
    offset: whole ? query.offset : 0,
    select: neededPaths(query.select, residual, match, sort),
    batchSize: query.limit === undefined ? batchSize : Math.max(1, Math.min(batchSize, query.limit + query.offset)),
  };
  const plan: QueryPlan<P> = {
    query,
    request,
    residual,
    match,
    sort,
    ranks,
    offset: whole ? 0 : query.offset,
    limit: whole ? undefined : query.limit,
    leaves,
    matchIndex: matches ? compiledMatch.index : undefined,
    orderIndex: nativeOrder?.index,
  };
  return plan;
}

/** Records more than k that the engine is asked for: it may round distances, and so change places. */
function spare(k: number): number {
  return 8 + Math.ceil(k / 4);
}

function planNearest<P>(query: LoweredQuery, nearest: Nearest, backend: Planner<P>, batchSize: number): QueryPlan<P> {
  const { nearest: _, fusion: __, match, ...rest } = query;
  const select = query.select && [...query.select, ...query.order.map(({ path }) => path)];
  const unpaged = { ...rest, match: undefined, order: [], byScore: false, limit: undefined, offset: 0 };
  const candidates = planQuery({ ...unpaged, select: select && [...select, nearest.path] }, backend, batchSize);
  const compiled = backend.compiler?.nearest?.(nearest);
  const text =
    match === undefined
      ? undefined
      : planQuery({ ...unpaged, match, select: select && [...select, ...match.fields] }, backend, batchSize);
  // an index that approximates promises no places that rounding could change
  const fetch = compiled === undefined ? undefined : nearest.k + (compiled.exact ? spare(nearest.k) : 0);
  return {
    ...candidates,
    query,
    request: {
      ...candidates.request,
      ...(compiled !== undefined && { nearest: compiled.code, limit: fetch }),
      ...(fetch !== undefined && { batchSize: Math.min(batchSize, fetch) }),
    },
    offset: query.offset,
    limit: query.limit,
    nearest: {
      nearest,
      code: compiled?.code,
      exact: compiled === undefined || compiled.exact,
      index: compiled?.index,
      why: compiled?.why,
    },
    text,
  };
}

/** The parts of a plan that core does in memory, in words; empty where the engine does it all. */
export function emulatedParts(plan: QueryPlan): string[] {
  const parts: string[] = [];
  if (plan.residual !== undefined) parts.push("conditions");
  if (plan.match !== undefined) parts.push("full text");
  if (plan.sort.length > 0) parts.push("the sort");
  if (plan.nearest !== undefined && plan.nearest.code === undefined) parts.push("the distances");
  return plan.text === undefined ? parts : [...new Set([...parts, ...emulatedParts(plan.text)])];
}

/** Throws `UNSUPPORTED` where the query or the database refuses in-memory work and the plan has some. */
export function refuseResidual(plan: QueryPlan, backend: string, setting: "allow" | "error"): void {
  if ((plan.query.residual ?? setting) !== "error") return;
  const parts = emulatedParts(plan);
  if (parts.length === 0) return;
  throw new DataknobsError(
    "UNSUPPORTED",
    `The ${backend} backend leaves ${parts.join(", ")} of this query to be done in memory, which \`residual: "error"\` ` +
      "refuses. `db.explain(query)` says which; declare an index, or allow it.",
    { backend, emulated: parts },
  );
}

function checkAnalyzer<P>(match: Match | undefined, backend: Planner<P>): void {
  if (match?.analyzer === undefined || backend.capabilities.analyzers.includes(match.analyzer)) return;
  const known = backend.capabilities.analyzers;
  throw new DataknobsError(
    "UNSUPPORTED",
    `The ${backend.name} backend has no analyzer "${match.analyzer}"; it has ${known.length > 0 ? known.join(", ") : "none"}.`,
    { backend: backend.name, analyzer: match.analyzer },
  );
}

/** Everything that the answer or core's part of the work looks at; `undefined`: all of the record. */
function neededPaths(
  select: readonly Path[] | undefined,
  residual: Lowered | undefined,
  match: Match | undefined,
  sort: readonly Order[],
): readonly Path[] | undefined {
  if (select === undefined) return undefined;
  const paths = new Map<string, Path>();
  const add = (path: Path): unknown => paths.set(pathKey(path), path);
  select.forEach(add);
  if (residual !== undefined) for (const leaf of leavesOf(residual)) add(leaf.path);
  match?.fields.forEach(add);
  for (const order of sort) add(order.path);
  return [...paths.values()];
}
