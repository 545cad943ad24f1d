/** `store.explain(search)`: what the engine does, what core does, by which index. Pure. */
import { type ClausePlan, explainClauses } from "../plan/explain.js";
import { neededParts } from "./scan.js";
import { type CheckedSearch, firstFetch, firstWay } from "./search.js";
import type { VectorSession } from "./session.js";
import type { SearchPlan, VectorSearchRequest } from "./spi.js";

export interface VectorExplanation {
  readonly backend: string;
  /** What becomes of every condition of the filter. */
  readonly clauses: readonly ClausePlan[];
  /** How the nearest are found. `scan`: core measures every row that satisfies the filter. */
  readonly search: "exact" | "approximate" | "scan";
  readonly index?: string;
  readonly why?: string;
  /** Hits that the engine is asked for at first; four times as many each time that too few pass. */
  readonly fetch: number;
  /** What makes up for a short answer of an index: the engine's own exact search, or a scan. */
  readonly completion: "none" | "engine" | "scan";
  /** Whether core evaluates a part of the filter, or measures itself. */
  readonly emulated: boolean;
  /** The native statement; `undefined` where there is none. */
  readonly native: unknown;
}

export function explainSearch(session: VectorSession, search: CheckedSearch): VectorExplanation {
  const { backend, capabilities } = session;
  const way = firstWay(session, search);
  const fetch = firstFetch(session, search);
  const request: VectorSearchRequest<unknown> = {
    scope: session.scope,
    vectors: [],
    limit: fetch,
    where: search.filter.pushed,
    include: neededParts(search.include, search.filter),
    exact: way === "engine-exact",
    tuning: search.tuning,
  };
  const plan: SearchPlan =
    backend.plan?.(request) ?? ({ search: way === "engine-exact" ? "exact" : capabilities.index } as const);
  const short = way === "index" && !(capabilities.index === "exact" && capabilities.complete);
  return Object.freeze({
    backend: session.name,
    clauses: explainClauses(search.filter, backend),
    search: way === "scan" ? "scan" : plan.search,
    ...(way !== "scan" && plan.index !== undefined && { index: plan.index }),
    ...(plan.why !== undefined && { why: plan.why }),
    fetch,
    completion: short && !capabilities.complete ? (capabilities.exactSearch ? "engine" : "scan") : "none",
    emulated: way === "scan" || search.filter.residual !== undefined,
    native: way === "scan" ? undefined : plan.native,
  } satisfies VectorExplanation);
}
