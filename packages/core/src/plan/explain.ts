/** `db.explain(query)`: what the engine does, what core does, by which index. Pure. */
import type { Backend } from "../backend/spi.js";
import type { Condition } from "../query/ast.js";
import type { Leaf } from "../query/lowered.js";
import { emulatedParts, type QueryPlan } from "./plan.js";
import { leavesOf, type Split } from "./split.js";

export interface ClausePlan {
  /** As it was written. */
  readonly clause: Condition;
  readonly how: "pushed" | "emulated";
  /** Emulated, but the engine narrows the candidates first. */
  readonly narrowed?: boolean;
  readonly index?: string;
  /** Why it is not pushed. */
  readonly why?: string;
}

export interface StepPlan {
  readonly how: "pushed" | "emulated" | "none";
  readonly index?: string;
  readonly why?: string;
}

export interface Explanation {
  readonly backend: string;
  readonly clauses: readonly ClausePlan[];
  readonly match: StepPlan;
  readonly nearest: NearestStep;
  readonly sort: StepPlan;
  readonly limit: StepPlan;
  /** `full`: every record is looked at, by the engine or by core. `index`: only candidates are. */
  readonly scan: "full" | "index";
  /** Whether core does a part in memory. */
  readonly emulated: boolean;
  /** The native statement: SQL and parameters, a request body; `undefined` where there is none. */
  readonly native: unknown;
  /** With `{ native: true }`: the engine's own plan. */
  readonly nativePlan?: unknown;
}

/** `exact`: every candidate is measured, by the engine or by core. */
export interface NearestStep extends StepPlan {
  readonly exact?: boolean;
}

/** Of an aggregation: of its input, and of the grouping. */
export interface AggregateExplanation extends Explanation {
  readonly groups: StepPlan;
}

export function explainPlan(plan: QueryPlan, backend: Backend): Explanation {
  const clauses = explainClauses(plan, backend);
  const indexed = [...plan.leaves.values()].some(({ index }) => index !== undefined);
  const text = plan.text ?? plan;
  const byIndex =
    indexed ||
    plan.matchIndex !== undefined ||
    plan.nearest?.index !== undefined ||
    (plan.orderIndex !== undefined && plan.query.limit !== undefined);
  const { limit, offset } = plan.query;
  return Object.freeze({
    backend: backend.name,
    clauses,
    match: step(
      plan.query.match !== undefined,
      text.match === undefined,
      text.matchIndex,
      "no text index on these fields: every candidate's words are compared",
    ),
    nearest: nearestStep(plan, backend),
    sort: step(
      plan.query.order.length > 0 || plan.query.byScore,
      plan.sort.length === 0 && !plan.ranks && plan.nearest === undefined,
      plan.orderIndex,
      plan.nearest !== undefined
        ? "core orders what was found"
        : plan.ranks
          ? "ranked by core"
          : "the engine does not prove this order: core sorts",
    ),
    limit: step(
      limit !== undefined || offset > 0,
      plan.limit === undefined && plan.offset === 0,
      undefined,
      plan.nearest === undefined ? "core filters or sorts first" : "core pages what was found",
    ),
    scan: byIndex ? "index" : "full",
    emulated: emulatedParts(plan).length > 0,
    native: backend.native?.(plan.request),
  } satisfies Explanation);
}

function nearestStep({ nearest }: QueryPlan, { name }: Backend): NearestStep {
  if (nearest === undefined) return { how: "none" };
  const { code, exact, index, why } = nearest;
  if (code === undefined) {
    const general = `the ${name} backend has no vectors of this field at hand: core measures every candidate`;
    return { how: "emulated", exact, why: why ?? general };
  }
  return { how: "pushed", exact, ...(index !== undefined && { index }), ...(why !== undefined && { why }) };
}

type Named = Pick<Backend, "name" | "compiler">;

/** What became of every clause of a condition that was split. */
export function explainClauses(parts: Pick<Split<unknown>, "leaves" | "residual">, backend: Named): ClausePlan[] {
  const residual = new Set<Leaf>(parts.residual === undefined ? [] : leavesOf(parts.residual));
  return mergeClauses(
    [...parts.leaves].map(([leaf, { compiled, index, why }]) => {
      const emulated = residual.has(leaf);
      const narrowed = emulated && compiled;
      return {
        clause: leaf.source,
        how: emulated ? "emulated" : "pushed",
        ...(narrowed && { narrowed }),
        ...(index !== undefined && { index }),
        ...(emulated && { why: why ?? (compiled ? siblingReason : generalReason(leaf, backend)) }),
      } satisfies ClausePlan;
    }),
  );
}

const siblingReason = "the engine only narrows the candidates";

function generalReason(leaf: Leaf, { name, compiler }: Named): string {
  if (compiler === undefined) return `the ${name} backend has no engine that would test conditions`;
  return `the ${name} backend does not push "${"op" in leaf.source ? leaf.source.op : leaf.kind}" here`;
}

/** A negated operator is lowered to several leaves; they are one clause to who wrote it. */
function mergeClauses(clauses: readonly ClausePlan[]): ClausePlan[] {
  const merged = new Map<Condition, ClausePlan>();
  for (const clause of clauses) {
    const before = merged.get(clause.clause);
    if (before === undefined) merged.set(clause.clause, clause);
    else if (clause.how === "emulated" || before.how === "emulated") {
      merged.set(clause.clause, { ...before, ...clause, how: "emulated" });
    } else merged.set(clause.clause, { ...clause, ...before });
  }
  return [...merged.values()];
}

function step(asked: boolean, pushed: boolean, index: string | undefined, why: string): StepPlan {
  if (!asked) return { how: "none" };
  if (!pushed) return { how: "emulated", why };
  return index === undefined ? { how: "pushed" } : { how: "pushed", index };
}
