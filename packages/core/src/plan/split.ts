/**
 * Splits a condition into what a backend's compiler can prove and what core evaluates itself.
 *
 * Guaranteed: the pushed part never selects less than the condition; pushed and residual together select just it.
 */
import type { Compiled, Compiler } from "../backend/spi.js";
import type { Leaf, Lowered } from "../query/lowered.js";

export interface Split<P> {
  readonly pushed: P | undefined;
  readonly residual: Lowered | undefined;
  /** What became of each leaf. */
  readonly leaves: ReadonlyMap<Leaf, LeafPlan>;
}

export interface LeafPlan {
  /** Whether the engine sees it; then a residual only finishes its work. */
  readonly compiled: boolean;
  readonly index?: string | undefined;
  readonly why?: string | undefined;
}

interface Part<P> {
  readonly pushed?: P | undefined;
  readonly residual?: Lowered | undefined;
}

export function split<P>(condition: Lowered | undefined, compiler: Compiler<P> | undefined): Split<P> {
  const leaves = new Map<Leaf, LeafPlan>();
  if (condition === undefined) return { pushed: undefined, residual: undefined, leaves };
  const { pushed, residual } = visit(condition, compiler, leaves);
  return { pushed, residual, leaves };
}

function visit<P>(condition: Lowered, compiler: Compiler<P> | undefined, leaves: Map<Leaf, LeafPlan>): Part<P> {
  switch (condition.kind) {
    case "and": {
      const parts = condition.conditions.map((child) => visit(child, compiler, leaves));
      const pushed = parts.map((part) => part.pushed).filter((one) => one !== undefined) as P[];
      const residual = parts.flatMap((part) => (part.residual === undefined ? [] : [part.residual]));
      const all = compiler === undefined ? undefined : joined(pushed, (several) => compiler.and(several));
      if (all === undefined && pushed.length > 0) return withheld(condition, leaves, tooMuch);
      return {
        pushed: all,
        residual: residual.length > 1 ? { kind: "and", conditions: residual } : residual[0],
      };
    }
    case "or": {
      const parts = condition.conditions.map((child) => visit(child, compiler, leaves));
      // an empty `and` is true, and so is whatever it is an alternative of
      if (parts.some((part) => part.pushed === undefined && part.residual === undefined)) return {};
      if (compiler === undefined || parts.some((part) => part.pushed === undefined)) return withheld(condition, leaves);
      const several = parts.map((part) => part.pushed as P);
      const pushed = several.length === 1 ? several[0] : compiler.or(several);
      if (pushed === undefined) return withheld(condition, leaves, tooMuch);
      return { pushed, residual: parts.some((part) => part.residual !== undefined) ? condition : undefined };
    }
    case "not": {
      const part = visit(condition.condition, compiler, leaves);
      if (compiler === undefined || part.residual !== undefined) return withheld(condition, leaves);
      // an empty `and` is pushed as nothing; its complement selects no record
      const pushed = part.pushed === undefined ? compiler.or([]) : compiler.not(part.pushed);
      return pushed === undefined ? withheld(condition, leaves, "the engine has no complement of it") : { pushed };
    }
    default:
      return visitLeaf(condition, compiler, leaves);
  }
}

const tooMuch = "the whole filter is too large for the engine";

/** The engine sees nothing of the condition, whatever it could do with parts of it. */
function withheld<P>(
  condition: Lowered,
  leaves: Map<Leaf, LeafPlan>,
  why = "joined with a clause that is not pushed",
): Part<P> {
  for (const leaf of leavesOf(condition)) {
    const plan = leaves.get(leaf);
    if (plan?.compiled === true) leaves.set(leaf, { compiled: false, why });
  }
  return { residual: condition };
}

/** Every leaf of a condition, left to right. */
export function leavesOf(condition: Lowered): Leaf[] {
  switch (condition.kind) {
    case "and":
    case "or":
      return condition.conditions.flatMap(leavesOf);
    case "not":
      return leavesOf(condition.condition);
    default:
      return [condition];
  }
}

function joined<P>(parts: readonly P[], join: (parts: readonly P[]) => P | undefined): P | undefined {
  return parts.length > 1 ? join(parts) : parts[0];
}

function visitLeaf<P>(leaf: Leaf, compiler: Compiler<P> | undefined, leaves: Map<Leaf, LeafPlan>): Part<P> {
  const handler = compiler?.leaf[leaf.kind] as ((leaf: Leaf) => Compiled<P> | undefined) | undefined;
  const compiled = handler?.(leaf);
  if (compiled === undefined) {
    leaves.set(leaf, { compiled: false, why: compiler?.why?.(leaf) });
    return { residual: leaf };
  }
  leaves.set(leaf, { compiled: true, index: compiled.index, why: compiled.why });
  return compiled.exact ? { pushed: compiled.code } : { pushed: compiled.code, residual: leaf };
}
